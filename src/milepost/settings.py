"""The settings of a server, in one place."""

from pathlib import Path
from typing import Literal

import msgspec


class Settings(msgspec.Struct, frozen=True, kw_only=True):
    """What can be set about a server. The command line offers each of these."""

    data: Path = Path("milepost-data")
    """The folder that holds everything: jobs, files, people, keys. One server at a time uses it."""
    host: str = "127.0.0.1"
    """Address to listen on."""
    port: int = 6080
    """Port to listen on; 0 takes a free one."""
    context: str = "arcgis"
    """First part of every path."""
    public_url: str = ""
    """How clients reach the server when that differs from what their requests say, such as ``https://gis.example.com``."""
    tls: bool = False
    """Whether to speak HTTPS, with a certificate made by the server unless one is given."""
    certificate: Path | None = None
    """Certificate chain in PEM form."""
    key: Path | None = None
    """Private key of the certificate in PEM form."""
    operations: tuple[str, ...] = ()
    """Files or modules with operations, besides the toolbox and installed packages."""
    toolbox: bool = True
    """Whether to offer the geoprocessing toolbox, if its libraries are installed."""
    gp_admin: Literal["kubernetes", "server"] = "kubernetes"
    """Whose documents the admin API of geoprocessing jobs follows: Enterprise on Kubernetes or ArcGIS Server."""
    max_body: int = 64 * 2**20
    """Bytes a request may have; uploads have a limit of their own."""
    cors: tuple[str, ...] = ("*",)
    """Origins whose pages may call the server; ``*`` for all."""
    strict_post_token: bool = False
    """Whether a POST to the admin API must hold its token in the body."""
    strict_referer: bool = False
    """Whether to refuse a token that is bound to a page or program when a request comes from another one."""
    redirect_uris: tuple[str, ...] = ()
    """Where a sign-in for a program may lead, beside this server and the person's own machine: origins, whose pages
    may all be led to, or whole URIs."""
    registry_networks: tuple[str, ...] = ()
    """Networks, such as ``10.0.0.0/8``, where the container registry may have private addresses and speak plain HTTP."""
    sheet_sources: Path | None = None
    """File of settings that names what map sheets are made from; without one, the sample of an installed package."""
    video_storage: str = ""
    """Where new video layers lie: a folder, or ``s3://bucket/prefix``; the data folder when empty."""
    video_max_upload: int = 8 * 2**30
    """Bytes that a file for a video layer may have."""
    video_uploads_per_person: int = 64 * 2**30
    """Bytes that all such files of one person may have; 0 for any number."""
    video_keep_uploads: float = 7 * 86400.0
    """Seconds for which such a file is kept since it was sent or last used."""
    log_format: str = "text"
    """``text`` for people or ``json`` for programs."""
    administrator: str = "admin"
    """Name of the administrator made at the first start."""
    administrator_password: str = ""
    """Their password; generated and printed once when empty."""

    @property
    def base_path(self) -> str:
        """The context as a path, such as ``/arcgis``; empty for the root."""
        name = self.context.strip("/")
        return f"/{name}" if name else ""

    @property
    def certificate_file(self) -> Path | None:
        """The certificate that the server shows; None without TLS."""
        return (self.certificate or self.data / "tls" / "certificate.pem") if self.tls else None

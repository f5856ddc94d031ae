"""The command that runs a server."""

import os
import sys
from pathlib import Path
from typing import Literal

import click

from milepost.cli.common import Problem, option
from milepost.cli.user import data_option


@click.command()
@data_option
@option("--host", default="127.0.0.1", help="The address to listen at; 0.0.0.0 for all.")
@option("--port", type=click.IntRange(0, 65535), default=6080, help="0 takes a free one.")
@option("--context", default="arcgis", help="The first part of every path.")
@option("--tls", is_flag=True, help="Speak HTTPS, with a certificate made here unless one is given.")
@option(
    "--certificate",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="The certificate chain, PEM.",
)
@option(
    "--key",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="The private key of the certificate, PEM.",
)
@option(
    "--operations",
    multiple=True,
    metavar="FILE_OR_MODULE",
    help="Load operations from a Python file or module; may be repeated.",
)
@option(
    "--public-url",
    default="",
    show_default=False,
    metavar="URL",
    help="What clients call this server, behind a proxy.",
)
@option(
    "--gp-admin",
    type=click.Choice(["kubernetes", "server"]),
    default="kubernetes",
    help="Whose admin API of geoprocessing jobs to speak: Enterprise on Kubernetes or ArcGIS Server.",
)
@option(
    "--max-body",
    type=click.IntRange(1),
    default=64,
    metavar="MIB",
    help="The largest request, in MiB; uploads have a limit of their own.",
)
@option("--cors", multiple=True, metavar="ORIGIN", help="Pages that may call this server; all by default.")
@option(
    "--strict-post-token",
    is_flag=True,
    help="Take the token of a POST to the admin API from its body only, as documented.",
)
@option(
    "--strict-referer",
    is_flag=True,
    help="Refuse a token bound to a referer when the request names another one.",
)
@option(
    "--redirect-uri",
    multiple=True,
    metavar="URI",
    help="Where a sign-in for a program may lead: an origin or a whole URI; may be repeated."
    " This server and the person's own machine always may.",
)
@option(
    "--registry-network",
    multiple=True,
    metavar="CIDR",
    help="A network such as 10.0.0.0/8 where the container registry may be, although its addresses are not"
    " public, and may speak plain HTTP; may be repeated.",
)
@option(
    "--sheet-sources",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    metavar="FILE",
    help="A TOML file that names the maps and heights that map sheets are made from.",
)
@option(
    "--video-storage",
    default="",
    show_default=False,
    metavar="PLACE",
    help="Where new video layers lie: a folder, or s3://BUCKET/PREFIX with the credentials in the environment,"
    " as the AWS tools take them; the data folder by default.",
)
@option(
    "--video-max-upload",
    type=click.IntRange(1),
    default=8192,
    metavar="MIB",
    help="The largest file for a video layer, in MiB.",
)
@option(
    "--video-uploads-per-person",
    type=click.IntRange(0),
    default=65536,
    metavar="MIB",
    help="What all files of one person for video layers may have together, in MiB; 0 for no limit.",
)
@option(
    "--video-keep-uploads",
    type=click.IntRange(1),
    default=7,
    metavar="DAYS",
    help="For how many days files for video layers are kept that nobody uses.",
)
@option(
    "--log-format",
    type=click.Choice(["text", "json"]),
    default="text",
    help="Lines for people or objects for programs.",
)
@click.option("--toolbox/--no-toolbox", default=True, help="Offer the geoprocessing toolbox.")
def serve(
    data: Path,
    host: str,
    port: int,
    context: str,
    tls: bool,
    certificate: Path | None,
    key: Path | None,
    operations: tuple[str, ...],
    public_url: str,
    gp_admin: Literal["kubernetes", "server"],
    max_body: int,
    cors: tuple[str, ...],
    strict_post_token: bool,
    strict_referer: bool,
    redirect_uri: tuple[str, ...],
    registry_network: tuple[str, ...],
    sheet_sources: Path | None,
    video_storage: str,
    video_max_upload: int,
    video_uploads_per_person: int,
    video_keep_uploads: int,
    log_format: str,
    toolbox: bool,
) -> None:
    """Run a server until Ctrl-C.

    Everything it keeps lies in the data folder. The first start makes an administrator: named by
    MILEPOST_ADMIN_USERNAME, with the password in MILEPOST_ADMIN_PASSWORD or one that is printed once.
    """
    if (certificate is None) != (key is None):
        raise click.UsageError("--certificate and --key belong together; give both or neither")
    # Loaded here because the other commands need none of it.
    from milepost.serving import StartupError
    from milepost.serving import serve as run
    from milepost.settings import Settings

    settings = Settings(
        data=data,
        host=host,
        port=port,
        context=context.strip("/"),
        tls=tls or certificate is not None,
        certificate=certificate,
        key=key,
        operations=operations,
        toolbox=toolbox,
        public_url=public_url.rstrip("/"),
        gp_admin=gp_admin,
        max_body=max_body * 2**20,
        cors=cors or ("*",),
        strict_post_token=strict_post_token,
        strict_referer=strict_referer,
        redirect_uris=redirect_uri,
        registry_networks=registry_network,
        sheet_sources=sheet_sources,
        video_storage=video_storage.strip(),
        video_max_upload=video_max_upload * 2**20,
        video_uploads_per_person=video_uploads_per_person * 2**20,
        video_keep_uploads=video_keep_uploads * 86400.0,
        log_format=log_format,
        administrator=os.environ.get("MILEPOST_ADMIN_USERNAME") or "admin",
        # Taken out, since operations and what they start inherit the environment.
        administrator_password=os.environ.pop("MILEPOST_ADMIN_PASSWORD", ""),
    )

    def ready(address: str, password: str | None) -> None:
        if password:
            name = settings.administrator
            click.echo(f"Sign in as {name} with the password {password} (it is not shown again)")
        click.echo(f"Milepost serves {address}")
        sys.stdout.flush()

    try:
        run(settings, ready)
    except StartupError as error:
        raise Problem(str(error)) from error

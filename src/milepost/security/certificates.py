"""A certificate of the server's own, for TLS where nobody has given it one."""

import ipaddress
import re
import socket
from collections.abc import Iterable
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Final

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from milepost.security import files
from milepost.security.errors import SecurityError

LIFETIME: Final = timedelta(days=730)
RENEWAL: Final = timedelta(days=30)
"""How long before its end a certificate is replaced."""

_CERTIFICATE: Final = "certificate.pem"
_KEY: Final = "certificate-key.pem"
_SUBJECT: Final = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "Milepost, self-made")])
_LABEL: Final = r"[a-z0-9_](?:[a-z0-9_-]{0,61}[a-z0-9_])?"
_NAME: Final = re.compile(rf"(?:\*\.)?{_LABEL}(?:\.{_LABEL})*")


class CertificateError(SecurityError):
    """A certificate cannot be made or used; the text names the cause and the cure."""


def ensure_certificate(folder: Path, hosts: Iterable[str] = ()) -> tuple[Path, Path]:
    """A certificate for this machine and the key to it; the ones in the folder while they are good.

    It names localhost, 127.0.0.1, ::1, the name of this machine, and ``hosts``. A new one is made
    when there is none, when it ends within 30 days, when it names other hosts, or when the key is
    not the one it was made for. It can sign no other certificate, so whoever trusts it trusts this
    server and nothing else.

    Args:
        folder: where the two files are kept, made when missing.
        hosts: further names and addresses under which clients reach the server. Addresses that
            stand for all (0.0.0.0 and ::) name nobody and are left out.

    Returns:
        The paths of the certificate and of its private key, both PEM.

    Raises:
        CertificateError: a host is not a name or address, or the file holds a certificate that
            Milepost did not make.
        PrivateFileError: the files cannot be read or written, or the key is open to all.
    """
    names = _names(hosts)
    certificate_path, key_path = folder / _CERTIFICATE, folder / _KEY
    with files.only_one(folder):
        if not _good(certificate_path, key_path, names):
            certificate, key = _make(names)
            # The key first: a certificate without its key is noticed and made anew.
            files.write(key_path, key)
            files.write(certificate_path, certificate, mode=0o644)
    return certificate_path, key_path


def _good(certificate_path: Path, key_path: Path, names: frozenset[x509.GeneralName]) -> bool:
    try:
        with files.explained(certificate_path):
            text = certificate_path.read_bytes()
    except FileNotFoundError:
        return False
    try:
        certificate = x509.load_pem_x509_certificate(text)
        ours = certificate.subject == certificate.issuer == _SUBJECT
    except ValueError:
        ours = False
    if not ours:
        raise CertificateError(
            f"{certificate_path} is not a certificate that Milepost made, and is not replaced; move it to"
            " another folder, and give it to the server as its own together with its key"
        )
    try:
        key = serialization.load_pem_private_key(files.read(key_path), password=None)
        named = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    except (FileNotFoundError, ValueError, TypeError, x509.ExtensionNotFound):
        return False
    now = datetime.now(UTC)
    return (
        key.public_key() == certificate.public_key()
        and frozenset(named) == names
        and certificate.not_valid_before_utc <= now < certificate.not_valid_after_utc - RENEWAL
    )


def _make(names: frozenset[x509.GeneralName]) -> tuple[bytes, bytes]:
    """A new certificate and its key, both PEM."""
    key = ec.generate_private_key(ec.SECP256R1())
    now = datetime.now(UTC)
    identifier = x509.SubjectKeyIdentifier.from_public_key(key.public_key())
    certificate = (
        x509.CertificateBuilder()
        .subject_name(_SUBJECT)
        .issuer_name(_SUBJECT)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        # The clocks of clients may be behind.
        .not_valid_before(now - timedelta(hours=1))
        .not_valid_after(now + LIFETIME)
        .add_extension(x509.SubjectAlternativeName(sorted(names, key=str)), critical=False)
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(_signatures_only(), critical=True)
        .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), critical=False)
        .add_extension(identifier, critical=False)
        .add_extension(
            x509.AuthorityKeyIdentifier.from_issuer_subject_key_identifier(identifier), critical=False
        )
        .sign(key, hashes.SHA256())
    )
    return (
        certificate.public_bytes(serialization.Encoding.PEM),
        key.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        ),
    )


def _signatures_only() -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=True,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        key_cert_sign=False,
        crl_sign=False,
        encipher_only=False,
        decipher_only=False,
    )


def _names(hosts: Iterable[str]) -> frozenset[x509.GeneralName]:
    names = {_name("localhost"), _name("127.0.0.1"), _name("::1")}
    # Nobody asked for the machine's own name: leave it out when it cannot be one.
    with suppress(CertificateError):
        names.add(_name(socket.gethostname()))
    for host in hosts:
        name = _name(host)
        if not (isinstance(name, x509.IPAddress) and name.value.is_unspecified):
            names.add(name)
    return frozenset(names)


def _name(host: str) -> x509.GeneralName:
    """The host as a certificate names it."""
    text = host.strip()
    try:
        # A zone, as in fe80::1%eth0, means something on one machine only.
        address = ipaddress.ip_address(text.removeprefix("[").removesuffix("]").partition("%")[0])
    except ValueError:
        pass
    else:
        return x509.IPAddress(address)
    try:
        name = text.encode("idna").decode().lower().removesuffix(".")
    except UnicodeError:
        name = ""
    if len(name) > 253 or not _NAME.fullmatch(name):
        raise CertificateError(
            f"{host!r} cannot be named in a certificate; give a host name such as gis.example.org or an"
            " address, without scheme, port or path"
        )
    return x509.DNSName(name)

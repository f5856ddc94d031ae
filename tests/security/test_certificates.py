import socket
import ssl
import stat
import threading
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from hypothesis import given, settings
from hypothesis import strategies as st

from milepost.security import CertificateError, PrivateFileError, ensure_certificate


def names_of(certificate: Path) -> set[str]:
    loaded = x509.load_pem_x509_certificate(certificate.read_bytes())
    found = loaded.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    return {str(name.value) for name in found}


def shake_hands(certificate: Path, key: Path, host: str) -> None:
    """A TLS handshake over a socket with a client that trusts this certificate and nothing else."""
    server_side = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    server_side.load_cert_chain(certificate, key)
    client_side = ssl.create_default_context(cafile=certificate)
    client_side.verify_flags |= ssl.VerifyFlags.VERIFY_X509_STRICT
    here, there = socket.socketpair()

    def serve() -> None:
        with there:
            try:
                with server_side.wrap_socket(there, server_side=True) as connection:
                    connection.sendall(b"welcome")
            except OSError:
                return  # the client went away

    thread = threading.Thread(target=serve)
    thread.start()
    try:
        with here, client_side.wrap_socket(here, server_hostname=host) as connection:
            assert connection.recv(7) == b"welcome"
            assert connection.version() == "TLSv1.3"
    finally:
        here.close()
        thread.join()


@pytest.mark.parametrize(
    "host", ["localhost", "127.0.0.1", "::1", "gis.example.org", "192.0.2.7", "a.b.example.net"]
)
def test_clients_that_trust_it_reach_the_server(tmp_path: Path, host: str) -> None:
    hosts = ["GIS.example.org", "192.0.2.7", "*.b.example.net"]
    shake_hands(*ensure_certificate(tmp_path, hosts), host)


def test_clients_that_meant_another_server_are_warned(tmp_path: Path) -> None:
    pair = ensure_certificate(tmp_path)
    with pytest.raises(ssl.SSLCertVerificationError, match="Hostname mismatch"):
        shake_hands(*pair, "gis.example.org")


def test_it_names_this_machine_and_the_given_hosts(tmp_path: Path) -> None:
    certificate, _ = ensure_certificate(
        tmp_path, ["0.0.0.0", "::", "[2001:db8::1]", "fe80::1%eth0", "bücher.example.", "under_score"]
    )
    assert names_of(certificate) >= {
        *("localhost", "127.0.0.1", "::1", socket.gethostname().lower()),
        *("2001:db8::1", "fe80::1", "xn--bcher-kva.example", "under_score"),
    }
    assert not names_of(certificate) & {"0.0.0.0", "::"}


def test_it_can_sign_nothing_and_lasts_two_years(tmp_path: Path) -> None:
    certificate = x509.load_pem_x509_certificate(ensure_certificate(tmp_path)[0].read_bytes())
    assert not certificate.extensions.get_extension_for_class(x509.BasicConstraints).value.ca
    assert not certificate.extensions.get_extension_for_class(x509.KeyUsage).value.key_cert_sign
    key = certificate.public_key()
    assert isinstance(key, ec.EllipticCurvePublicKey)
    assert key.curve.name == "secp256r1"
    left = certificate.not_valid_after_utc - datetime.now(UTC)
    assert timedelta(days=729) < left <= timedelta(days=730)


def test_the_key_is_readable_by_its_owner_only(tmp_path: Path) -> None:
    certificate, key = ensure_certificate(tmp_path / "new" / "tls")
    assert stat.S_IMODE(key.stat().st_mode) == 0o600
    assert stat.S_IMODE(key.parent.stat().st_mode) == 0o700
    key.chmod(0o644)
    with pytest.raises(PrivateFileError, match="chmod 600"):
        ensure_certificate(certificate.parent)


def test_a_good_one_is_kept_and_other_hosts_need_another(tmp_path: Path) -> None:
    certificate, key = ensure_certificate(tmp_path, ["a.example", "192.0.2.7"])
    before = certificate.read_bytes(), key.read_bytes()
    ensure_certificate(tmp_path, ["192.0.2.7", "A.example", "localhost"])
    assert (certificate.read_bytes(), key.read_bytes()) == before
    ensure_certificate(tmp_path, ["b.example"])
    assert certificate.read_bytes() != before[0]
    assert key.read_bytes() != before[1]
    assert "a.example" not in names_of(certificate)
    assert sorted(file.name for file in tmp_path.iterdir() if not file.name.startswith(".")) == [
        "certificate-key.pem",
        "certificate.pem",
    ]


@pytest.mark.parametrize(("days_left", "renewed"), [(-1, True), (29, True), (31, False)])
def test_it_is_renewed_thirty_days_before_its_end(tmp_path: Path, days_left: int, renewed: bool) -> None:
    certificate_path, key_path = ensure_certificate(tmp_path)
    made = x509.load_pem_x509_certificate(certificate_path.read_bytes())
    key = serialization.load_pem_private_key(key_path.read_bytes(), None)
    assert isinstance(key, ec.EllipticCurvePrivateKey)
    now = datetime.now(UTC)
    builder = (
        x509.CertificateBuilder()
        .issuer_name(made.issuer)
        .subject_name(made.subject)
        .public_key(made.public_key())
        .serial_number(made.serial_number)
        .not_valid_before(now - timedelta(days=700))
        .not_valid_after(now + timedelta(days=days_left))
    )
    for extension in made.extensions:
        builder = builder.add_extension(extension.value, extension.critical)
    old = builder.sign(key, hashes.SHA256()).public_bytes(serialization.Encoding.PEM)
    certificate_path.write_bytes(old)
    ensure_certificate(tmp_path)
    assert (certificate_path.read_bytes() != old) == renewed
    if renewed:
        shake_hands(certificate_path, key_path, "localhost")


@pytest.mark.parametrize("damage", ["missing", "garbage", "another"])
def test_a_lost_or_wrong_key_leads_to_a_new_pair(tmp_path: Path, damage: str) -> None:
    _, key = ensure_certificate(tmp_path / "one")
    if damage == "missing":
        key.unlink()
    elif damage == "garbage":
        key.write_bytes(b"garbage")
    else:
        key.write_bytes(ensure_certificate(tmp_path / "two")[1].read_bytes())
    shake_hands(*ensure_certificate(tmp_path / "one"), "localhost")


def test_a_certificate_of_somebody_else_is_never_replaced(tmp_path: Path) -> None:
    certificate, _ = ensure_certificate(tmp_path)
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "An authority")])
    now = datetime.now(UTC)
    foreign = (
        x509.CertificateBuilder()
        .issuer_name(name)
        .subject_name(name)
        .public_key(key.public_key())
        .serial_number(7)
        .not_valid_before(now)
        .not_valid_after(now + timedelta(days=1))
        .sign(key, hashes.SHA256())
        .public_bytes(serialization.Encoding.PEM)
    )
    for content in (foreign, b"garbage", b""):
        certificate.write_bytes(content)
        with pytest.raises(CertificateError, match="not a certificate that Milepost made"):
            ensure_certificate(tmp_path)
        assert certificate.read_bytes() == content


@pytest.mark.parametrize(
    "host",
    [
        "",
        " ",
        "https://gis.example.org",
        "gis.example.org:8443",
        "a b",
        "a..b",
        "-a",
        "x" * 64,
        "*",
        "a/b",
        "ü" * 300,
    ],
)
def test_what_is_no_host_is_named(tmp_path: Path, host: str) -> None:
    with pytest.raises(CertificateError, match="cannot be named in a certificate"):
        ensure_certificate(tmp_path, [host])
    assert list(tmp_path.iterdir()) == []


@settings(max_examples=40)
@given(st.text(max_size=30))
def test_any_text_is_either_a_host_or_refused(tmp_path_factory: pytest.TempPathFactory, host: str) -> None:
    folder = tmp_path_factory.mktemp("tls")
    try:
        certificate, _ = ensure_certificate(folder, [host])
    except CertificateError:
        return
    assert "localhost" in names_of(certificate)


def test_threads_that_start_together_get_one_pair(tmp_path: Path) -> None:
    seen: list[bytes] = []
    together = threading.Barrier(4)

    def start() -> None:
        together.wait()
        certificate, key = ensure_certificate(tmp_path)
        seen.append(certificate.read_bytes() + key.read_bytes())

    threads = [threading.Thread(target=start) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(seen) == 4
    assert len(set(seen)) == 1

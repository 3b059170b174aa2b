"""The certificate with which both halves serve https: the one that is given, or one of our own in the data folder.

Leaves serving to idp.cli.listen. cryptography is loaded by commands that start a server only, and only with TLS.
"""

import contextlib
import fcntl
import ipaddress
import os
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from idp.base.embedded import ensure_folder
from idp.base.errors import Misconfigured

if TYPE_CHECKING:
    from cryptography import x509
    from cryptography.hazmat.primitives.asymmetric import ec

    from idp.base.config import Settings

OWN_DAYS = 365
RENEW_DAYS = 30
EARLY = timedelta(hours=1)  # clocks differ


@dataclass(frozen=True, slots=True)
class Pair:
    """certificate: file with the chain, leaf first. key: file with its private key. names: for whom it is good."""

    certificate: Path
    key: Path
    names: tuple[str, ...]
    own: bool

    def covers(self, host: str) -> bool:
        wanted = host.lower()
        parent = "*." + wanted.partition(".")[2]
        return any(name.lower() in (wanted, parent) for name in self.names)


def pair_for(settings: "Settings", *more_hosts: str) -> Pair | None:
    """None without TLS. more_hosts: for whom one of our own shall be good as well. Raises Misconfigured."""
    server = settings.server
    given = bool(server.tls_certificate), bool(server.tls_key)
    if not server.tls:
        if any(given):
            raise Misconfigured(
                "server.tls",
                "A certificate is set, but not that it is used.",
                "Start with --tls, or set server.tls: true.",
            )
        return None
    if given == (True, True):
        return _given(Path(server.tls_certificate), Path(server.tls_key))
    if any(given):
        missing = "server.tls_key" if given[0] else "server.tls_certificate"
        raise Misconfigured(missing, "Certificate and key belong together.", "Set both, or none for one of our own.")
    return _own(settings, {*_hosts(settings), *more_hosts})


def present(settings: "Settings") -> Pair | None:
    """The pair that is there already. Raises Misconfigured."""
    certificate, key = settings.tls_certificate, Path(settings.server.tls_key)
    if certificate is None:
        return None
    if not settings.server.tls_certificate:
        key = certificate.with_suffix(".key")
        if not certificate.exists():
            return None
    return _given(certificate, key)


def days_left(certificate: Path) -> float:
    from cryptography import x509

    until = x509.load_pem_x509_certificates(certificate.read_bytes())[0].not_valid_after_utc
    return (until - datetime.now(UTC)) / timedelta(days=1)


def _given(certificate: Path, key: Path) -> Pair:
    from cryptography import x509
    from cryptography.hazmat.primitives.serialization import load_pem_private_key

    try:
        chain = x509.load_pem_x509_certificates(_read(certificate, "server.tls_certificate"))
    except ValueError:
        raise Misconfigured(
            "server.tls_certificate", f"{certificate} holds no certificate.", "Give a PEM file with the chain."
        ) from None
    content = _read(key, "server.tls_key")
    try:
        private = load_pem_private_key(content, None)
    except TypeError:
        raise Misconfigured(
            "server.tls_key", f"{key} is encrypted.", f"Decrypt it: openssl pkey -in {key.name} -out tls.key"
        ) from None
    except Exception:  # noqa: BLE001  (ValueError, UnsupportedAlgorithm and whatever OpenSSL has)
        raise Misconfigured("server.tls_key", f"{key} holds no private key.", "Give a PEM file with the key.") from None
    if private.public_key() != chain[0].public_key():
        raise Misconfigured("server.tls_key", f"{key} is not the key of {certificate}.", "Give the pair.")
    names = _names(chain[0])
    if not names:
        raise Misconfigured(
            "server.tls_certificate",
            f"{certificate} names no host.",
            "Get one with subjectAltName: clients read no other.",
        )
    return Pair(certificate.resolve(), key.resolve(), names, own=False)


def _read(path: Path, setting: str) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise Misconfigured(setting, f"{path} cannot be read ({error.strerror}).", "Give a readable file.") from None


def _hosts(settings: "Settings") -> set[str]:
    urls = (settings.issuer, settings.default_issuer, settings.api_url)
    named = {urlsplit(url).hostname or "" for url in urls}
    return {"localhost", "127.0.0.1", "::1", *named} - {""}


# ---------------------------------------------------------------------- our own


def _own(settings: "Settings", hosts: set[str]) -> Pair:
    certificate = settings.tls_certificate
    assert certificate is not None
    key = certificate.with_suffix(".key")
    ensure_folder(settings.data_dir)
    ensure_folder(certificate.parent)
    with _alone(certificate.parent / "tls.lock"):
        names = _good(certificate, key)
        if not hosts <= set(names):
            _make(certificate, key, sorted(hosts))
            names = tuple(sorted(hosts))
    return Pair(certificate, key, names, own=True)


def _good(certificate: Path, key: Path) -> tuple[str, ...]:
    """The names of the pair that is there; none when it is missing, damaged or about to expire."""
    try:
        names = _given(certificate, key).names
    except Misconfigured:
        return ()
    return names if days_left(certificate) > RENEW_DAYS else ()


@contextlib.contextmanager
def _alone(path: Path) -> Iterator[None]:
    """Both halves may start at the same time."""
    handle = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX)
        yield
    finally:
        os.close(handle)


def _make(certificate: Path, key: Path, hosts: list[str]) -> None:
    from cryptography.hazmat.primitives.asymmetric import ec
    from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

    private = ec.generate_private_key(ec.SECP256R1())
    made = _signed(private, hosts)
    _put(key, private.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
    _put(certificate, made.public_bytes(Encoding.PEM))


def _signed(private: "ec.EllipticCurvePrivateKey", hosts: list[str]) -> "x509.Certificate":
    """Signed by itself and no authority: whoever trusts it trusts these names and nothing else."""
    from cryptography import x509
    from cryptography.hazmat.primitives.hashes import SHA256
    from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "Sheaf on this machine")])
    now, public = datetime.now(UTC), private.public_key()
    usage = {one: one == "digital_signature" for one in _KEY_USAGES}
    return (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(public)
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - EARLY)
        .not_valid_after(now + timedelta(days=OWN_DAYS))
        .add_extension(x509.SubjectAlternativeName([_alternative(host) for host in hosts]), critical=False)
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(x509.KeyUsage(**usage), critical=True)
        .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), critical=False)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(public), critical=False)
        .sign(private, SHA256())
    )


_KEY_USAGES = (
    "digital_signature",
    "content_commitment",
    "key_encipherment",
    "data_encipherment",
    "key_agreement",
    "key_cert_sign",
    "crl_sign",
    "encipher_only",
    "decipher_only",
)


def _alternative(host: str) -> "x509.GeneralName":
    from cryptography import x509

    try:
        return x509.IPAddress(ipaddress.ip_address(host))
    except ValueError:
        pass
    try:
        return x509.DNSName(host.encode("idna").decode())
    except ValueError:
        raise Misconfigured("issuer", f"{host!r} is no name for a certificate.", "Choose another host.") from None


def _names(certificate: "x509.Certificate") -> tuple[str, ...]:
    from cryptography import x509

    try:
        found = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    except (x509.ExtensionNotFound, ValueError):
        return ()
    addresses = found.get_values_for_type(x509.IPAddress)
    return (*found.get_values_for_type(x509.DNSName), *(str(address) for address in addresses))


def _put(path: Path, content: bytes) -> None:
    """Whole or not at all, readable by us only."""
    draft = path.with_name(f".{path.name}.{os.getpid()}")
    handle = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(handle, "wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
    draft.replace(path)

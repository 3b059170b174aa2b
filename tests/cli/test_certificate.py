"""The certificate for TLS: one of our own when none is given, and what is wrong with a given one by name."""

import datetime
import ssl
import stat
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import BestAvailableEncryption, Encoding, NoEncryption, PrivateFormat

from idp.base.config import Settings
from idp.base.errors import Misconfigured
from idp.base.sections import Server
from idp.cli import certificate
from idp.cli.certificate import pair_for, present


def settings(folder: Path, **server: object) -> Settings:
    return Settings(data=str(folder / "data"), issuer="https://id.example.org", server=Server(tls=True, **server))


def write_pair(
    folder: Path, *names: str, key_form: PrivateFormat = PrivateFormat.PKCS8, days: int = 5
) -> dict[str, str]:
    """A certificate as an operator would bring it."""
    private = rsa.generate_private_key(65537, 2048)
    subject = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "test")])
    now = datetime.datetime.now(datetime.UTC)
    builder = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(subject)
        .public_key(private.public_key())
        .serial_number(1)
        .not_valid_before(now - datetime.timedelta(days=1))
        .not_valid_after(now + datetime.timedelta(days=days))
    )
    if names:
        builder = builder.add_extension(
            x509.SubjectAlternativeName([x509.DNSName(name) for name in names]), critical=False
        )
    made = builder.sign(private, SHA256())
    (folder / "given.crt").write_bytes(made.public_bytes(Encoding.PEM))
    (folder / "given.key").write_bytes(private.private_bytes(Encoding.PEM, key_form, NoEncryption()))
    return {"tls_certificate": str(folder / "given.crt"), "tls_key": str(folder / "given.key")}


def test_without_tls_there_is_none(tmp_path: Path) -> None:
    assert pair_for(Settings(data=str(tmp_path / "data"))) is None
    assert not (tmp_path / "data").exists()


def test_one_of_our_own_is_made_once_and_readable_by_nobody_else(tmp_path: Path) -> None:
    first = pair_for(settings(tmp_path), "stored.example.org")
    assert first is not None
    assert {"localhost", "127.0.0.1", "::1", "id.example.org", "stored.example.org"} == set(first.names)
    for file in (first.certificate, first.key):
        assert stat.S_IMODE(file.stat().st_mode) == 0o600
    before = first.certificate.read_bytes()
    again = pair_for(settings(tmp_path))
    assert again is not None
    assert again.certificate.read_bytes() == before
    assert again.covers("stored.example.org")


def test_our_own_can_sign_no_other_and_strict_clients_take_it(tmp_path: Path) -> None:
    pair = pair_for(settings(tmp_path))
    assert pair is not None
    made = x509.load_pem_x509_certificate(pair.certificate.read_bytes())
    assert made.extensions.get_extension_for_class(x509.BasicConstraints).value.ca is False
    context = ssl.create_default_context(cafile=str(pair.certificate))
    context.verify_flags |= ssl.VERIFY_X509_STRICT
    server = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    server.load_cert_chain(pair.certificate, pair.key)
    _shake_hands(context, server, "id.example.org")
    with pytest.raises(ssl.SSLCertVerificationError):
        _shake_hands(context, server, "other.example.org")


def _shake_hands(client: ssl.SSLContext, server: ssl.SSLContext, name: str) -> None:
    to_server, to_client = ssl.MemoryBIO(), ssl.MemoryBIO()
    left = client.wrap_bio(to_client, to_server, server_hostname=name)
    right = server.wrap_bio(to_server, to_client, server_side=True)
    for _ in range(4):
        for side in (left, right):
            try:
                side.do_handshake()
            except ssl.SSLWantReadError:
                continue


@pytest.mark.parametrize("spoil", ["expiring", "damaged", "no key", "another key", "a name is missing"])
def test_our_own_is_renewed_when_it_is_no_longer_good(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, spoil: str
) -> None:
    with monkeypatch.context() as patch:
        if spoil == "expiring":
            patch.setattr(certificate, "OWN_DAYS", certificate.RENEW_DAYS - 1)
        old = pair_for(settings(tmp_path))
    assert old is not None
    before = old.certificate.read_bytes()
    if spoil == "damaged":
        old.certificate.write_text("-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n")
    elif spoil == "no key":
        old.key.unlink()
    elif spoil == "another key":
        key = ec.generate_private_key(ec.SECP256R1())
        old.key.write_bytes(key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
    new = pair_for(settings(tmp_path), *(["more.example.org"] if spoil == "a name is missing" else []))
    assert new is not None
    assert new.certificate.read_bytes() != before
    assert present(settings(tmp_path)) is not None


@pytest.mark.parametrize("form", [PrivateFormat.PKCS8, PrivateFormat.TraditionalOpenSSL])
def test_a_given_pair_is_used_as_it_is(tmp_path: Path, form: PrivateFormat) -> None:
    pair = pair_for(settings(tmp_path, **write_pair(tmp_path, "id.example.org", "*.apps.example.org", key_form=form)))
    assert pair is not None
    assert not pair.own
    assert pair.covers("ID.example.org")
    assert pair.covers("one.apps.example.org")
    assert not pair.covers("a.one.apps.example.org")
    assert not pair.covers("127.0.0.1")


@pytest.mark.parametrize(
    ("spoil", "setting"),
    [
        ("no such certificate", "server.tls_certificate"),
        ("no such key", "server.tls_key"),
        ("certificate is none", "server.tls_certificate"),
        ("key is none", "server.tls_key"),
        ("key of another", "server.tls_key"),
        ("key encrypted", "server.tls_key"),
        ("no names", "server.tls_certificate"),
        ("key alone", "server.tls_certificate"),
        ("certificate alone", "server.tls_key"),
        ("not switched on", "server.tls"),
    ],
)
def test_what_is_wrong_with_a_given_pair_is_named(tmp_path: Path, spoil: str, setting: str) -> None:
    given: dict[str, object] = {**write_pair(tmp_path, *([] if spoil == "no names" else ["id.example.org"]))}
    crt, key = Path(str(given["tls_certificate"])), Path(str(given["tls_key"]))
    other = ec.generate_private_key(ec.SECP256R1())
    if spoil == "no such certificate":
        crt.unlink()
    elif spoil == "no such key":
        key.unlink()
    elif spoil == "certificate is none":
        crt.write_text("hello")
    elif spoil == "key is none":
        key.write_text("hello")
    elif spoil == "key of another":
        key.write_bytes(other.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
    elif spoil == "key encrypted":
        locked = other.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, BestAvailableEncryption(b"secret"))
        key.write_bytes(locked)
    elif spoil == "key alone":
        given["tls_certificate"] = ""
    elif spoil == "certificate alone":
        given["tls_key"] = ""
    elif spoil == "not switched on":
        given["tls"] = False
    with pytest.raises(Misconfigured) as refused:
        pair_for(Settings(data=str(tmp_path / "data"), server=Server(**{"tls": True, **given})))
    assert refused.value.setting == setting

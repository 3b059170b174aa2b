"""What the message inspector keeps of a message: readable, and of no use to whoever reads it there."""

import base64

import pytest

from idp.saml import redact, xml
from idp.saml.redact import MAX_TEXT, fingerprint, indented, redacted
from idp.saml.signatures import bare
from tests.saml.issuing import Issuer
from tests.saml.peer import NS, Sp, pair

NOT_BASE64 = "\N{SNOWMAN}"


def canonical(text: str) -> bytes:
    return xml.canonical(xml.bounded(text.encode(), MAX_TEXT))


def _runs(text: str) -> list[str]:
    return redact._LONG.findall(text)


def test_signatures_and_ciphers_are_taken_out_and_certificates_become_fingerprints(issuer: Issuer) -> None:
    document = issuer.issue(encrypt="always")
    kept = redacted(document)
    assert "EncryptedAssertion" in kept
    for secret in ("SignatureValue", "CipherValue"):
        assert f"{secret}>[" in kept
    known = fingerprint(bare(pair().certificate))
    assert len(known) == 95
    assert f"[certificate, SHA-256 {known}]" in kept
    assert _runs(kept) == []
    xml.bounded(kept.encode(), MAX_TEXT)
    ours = redacted(document, ours=True)
    assert (_runs(ours), canonical(ours)) == ([], canonical(kept))


def test_what_an_answer_says_stays_readable(issuer: Issuer) -> None:
    kept = redacted(issuer.issue(peer=Sp()))
    for words in ("Ada &lt;Lovelace&gt;", "InResponseTo=", "NotOnOrAfter=", "https://sp.example/acs"):
        assert words in kept
    assert kept.count("characters taken out]") == 2


def test_an_artifact_and_a_password_go_whatever_is_inside_of_them() -> None:
    document = (
        b'<p:ArtifactResolve xmlns:p="urn:oasis:names:tc:SAML:2.0:protocol"><p:Artifact>AAQ<!-- c -->AA<x>deep</x></p:Artifact>'
        b"<Password>hunter2</Password></p:ArtifactResolve>"
    )
    kept = redacted(document)
    for gone in ("AAQ", "deep", "hunter2", "<!--"):
        assert gone not in kept


@pytest.mark.parametrize(
    "document",
    [
        b"",
        b"\x00\xff\xfe",
        b"<open",
        b'<!DOCTYPE a [<!ENTITY b "c">]><a>&b;</a>',
        b"<a>" * 3_000 + b"</a>" * 3_000,
        b"<a>" + b"x" * xml.MAX_MESSAGE_BYTES + b"</a>",
        b"\x1b[31mred\x07",
    ],
)
def test_what_is_no_message_is_kept_as_a_short_harmless_text(document: bytes) -> None:
    kept = redacted(document)
    assert kept.startswith("[Not XML that we read: ")
    assert len(kept) < 2_500
    assert all(c.isprintable() or c in "\n\t" for c in kept)


def test_what_cannot_be_parsed_loses_everything_that_may_be_a_secret() -> None:
    secret = base64.b64encode(bytes(range(256)) * 3).decode()
    lines = "\n".join(secret[start : start + 64] for start in range(0, 512, 64))
    kept = redacted(f"<a><SignatureValue>{secret}</SignatureValue><b>{lines}</b>".encode())
    assert _runs(kept) == []
    assert "<SignatureValue>[1024 characters taken out]" in kept


def test_no_value_and_no_message_is_long() -> None:
    kept = redacted(b'<a b="' + b"c" * 5_000 + b'"><d>' + b"e " * 9_000 + b"</d></a>")
    assert len(kept) < 5_000
    kept = redacted(b"<a>" + b"<b>some text</b>" * 5_000 + b"</a>")
    assert len(kept) < MAX_TEXT + 100
    assert kept.endswith("more characters]")
    assert indented(kept) == kept


def test_reading_is_made_easy_and_changes_nothing_else() -> None:
    assert indented("<a><b>c</b><d/></a>") == "<a>\n  <b>c</b>\n  <d/>\n</a>"
    assert indented("no xml") == "no xml"
    long = f'<a b="{"&quot;&gt; x" * 9}" c="{"d" * 40}">e</a>'
    assert indented(long) == f'<a\n    b="{"&quot;&gt; x" * 9}"\n    c="{"d" * 40}">e</a>'
    assert xml.canonical(xml.bounded(indented(long).encode(), 999)) == xml.canonical(xml.bounded(long.encode(), 999))


def test_a_certificate_that_is_none_says_so() -> None:
    document = f'<a xmlns:ds="{NS["ds"]}"><ds:X509Certificate>{NOT_BASE64}</ds:X509Certificate></a>'.encode()
    assert "[not a certificate]" in redacted(document)

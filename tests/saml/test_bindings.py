"""Redirect, POST and SOAP as bytes: requests and responses, signatures over the query as it was sent, envelopes."""

import base64
import re
import zlib
from urllib.parse import parse_qs, quote

import pytest
from lxml import etree

from idp.saml import bindings, soap, xml
from idp.saml.bindings import BadMessage, Kind
from idp.saml.signatures import BadSignature, algorithm_named, public_key, sign_bytes, verify_element
from tests.saml import fixed
from tests.saml.peer import Pair, pair

DOCUMENT = fixed.response(fixed.assertion(signed=True), signed=False)
BOTH: tuple[Kind, ...] = ("request", "response")
RELAY = "https://sp.example/a?b=c&d=ü /+%"


def keys(*pairs: Pair) -> list[object]:
    return [public_key(one.certificate) for one in pairs]


@pytest.mark.parametrize("kind", BOTH)
@pytest.mark.parametrize(
    ("key", "method"),
    [("rsa-2048", "rsa-sha256"), ("rsa-3072", "rsa-sha512"), ("p-256", "ecdsa-sha256"), ("p-384", "ecdsa-sha384")],
)
def test_what_goes_out_by_redirect_comes_in_again_with_a_good_signature(kind: Kind, key: str, method: str) -> None:
    query = bindings.to_query(DOCUMENT, RELAY, pair(key).private, algorithm_named(method), kind=kind)
    arrived = bindings.from_query(query.encode(), BOTH)
    assert (arrived.binding, arrived.kind, arrived.document, arrived.relay_state) == ("redirect", kind, DOCUMENT, RELAY)
    assert arrived.signature is not None
    arrived.signature.verify(keys(pair(key)))
    arrived.signature.verify(keys(pair(key)), [algorithm_named(method)])
    with pytest.raises(BadSignature, match="none of the keys"):
        arrived.signature.verify(keys(pair(key, 1)))
    with pytest.raises(BadSignature, match="may use"):
        arrived.signature.verify(keys(pair(key)), [])


@pytest.mark.parametrize("kind", BOTH)
def test_what_goes_out_by_post_comes_in_again(kind: Kind) -> None:
    fields = bindings.to_form(DOCUMENT, RELAY, kind=kind)
    arrived = bindings.from_form({name: [value] for name, value in fields.items()}, BOTH)
    assert (arrived.binding, arrived.kind, arrived.document, arrived.relay_state) == ("post", kind, DOCUMENT, RELAY)
    assert "RelayState" not in bindings.to_form(DOCUMENT)


def test_a_response_is_not_taken_where_a_request_is_awaited_nor_both_at_once() -> None:
    query = bindings.to_query(DOCUMENT, kind="response")
    form = {name: [value] for name, value in bindings.to_form(DOCUMENT, kind="response").items()}
    for wanted, why in ((("request",), "no SAMLRequest"), ((), "there is no")):
        with pytest.raises(BadMessage, match=why):
            bindings.from_query(query.encode(), wanted)
        with pytest.raises(BadMessage, match=why):
            bindings.from_form(form, wanted)
    other = bindings.to_query(DOCUMENT)
    with pytest.raises(BadMessage, match="and a SAMLResponse"):
        bindings.from_query(f"{query}&{other}".encode(), BOTH)
    with pytest.raises(BadMessage, match="and a SAMLResponse"):
        bindings.from_form({**form, "SAMLRequest": form["SAMLResponse"]}, BOTH)


def lower(query: str) -> str:
    """Escapes as ADFS writes them: `%2f`, not `%2F`."""
    return re.sub("%[0-9A-F]{2}", lambda m: m[0].lower(), query)


def test_the_lower_case_escapes_of_adfs_are_verified_as_they_were_sent() -> None:
    unsigned = lower(bindings.to_query(DOCUMENT, RELAY, kind="response"))
    unsigned += "&SigAlg=" + lower(quote(algorithm_named("rsa-sha256").uri, safe=""))
    assert "%2f" in unsigned
    value = base64.b64encode(sign_bytes(unsigned.encode(), pair().private)).decode()
    query = f"{unsigned}&Signature={lower(quote(value, safe=''))}"

    arrived = bindings.from_query(query.encode(), BOTH)

    assert arrived.signature is not None
    arrived.signature.verify(keys(pair()))
    upper = bindings.from_query(re.sub("%[0-9a-f]{2}", lambda m: m[0].upper(), query).encode(), BOTH)
    assert upper.signature is not None
    with pytest.raises(BadSignature):
        upper.signature.verify(keys(pair()))


def test_escapes_that_need_not_be_and_blanks_as_plus_are_verified_as_they_were_sent() -> None:
    text = "a b/c:d"
    for written in (quote(text, safe=""), text.replace(" ", "+"), "%61+b%2Fc%3ad"):
        unsigned = f"{bindings.to_query(DOCUMENT)}&RelayState={written}&SigAlg={algorithm_named('rsa-sha256').uri}"
        value = base64.b64encode(sign_bytes(unsigned.encode(), pair().private)).decode()
        arrived = bindings.from_query(f"{unsigned}&Signature={quote(value, safe='')}".encode())
        assert arrived.relay_state == text
        assert arrived.signature is not None
        arrived.signature.verify(keys(pair()))


def test_the_order_in_which_parameters_come_and_others_beside_them_do_not_count() -> None:
    parts = bindings.to_query(DOCUMENT, RELAY, pair().private).split("&")
    query = "&".join(["utm=1", *reversed(parts), "lang=de"])
    arrived = bindings.from_query(query.encode())
    assert arrived.signature is not None
    arrived.signature.verify(keys(pair()))


@pytest.mark.parametrize("change", ["RelayState swapped", "RelayState dropped", "RelayState added", "kind swapped"])
def test_nothing_that_is_signed_can_be_changed_in_a_query(change: str) -> None:
    relay = None if change == "RelayState added" else "a"
    query = bindings.to_query(DOCUMENT, relay, pair().private)
    changed = {
        "RelayState swapped": query.replace("RelayState=a", "RelayState=b"),
        "RelayState dropped": query.replace("&RelayState=a", ""),
        "RelayState added": query + "&RelayState=b",
        "kind swapped": query.replace("SAMLRequest=", "SAMLResponse="),
    }[change]
    assert changed != query
    arrived = bindings.from_query(changed.encode(), BOTH)
    assert arrived.signature is not None
    with pytest.raises(BadSignature, match="none of the keys"):
        arrived.signature.verify(keys(pair()))


def test_a_plus_that_nobody_escaped_is_a_plus_again() -> None:
    query = bindings.to_query(DOCUMENT)
    assert "%2B" in query
    assert bindings.from_query(query.replace("%2B", "+").encode()).document == DOCUMENT


def test_what_was_posted_deflated_is_read_and_what_is_neither_is_refused() -> None:
    packer = zlib.compressobj(9, zlib.DEFLATED, -15)
    packed = packer.compress(DOCUMENT) + packer.flush()
    post = lambda data: bindings.from_form({"SAMLRequest": [base64.b64encode(data).decode()]})  # noqa: E731
    assert post(packed).document == DOCUMENT
    assert post(b"\xef\xbb\xbf\r\n" + DOCUMENT).document.endswith(DOCUMENT)
    for bad in (packed[:-3], b"no", b"\x1f\x8b\x08" + packed, DOCUMENT.decode().encode("utf-16")):
        with pytest.raises(BadMessage, match="neither XML nor"):
            post(bad)


def test_a_query_can_be_read_by_any_other_program_too() -> None:
    values = parse_qs(bindings.to_query(DOCUMENT, RELAY, kind="response"))
    assert zlib.decompress(base64.b64decode(values["SAMLResponse"][0]), -15) == DOCUMENT
    assert values["RelayState"] == [RELAY]


# ---------------------------------------------------------------- SOAP


def test_a_signed_message_comes_out_of_its_envelope_with_its_signature_whole() -> None:
    signed = fixed.response(fixed.assertion(signed=True), signed=True)
    for envelope in (
        soap.envelope(signed),
        b'<?xml version="1.0" encoding="UTF-8"?>\n' + soap.envelope(b"\n " + signed + b"\n"),
        soap.envelope(signed).replace(b"<soap:Body>", b"<soap:Header><x xmlns='urn:x'/></soap:Header><soap:Body>"),
        soap.envelope(signed).replace(b"soap:", b"S:").replace(b"xmlns:soap", b"xmlns:S"),
        soap.envelope(signed).replace(b"<soap:Body>", b'<soap:Body xmlns:saml="urn:other" Id="body">'),
    ):
        message = soap.message_in(envelope)
        root = xml.parse(message, xml.PROTOCOL)
        assert b"ada.lovelace" in verify_element(root, [fixed.rsa_key(0).public_key()])
        assert soap.arrived(envelope).binding == "soap"
        assert soap.arrived(envelope).document == message


def test_a_namespace_that_only_the_envelope_declares_goes_with_the_message() -> None:
    text = (
        f'<samlp:ArtifactResolve ID="_1"><saml:Issuer xmlns:saml="{xml.SAML}">i</saml:Issuer></samlp:ArtifactResolve>'
    )
    envelope = soap.envelope(text.encode()).replace(
        b" xmlns:soap", b' xmlns:samlp="%s" xmlns:soap' % xml.SAMLP.encode()
    )
    assert etree.fromstring(soap.message_in(envelope)).tag == f"{{{xml.SAMLP}}}ArtifactResolve"


GOOD = soap.envelope(b"<x/>")


@pytest.mark.parametrize(
    ("bad", "why"),
    [
        (b"", "well-formed"),
        (b"<x/>", "not a SOAP 1.1"),
        (GOOD.replace(b"schemas.xmlsoap.org/soap/envelope/", b"www.w3.org/2003/05/soap-envelope"), "not a SOAP 1.1"),
        (GOOD.replace(b"<x/>", b""), "exactly one"),
        (GOOD.replace(b"<x/>", b"<x/><x/>"), "exactly one"),
        (GOOD.replace(b"<x/>", b"text<x/>"), "text"),
        (GOOD.replace(b"<soap:Body><x/></soap:Body>", b"<x/>"), "one Body"),
        (GOOD.replace(b"</soap:Body>", b"</soap:Body><soap:Body/>"), "one Body"),
        (GOOD.replace(b"<soap:Body>", b"<soap:Header/><soap:Header/><soap:Body>"), "one Body"),
        (
            GOOD.replace(b"<soap:Body>", b'<soap:Header><y soap:mustUnderstand="1"/></soap:Header><soap:Body>'),
            "must be understood",
        ),
        (b"<!DOCTYPE x>" + GOOD, "DOCTYPE"),
        (GOOD.replace(b"<x/>", b'<x><y ID="1"/><z ID="1"/></x>'), "same ID"),
        (GOOD.replace(b"<x/>", b"<x/>" + b" " * (xml.MAX_MESSAGE_BYTES + soap.ROOM)), "larger"),
        (soap.fault("Client", "no"), "fault"),
    ],
)
def test_what_is_not_one_message_in_an_envelope_is_refused(bad: bytes, why: str) -> None:
    with pytest.raises(BadMessage, match=why):
        soap.message_in(bad)


def test_a_fault_says_its_sentence_and_nothing_breaks_out_of_it() -> None:
    root = etree.fromstring(soap.fault("Client", "a < b & c"))
    assert root.findtext(".//faultcode") == "soap:Client"
    assert root.findtext(".//faultstring") == "a < b & c"

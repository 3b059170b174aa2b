"""Decoding what somebody copied: every form that messages have on their way, checked as far as it can be, believed in nothing."""

import base64
import zlib
from collections.abc import Callable
from dataclasses import replace
from urllib.parse import quote

import pytest

from idp.base.errors import Refused
from idp.domain.upstream import UpstreamProvider
from idp.http.parts import Parts
from idp.saml import names, soap
from idp.saml.sp_metadata import service_provider_from_metadata
from idp.services.decode_saml import Decoded
from tests.saml.peer import NS, Sp, instant, pair
from tests.support.clock import START, FakeClock

PEER = Sp(signs=True)
ISSUER = "http://127.0.0.1:8000"
SSO = f"{ISSUER}/saml/sso"
IDP = "https://adfs.example/trust"
Decode = Callable[[bytes | str], Decoded]


@pytest.fixture
def decode(services: Parts) -> Decode:
    services.repo.insert(service_provider_from_metadata(PEER.metadata(), START))
    certificate = PEER._key("signing", pair("rsa-2048", 7))
    metadata = (
        f'<md:EntityDescriptor xmlns:md="{NS["md"]}" xmlns:ds="{NS["ds"]}" entityID="{IDP}"><md:IDPSSODescriptor '
        f'protocolSupportEnumeration="{NS["samlp"]}">{certificate}<md:SingleSignOnService '
        'Binding="urn:oasis:names:tc:SAML:2.0:bindings:HTTP-Redirect" Location="https://adfs.example/sso"/>'
        "</md:IDPSSODescriptor></md:EntityDescriptor>"
    )
    provider = UpstreamProvider("adfs", "adfs", "ADFS", START, settings={"metadata": metadata})
    services.repo.insert(provider)
    services.repo.insert(replace(provider, id="plain", settings={}))
    return lambda given: services.decode_saml.decode(given.encode() if isinstance(given, str) else given)


def _request(at: float = START, destination: str = SSO) -> bytes:
    return PEER.authn_request(at, destination)


def _failed(found: Decoded) -> list[str]:
    return [check.code for check in found.checks if not check.ok]


def _response(audience: str, until: float = START + 60, status: str = names.SUCCESS, body: str = "") -> str:
    return (
        f'<samlp:Response xmlns:samlp="{NS["samlp"]}" xmlns:saml="{NS["saml"]}" ID="_r" Version="2.0" IssueInstant='
        f'"{instant(START)}" Destination="{ISSUER}/upstream/adfs/acs"><saml:Issuer>{IDP}</saml:Issuer><samlp:Status>'
        f'<samlp:StatusCode Value="{status}"/></samlp:Status><saml:Assertion ID="_a" Version="2.0" IssueInstant='
        f'"{instant(START)}"><saml:Issuer>{IDP}</saml:Issuer>{body}<saml:Conditions NotOnOrAfter="{instant(until)}">'
        f"<saml:AudienceRestriction><saml:Audience>{audience}</saml:Audience></saml:AudienceRestriction>"
        "</saml:Conditions></saml:Assertion></samlp:Response>"
    )


def _forms(request: bytes) -> list[bytes]:
    plain = base64.b64encode(request)
    packer = zlib.compressobj(9, zlib.DEFLATED, -15)
    deflated = base64.b64encode(packer.compress(request) + packer.flush())
    return [
        request,
        b"\xef\xbb\xbf \n" + request,
        plain,
        b"\n".join(plain[start : start + 64] for start in range(0, len(plain), 64)),
        quote(plain).encode(),
        deflated,
        quote(deflated, safe="").encode(),
        b"SAMLRequest=" + quote(plain, safe="").encode() + b"&RelayState=x",
        b"SAMLRequest=" + quote(deflated, safe="").encode() + b"&RelayState=x",
        b"https://idp.example/sso?a=b&SAMLRequest=" + quote(deflated, safe="").encode(),
        soap.envelope(request),
    ]


@pytest.mark.parametrize("form", range(11))
def test_every_form_is_understood(decode: Decode, form: int) -> None:
    found = decode(_forms(_request())[form])
    assert (found.kind, found.peer, _failed(found)) == ("AuthnRequest", f"sp:{PEER.entity_id}", [])
    assert "<saml:Issuer>https://sp.example/metadata</saml:Issuer>" in found.xml


def test_signatures_are_checked_with_the_keys_of_whoever_it_says_has_sent_it(decode: Decode) -> None:
    query = PEER.query(_request(), "state")
    assert _failed(decode(query)) == []
    assert decode(query).relay_state == "state"
    assert _failed(decode(query.replace("RelayState=state", "RelayState=other"))) == ["signature"]
    assert _failed(decode(query.replace("Signature=", "Signature=AAAA"))) == ["signature"]
    stranger = Sp("https://stranger.example/metadata", signs=True)
    assert _failed(decode(stranger.query(stranger.authn_request(START, SSO)))) == ["issuer_known", "signature"]


def test_a_message_that_is_old_or_for_somebody_else_says_so(decode: Decode) -> None:
    assert _failed(decode(_request(START - 301))) == ["issue_instant"]
    assert _failed(decode(_request(START + 301))) == ["issue_instant"]
    assert _failed(decode(_request(destination="https://elsewhere.example/sso"))) == ["destination"]


def test_an_answer_of_an_upstream_is_checked_for_audience_time_and_status(decode: Decode) -> None:
    ours = f"{ISSUER}/upstream/adfs/metadata"
    good = decode(_response(ours))
    assert (good.peer, _failed(good)) == ("upstream:adfs", [])
    assert _failed(decode(_response("https://somebody.example"))) == ["audience"]
    assert _failed(decode(_response(ours, until=START - 301))) == ["conditions"]
    assert _failed(decode(_response(ours, status=names.RESPONDER))) == ["status"]


def test_our_own_messages_are_known(services: Parts, decode: Decode) -> None:
    request = _request().replace(PEER.entity_id.encode(), f"{ISSUER}/saml/metadata".encode())
    assert decode(request).peer == "ourselves"


@pytest.mark.parametrize(
    "given",
    [
        *("", "hello", "%%%", "SAMLRequest=%%%", "SAMLRequest=a&SAMLRequest=b", "SAMLRequest=" + "A" * 70_000),
        *("x" * 3_000_000, "AAAA", "&" * 100 + "SAMLRequest=AAAA", "\x00\ud7ff", soap.envelope(b"").decode()),
    ],
    ids=range(11),
)
def test_what_holds_no_message_is_refused(decode: Decode, given: str) -> None:
    with pytest.raises(Refused) as caught:
        decode(given)
    assert caught.value.code == "not_saml"


@pytest.mark.parametrize(
    "document",
    [
        b"<",
        b"<a/>",
        b"<!DOCTYPE a [<!ENTITY b 'c'>]><a>&b;</a>",
        b"<a>" * 2_000 + b"</a>" * 2_000,
        _request().replace(b"IssueInstant", b"Issued"),
        _response("x", body="<ds:Signature xmlns:ds='http://www.w3.org/2000/09/xmldsig#'/>" * 50).encode(),
    ],
    ids=range(6),
)
def test_what_is_no_good_message_is_shown_with_what_is_wrong(decode: Decode, document: bytes, clock: FakeClock) -> None:
    found = decode(document)
    assert "schema" in _failed(found)
    assert found.xml


def test_nothing_is_used_up_by_looking(services: Parts, decode: Decode) -> None:
    query = PEER.query(_request())
    assert decode(query) == decode(query)
    assert services.saml_messages.newest() == []

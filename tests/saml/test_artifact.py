"""Answers by artifact: 44 bytes in the address, exchanged once, by SOAP, by the service provider they are for."""

import base64
import hashlib
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
from lxml import etree

from idp.domain.audit_event import AuditEvent
from idp.domain.saml import SamlArtifact
from idp.saml import names, soap, xml
from idp.saml.artifact import new_artifact, read_artifact, source_id
from idp.saml.signatures import public_key, sign_element, verify_element
from idp.saml.sp_metadata import service_provider_from_metadata
from tests.saml.house import ISSUER, SSO, House
from tests.saml.peer import NS, Sp, instant, new_id, one, pair

HERE = f"{ISSUER}/saml/artifact"
ENTITY = f"{ISSUER}/saml/metadata"
BY_ARTIFACT = "urn:oasis:names:tc:SAML:2.0:bindings:HTTP-Artifact"
ASKED = f'ProtocolBinding="{BY_ARTIFACT}"'
BY_POST = "urn:oasis:names:tc:SAML:2.0:bindings:HTTP-POST"
FETCHING = Sp("https://fetching.example", acs=("https://fetching.example/post",), signing=pair("rsa-2048", 3))
OTHER = Sp("https://other.example", signing=pair("rsa-2048", 4))
KEYLESS = Sp("https://keyless.example", signing=None)


@pytest.fixture
def fetching(house: House) -> House:
    """With a service provider that has an ACS for each binding, and two more."""
    acs = (
        f'<md:AssertionConsumerService index="7" Binding="{BY_ARTIFACT}" Location="https://fetching.example/artifact"/>'
        "</md:SPSSODescriptor>"
    )
    for peer in (FETCHING, OTHER, KEYLESS):
        metadata = peer.metadata().replace(b"</md:SPSSODescriptor>", acs.encode())
        house.parts.repo.insert(service_provider_from_metadata(metadata, house.clock()))
    return house


def ask(house: House, attributes: str = ASKED, peer: Sp = FETCHING, **how: Any) -> str:
    """The artifact of an answer."""
    house.sign_in()
    page = house.browser.get(f"/saml/sso?{house.query(attributes=attributes, peer=peer, **how)}")
    assert page.status_code == 303, page.text
    return sent(page.location)["SAMLart"]


def sent(address: str) -> dict[str, str]:
    return {name: values[0] for name, values in parse_qs(urlsplit(address).query).items()}


def resolving(house: House, artifact: str, peer: Sp = FETCHING, *, destination: str | None = HERE, **how: Any) -> bytes:
    to = f'Destination="{destination}"' if destination else ""
    request = (
        f'<samlp:ArtifactResolve xmlns:samlp="{NS["samlp"]}" xmlns:saml="{NS["saml"]}" ID="{new_id()}" Version="2.0" '
        f'IssueInstant="{instant(how.get("at", house.clock()))}" {to}><saml:Issuer>{peer.entity_id}</saml:Issuer>'
        f"<samlp:Artifact>{artifact}</samlp:Artifact></samlp:ArtifactResolve>"
    ).encode()
    key = how.get("key", peer.signing)
    return sign_element(etree.fromstring(request), key.private, key.certificate) if key else request


def resolve(house: House, artifact: str, peer: Sp = FETCHING, **how: Any) -> Any:
    """The verified ArtifactResponse."""
    answered = house.browser.post("/saml/artifact", data=soap.envelope(resolving(house, artifact, peer, **how)))
    assert answered.status_code == 200, answered.text
    assert answered.headers["Content-Type"] == soap.CONTENT_TYPE
    assert answered.headers["Cache-Control"] == "no-store"
    root = xml.parse(soap.message_in(answered.data), xml.PROTOCOL)
    verify_element(root, [public_key(c) for c in house.parts.keys.saml_published()])
    assert one(root, "./samlp:Status/samlp:StatusCode").get("Value") == names.SUCCESS
    return root


def refusal(house: House, body: bytes) -> str:
    answered = house.browser.post("/saml/artifact", data=body)
    assert 400 <= answered.status_code < 500, answered.status_code
    fault = one(etree.fromstring(answered.data), "//faultstring").text
    trace = house.parts.traces.explain(fault.rpartition(" ")[2])
    assert trace is not None
    return trace.code


# ---------------------------------------------------------------- the 44 bytes


def test_an_artifact_has_the_form_that_the_standard_gives_it() -> None:
    text = new_artifact(ENTITY, 258)
    raw = base64.b64decode(text)
    assert (len(raw), raw[:2], raw[2:4]) == (44, b"\x00\x04", b"\x01\x02")  # two bytes, not two digits
    assert raw[4:24] == hashlib.sha1(ENTITY.encode()).digest() == source_id(ENTITY)
    read = read_artifact(text)
    assert read is not None
    assert (read.index, read.source, read.handle) == (258, raw[4:24], raw[24:])
    assert new_artifact(ENTITY) != new_artifact(ENTITY)


@pytest.mark.parametrize(
    "text", ["", "AAQ=", "x" * 60, "A" * 60, "é", base64.b64encode(b"\0\4" + b"x" * 43).decode(), "A" * 5000]
)
def test_what_is_none_is_not_read(text: str) -> None:
    assert read_artifact(text) is None


# ---------------------------------------------------------------- sent


def test_the_binding_that_is_asked_for_decides_then_the_acs_then_the_default(fetching: House) -> None:
    fetching.sign_in()
    artifact, post = "https://fetching.example/artifact", "https://fetching.example/post"
    for attributes, target in (
        (ASKED, artifact),
        ('AssertionConsumerServiceIndex="7"', artifact),
        (f'AssertionConsumerServiceURL="{artifact}"', artifact),
        (f'AssertionConsumerServiceURL="{artifact}" ProtocolBinding="{BY_ARTIFACT}"', artifact),
        (f'ProtocolBinding="{BY_POST}"', post),
        ("", post),
    ):
        page = fetching.browser.get(f"/saml/sso?{fetching.query(attributes=attributes, peer=FETCHING)}")
        assert page.status_code == (303 if target == artifact else 200)
        assert target in (page.location or page.text)


def test_a_binding_that_the_acs_does_not_have_is_refused_to_that_acs(fetching: House) -> None:
    fetching.sign_in()
    odd = f'AssertionConsumerServiceURL="https://fetching.example/post" ProtocolBinding="{BY_ARTIFACT}"'
    page = fetching.browser.get(f"/saml/sso?{fetching.query(attributes=odd, peer=FETCHING)}")
    assert page.status_code == 200
    assert 'action="https://fetching.example/post"' in page.text
    odd = f'AssertionConsumerServiceURL="https://fetching.example/artifact" ProtocolBinding="{BY_POST}"'
    page = fetching.browser.get(f"/saml/sso?{fetching.query(attributes=odd, peer=FETCHING)}")
    root = resolve(fetching, sent(page.location)["SAMLart"])
    assert one(root, ".//samlp:StatusCode/samlp:StatusCode").get("Value") == names.UNSUPPORTED_BINDING


def test_the_relay_state_goes_along(fetching: House) -> None:
    fetching.sign_in()
    query = fetching.query(attributes=ASKED, relay_state="a b&c=é", peer=FETCHING)
    assert sent(fetching.browser.get(f"/saml/sso?{query}").location)["RelayState"] == "a b&c=é"


def test_an_answer_after_a_sign_in_goes_by_artifact_as_well(fetching: House) -> None:
    page = fetching.browser.get(f"/saml/sso?{fetching.query(attributes=ASKED, peer=FETCHING)}")
    fetching.sign_in()
    page = fetching.browser.get(fetching.browser.get(page.location).location)
    root = resolve(fetching, sent(page.location)["SAMLart"])
    assert one(root, "./samlp:Response/saml:Assertion//saml:Audience").text == FETCHING.entity_id


# ---------------------------------------------------------------- fetched


def test_the_answer_is_fetched_once(fetching: House) -> None:
    artifact = ask(fetching)
    root = resolve(fetching, artifact)
    response = one(root, "./samlp:Response")
    verify_element(response, [public_key(c) for c in fetching.parts.keys.saml_published()])
    assert response.get("Destination") == "https://fetching.example/artifact"
    assert resolve(fetching, artifact).find("samlp:Response", NS) is None
    (event,) = fetching.parts.repo.find(AuditEvent, name="assertion.issued")
    assert event.detail["binding"] == "artifact"


def test_of_many_who_fetch_at_once_one_gets_it(fetching: House) -> None:
    artifact = ask(fetching)
    bodies = [soap.envelope(resolving(fetching, artifact)) for _ in range(8)]

    def fetch(body: bytes) -> int:
        with fetching.app.test_client() as browser:
            return browser.post("/saml/artifact", data=body).data.count(b"<samlp:Response ")

    with ThreadPoolExecutor(8) as pool:
        assert sum(pool.map(fetch, bodies)) == 1


def test_somebody_elses_artifact_gives_nothing_and_is_not_used_up(fetching: House) -> None:
    artifact = ask(fetching)
    assert resolve(fetching, artifact, OTHER).find("samlp:Response", NS) is None
    assert resolve(fetching, artifact).find("samlp:Response", NS) is not None


def test_an_artifact_is_good_for_a_short_time(fetching: House) -> None:
    artifact = ask(fetching)
    fetching.clock.advance(fetching.parts.settings.saml.artifact_seconds + 1)
    assert resolve(fetching, artifact).find("samlp:Response", NS) is None


@pytest.mark.parametrize(
    "text",
    ["", "AAQ=", "x", "A" * 200, new_artifact("https://other.example"), new_artifact(ENTITY)],
    ids=["empty", "short", "no base64", "long", "of another", "unknown"],
)
def test_an_artifact_that_is_none_of_ours_gives_nothing(fetching: House, text: str) -> None:
    assert resolve(fetching, text).find("samlp:Response", NS) is None


def test_who_has_a_key_must_sign_with_it(fetching: House) -> None:
    artifact = ask(fetching)
    for key in (None, pair("rsa-2048", 666), OTHER.signing):
        assert refusal(fetching, soap.envelope(resolving(fetching, artifact, key=key))) == "saml_signature"
    signed = resolving(fetching, artifact)
    other = new_artifact(ENTITY).encode()
    assert refusal(fetching, soap.envelope(signed.replace(artifact.encode(), other))) == "saml_signature"
    assert resolve(fetching, artifact).find("samlp:Response", NS) is not None


def test_who_has_no_key_fetches_with_the_artifact_alone(fetching: House) -> None:
    artifact = ask(fetching, peer=KEYLESS)
    assert resolve(fetching, artifact, KEYLESS).find("samlp:Response", NS) is not None
    artifact = ask(fetching, peer=KEYLESS)
    fetching.change(KEYLESS.entity_id, sign_requests="always")
    assert refusal(fetching, soap.envelope(resolving(fetching, artifact, KEYLESS))) == "saml_signature"


def test_every_rule_holds_for_who_fetches(fetching: House) -> None:
    artifact = ask(fetching)
    stranger = replace(FETCHING, entity_id="https://stranger.example")
    for body, code in (
        (b"", "saml_unreadable"),
        (b"<x/>", "saml_unreadable"),
        (resolving(fetching, artifact), "saml_unreadable"),  # without an envelope
        (soap.envelope(FETCHING.authn_request(fetching.clock(), SSO)), "saml_unreadable"),
        (soap.envelope(resolving(fetching, artifact, stranger)), "unknown_service_provider"),
        (soap.envelope(resolving(fetching, artifact, destination="https://other.example/")), "saml_destination"),
        (soap.envelope(resolving(fetching, artifact, at=fetching.clock() - 3600)), "saml_stale"),
        (b"<!DOCTYPE x>" + soap.envelope(resolving(fetching, artifact)), "saml_unreadable"),
        (soap.envelope(resolving(fetching, artifact)) + b" " * 300_000, "saml_unreadable"),
    ):
        assert refusal(fetching, body) == code, body[:200]
    fetching.change(FETCHING.entity_id, enabled=False)
    assert refusal(fetching, soap.envelope(resolving(fetching, artifact))) == "sp_disabled"
    assert len(fetching.parts.repo.find(SamlArtifact)) == 1


def test_the_address_takes_soap_by_post_only(fetching: House) -> None:
    assert fetching.browser.get("/saml/artifact").status_code == 405
    assert fetching.browser.put("/saml/artifact").status_code == 405
    assert fetching.browser.post("/saml/artifact", data=b"x" * 600_000).status_code == 413


def test_what_is_stored_names_no_artifact(fetching: House) -> None:
    artifact = ask(fetching)
    (stored,) = fetching.parts.repo.find(SamlArtifact)
    assert artifact not in f"{stored.id} {stored.message}"
    assert "<samlp:Response" not in repr(stored)

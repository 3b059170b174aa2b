"""Our own metadata: what it says, that the schema agrees, and how it is handed out."""

from dataclasses import replace
from typing import Any

import pytest
from lxml import etree

from idp.protocols.saml.entity import Entity
from idp.protocols.saml.metadata import Published, idp_metadata
from idp.saml import names, xml
from idp.saml.idp_metadata import read
from idp.saml.signatures import verify_element
from tests.saml.peer import NS, POST, REDIRECT, Xmlsec, one, pair
from tests.support.quick import SEAL_KEY_TEXT, quick

ENTITY = Entity("https://idp.example/saml/metadata", "https://idp.example")
PLAIN = Published(ENTITY, (pair().certificate, pair("rsa-2048", 1).certificate))
FULL = replace(
    PLAIN,
    encryption=pair("rsa-2048", 2).certificate,
    want_signed=True,
    organisation='Ada <& "Söhne">',
    scopes=("example.org", "example.com"),
    categories=(
        "http://refeds.org/category/research-and-scholarship",
        "https://refeds.org/sirtfi",
        "http://refeds.org/category/hide-from-discovery",
    ),
    contact="ops@example.org",
    valid_until=1_893_456_000,
)


def parsed(published: Published) -> Any:
    return xml.parse(idp_metadata(published), xml.METADATA)


def test_it_names_endpoints_formats_and_every_certificate() -> None:
    root = parsed(replace(PLAIN, want_signed=True))
    assert root.get("entityID") == ENTITY.entity_id
    assert one(root, "//md:IDPSSODescriptor").get("WantAuthnRequestsSigned") == "true"
    endpoints = {s.get("Binding"): s.get("Location") for s in root.iter(f"{{{NS['md']}}}SingleSignOnService")}
    assert endpoints == {POST: "https://idp.example/saml/sso", REDIRECT: "https://idp.example/saml/sso"}
    logout = {
        s.get("Binding").rpartition(":")[2]: s.get("Location") for s in root.iter(f"{{{NS['md']}}}SingleLogoutService")
    }
    assert logout == {
        "HTTP-Redirect": "https://idp.example/saml/slo",
        "HTTP-POST": "https://idp.example/saml/slo",
        "SOAP": "https://idp.example/saml/slo/soap",
    }
    artifact = one(root, "//md:ArtifactResolutionService")
    assert (artifact.get("Location"), artifact.get("index")) == ("https://idp.example/saml/artifact", "0")
    assert [f.text for f in root.iter(f"{{{NS['md']}}}NameIDFormat")] == list(names.NAME_ID_FORMATS)
    shown = [c.text for c in root.iter(f"{{{NS['ds']}}}X509Certificate")]
    assert [pair().certificate.split("-----")[2].replace("\n", ""), len(shown)] == [shown[0], 2]


def test_everything_that_can_be_set_is_said_and_the_schema_agrees() -> None:
    root = parsed(FULL)
    assert [s.text for s in root.iter(f"{{{xml.SHIBMD}}}Scope")] == ["example.org", "example.com"]
    assert one(root, "//md:OrganizationDisplayName").text == 'Ada <& "Söhne">'
    assert one(root, "//*[local-name()='DisplayName']").text == 'Ada <& "Söhne">'
    assert one(root, "//md:ContactPerson[@contactType='technical']/md:EmailAddress").text == "mailto:ops@example.org"
    assert root.get("validUntil") == "2030-01-01T00:00:00Z"
    categories = {
        a.get("Name").rpartition("/")[2].rpartition(":")[2]: a[0].text for a in root.iter(f"{{{NS['saml']}}}Attribute")
    }
    assert categories == {
        "entity-category": "http://refeds.org/category/hide-from-discovery",
        "entity-category-support": "http://refeds.org/category/research-and-scholarship",
        "assurance-certification": "https://refeds.org/sirtfi",
    }
    encryption = one(root, "//md:KeyDescriptor[@use='encryption']")
    assert [m.get("Algorithm").rpartition("#")[2] for m in encryption.iter(f"{{{NS['md']}}}EncryptionMethod")] == [
        "aes256-gcm",
        "aes128-gcm",
        "rsa-oaep-mgf1p",
    ]


def test_we_could_be_our_own_upstream() -> None:
    view = read(idp_metadata(FULL))
    assert (view.entity_id, view.scopes, len(view.signing_keys)) == (
        ENTITY.entity_id,
        ("example.org", "example.com"),
        2,
    )
    assert view.wants_signed_requests
    assert {end.binding for end in view.logout} == {"redirect", "post", "soap"}


def test_it_is_made_once_and_kept() -> None:
    assert idp_metadata(FULL) is idp_metadata(replace(FULL))


# ---------------------------------------------------------------- over HTTP


@pytest.fixture
def started(repo: Any, clock: Any, tmp_path: Any) -> Any:
    from idp.app import create_app
    from idp.base.config import load

    def make(**settings: Any) -> Any:
        given = {
            "data": str(tmp_path / "data"),
            "seal_key": SEAL_KEY_TEXT,
            "issuer": "http://127.0.0.1:8100",
            **settings,
        }
        return quick(create_app(load(None, given, env={}), repo=repo, clock=clock)).test_client()

    return make


def test_it_is_handed_out_with_a_tag_and_not_twice(started: Any) -> None:
    client = started()
    first = client.get("/saml/metadata")
    assert first.content_type == "application/samlmetadata+xml"
    again = client.get("/saml/metadata", headers={"If-None-Match": first.headers["ETag"]})
    assert (again.status_code, again.data) == (304, b"")
    assert xml.parse(first.data, xml.METADATA).find(f"{{{NS['ds']}}}Signature") is None


def test_the_scope_is_our_host_unless_it_is_set(started: Any) -> None:
    def scopes(client: Any) -> list[str]:
        return [s.text for s in etree.fromstring(client.get("/saml/metadata").data).iter(f"{{{xml.SHIBMD}}}Scope")]

    assert scopes(started()) == ["127.0.0.1"]
    assert scopes(started(**{"saml.scopes": ["example.org"]})) == ["example.org"]


def test_a_signature_is_there_when_it_is_asked_for_or_set(started: Any, xmlsec: Xmlsec) -> None:
    client = started()
    signed = client.get("/saml/metadata?signed=1").data
    root = xml.parse(signed, xml.METADATA)
    assert root[0].tag == f"{{{NS['ds']}}}Signature"
    certificate = next(root.iter(f"{{{NS['md']}}}KeyDescriptor")).find(f".//{{{NS['ds']}}}X509Certificate").text
    pem = f"-----BEGIN CERTIFICATE-----\n{certificate}\n-----END CERTIFICATE-----\n"
    assert xmlsec.verifies(signed, pem, "EntityDescriptor", NS["md"])
    assert verify_element(root, [read(signed).signing_keys[0]])
    assert client.get("/saml/metadata?signed=1").data == signed
    assert b"SignatureValue" in started(**{"saml.sign_metadata": True}).get("/saml/metadata").data


def test_software_that_cannot_read_two_keys_gets_the_one_that_signs(started: Any) -> None:
    client = started()
    both, one_key = (read(client.get(f"/saml/metadata{query}").data) for query in ("", "?keys=current"))
    assert len(both.certificates) == 2
    assert one_key.certificates == both.certificates[:1]


def test_it_lists_what_we_can_verify_so_that_nobody_signs_with_sha_1() -> None:
    named = [
        one.get("Algorithm") for one in parsed(PLAIN).iter("{urn:oasis:names:tc:SAML:metadata:algsupport}SigningMethod")
    ]
    assert "http://www.w3.org/2001/04/xmldsig-more#rsa-sha256" in named
    assert not [one for one in named if "sha1" in one]


def test_an_end_moves_on_by_the_hour(started: Any, clock: Any) -> None:
    client = started(**{"saml.metadata_valid_days": 7})
    first = client.get("/saml/metadata").data
    clock.advance(3000)
    assert client.get("/saml/metadata").data == first
    clock.advance(3600)
    assert client.get("/saml/metadata").data != first
    assert 6.9 * 86_400 < (read(first).valid_until or 0) - 1_800_000_000 < 7.1 * 86_400

"""Metadata: ours, and what is checked in that of a service provider when it is registered."""

import pytest

from idp.base.errors import Refused
from idp.protocols.saml.entity import Entity
from idp.protocols.saml.metadata import idp_metadata
from idp.saml import names, xml
from idp.saml.sp_metadata import read, service_provider_from_metadata
from tests.saml.peer import NS, POST, REDIRECT, Sp, one, pair
from tests.support.clock import START

ENTITY = Entity("https://idp.example/saml/metadata", "https://idp.example")
GOOD = Sp().metadata()


def problem(metadata: bytes, **settings: str) -> str:
    with pytest.raises(Refused) as caught:
        service_provider_from_metadata(metadata, START, **settings)
    return caught.value.message


# ---------------------------------------------------------------- ours


def test_our_metadata_names_endpoints_formats_scope_and_every_certificate() -> None:
    certificates = (pair().certificate, pair("rsa-2048", 1).certificate)
    root = xml.parse(idp_metadata(ENTITY, certificates, True), xml.METADATA)
    assert root.get("entityID") == ENTITY.entity_id
    assert one(root, "//md:IDPSSODescriptor").get("WantAuthnRequestsSigned") == "true"
    endpoints = {s.get("Binding"): s.get("Location") for s in root.iter(f"{{{NS['md']}}}SingleSignOnService")}
    assert endpoints == {POST: "https://idp.example/saml/sso", REDIRECT: "https://idp.example/saml/sso"}
    assert [f.text for f in root.iter(f"{{{NS['md']}}}NameIDFormat")] == list(names.NAME_ID_FORMATS)
    assert one(root, "//*[local-name()='Scope']").text == "idp.example"
    assert {k.get("use") for k in root.iter(f"{{{NS['md']}}}KeyDescriptor")} == {"signing"}
    shown = [c.text for c in root.iter(f"{{{NS['ds']}}}X509Certificate")]
    assert [pair().certificate.split("-----")[2].replace("\n", ""), len(shown)] == [shown[0], 2]


def test_our_metadata_is_made_once_and_kept() -> None:
    assert idp_metadata(ENTITY, (pair().certificate,), False) is idp_metadata(ENTITY, (pair().certificate,), False)


# ---------------------------------------------------------------- theirs


def test_metadata_gives_a_service_provider() -> None:
    sp = service_provider_from_metadata(GOOD, START, **{"attributes.urn:oid:2.5.4.3": "name"})
    assert (sp.id, sp.name, sp.created_at) == ("https://sp.example/metadata", "sp.example", START)
    assert sp.attributes == {"urn:oid:2.5.4.3": "name"}
    view = read(sp.metadata.encode())
    assert [a.url for a in view.acs] == list(Sp().acs)
    assert view.default_acs().url == Sp().acs[0]


def test_the_acs_that_is_marked_as_default_is_the_default() -> None:
    marked = GOOD.replace(b'index="1"', b'index="1" isDefault="true"')
    assert read(marked).default_acs().index == 1
    assert read(GOOD.replace(b'index="0"', b'index="0" isDefault="false"')).default_acs().index == 1


def test_a_display_name_is_the_name() -> None:
    info = (
        b'<md:Extensions><mdui:UIInfo xmlns:mdui="urn:oasis:names:tc:SAML:metadata:ui"><mdui:DisplayName xml:lang="de">Laden'
        b'</mdui:DisplayName><mdui:DisplayName xml:lang="en">The  Shop</mdui:DisplayName></mdui:UIInfo></md:Extensions>'
    )
    assert (
        service_provider_from_metadata(GOOD.replace(b"<md:KeyDescriptor", info + b"<md:KeyDescriptor", 1), START).name
        == "The Shop"
    )


def test_the_parts_of_a_role_may_stand_in_any_order() -> None:
    """samlify, for one, writes NameIDFormat before SingleLogoutService, and the schema wants it after."""
    logout = b'<md:SingleLogoutService Binding="%s" Location="https://sp.example/slo"/>' % REDIRECT.encode()
    mixed = (
        Sp(formats=(names.EMAIL,)).metadata().replace(b"</md:NameIDFormat>", b"</md:NameIDFormat><!-- c -->" + logout)
    )
    view = read(mixed)
    assert (view.name_id_formats, [a.url for a in view.acs]) == ((names.EMAIL,), list(Sp().acs))


@pytest.mark.parametrize(
    "url",
    [
        "javascript:alert(1)",
        "http://sp.example/acs",
        "data:text/html,x",
        "//sp.example/acs",
        "https://user@sp.example/acs",
        "https://sp.example/acs#x",
        "https:///acs",
        "https://sp.example/a b",
        "https://sp.example:99999/acs",
        "HTTP://sp.example/acs",
        "https://sp.example;script-src/acs",
        "https://*.example/acs",
        "https://'self'/acs",
        "https://sp.example,x/acs",
    ],
)
def test_an_acs_that_is_not_https_or_loopback_is_refused(url: str) -> None:
    assert "AssertionConsumerService" in problem(Sp(acs=(Sp().acs[0], url)).metadata())


@pytest.mark.parametrize("url", ["http://127.0.0.1:8101/acs", "http://localhost/acs", "http://[::1]:8101/acs"])
def test_http_is_good_enough_on_loopback(url: str) -> None:
    assert read(Sp(acs=(url,)).metadata()).acs[0].url == url


@pytest.mark.parametrize(
    ("metadata", "why"),
    [
        (b"<!DOCTYPE x>" + GOOD, "DOCTYPE"),
        (b"junk", "well-formed"),
        (GOOD.replace(b"entityID", b"entityId"), "schema"),
        (GOOD.replace(b"md:SPSSODescriptor", b"md:AttributeAuthorityDescriptor"), "schema"),
        (GOOD.replace(NS["samlp"].encode(), b"urn:oasis:names:tc:SAML:1.1:protocol"), "SPSSODescriptor"),
        (GOOD.replace(POST.encode(), b"urn:oasis:names:tc:SAML:2.0:bindings:PAOS"), "HTTP-POST"),
        (GOOD.replace(b"https://sp.example/metadata", b"https://sp.example/meta data"), "entityID"),
        (GOOD.replace(b"https://sp.example/metadata", b"x" * 1025), "schema|entityID"),
        (Sp(extra='validUntil="2020-01-01T00:00:00Z"').metadata(), "validUntil"),
        (Sp(signs=True, signing=None).metadata(), "no signing certificate"),
        (Sp(signing=pair("rsa-1024")).metadata(), "2048"),
        (
            b'<md:EntitiesDescriptor xmlns:md="%s">%s</md:EntitiesDescriptor>' % (NS["md"].encode(), GOOD),
            "one single entity",
        ),
        (GOOD + b"<!-- -->" * 140_000, "larger"),
    ],
)
def test_metadata_that_breaks_a_rule_is_refused_by_name(metadata: bytes, why: str) -> None:
    import re

    assert re.search(why, problem(metadata))


def test_always_encrypt_needs_a_certificate_for_a_method_that_we_have() -> None:
    assert "encryption" in problem(GOOD.replace(b'use="signing"', b'use="signing"'), encrypt="always")
    cbc = Sp(encryption=pair()).metadata()
    method = b'<md:EncryptionMethod Algorithm="http://www.w3.org/2001/04/xmlenc#%s"/></md:KeyDescriptor><md:Ass'
    only_cbc = cbc.replace(b"</md:KeyDescriptor><md:Ass", method % b"aes256-cbc")
    assert only_cbc != cbc
    assert "encryption" in problem(only_cbc, encrypt="always")
    assert service_provider_from_metadata(cbc, START, encrypt="always").encrypt == "always"
    key_transport_only = cbc.replace(b"</md:KeyDescriptor><md:Ass", method % b"rsa-oaep-mgf1p")
    assert service_provider_from_metadata(key_transport_only, START, encrypt="always")


@pytest.mark.parametrize(
    "settings",
    [
        {"encript": "always"},
        {"encrypt": "perhaps"},
        {"name_id_format": "kerberos"},
        {"sign_response": "maybe"},
        {"attributes.x": "password"},
    ],
)
def test_a_misspelt_setting_is_refused_by_name(settings: dict[str, str]) -> None:
    assert next(iter(settings)) in problem(GOOD, **settings)


def test_metadata_of_a_byte_order_mark_or_declaration_is_read() -> None:
    for start in (b"\xef\xbb\xbf", b'<?xml version="1.0" encoding="UTF-8"?>\n', b"<?xml version='1.0'?>"):
        sp = service_provider_from_metadata(start + GOOD, START)
        assert read(sp.metadata.encode()).entity_id == sp.id


def test_importing_the_routes_loads_neither_pysaml2_nor_lxml() -> None:
    import subprocess
    import sys

    code = "import sys, idp.protocols.saml.routes; sys.exit(bool({'saml2', 'lxml', 'xmlschema'} & set(sys.modules)))"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_the_whole_door_needs_no_server_class_of_pysaml2_and_no_xmlschema() -> None:
    """They would cost half a second and 35 MB (docs/decisions/0004)."""
    import subprocess
    import sys

    heavy = {"saml2.server", "saml2.sigver", "xmlschema", "pymongo"}
    code = f"import sys, idp.protocols.saml.door; sys.exit(bool({heavy} & set(sys.modules)))"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0

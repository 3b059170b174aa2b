"""What is checked in the metadata of a service provider when it is registered. What it says is in test_sp_metadata."""

import pytest

from idp.base.errors import Refused
from idp.saml import names
from idp.saml.sp_metadata import read, service_provider_from_metadata
from tests.saml.peer import NS, POST, REDIRECT, Sp, pair
from tests.support.clock import START

GOOD = Sp().metadata()
OTHER = Sp("https://other.example/metadata").metadata()


def problem(metadata: bytes) -> str:
    with pytest.raises(Refused) as caught:
        service_provider_from_metadata(metadata, START)
    return caught.value.message


# ---------------------------------------------------------------- theirs


def test_metadata_gives_a_service_provider() -> None:
    sp = service_provider_from_metadata(GOOD, START, attributes={"urn:oid:2.5.4.3": "name"})
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
        (GOOD.replace(b"entityID", b"entityId"), "entityID"),
        (GOOD.replace(b"md:SPSSODescriptor", b"md:IDPSSODescriptor"), "SPSSODescriptor"),
        (GOOD.replace(b"EntityDescriptor", b"Descriptor"), "not SAML metadata"),
        (GOOD.replace(NS["samlp"].encode(), b"urn:oasis:names:tc:SAML:1.1:protocol"), "SPSSODescriptor"),
        (GOOD.replace(POST.encode(), b"urn:oasis:names:tc:SAML:2.0:bindings:PAOS"), "HTTP-POST"),
        (GOOD.replace(b"https://sp.example/metadata", b"https://sp.example/meta data"), "entityID"),
        (GOOD.replace(b"https://sp.example/metadata", b"x" * 1025), "entityID"),
        (Sp(extra='validUntil="2020-01-01T00:00:00Z"').metadata(), "validUntil"),
        (Sp(signs=True, signing=None).metadata(), "no signing certificate"),
        (Sp(signing=pair("rsa-1024")).metadata(), "2048"),
        (
            b'<md:EntitiesDescriptor xmlns:md="%s">%s%s</md:EntitiesDescriptor>' % (NS["md"].encode(), GOOD, OTHER),
            "one single entity",
        ),
        (GOOD + b"<!-- -->" * 140_000, "larger"),
    ],
)
def test_metadata_that_breaks_a_rule_is_refused_by_name(metadata: bytes, why: str) -> None:
    import re

    assert re.search(why, problem(metadata))


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

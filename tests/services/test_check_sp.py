"""Which settings of a service provider are accepted, whichever door they come through; and settings as text."""

from dataclasses import fields, replace
from typing import Any

import pytest

from idp.base.errors import Refused
from idp.domain.relying import ServiceProvider
from idp.saml.names import EMAIL, PERSISTENT
from idp.saml.sp_metadata import read
from idp.saml.views import SpView
from idp.services.check_sp import SETTABLE, check_sp, is_encryptable
from idp.services.sp_settings import TABLES, as_texts, is_setting, with_settings
from tests.saml.peer import Sp, pair

WIKI = ServiceProvider("https://sp.example/metadata", "Wiki", "<xml/>", attributes={"mail": "email", "role": "roles"})
CBC = (
    b'<md:EncryptionMethod Algorithm="http://www.w3.org/2001/04/xmlenc#aes128-cbc"/></md:KeyDescriptor>'
    b"<md:AssertionConsumerService"
)


def view(**peer: Any) -> SpView:
    return read(Sp(WIKI.id, **peer).metadata())


def refusal(sp: ServiceProvider, seen: SpView | None = None) -> str:
    with pytest.raises(Refused) as caught:
        check_sp(sp, seen)
    assert caught.value.code == "invalid_sp_setting"
    return caught.value.message


def test_every_field_is_either_set_by_somebody_or_ours() -> None:
    ours = {"id", "metadata", "created_at", "source_id", "version"}
    assert {one.name for one in fields(ServiceProvider)} == {*SETTABLE, *ours}


def test_what_is_usual_is_accepted() -> None:
    assert check_sp(WIKI, view()) is WIKI
    assert check_sp(replace(WIKI, attributes={}), None)


@pytest.mark.parametrize(
    ("setting", "value"),
    [
        *(("name", value) for value in ("", "  ", "x" * 201, "a\nb", "\u202eevil", 5, None)),
        *(("enabled", value) for value in ("yes", 1, None)),
        *(("attributes", {name: "email"}) for name in ("", " mail", "a=b", "a\nb", "x" * 501)),
        *(("attributes", {"mail": source}) for source in ("", "password", "claim:", "claim:iss", "=", " email", 5)),
        *(("attributes", value) for value in (("mail",), None, {f"a{n}": "email" for n in range(101)})),
        *(("attribute_filters", {"role": value}) for value in ((), ("",), ("a\nb",), ("x",) * 101, "wiki-*")),
        ("attribute_filters", {"nothing": ("x",)}),
        *(("attribute_values", {"role": value}) for value in ({}, {"": "x"}, {"a": ""}, {"a -> b": "c"}, {"a": 5})),
        ("attribute_values", {"nothing": {"a": "b"}}),
        *(("name_id_format", value) for value in ("persistent", "urn:other", None)),
        *(("name_id_field", value) for value in ("roles", "groups", "=text", "password", "claim:sub")),
        *(("signature_algorithm", value) for value in ("rsa-sha1", "", "RS256")),
        *(("encryption_method", value) for value in ("tripledes-cbc", "", "aes256")),
        *(("key_transport", value) for value in ("rsa-1_5", "")),
        *(("encrypt", value) for value in ("sometimes", True)),
        *(("sign_requests", value) for value in ("never", None)),
        *(("assertion_seconds", value) for value in (29, 301, True, 60.0, "60", -1)),
        *(("default_relay_state", value) for value in ("x" * 1025, "a\r\nb", None)),
    ],
    ids=lambda value: repr(value)[:40],
)
def test_what_is_no_good_is_refused_by_the_name_of_the_setting(setting: str, value: Any) -> None:
    assert refusal(replace(WIKI, **{setting: value})).startswith(f"{setting}: ")


def test_filters_and_values_may_be_those_of_the_attributes_that_everybody_gets() -> None:
    usual = replace(WIKI, attributes={}, attribute_filters={"urn:oid:0.9.2342.19200300.100.1.3": ("*@example.org",)})
    assert check_sp(usual, None)
    assert refusal(replace(usual, attributes={"mail": "email"})).startswith("attribute_filters: ")


def test_encryption_always_needs_a_key_and_a_method_that_is_chosen() -> None:
    always = replace(WIKI, encrypt="always")
    assert refusal(always, view()).startswith("encrypt: ")
    assert check_sp(always, view(encryption=pair("rsa-2048", 5)))
    peer = Sp(WIKI.id, encryption=pair("rsa-2048", 5)).metadata()
    old = read(peer.replace(b"</md:KeyDescriptor><md:AssertionConsumerService", CBC, 1))
    said = refusal(always, old)
    assert said.startswith("encryption_method: ")
    assert "aes128-cbc" in said
    assert not is_encryptable(always, old)
    assert check_sp(replace(always, encryption_method="aes128-cbc"), old)


def test_signed_requests_need_a_key_to_check_them_with() -> None:
    always = replace(WIKI, sign_requests="always")
    assert check_sp(always, view())
    assert refusal(always, view(signing=None)).startswith("sign_requests: ")


# ---------------------------------------------------------------- as text


def test_settings_are_read_from_text() -> None:
    read = with_settings(
        WIKI,
        {
            "name": "  Our   wiki ",
            "enabled": "no",
            "name_id_format": "email",
            "assertion_seconds": "60",
            "encrypt": "when_possible",
            "attributes.urn:oid:2.5.4.3": "name",
            "attributes.role": "",
            "attribute_filters.mail": "*@a.example, *@b.example",
            "attribute_values.mail": '{"a@a.example": "root"}',
        },
    )
    assert read.name == "Our wiki"
    assert (read.enabled, read.name_id_format, read.assertion_seconds, read.encrypt) == (
        False,
        EMAIL,
        60,
        "when_possible",
    )
    assert read.attributes == {"mail": "email", "urn:oid:2.5.4.3": "name"}
    assert read.attribute_filters == {"mail": ("*@a.example", "*@b.example")}
    assert read.attribute_values == {"mail": {"a@a.example": "root"}}
    assert with_settings(read, {"assertion_seconds": "none"}).assertion_seconds is None


def test_a_table_is_emptied_before_it_is_filled_and_an_entry_stays_in_its_place() -> None:
    fresh = with_settings(WIKI, {"attributes.uid": "username", "attributes": ""})
    assert fresh.attributes == {"uid": "username"}
    changed = with_settings(WIKI, {"attributes.mail": "username"})
    assert list(changed.attributes.items()) == [("mail", "username"), ("role", "roles")]


def test_filters_and_values_go_with_their_attribute() -> None:
    full = replace(WIKI, attribute_filters={"role": ("x",), "mail": ("y",)}, attribute_values={"role": {"a": "b"}})
    less = with_settings(full, {"attributes.role": ""})
    assert (dict(less.attribute_filters), dict(less.attribute_values)) == ({"mail": ("y",)}, {})


@pytest.mark.parametrize(
    "given",
    [
        {"nothing": "x"},
        {"metadata": "<xml/>"},
        {"version": "5"},
        {"source_id": "x"},
        {"enabled": "perhaps"},
        {"encrypt": "sometimes"},
        {"assertion_seconds": "1e3"},
        {"attributes": "mail"},
        {"attribute_filters.mail": "[1]"},
        {"attribute_filters.mail": "["},
        {"attribute_values.mail": "[]"},
        {"attribute_values.mail": '{"a": 5}'},
        {"attribute_values.mail": "[" * 100_000},
    ],
    ids=lambda given: str(given)[:50],
)
def test_text_that_cannot_be_read_is_refused(given: dict[str, str]) -> None:
    with pytest.raises(Refused) as caught:
        with_settings(WIKI, given)
    assert caught.value.code == "invalid_sp_setting"


@pytest.mark.parametrize(
    "changes",
    [
        {"name": "It's $HOME; a `name`"},
        {"enabled": False, "logout": False, "idp_initiated": True},
        {"name_id_format": PERSISTENT, "name_id_field": "claim:employee_number"},
        {"name_id_format": ""},
        {"assertion_seconds": 60},
        {"assertion_seconds": None},
        {"attributes": {}},
        {"attributes": {"mail": "email", "urn:oid:2.5.4.3": "name", "First Name": "=a, b = c"}},
        {"attribute_filters": {"role": ("CN=a,OU=b c", "x*"), "mail": ("[ab]*",)}},
        {"attribute_values": {"role": {"a b": "c,d", 'q"': "ü"}}},
        {"attribute_filters": {}, "attribute_values": {}},
    ],
    ids=str,
)
def test_what_is_written_as_text_is_read_as_the_same(changes: dict[str, Any]) -> None:
    before = replace(WIKI, attribute_filters={"role": ("old",)}, attribute_values={"role": {"old": "old"}})
    wanted = replace(before, **changes)
    if "attributes" in changes:
        wanted = replace(wanted, attribute_filters={}, attribute_values={})
    written = as_texts(changes)
    assert all(is_setting(name) for name, _ in written)
    assert with_settings(before, dict(written)) == wanted


def test_no_setting_is_called_like_a_part_of_a_table() -> None:
    assert not any("." in name for name in SETTABLE)
    assert set(TABLES) < set(SETTABLE)
    assert not is_setting("attributes.")
    assert not is_setting("nothing.mail")

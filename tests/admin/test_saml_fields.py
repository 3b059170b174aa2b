"""The table of settings of service providers is complete, and what forms say as commands and API calls means the same there."""

import json
import shlex
from dataclasses import replace
from typing import Any

import pytest
from werkzeug.datastructures import MultiDict

from idp.admin import as_words, forms, sp_json, sp_words
from idp.admin.names import sp_api_path_of
from idp.admin.sp_fields import BY_NAME, SECTIONS
from idp.domain.relying import ServiceProvider
from idp.http.render import catalogue
from idp.saml.names import EMAIL
from idp.services.check_sp import SETTABLE
from idp.services.sp_settings import with_settings
from tests.web.house import House

BLANK = ServiceProvider("https://sp.example/metadata", "X", "")
FULL: dict[str, Any] = {
    "name": "It's $HOME; a `name`",
    "enabled": False,
    "second_factor_required": True,
    "idp_initiated": True,
    "default_relay_state": "https://sp.example/?a=b&c",
    "logout": False,
    "attributes": {"mail": "email", "urn:oid:2.5.4.3": "claim:given_name", "First Name": "=a = b", "s": "id@a.example"},
    "attribute_filters": {"urn:oid:2.5.4.3": ("CN=x, OU=y", "[ab]*"), "mail": ("*",)},
    "attribute_values": {"urn:oid:2.5.4.3": {"a = b": "c -> d", "x y": "z"}, "mail": {"a": "b"}},
    "name_id_format": EMAIL,
    "name_id_field": "claim:employee_number",
    "sign_response": False,
    "encrypt": "always",
    "encryption_method": "aes256-cbc",
    "key_transport": "rsa-oaep-sha256",
    "signature_algorithm": "ecdsa-sha256",
    "sign_requests": "always",
    "assertion_seconds": 60,
    "upstreams": ("corp", "local"),
}


def test_every_setting_stands_in_exactly_one_section() -> None:
    named = [field.name for section in SECTIONS for field in section.fields]
    assert sorted(named) == sorted(SETTABLE) == sorted(FULL)
    assert all(len(section.first) <= 3 for section in SECTIONS)


def test_every_setting_has_a_label_and_a_line_of_help_in_both_languages() -> None:
    for language in ("en", "de"):
        words = catalogue(language)
        for field in BY_NAME.values():
            assert words[field.words]
            assert words[f"{field.words}_why"]
        assert all(words[section.words] for section in SECTIONS)


@pytest.mark.parametrize("name", FULL)
def test_a_value_comes_back_from_the_form_as_it_was(name: str) -> None:
    field, value = BY_NAME[name], FULL[name]
    shown = forms.given(field, value)
    sent = {name: shown.text.replace("\n", "\r\n")}
    if field.kind == "flag":
        sent = {name: "yes"} if shown.ticked else {}
    assert forms.read(MultiDict(sent), [field])[name] == value
    empty = forms.read(MultiDict({} if field.kind == "flag" else {name: ""}), [field]) if field.kind != "choice" else {}
    assert all(one in ("", None, False, {}, ()) for one in empty.values())


def words_of(command: str) -> list[str]:
    """As a shell reads it."""
    return shlex.split(command.replace("\\\n", " "))


@pytest.mark.parametrize("name", FULL)
def test_the_command_line_understands_what_forms_say(name: str) -> None:
    words = words_of(sp_words.command(("set", BLANK.id), {name: FULL[name]}))
    assert words[:4] == ["idp", "sp", "set", BLANK.id]
    assert set(words[4::2]) == {"--set"}
    given = dict(one.split("=", 1) for one in words[5::2])
    assert with_settings(BLANK, given) == replace(BLANK, **{name: FULL[name]})


@pytest.mark.parametrize("name", FULL)
def test_the_api_understands_what_forms_say(name: str) -> None:
    path = sp_api_path_of(BLANK.id)
    said = words_of(as_words.api_call("https://id.example", "PATCH", path, {name: FULL[name]}))
    assert said[:3] == ["curl", "-X", "PATCH"]
    assert said[-1] == f"https://id.example{path}"
    assert sp_json.read(json.loads(said[said.index("-d") + 1])) == {name: FULL[name]}


def test_the_names_of_settings_are_those_of_the_command_line(house: House) -> None:
    from idp.cli.service_providers import _facts

    assert {*SETTABLE, "entity_id", "source_id", "created_at"} <= set(_facts(house.parts, BLANK))

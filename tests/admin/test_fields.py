"""The table of fields is complete, and what forms say as commands means the same on the command line and in the API."""

import json
import shlex
from dataclasses import fields as dataclass_fields
from dataclasses import replace
from typing import Any

import click
import pytest

from idp.admin import as_words, client_json, forms
from idp.admin.fields import BY_NAME, SECTIONS
from idp.admin.names import client_id_of, name_of
from idp.cli.app_options import FIXED, chosen, metadata_options
from idp.domain.metadata import DEVICE
from idp.domain.relying import Client
from idp.http.render import catalogue
from tests.support.proofs import make_key

KEYS = json.dumps({"keys": [make_key("ES256", "k").as_dict(private=False)]})
BLANK = Client(id="x", name="X", created_at=0.0)
FULL: dict[str, Any] = {
    "name": "It's $HOME; a `name`",
    "redirect_uris": ("https://a.example/cb?x=1,2", "https://b.example/cb"),
    "scopes": ("openid", "email"),
    "grant_types": ("authorization_code", DEVICE),
    "audiences": ("urn:a", "urn:b"),
    "consent": "skip",
    "profile": "legacy",
    "pkce_required": False,
    "second_factor_required": True,
    "default_max_age": 300,
    "access_token_seconds": None,
    "jwks": KEYS,
    "jwks_uri": None,
    "claims": ("email", "name"),
    "roles": None,
    "groups": (),
    "contacts": ("a@example.org",),
    "post_logout_redirect_uris": (),
    "request_object_signing_alg": "PS256",
    "software_id": "a b",
}


def test_every_settable_field_stands_in_exactly_one_section() -> None:
    named = [field.name for section in SECTIONS for field in section.fields]
    settable = [one.name for one in dataclass_fields(Client) if one.name not in FIXED]
    assert sorted(named) == sorted(settable) == sorted(client_json.SETTABLE)
    assert all(len(section.first) <= 3 for section in SECTIONS)


def test_every_field_has_a_label_and_a_line_of_help_in_both_languages() -> None:
    for language in ("en", "de"):
        words = catalogue(language)
        for name in BY_NAME:
            assert words[f"field.{name}"]
            assert words[f"field.{name}_why"]
        for section in SECTIONS:
            assert words[f"section.{section.name.replace('-', '_')}"]


@pytest.mark.parametrize("name", FULL)
def test_a_value_comes_back_from_the_form_as_it_was(name: str) -> None:
    from werkzeug.datastructures import MultiDict

    field, value = BY_NAME[name], FULL[name]
    shown = forms.given(field, value)
    sent = {name: shown.text, **{f"{name}.{one}": "yes" for one in shown.ticked}}
    if field.kind == "flag":
        sent = {name: "yes"} if shown.ticked else {}
    read = forms.read(MultiDict(sent), [field])[name]
    assert (json.loads(read) if name == "jwks" else read) == (json.loads(value) if name == "jwks" else value)


def words_of(command: str) -> list[str]:
    """As a shell reads it."""
    return shlex.split(command.replace("\\\n", " "))


@click.command()
@metadata_options
@click.option("--name")
@click.argument("client_id")
def _understood(client_id: str, name: str | None, **flags: Any) -> dict[str, Any]:
    return {**chosen(flags), **({"name": name} if name else {})}


@pytest.mark.parametrize("name", FULL)
def test_the_command_line_understands_what_forms_say(name: str) -> None:
    said = as_words.command(("set", "x"), {name: FULL[name]})
    assert said is not None
    words = words_of(said)
    assert words[:3] == ["idp", "client", "set"]
    understood = _understood.main(words[3:], standalone_mode=False)
    assert understood == {name: FULL[name]}


@pytest.mark.parametrize("name", FULL)
def test_the_api_understands_what_forms_say(name: str) -> None:
    said = words_of(as_words.change_call("https://id.example", "x", {name: FULL[name]}))
    assert said[:3] == ["curl", "-X", "PATCH"]
    assert said[-1] == "https://id.example/admin/api/clients/x"
    read = client_json.read(json.loads(said[said.index("-d") + 1]), BLANK)
    assert replace(BLANK, **read) == replace(BLANK, **{name: _plain(FULL[name])})


def _plain(value: Any) -> Any:
    return json.dumps(json.loads(value), separators=(",", ":")) if value == KEYS else value


def test_what_a_command_line_cannot_say_is_not_said_wrongly() -> None:
    assert as_words.command(("set", "x"), {"groups": ("two words",)}) is None
    assert as_words.command(("set", "x"), {"claims": ("a,b",)}) is None
    assert as_words.command(("set", "x"), {"request_object_signing_alg": "none"}) is None
    assert as_words.command(("set", "x"), {"auth_method": "none"}) is not None


def test_the_names_of_fields_are_those_of_the_command_line() -> None:
    from idp.cli.apps import _facts

    assert set(client_json.shown(BLANK)) == {*_facts(BLANK), "version"}


@pytest.mark.parametrize("client_id", ["wiki", "new", "..", "~a", "a/b", "https://a.example/?x", "x" * 256, " "])
def test_an_app_has_one_address(client_id: str) -> None:
    name = name_of(client_id)
    assert client_id_of(name) == client_id
    assert set(name) <= set("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789._~-")


@pytest.mark.parametrize("name", ["", "~", "~d2lraQ", "~d2lraQ==", "a/b", "~!!", "~/w", "new", "-x"])
def test_what_is_no_address_of_an_app_is_none(name: str) -> None:
    assert client_id_of(name) is None

"""Owns the promises of the forms that change an upstream: as it was shown, as it was typed, as a command; secrets stay hidden."""

import html
import re
import shlex
from dataclasses import replace

import pytest

from idp.admin.upstream_fields import by_section, sections
from idp.upstream.as_text import as_text
from idp.upstream.common import Common
from idp.upstream.parse import changed_provider, new_upstream
from idp.upstream.registry import kinds, secret_fields, settings_model
from tests.admin.upstreams import LIST, SECRET, connect, stored


def test_every_setting_of_every_kind_stands_in_exactly_one_section_but_secrets_also_with_the_address() -> None:
    for kind in kinds():
        named = [field.name for section in sections(kind) for field in section.fields]
        wanted = [*settings_model(kind).model_fields, *(name for name in Common.model_fields if name != "enabled")]
        if "secret" not in by_section(kind):
            wanted.remove("secret_expires_at")
        assert sorted(named) == sorted([*wanted, *secret_fields(kind)]), kind


@pytest.mark.parametrize("kind", kinds())
def test_a_form_that_is_sent_as_it_was_shown_changes_nothing(house, browser, kind) -> None:
    given = {
        "issuer": "https://a.example",
        "client_id": "x",
        "client_secret": SECRET,
        "tenant": "corp.example",
        "authorization_endpoint": "https://a.example/a",
        "token_endpoint": "https://a.example/t",
        "userinfo_endpoint": "https://a.example/u",
        "metadata_url": "https://a.example/m",
        "url": "ldaps://directory.example",
        "base": "dc=example",
        "base_dn": "dc=example",
        "bind_dn": "cn=reader,dc=example",
        "bind_password": SECRET,
    }
    own = {name: value for name, value in given.items() if name in settings_model(kind).model_fields}
    tables = {"claim_map": "department = dept", "group_roles": "a b -> editor", "keep_groups": "wiki-*", "order": "7"}
    made = replace(new_upstream(kind, "corp", {**own, **tables}, house.clock()), enabled=True)
    house.parts.upstreams.add(made, secrets=secret_fields(kind), actor="test")
    before = stored(house)

    for section in sections(kind):
        page = browser.open(f"{LIST}/corp/edit/{section.name}")
        assert SECRET not in page.html
        assert "Saved." in page.submit(f"/edit/{section.name}").text

    after = stored(house)
    assert replace(after, version=0, settings={}) == replace(before, version=0, settings={})
    opened = settings_model(kind).model_validate(house.parts.upstreams.opened_settings(after, secret_fields(kind)))
    asked = settings_model(kind).model_validate(house.parts.upstreams.opened_settings(before, secret_fields(kind)))
    assert opened == asked


def test_another_address_needs_the_secret_again(house, browser) -> None:
    """Else it would be sent to whoever is there now."""
    connect(browser)
    old = stored(house).settings
    page = browser.open(f"{LIST}/corp/edit/connection")

    refused = page.submit("/edit/connection", issuer="https://elsewhere.example")
    assert refused.status == 409
    assert stored(house).settings == old
    assert "Saved." in page.submit("/edit/connection", issuer="https://elsewhere.example", client_secret="new").text
    assert stored(house).settings["client_secret"] != old["client_secret"]


def test_a_secret_is_replaced_and_never_shown_and_an_empty_field_keeps_it(house, browser) -> None:
    connect(browser)
    old = stored(house).settings["client_secret"]

    browser.open(f"{LIST}/corp/edit/secret").submit("/edit/secret", client_secret="", secret_expires_at="2027-01-31")
    assert stored(house).settings["client_secret"] == old
    page = browser.open(f"{LIST}/corp/edit/secret").submit("/edit/secret", client_secret="another-one")
    assert "another-one" not in page.html
    opened = house.parts.upstreams.opened_settings(stored(house), ("client_secret",))
    assert (opened["client_secret"], stored(house).secret_expires_at) == ("another-one", 1_801_353_600.0)


def test_groups_become_roles_by_a_table_and_administrator_is_refused_there(house, browser) -> None:
    connect(browser)
    form = browser.open(f"{LIST}/corp/edit/mapping")

    refused = form.submit("/edit/mapping", group_roles="Staff -> administrator")
    assert refused.status == 400
    assert "administrator_groups" in refused.text
    form.submit("/edit/mapping", group_roles="Wiki Editors -> editor\nCN=Audit,OU=x -> auditor", claim_map="dept = d")
    made = stored(house)
    assert made.group_roles == {"Wiki Editors": ("editor",), "CN=Audit,OU=x": ("auditor",)}
    assert made.claim_map == {"dept": "d"}


def test_what_is_emptied_is_as_by_default_again_and_not_stored(house, browser) -> None:
    connect(browser)
    browser.open(f"{LIST}/corp/edit/connection").submit("/edit/connection", scopes="openid groups")
    assert list(stored(house).settings["scopes"]) == ["openid", "groups"]

    browser.open(f"{LIST}/corp/edit/connection").submit("/edit/connection", scopes="")
    assert "scopes" not in stored(house).settings


def test_a_form_that_was_overtaken_changes_nothing(house, browser) -> None:
    connect(browser)
    page = browser.open(f"{LIST}/corp/edit/button")
    house.parts.upstreams.change(replace(stored(house), label="Elsewhere"), {}, secrets=(), actor="test")

    refused = page.submit("/edit/button", label="Here")
    assert refused.status == 409
    assert stored(house).label == "Elsewhere"


@pytest.mark.parametrize(
    ("section", "typed"),
    [
        ("connection", {"scopes": "openid groups", "authorize_params": "prompt=login&hd=a%20b", "assertions": "yes"}),
        ("mapping", {"group_roles": "A b -> editor\nCN=x,OU=y -> auditor", "claim_map": "dept = urn:a=b; title = t"}),
        ("people", {"trusted_domains": "*", "may_create": "nobody"}),
        ("second-step", {"trusted_amr": "mfa otp", "always_ask": "yes"}),
    ],
)
def test_the_command_that_a_form_shows_does_what_the_form_does(house, browser, section, typed) -> None:
    connect(browser)
    form = browser.open(f"{LIST}/corp/edit/{section}").form(f"/edit/{section}")
    told = browser.post(form.action, {**form.values, **typed, "act": "words"})
    shown = re.search(r'id="as-command" data-text="([^"]*)"', told.html)
    words = shlex.split(html.unescape(shown[1]).replace("\\\n", " "))
    pairs = dict(one.split("=", 1) for at, one in enumerate(words) if words[at - 1] == "--set")
    by_command, settings = changed_provider(stored(house), pairs)

    browser.post(form.action, {**form.values, **typed})
    by_form = stored(house)
    assert replace(by_command, settings={}, version=0) == replace(by_form, settings={}, version=0)
    assert {name: as_text(name, by_form.settings[name]) for name in settings if name in by_form.settings} == {
        name: as_text(name, value) for name, value in settings.items() if name in by_form.settings
    }

"""The administrators' pages about service providers: who sees them, the list, adding, changing, switching off, removing; nothing
happens by a stale or foreign form."""

from dataclasses import replace
from typing import Any

import pytest

from idp.admin.sp_fields import BY_NAME, SECTIONS
from idp.domain.audit_event import AuditEvent
from idp.domain.relying import ServiceProvider
from tests.admin.service_providers import LIST, NAME, PAGE, PEER, register, stored, wanting
from tests.saml.peer import Sp
from tests.web.house import Browser, House, Person
from tests.web.test_pages import _Inline

READ = (LIST, f"{LIST}/federations", PAGE, f"{PAGE}/preview", f"{PAGE}/test", f"{PAGE}/metadata/xml")
EDITS = tuple(f"{PAGE}/edit/{section.name}" for section in SECTIONS)
FORMS = (f"{LIST}/new", f"{PAGE}/metadata", f"{PAGE}/remove", *EDITS)
INNER = tuple(f"{PAGE}/{one}" for one in ("switch", "metadata/look", "metadata/unwatch", "metadata/pending"))
POSTS = (*FORMS, *INNER, f"{PAGE}/test")
FIELDS = {"name": "sp.example", "version": "0", "enabled": "no", "digest": "x", "act": "adopt", "url": ""}


@pytest.fixture
def wiki(house: House) -> ServiceProvider:
    return register(house, name="Wiki")


@pytest.mark.parametrize("path", [*READ, *FORMS])
def test_whoever_is_not_signed_in_signs_in_first_and_comes_back(
    house: House, ada: Person, wiki: ServiceProvider, path: str
) -> None:
    page = house.password_step(house.browser(), ada, path).submit("/factor", code=house.code(ada.secret))
    back = path.removesuffix("/xml")
    assert (page.path, page.status) == (back, 200)


@pytest.mark.parametrize("path", [*READ, *FORMS])
def test_nobody_else_sees_them(house: House, wiki: ServiceProvider, path: str) -> None:
    page = house.sign_in(house.person("bob")).open(path)
    assert page.status == 403
    assert "for administrators" in page.text
    assert "sp.example" not in page.text


@pytest.mark.parametrize("path", POSTS)
def test_nobody_else_can_send_their_forms(house: House, wiki: ServiceProvider, path: str) -> None:
    page = house.sign_in(house.person("bob")).post_blindly(path, **FIELDS)
    assert page.status == 403
    assert house.parts.apps.service_providers() == [wiki]


@pytest.mark.parametrize("path", POSTS)
def test_a_form_without_its_token_does_nothing(
    house: House, browser: Browser, wiki: ServiceProvider, path: str
) -> None:
    assert browser.post(path, FIELDS).status == 403
    assert browser.post(path, {**FIELDS, "csrf": "0" * 40}).status == 403
    good = browser.open(f"{PAGE}/remove").form("/remove").values["csrf"]
    assert browser.post(path, {**FIELDS, "csrf": good}, Origin="https://evil.example").status == 403
    assert house.parts.apps.service_providers() == [wiki]


@pytest.mark.parametrize("path", [*FORMS, *INNER])
def test_whoever_signed_in_long_ago_proves_again_before_a_change(
    house: House, browser: Browser, wiki: ServiceProvider, path: str
) -> None:
    house.clock.advance(601)
    assert browser.open(LIST).path == LIST
    assert browser.post_blindly(path, **FIELDS).path.startswith("/flow/")
    if path in FORMS:
        assert browser.open(path).path.startswith("/flow/")
    assert house.parts.apps.service_providers() == [wiki]


def test_no_page_has_inline_script_or_style(browser: Browser, wiki: ServiceProvider) -> None:
    for path in (*READ, *FORMS, f"{PAGE}/preview?user=ada", f"{LIST}?q=none"):
        page = browser.open(path)
        assert (path, page.status) == (path, 200)
        assert page.response.headers["Cache-Control"] == "no-store"
        assert len(page.response.data) < 20_000
        if not path.endswith("/xml"):
            inline = _Inline()
            inline.feed(page.html)
            assert (path, inline.found) == (path, [])


def test_every_page_speaks_german(browser: Browser, wiki: ServiceProvider) -> None:
    for path in (*READ, *FORMS, f"{PAGE}/preview?user=ada"):
        page = browser.open(path, **{"Accept-Language": "de"})
        if not path.endswith("/xml"):
            assert '<html lang="de">' in page.html
            for key in ("admin.", "admin_saml", "sp_field.", "sp_section.", "saml_part.", "field."):
                assert key not in page.text


def test_both_kinds_of_apps_lead_to_each_other(browser: Browser, wiki: ServiceProvider) -> None:
    assert ("SAML", LIST) in browser.open("/admin/clients").document.links
    assert ("OpenID Connect", "/admin/clients") in browser.open(LIST).document.links
    assert ("Federations", f"{LIST}/federations") in browser.open(LIST).document.links


# ---------------------------------------------------------------- the list


def test_the_list_is_sorted_searched_and_paged(house: House, browser: Browser) -> None:
    assert "No SAML app yet" in browser.open(LIST).text
    for n in range(55):
        register(house, Sp(f"https://sp-{n}.example/metadata"), name=f"App {n:02}")
    register(house, Sp("https://zebra.example/metadata"), name="a zebra", enabled=False)
    first = browser.open(LIST)
    assert "56 apps" in first.text
    assert first.text.index("a zebra") < first.text.index("App 00")
    assert "switched off" in first.text
    onward = next(href for text, href in first.document.links if text == "Next apps")
    second = browser.open(onward)
    assert "App 54" in second.text
    assert "App 48" not in second.text
    found = browser.open(f"{LIST}?q=ZEBRA.example")
    assert "One app" in found.text
    assert "No app fits “<b>x</b>”" in browser.open(f"{LIST}?q=<b>x</b>").text
    assert browser.open(f"{LIST}?after=%21").status == 400


def test_an_app_that_is_not_there_is_not_found(browser: Browser, wiki: ServiceProvider) -> None:
    for path in ("/nobody", "/~", "/~d2lraQ", f"/{NAME}/edit/nothing", f"/{'x' * 1500}", "/nobody/metadata"):
        page = browser.open(f"{LIST}{path}")
        assert (path, page.status) == (path, 404)


# ---------------------------------------------------------------- one app


def test_what_needs_attention_is_said(house: House, browser: Browser) -> None:
    wants = wanting(PEER, ("urn:oid:1.3.6.1.4.1.5923.1.1.1.6", "eduPersonPrincipalName", True), ("x", "X", False))
    wanted = replace(register(house), metadata=wants.decode(), enabled=False, encrypt="when_possible")
    house.parts.apps.change_service_provider(wanted, actor="test")
    page = browser.open(PAGE)
    assert "switched off" in page.text
    assert "demands attributes that it does not get: eduPersonPrincipalName." in page.text
    assert "go in clear text" not in page.text
    found = house.parts.repo.replace_if(replace(stored(house), metadata=Sp(PEER.entity_id).metadata().decode()))
    assert found is not None
    assert "go in clear text" in browser.open(PAGE).text
    house.parts.repo.replace_if(replace(found, metadata="<nothing/>"))
    page = browser.open(PAGE)
    assert page.status == 200
    assert "Its metadata cannot be used" in page.text
    for path in (f"{PAGE}/metadata", f"{PAGE}/preview?user=ada", f"{PAGE}/test"):
        assert browser.open(path).status in (200, 400)


def test_markup_in_names_is_text(house: House, browser: Browser) -> None:
    register(house, name="<img src=x>")
    for path in (LIST, PAGE, *FORMS):
        page = browser.open(path)
        assert "<img" not in page.html


@pytest.mark.parametrize("section", SECTIONS, ids=lambda section: section.name)
def test_a_form_that_is_sent_as_it_is_changes_nothing(house: House, browser: Browser, section: Any) -> None:
    full = register(
        house,
        attributes={"mail": "email", "aff": "=member", "First Name": "claim:given_name"},
        attribute_filters={"mail": ("*@a.example", "x y")},
        attribute_values={"mail": {"a -b": "b -> c"}},
        name_id_field="email",
        assertion_seconds=60,
    )
    page = browser.open(f"{PAGE}/edit/{section.name}").submit("/edit/")
    assert page.path == f"{PAGE}?saved=1"
    assert replace(stored(house), version=0) == full


def test_a_change_is_saved_and_audited(house: House, ada: Person, browser: Browser, wiki: ServiceProvider) -> None:
    page = browser.open(f"{PAGE}/edit/attributes").submit(
        "/edit/",
        attributes="mail = email\r\n\r\n groups =groups \r\nkind = =guest",
        attribute_filters="groups = wiki-*\r\ngroups = CN=a, OU=b",
        attribute_values="groups = wiki-a -> admins",
    )
    assert page.path == f"{PAGE}?saved=1"
    sp = stored(house)
    assert sp.attributes == {"mail": "email", "groups": "groups", "kind": "=guest"}
    assert sp.attribute_filters == {"groups": ("wiki-*", "CN=a, OU=b")}
    assert sp.attribute_values == {"groups": {"wiki-a": "admins"}}
    [event] = house.parts.repo.find(AuditEvent, name="sp.changed")
    assert (event.actor, event.subject) == (ada.user.id, PEER.entity_id)
    assert event.detail["fields"] == "attributes attribute_filters attribute_values"


@pytest.mark.parametrize(
    ("section", "fields", "named"),
    [
        ("sign-in", {"name": ""}, "Fill in all fields"),
        ("sign-in", {"name": "a\x01b"}, "name:"),
        ("attributes", {"attributes": "mail"}, "attributes:"),
        ("attributes", {"attributes": "mail = email\nmail = name"}, "attributes:"),
        ("attributes", {"attribute_filters": "nothing = x"}, "attribute_filters:"),
        ("attributes", {"attribute_values": "mail = x"}, "attribute_values:"),
        ("attributes", {"attribute_filters": "\n".join(f"mail = {n}" for n in range(3000))}, "attribute_filters:"),
        ("name-id", {"name_id_format": "urn:other"}, "name_id_format:"),
        ("name-id", {"name_id_field": "roles"}, "name_id_field:"),
        ("protection", {"assertion_seconds": "soon"}, "assertion_seconds:"),
        ("protection", {"assertion_seconds": "9999"}, "assertion_seconds:"),
        ("protection", {"signature_algorithm": "rsa-sha1"}, "signature_algorithm:"),
    ],
    ids=str,
)
def test_what_is_wrong_stays_on_the_form_with_the_name_of_the_field(
    house: House, browser: Browser, wiki: ServiceProvider, section: str, fields: dict[str, str], named: str
) -> None:
    page = browser.open(f"{PAGE}/edit/{section}").submit("/edit/", **fields)
    assert page.status == 400
    assert named in page.text
    name, typed = next(iter(fields.items()))
    if BY_NAME[name].kind != "choice":
        assert page.form("/edit/").values[name].split() == typed.split()
    if named.endswith(":"):
        assert f'href="#f-{name}"' in page.html
        assert page.html.count('aria-invalid="true"') == 1
    assert stored(house) == wiki


def test_a_form_that_lacks_a_field_or_has_one_twice_is_refused(
    house: House, browser: Browser, wiki: ServiceProvider
) -> None:
    form = browser.open(f"{PAGE}/edit/name-id").form("/edit/")
    less = {name: value for name, value in form.values.items() if name != "name_id_field"}
    assert browser.post(form.action, less).status == 400
    twice: dict[str, Any] = {**form.values, "name_id_field": ["email", "username"]}
    assert browser.post(form.action, twice).status == 400
    assert browser.post(form.action, {**form.values, "name_id_field": "x" * 3000}).status == 400
    assert browser.post(form.action, {**form.values, "version": "x"}).status == 409
    assert stored(house) == wiki


def test_a_form_of_an_older_version_changes_nothing(house: House, browser: Browser, wiki: ServiceProvider) -> None:
    stale, off = browser.open(f"{PAGE}/edit/sign-in"), browser.open(PAGE)
    browser.open(f"{PAGE}/edit/sign-in").submit("/edit/", name="First")
    assert stale.submit("/edit/", name="Second").status == 409
    assert off.submit("/switch", enabled="no").status == 409
    assert (stored(house).name, stored(house).enabled) == ("First", True)


def test_an_app_is_switched_off_and_on(house: House, browser: Browser, wiki: ServiceProvider) -> None:
    page = browser.open(PAGE).submit("/switch", enabled="no")
    assert "It is switched off" in page.text
    assert not stored(house).enabled
    page.submit("/switch", enabled="yes")
    assert stored(house).enabled


def test_an_app_is_removed_by_typing_its_name(
    house: House, ada: Person, browser: Browser, wiki: ServiceProvider
) -> None:
    page = browser.open(f"{PAGE}/remove").submit("/remove", name="wiki")
    assert page.status == 400
    assert "not its name" in page.text
    page = page.submit("/remove", name="Wiki")
    assert page.path == f"{LIST}?removed=1"
    assert house.parts.apps.service_providers() == []
    [event] = house.parts.repo.find(AuditEvent, name="sp.removed")
    assert event.actor == ada.user.id
    assert browser.post_blindly(f"{PAGE}/remove", name="Wiki").status == 404

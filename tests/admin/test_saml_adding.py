"""Adding a service provider on the administrators' pages: by text, by file, once, and with all that is wrong refused."""

import io
from typing import Any

from idp.admin.sp_changes import MAX_METADATA
from idp.domain.audit_event import AuditEvent
from tests.admin.service_providers import LIST, PAGE, PEER, register, stored
from tests.web.house import Browser, House, Person


def test_an_app_is_added_by_the_text_of_its_metadata(house: House, ada: Person, browser: Browser) -> None:
    page = browser.open(f"{LIST}/new").submit(
        "/new", metadata=PEER.metadata().decode(), name="Our wiki", attributes="mail = email\r\nrole = roles\r\n"
    )
    assert page.path == f"{PAGE}?added=1"
    assert "Our wiki is added" in page.text
    assert "http://localhost/saml/metadata" in page.text
    sp = stored(house)
    assert (sp.name, sp.attributes) == ("Our wiki", {"mail": "email", "role": "roles"})
    [event] = house.parts.repo.find(AuditEvent, name="sp.added")
    assert (event.actor, event.subject) == (ada.user.id, PEER.entity_id)


def test_an_app_is_added_by_a_file(house: House, browser: Browser) -> None:
    form = browser.open(f"{LIST}/new").form("/new")
    sent: dict[str, Any] = {**form.values, "file": (io.BytesIO(PEER.metadata()), "metadata.xml")}
    page = browser.post(form.action, sent)
    assert page.path == f"{PAGE}?added=1"
    assert stored(house).name == "sp.example"


def test_what_is_no_metadata_is_refused_and_stays_on_the_form(house: House, browser: Browser) -> None:
    page = browser.open(f"{LIST}/new").submit("/new", metadata="<html/>", name="Typed")
    assert page.status == 400
    assert "The metadata cannot be used" in page.text
    values = page.form("/new").values
    assert (values["metadata"].strip(), values["name"]) == ("<html/>", "Typed")
    for fields, words in (
        ({"metadata": ""}, "Give the address"),
        ({"metadata": "<a/>", "url": "https://a.example/"}, "only one of them"),
        ({"url": "javascript:alert(1)"}, "must be an http or https URL"),
        ({"url": "http://sp.example/metadata"}, "must begin with https"),
        ({"url": "https://sp.example/", "certificates": "nonsense"}, "certificate cannot be used"),
        ({"metadata": PEER.metadata().decode(), "encrypt": "sometimes"}, "encrypt:"),
        ({"metadata": PEER.metadata().decode(), "attributes": "mail"}, "attributes:"),
        ({"metadata": PEER.metadata().decode(), "attributes": "mail = password"}, "attributes:"),
        ({"metadata": "<!DOCTYPE a><a/>"}, "The metadata cannot be used"),
        ({"metadata": "x" * (MAX_METADATA + 1)}, "too long"),
    ):
        page = browser.open(f"{LIST}/new").submit("/new", **fields)
        assert page.status == 400, page.text
        assert words in page.text
    assert house.parts.apps.service_providers() == []


def test_a_form_that_is_much_too_large_is_refused(house: House, browser: Browser) -> None:
    form = browser.open(f"{LIST}/new").form("/new")
    assert browser.post(form.action, {**form.values, "metadata": "x" * 600_000}).status == 413
    big: dict[str, Any] = {**form.values, "file": (io.BytesIO(b"x" * (MAX_METADATA + 1)), "m.xml")}
    page = browser.post(form.action, big)
    assert page.status == 413
    assert "larger than this page takes" in page.text


def test_an_app_that_is_added_twice_is_there_once(house: House, browser: Browser) -> None:
    wiki = register(house)
    page = browser.open(f"{LIST}/new").submit("/new", metadata=PEER.metadata().decode(), name="Another")
    assert page.status == 409
    assert "added already" in page.text
    assert house.parts.apps.service_providers() == [wiki]


def test_the_form_shows_itself_as_command_and_as_api_call(house: House, browser: Browser) -> None:
    page = browser.open(f"{LIST}/new").submit("/new", act="words", url="https://sp.example/metadata", encrypt="always")
    assert "idp sp add https://sp.example/metadata" in page.text
    assert "--set encrypt=always" in page.text
    assert '"metadata_url": "https://sp.example/metadata"' in page.text
    assert house.parts.apps.service_providers() == []

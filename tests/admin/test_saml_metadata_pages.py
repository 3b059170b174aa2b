"""The page about the metadata of a service provider: by hand, fetched, a new copy that waits for somebody's word."""

from collections.abc import Iterator
from dataclasses import replace

import pytest

from idp.domain.audit_event import AuditEvent
from idp.domain.relying import ServiceProvider
from idp.domain.saml import MetadataWatch
from tests.admin.service_providers import LIST, PAGE, PEER, register, stored
from tests.saml.peer import Sp, pair
from tests.support.receiver import Receiver
from tests.web.house import Browser, House

META = f"{PAGE}/metadata"
MOVED = Sp(
    PEER.entity_id, acs=("https://elsewhere.example/acs",), signing=pair("rsa-2048", 7), encryption=PEER.encryption
)


@pytest.fixture
def wiki(house: House) -> ServiceProvider:
    return register(house, name="Wiki", encrypt="always")


@pytest.fixture
def publisher() -> Iterator[Receiver]:
    """The app's own web server, with its metadata at /metadata."""
    with Receiver() as receiver:
        receiver.pages["/metadata"] = PEER.metadata().decode()
        yield receiver


def watch_of(house: House) -> MetadataWatch | None:
    return house.parts.metadata_watch.of(f"sp:{PEER.entity_id}")


def add(browser: Browser, publisher: Receiver, **fields: str) -> None:
    page = browser.open(f"{LIST}/new").submit("/new", url=publisher.url("/metadata"), **fields)
    assert page.path == f"{PAGE}?added=1", page.text


def test_an_app_that_is_added_by_its_address_is_watched(house: House, browser: Browser, publisher: Receiver) -> None:
    add(browser, publisher)
    watch = watch_of(house)
    assert watch is not None
    assert (watch.url, watch.adopt) == (publisher.url("/metadata"), "ask")
    assert publisher.url("/metadata") in browser.open(PAGE).text
    page = browser.open(META).submit("/metadata/look")
    assert "Looked just now" in page.text
    assert "wait for your word" in page.text


def test_the_page_says_who_vouches_for_the_metadata(house: House, browser: Browser, publisher: Receiver) -> None:
    add(browser, publisher)
    assert "nobody (http on this machine)" in browser.open(META).text
    watch = watch_of(house)
    assert watch is not None
    assert house.parts.repo.replace_if(replace(watch, url="https://sp.example/metadata")) is not None
    assert "TLS only" in browser.open(META).text


def test_an_address_that_gives_no_metadata_adds_nothing(house: House, browser: Browser, publisher: Receiver) -> None:
    for path, statuses in (("/other", []), ("/metadata", [500])):
        publisher.statuses = list(statuses)
        page = browser.open(f"{LIST}/new").submit("/new", url=publisher.url(path), name="Kept")
        assert page.status in (400, 502)
        assert page.form("/new").values["name"] == "Kept"
        assert page.form("/new").values["url"] == publisher.url(path)
    assert house.parts.apps.service_providers() == []


def test_a_new_copy_waits_is_compared_and_is_taken_over(house: House, browser: Browser, publisher: Receiver) -> None:
    add(browser, publisher, adopt="yes")
    publisher.pages["/metadata"] = MOVED.metadata().decode()
    page = browser.open(META).submit("/metadata/look")
    assert "Keys or addresses change" in page.text
    assert "https://elsewhere.example/acs" in page.text
    assert "https://sp.example/acs" in page.text
    assert "elsewhere" not in stored(house).metadata
    assert "new metadata" in browser.open(LIST).text
    assert "wait for your word" in browser.open(PAGE).text
    page = page.submit("/metadata/pending", act="adopt")
    assert "The new metadata are taken over" in page.text
    assert "elsewhere" in stored(house).metadata
    assert house.parts.repo.find(AuditEvent, name="sp.metadata_changed")


def test_only_the_copy_that_was_shown_is_taken_over(house: House, browser: Browser, publisher: Receiver) -> None:
    add(browser, publisher)
    publisher.pages["/metadata"] = MOVED.metadata().decode()
    seen = browser.open(META).submit("/metadata/look")
    publisher.pages["/metadata"] = MOVED.metadata().decode().replace("elsewhere", "evil")
    browser.open(META).submit("/metadata/look")
    page = seen.submit("/metadata/pending", act="adopt")
    assert page.status == 409
    assert "sp.example/acs" in stored(house).metadata


def test_what_is_declined_is_not_offered_again(house: House, browser: Browser, publisher: Receiver) -> None:
    add(browser, publisher)
    publisher.pages["/metadata"] = MOVED.metadata().decode()
    page = browser.open(META).submit("/metadata/look").submit("/metadata/pending", act="discard")
    assert "not taken over" in page.text
    assert "elsewhere" not in page.submit("/metadata/look").text
    late = browser.post_blindly(f"{META}/pending", act="adopt", digest="x")
    assert late.status == 404
    assert "elsewhere" not in stored(house).metadata


def test_a_failed_look_is_told_and_the_old_copy_stays(house: House, browser: Browser, publisher: Receiver) -> None:
    add(browser, publisher)
    publisher.statuses = [500]
    page = browser.open(META).submit("/metadata/look")
    assert page.status == 502
    assert "cannot be fetched" in page.text
    assert "metadata not fetched" in browser.open(LIST).text
    assert PEER.acs[0] in stored(house).metadata


def test_fetching_ends_and_what_is_known_stays(house: House, browser: Browser, publisher: Receiver) -> None:
    add(browser, publisher)
    page = browser.open(META).submit("/metadata/unwatch")
    assert "no longer fetched" in page.text
    assert watch_of(house) is None
    assert PEER.acs[0] in stored(house).metadata
    assert browser.post_blindly(f"{META}/unwatch").status == 404
    assert browser.post_blindly(f"{META}/look").status == 404


def test_fresh_metadata_by_hand_leave_the_settings_alone(house: House, browser: Browser, wiki: ServiceProvider) -> None:
    page = browser.open(META).submit("/metadata", metadata=MOVED.metadata().decode())
    assert "The metadata are replaced" in page.text
    sp = stored(house)
    assert "elsewhere" in sp.metadata
    assert (sp.name, sp.encrypt, sp.version) == ("Wiki", "always", 1)


def test_an_address_is_watched_from_now_on(
    house: House, browser: Browser, wiki: ServiceProvider, publisher: Receiver
) -> None:
    page = browser.open(META).submit("/metadata", url=publisher.url("/metadata"), adopt="yes")
    assert "Looked just now" in page.text
    watch = watch_of(house)
    assert watch is not None
    assert watch.adopt == "auto"


def test_metadata_that_do_not_fit_are_refused(house: House, browser: Browser, wiki: ServiceProvider) -> None:
    for fields, words in (
        ({"metadata": Sp("https://other.example/metadata").metadata().decode()}, "metadata of another app"),
        ({"metadata": Sp(PEER.entity_id).metadata().decode()}, "encrypt: "),
        ({"metadata": "<html/>"}, "The metadata cannot be used"),
        ({"metadata": ""}, "Give the address"),
        ({"url": "ftp://sp.example/"}, "must be an http or https URL"),
    ):
        page = browser.open(META).submit("/metadata", **fields)
        assert page.status == 400, page.text
        assert words in page.text
    assert stored(house) == wiki


def test_a_stale_form_replaces_nothing(house: House, browser: Browser, wiki: ServiceProvider) -> None:
    stale = browser.open(META)
    browser.open(PAGE).submit("/switch", enabled="no")
    page = stale.submit("/metadata", metadata=MOVED.metadata().decode())
    assert page.status == 409
    assert "elsewhere" not in stored(house).metadata


def test_the_xml_is_for_keeping_and_never_shown(house: House, browser: Browser, wiki: ServiceProvider) -> None:
    answer = browser.open(f"{META}/xml").response
    assert answer.data == PEER.metadata()
    assert answer.mimetype == "application/samlmetadata+xml"
    assert answer.headers["Content-Disposition"].startswith("attachment")
    assert answer.headers["X-Content-Type-Options"] == "nosniff"


def test_removing_an_app_ends_the_watch(house: House, browser: Browser, publisher: Receiver) -> None:
    add(browser, publisher, name="Wiki")
    browser.open(f"{PAGE}/remove").submit("/remove", name="Wiki")
    assert watch_of(house) is None

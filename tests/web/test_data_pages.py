"""Owns the claims about the pages that show documents and queues: one's own rights and no others, no change, clear refusals."""

import json
from typing import Any

import pytest

from idp.api.wire import MAX_BODY_BYTES
from idp.http.companion import MAX_ANSWER_BYTES
from idp.web.data_pages import SHOWN
from tests.support.http_browser import PlainBrowser
from tests.support.sheaf import Person, Sheaf

pytestmark = pytest.mark.slow
SECRET = "only for ada"


@pytest.fixture(scope="module")
def ada(sheaf_with_api: Sheaf) -> Person:
    return sheaf_with_api.add_user(totp=True)


@pytest.fixture(scope="module")
def document(sheaf_with_api: Sheaf, ada: Person) -> str:
    acl = json.dumps([{"kind": "user", "id": ada.id, "rights": ["read", "update", "share"]}])
    made = call(sheaf_with_api, ada, "insert", "pages", json.dumps({"title": SECRET, "stars": 4}), "--acl", acl)
    call(sheaf_with_api, ada, "update", "pages", made["id"], '{"$set": {"html": "<b>bold</b>"}}')
    return str(made["id"])


def call(sheaf: Sheaf, person: Person, *words: str) -> Any:
    done = sheaf.command("docs", *words, "--as", person.username)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout) if done.stdout else None


@pytest.fixture
def window(sheaf_with_api: Sheaf, ada: Person) -> PlainBrowser:
    return signed_in(sheaf_with_api, ada)


def signed_in(sheaf: Sheaf, person: Person) -> PlainBrowser:
    browser = sheaf.browser()
    sheaf.sign_in(browser, person)
    return browser


def test_whoever_may_read_a_document_finds_it_and_sees_it_whole(
    sheaf_with_api: Sheaf, window: PlainBrowser, document: str
) -> None:
    found = window.open(sheaf_with_api.url("/data?collection=pages"))
    assert SECRET in found.text
    narrow = window.open(sheaf_with_api.url('/data/collections/pages?filter={"stars": {"$gte": 9}}'))
    assert SECRET not in narrow.text
    page = window.open(sheaf_with_api.url(f"/data/collections/pages/{document}"))
    said = page.text
    assert SECRET in said
    assert "<b>bold</b>" not in page.body, "what a document holds is text and never markup"
    assert "read, update, share" in said
    assert [row for row in ("update", "insert") if row in said] == ["update", "insert"]


def test_whoever_may_not_sees_nothing_of_it_and_learns_nothing(sheaf_with_api: Sheaf, document: str) -> None:
    stranger = signed_in(sheaf_with_api, sheaf_with_api.add_user(totp=True))
    assert SECRET not in stranger.open(sheaf_with_api.url("/data/collections/pages")).text
    hidden = stranger.open(sheaf_with_api.url(f"/data/collections/pages/{document}"))
    missing = stranger.open(sheaf_with_api.url("/data/collections/pages/doc_nothing"))
    assert (hidden.status, missing.status) == (404, 404)
    assert SECRET not in hidden.text


def test_nobody_is_let_in_without_a_sign_in_and_comes_back_after_it(
    sheaf_with_api: Sheaf, ada: Person, document: str
) -> None:
    browser = sheaf_with_api.browser()
    page = browser.open(sheaf_with_api.url("/data/collections/pages"))
    assert SECRET not in page.text
    page = page.submit(username=ada.username, password=ada.password)
    page = page.submit(code=ada.code())
    assert page.url.endswith("/data/collections/pages")
    assert SECRET in page.text


def test_a_filter_that_cannot_be_is_said_on_the_page(sheaf_with_api: Sheaf, window: PlainBrowser) -> None:
    broken = window.open(sheaf_with_api.url("/data/collections/pages?filter={"))
    assert broken.status == 400
    assert "not JSON" in broken.text
    refused = window.open(sheaf_with_api.url('/data/collections/pages?filter={"$where": "1"}'))
    assert refused.status == 400
    assert "$where" in refused.text
    odd = window.open(sheaf_with_api.url("/data/collections/sys.keys"))
    assert odd.status == 400


def test_a_queue_shows_what_is_in_it_to_whoever_manages_it(
    sheaf_with_api: Sheaf, ada: Person, window: PlainBrowser
) -> None:
    for words in (("declare", "page-jobs"), ("publish", "page-jobs", '{"do": "paint"}')):
        assert sheaf_with_api.command("queue", *words, "--as", ada.username).returncode == 0
    assert "page-jobs" in window.open(sheaf_with_api.url("/data")).text
    page = window.open(sheaf_with_api.url("/data?queue=page-jobs"))
    assert "paint" in page.text
    assert "paint" not in window.open(sheaf_with_api.url("/data/queues/page-jobs?dead=1")).text
    stranger = signed_in(sheaf_with_api, sheaf_with_api.add_user(totp=True))
    assert stranger.open(sheaf_with_api.url("/data/queues/page-jobs")).status == 404
    assert "page-jobs" not in stranger.open(sheaf_with_api.url("/data")).text


def test_without_a_companion_the_page_says_so(start_sheaf: Any) -> None:
    alone = start_sheaf()
    browser = signed_in(alone, alone.add_user(totp=True))
    page = browser.open(alone.url("/data"))
    assert page.status == 503
    assert "does not answer" in page.text


def test_nobody_can_fill_a_queue_so_that_its_page_does_not_fit_into_an_answer() -> None:
    assert SHOWN * MAX_BODY_BYTES < MAX_ANSWER_BYTES

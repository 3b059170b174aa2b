"""What is answered where requests arrive: short reads of the embedded store; nothing that waits, and nothing half done."""

import pytest

from idp.api.app import create_app
from idp.api.document_store import sqlite_search
from idp.base.config import Settings
from idp.base.waiting import WouldWait, hurried


def is_short(method, path, tmp_path, **api):
    app = create_app(Settings.model_validate({"data": str(tmp_path), "api": {"issuer": "https://idp.example", **api}}))
    try:
        short = app.extensions.get("sheaf_short")
        return short is not None and short(method, path)
    finally:
        app.extensions["sheaf"].close()


@pytest.mark.parametrize(
    ("method", "path", "short"),
    [
        ("GET", "/documents/notes/doc_1", True),
        ("HEAD", "/documents/notes/doc_1", True),
        ("POST", "/documents/notes/query", True),
        ("POST", "/documents/notes/aggregate", False),
        ("DELETE", "/documents/notes/doc_1", False),
        ("POST", "/queues/mail/take", False),
        ("GET", "/readyz", False),
    ],
)
def test_reads_of_the_embedded_store_are_short(method, path, short, tmp_path):
    assert is_short(method, path, tmp_path) is short


def test_nothing_is_short_when_requests_go_over_the_queue(tmp_path):
    assert not is_short("GET", "/documents/notes/doc_1", tmp_path, dispatch="queue")


def test_who_sends_a_token_that_is_not_known_yet_waits_for_the_keys_of_the_issuer(companion):
    with pytest.raises(WouldWait):
        hurried(companion.call, "GET", "/documents/notes/doc_1", companion.as_user())


def test_who_is_known_gets_documents_at_once(companion):
    ada = companion.as_user()
    id = companion.insert(ada, {"n": 1})

    assert hurried(companion.call, "GET", f"/documents/notes/{id}", ada).json["data"] == {"n": 1}
    assert [one["id"] for one in hurried(companion.find, ada)] == [id]


def test_a_write_would_wait_and_leaves_nothing(companion):
    ada = companion.as_user()
    companion.find(ada)

    with pytest.raises(WouldWait):
        hurried(companion.insert, ada, {"n": 1})

    assert companion.find(ada) == []


def test_a_query_that_turns_out_to_be_long_would_wait(companion, monkeypatch):
    ada = companion.as_user()
    companion.insert(ada, {"n": 1})
    monkeypatch.setattr(sqlite_search, "SHORT_SECONDS", -1.0)

    with pytest.raises(WouldWait):
        hurried(companion.find, ada)

    assert len(companion.find(ada)) == 1

"""Owns the claims about `idp docs` and `idp queue`: somebody's own rights, every command, refusals that help."""

import json
from typing import Any

import pytest

from idp.base.config import Settings
from idp.base.errors import Refused
from idp.cli import reach
from idp.cli.reach import Reach
from tests.support.sheaf import Person, Sheaf

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def ada(sheaf_with_api: Sheaf) -> Person:
    return sheaf_with_api.add_user()


@pytest.fixture(scope="module")
def root(sheaf_with_api: Sheaf) -> Person:
    return sheaf_with_api.add_user(admin=True)


def said(sheaf: Sheaf, *words: str, stdin: str | None = None) -> list[Any]:
    """The lines that a command prints."""
    done = sheaf.command(*words, stdin=stdin)
    assert done.returncode == 0, done.stderr
    return [json.loads(line) for line in done.stdout.splitlines()]


def test_documents_from_the_first_to_the_restored_one(sheaf_with_api: Sheaf, ada: Person, root: Person) -> None:
    sheaf, as_ada = sheaf_with_api, ("--as", ada.username)
    (made,) = said(sheaf, "docs", "insert", "clinotes", '{"title": "First", "stars": 1}', *as_ada)
    where = ("clinotes", made["id"])
    said(sheaf, "docs", "insert", "clinotes", "-", *as_ada, stdin='{"title": "Second", "stars": 5}')
    said(sheaf, "docs", "update", *where, '{"$inc": {"stars": 2}}', "--version", "1", *as_ada)
    found = said(
        sheaf, "docs", "list", "clinotes", "--filter", '{"stars": {"$gte": 3}}', "--sort", '{"stars": -1}', *as_ada
    )
    assert [one["data"]["title"] for one in found] == ["Second", "First"]
    assert len(said(sheaf, "docs", "export", "clinotes", *as_ada)) == 2
    (old,) = said(sheaf, "docs", "get", *where, "--version", "1", *as_ada)
    assert old["data"]["stars"] == 1
    said(sheaf, "docs", "restore", *where, "1", *as_ada)
    (now,) = said(sheaf, "docs", "get", *where, *as_ada)
    assert (now["version"], now["data"]["stars"]) == (3, 1)
    assert said(sheaf, "docs", "history", *where, *as_ada)
    (acl,) = said(sheaf, "docs", "acl", *where, *as_ada)
    assert acl["acl"][0]["id"] == ada.id
    assert said(sheaf, "docs", "delete", *where, *as_ada) == []
    refused = sheaf.command("docs", "get", *where, *as_ada)
    assert refused.returncode == 1
    assert "unknown_document" in refused.stderr
    denials = said(sheaf, "docs", "denials", "--caller", f"user:{ada.id}", "--as", root.username)
    sheaf.soon(
        lambda: denials or said(sheaf, "docs", "denials", "--caller", f"user:{ada.id}", "--as", root.username), "told"
    )


def test_messages_from_publish_to_the_dead_letters_and_back(sheaf_with_api: Sheaf, ada: Person) -> None:
    sheaf, as_ada = sheaf_with_api, ("--as", ada.username)
    said(sheaf, "queue", "declare", "cli-jobs", '{"max_deliveries": 3}', *as_ada)
    said(sheaf, "queue", "publish", "cli-jobs", '{"do": "this"}', "--priority", "7", *as_ada)
    (message,) = said(sheaf, "queue", "take", "cli-jobs", *as_ada)
    said(sheaf, "queue", "reject", "cli-jobs", message["receipt"], "--reason", "no thanks", *as_ada)
    (dead,) = said(sheaf, "queue", "inspect", "cli-jobs", "--dead", *as_ada)
    assert len(dead["messages"]) == 1
    said(sheaf, "queue", "redrive", "cli-jobs", *as_ada)
    (again,) = said(sheaf, "queue", "take", "cli-jobs", "--ack", *as_ada)
    assert again["body"] == {"do": "this"}
    assert said(sheaf, "queue", "take", "cli-jobs", *as_ada) == [None]
    assert {"cli-jobs"} <= {one["name"] for one in said(sheaf, "queue", "list", *as_ada)}
    (counts,) = said(sheaf, "queue", "show", "cli-jobs", *as_ada)
    assert counts["ready"] == 0
    said(sheaf, "queue", "purge", "cli-jobs", "--yes", *as_ada)
    said(sheaf, "queue", "delete", "cli-jobs", "--yes", *as_ada)
    gone = sheaf.command("queue", "show", "cli-jobs", *as_ada)
    assert "unknown_queue" in gone.stderr


def test_what_helps_when_something_is_missing(sheaf_with_api: Sheaf, ada: Person) -> None:
    nobody = sheaf_with_api.command("docs", "list", "notes")
    assert nobody.returncode == 2
    assert "--as NAME" in nobody.stderr
    no_json = sheaf_with_api.command("docs", "insert", "notes", "{", "--as", ada.username)
    assert "not JSON" in no_json.stderr
    nowhere = sheaf_with_api.command("docs", "list", "notes", "--as", ada.username, "--api", "http://127.0.0.1:9")
    assert "Is it running?" in nowhere.stderr
    operator = sheaf_with_api.command("docs", "list", "notes", "--filter", '{"$where": "1"}', "--as", ada.username)
    assert "unknown_operator" in operator.stderr
    for done in (nobody, no_json, nowhere, operator):
        assert "Traceback" not in done.stderr


def test_to_act_as_somebody_is_audited_and_nobody_switched_off_is_acted_as(sheaf_with_api: Sheaf) -> None:
    bob = sheaf_with_api.add_user()
    said(sheaf_with_api, "docs", "call", "documents.query", '{"collection": "notes"}', "--as", bob.username)
    sheaf_with_api.cli("user", "disable", bob.username)
    refused = sheaf_with_api.command("docs", "list", "notes", "--as", bob.username)
    assert refused.returncode == 1
    assert "switched off" in refused.stderr


def test_an_export_that_takes_longer_than_its_token_lives_goes_on(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[tuple[str, Any]] = []

    def call(self: Reach, operation: str, members: Any) -> Any:
        asked.append((self.token, members.get("cursor")))
        if self.token == "first" and members.get("cursor"):
            raise Refused("expired_token", "The token has expired.", status=401)
        return {"documents": [len(asked)], "cursor": None if members.get("cursor") == "c" else "c"}

    monkeypatch.setattr(Reach, "call", call)
    monkeypatch.setattr(reach, "_acting_as", lambda user: f"second of {user}")
    here = Reach(Settings(), "http://127.0.0.1:9", "first", "ada")
    assert list(here.pages("documents.query", {}, "documents")) == [1, 3]
    assert asked == [("first", None), ("first", "c"), ("second of ada", "c")]
    with pytest.raises(Refused, match="expired_token"):  # a token that somebody brought is all there is
        list(Reach(Settings(), "http://127.0.0.1:9", "first").pages("documents.query", {}, "documents"))

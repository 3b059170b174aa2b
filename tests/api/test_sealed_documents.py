"""Sealed fields through the API: who sees what, that nothing plain is stored, and that keys change while writers write."""

import json
import secrets
import threading
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tests.api.conftest import Companion, refusal
from tests.api.test_keyring import written

SECRET = "756.9217.0769.85"
SCOPES = "documents.read documents.write documents.manage"
PLACEHOLDER = {"$sealed": True}
ENGINES = ["sqlite", pytest.param("mongo", marks=pytest.mark.slow)]
RIGHTS = ["read", "update", "delete", "share", "unseal"]


@dataclass
class People:
    """A collection with sealed fields. Ada owns, Bob reads and writes, nobody else comes near."""

    companion: Companion
    keyring: Path

    def token(self, name: str, **more: Any) -> str:
        return self.companion.as_user(name, scope=SCOPES, **more)

    def admin(self) -> str:
        return self.token("root", roles=["administrator"])

    def ask(self, who: str, operation: str, status: int = 200, /, **asked: Any) -> Any:
        token = self.admin() if who == "root" else self.token(who)
        answer = self.companion.call("POST", f"/commands/{operation}", token, asked)
        assert answer.status_code == status, answer.text
        return answer.json

    def declare(self, name: str, sealed: Any) -> None:
        acl = [{"kind": "everyone", "rights": ["insert"]}]
        self.ask("root", "collections.declare", name=name, sealed=sealed, acl=acl)

    def insert(self, **data: Any) -> str:
        acl = [{"kind": "user", "id": "usr_ada", "rights": RIGHTS}]
        acl += [{"kind": "user", "id": "usr_bob", "rights": ["read", "update"]}]
        return str(self.ask("ada", "documents.insert", collection="people", data=data, acl=acl)["id"])

    def seen(self, name: str, id: str) -> Any:
        return self.ask(name, "documents.get", collection="people", id=id)["data"]

    def change(self, who: str, id: str, status: int = 200, /, **update: Any) -> Any:
        operators = {f"${op}": fields for op, fields in update.items()}
        return self.ask(who, "documents.update", status, collection="people", id=id, update=operators)

    def report(self) -> dict[str, int]:
        return {key["key"]: key["sealed"] for key in self.ask("root", "keys.report")["keys"]}


@pytest.fixture(params=ENGINES)
def people(request: pytest.FixtureRequest, start: Callable[..., Companion], tmp_path: Path) -> People:
    keyring = tmp_path / "keyring"
    keyring.write_text(written("a", "a"))
    settings = {"keyring_file": str(keyring)}
    if request.param == "mongo":
        settings["store"] = f"{request.getfixturevalue('mongo_uri')}/sealed_{secrets.token_hex(4)}"
    made = People(start(**settings), keyring)
    made.declare("people", ["ssn", "bank.iban"])
    return made


def test_who_lacks_the_right_sees_that_there_is_something_and_nothing_of_it(people: People) -> None:
    id = people.insert(name="Ada", ssn=SECRET, bank={"iban": "CH93", "bic": "X"})
    assert people.seen("ada", id) == {"name": "Ada", "ssn": SECRET, "bank": {"iban": "CH93", "bic": "X"}}
    redacted = {"name": "Ada", "ssn": PLACEHOLDER, "bank": {"iban": PLACEHOLDER, "bic": "X"}}
    assert people.seen("bob", id) == redacted
    found = people.ask("bob", "documents.query", collection="people")["documents"]
    assert [document["data"] for document in found] == [redacted]
    version = people.ask("bob", "documents.get_version", collection="people", id=id, number=1)
    assert version["data"] == redacted
    rows = people.ask("bob", "documents.aggregate", collection="people", pipeline=[{"$match": {"name": "Ada"}}])
    assert SECRET not in json.dumps(rows)
    assert '"ssn"' not in json.dumps(rows)
    narrowed = [{"type": "sheaf_documents", "collections": ["people"], "rights": ["read"]}]
    token = people.token("ada", authorization_details=narrowed)
    assert people.companion.call("GET", f"/documents/people/{id}", token).json["data"] == redacted


def test_a_writer_without_the_right_can_leave_set_and_remove_but_never_look(people: People) -> None:
    id = people.insert(name="Ada", ssn=SECRET)
    data = {"name": "Ada L.", "ssn": PLACEHOLDER}
    people.ask("bob", "documents.replace", collection="people", id=id, data=data)
    people.change("bob", id, set={"name": "A. L.", "ssn": PLACEHOLDER})
    assert people.seen("ada", id) == {"name": "A. L.", "ssn": SECRET}
    people.change("bob", id, set={"ssn": "new"})
    assert people.seen("ada", id)["ssn"] == "new"
    assert people.change("bob", id, 400, inc={"ssn": 1})["code"] == "sealed_field"
    assert people.change("bob", id, 400, rename={"ssn": "shown"})["code"] == "sealed_field"
    people.change("bob", id, unset={"ssn": True})
    assert people.seen("ada", id) == {"name": "A. L."}
    for number, ssn in ((1, SECRET), (2, SECRET), (4, "new")):
        version = people.ask("ada", "documents.get_version", collection="people", id=id, number=number)
        assert version["data"]["ssn"] == ssn
    people.ask("bob", "documents.restore", collection="people", id=id, number=1)
    assert people.seen("ada", id)["ssn"] == SECRET


def test_by_its_value_a_sealed_field_cannot_be_asked_for(people: People) -> None:
    people.insert(ssn=SECRET)
    asked: list[tuple[str, dict[str, Any]]] = [
        ("query", {"filter": {"ssn": SECRET}}),
        ("query", {"sort": {"ssn": 1}}),
        ("count", {"filter": {"$nor": [{"bank": None}]}}),
        ("distinct", {"field": "ssn"}),
        ("aggregate", {"pipeline": [{"$group": {"_id": "$ssn"}}]}),
        ("aggregate", {"pipeline": [{"$match": {"ssn": {"$regex": "^7"}}}]}),
    ]
    for operation, more in asked:
        for name in ("ada", "bob", "root"):
            assert (
                people.ask(name, f"documents.{operation}", 400, collection="people", **more)["code"] == "sealed_field"
            )
    indexes = [{"name": "by_ssn", "fields": {"ssn": 1}}]
    people.ask("root", "collections.declare", 400, name="more", sealed=["ssn"], indexes=indexes)


def test_what_does_not_open_is_said_loudly_and_only_to_those_who_may_see_it(people: People) -> None:
    id = people.insert(ssn=SECRET, name="Ada")
    people.keyring.write_text(written("b", "b"))
    answer = people.ask("ada", "documents.get", 409, collection="people", id=id)
    assert (answer["code"], answer["field"]) == ("cannot_unseal", "ssn")
    assert people.seen("bob", id) == {"ssn": PLACEHOLDER, "name": "Ada"}
    assert people.report() == {"a": 2, "b": 0}
    resealed = people.ask("root", "keys.reseal")
    assert (resealed["resealed"], resealed["left"], len(resealed["failed"])) == (0, 2, 2)
    assert {failure["why"] for failure in resealed["failed"]} == {"the key 'a' is not in the keyring"}
    people.keyring.write_text(written("b", "a", "b"))
    assert people.seen("ada", id)["ssn"] == SECRET


def test_without_a_readable_keyring_no_write_goes_through_that_should_be_sealed(people: People) -> None:
    id = people.insert(name="Ada", ssn=SECRET)
    people.keyring.write_text("broken")
    assert people.change("ada", id, 503, set={"ssn": "x"})["code"] == "keyring_unavailable"
    assert people.ask("ada", "documents.insert", 503, collection="people", data={"ssn": 1})
    assert people.ask("ada", "documents.insert", collection="people", data={"name": "Eve"})
    assert people.seen("ada", id)["ssn"] == SECRET


def test_keys_change_while_writers_write_and_the_report_proves_it(people: People) -> None:
    ids = [people.insert(ssn=SECRET, n=0) for _ in range(6)]
    for id in ids:
        people.change("ada", id, set={"ssn": SECRET + id})
    assert people.report() == {"a": 18}
    people.keyring.write_text(written("b", "a", "b"))
    stop = threading.Event()

    def write() -> None:
        number = 0
        while not stop.is_set():
            people.change("bob", ids[number % 6], inc={"n": 1})
            number += 1

    writer = threading.Thread(target=write)
    writer.start()
    try:
        while people.ask("root", "keys.reseal", limit=4)["left"]:
            pass
    finally:
        stop.set()
        writer.join(30)
    assert people.report()["a"] == 0
    people.keyring.write_text(written("b", "b"))
    for id in ids:
        assert people.seen("ada", id)["ssn"] == SECRET + id
        version = people.ask("ada", "documents.get_version", collection="people", id=id, number=1)
        assert version["data"] == {"ssn": SECRET, "n": 0}


def test_only_administrators_manage_keys(people: People) -> None:
    for operation in ("keys.report", "keys.reseal"):
        assert people.ask("ada", operation, 403)["code"] == "not_permitted"
    narrowed = [{"type": "sheaf_documents", "collections": ["people"], "rights": RIGHTS}]
    token = people.token("root", roles=["administrator"], authorization_details=narrowed)
    assert refusal(people.companion.call("GET", "/keys", token)) == (403, "narrowed_token")


def test_on_the_disk_nothing_of_it_is_plain(start: Callable[..., Companion], tmp_path: Path) -> None:
    people = People(start(), tmp_path)
    for name, sealed in (("people", ["ssn", "bank.iban"]), ("secrets", "all")):
        people.declare(name, sealed)
    secret = {"ssn": "MARK-1", "bank": {"iban": "MARK-2"}, "name": "PLAIN"}
    id = people.insert(**secret)
    people.change("ada", id, set={"ssn": {"deep": ["MARK-3"]}})
    people.ask("ada", "documents.insert", collection="secrets", data={"a": "MARK-4", "b": {"c": ["MARK-5"]}})
    people.ask("ada", "documents.delete", 200, collection="people", id=id)
    files = [file.read_bytes() for file in (tmp_path / "data" / "api").iterdir()]
    assert any(b"PLAIN" in content for content in files)
    assert not any(b"MARK-" in content for content in files)


def test_exchanged_in_the_store_ciphertext_opens_nowhere_else(start: Callable[..., Companion], tmp_path: Path) -> None:
    people = People(start(), tmp_path)
    people.declare("people", ["ssn", "bank.iban"])
    one, two = people.insert(ssn="1", bank={"iban": "2"}), people.insert(ssn="3", bank={"iban": "4"})
    store = people.companion.client.application.extensions["sheaf"].store
    now = people.companion.clock()
    data = {id: store.get("people", id, now).data for id in (one, two)}
    for changed in (
        data[two],
        {"ssn": data[one]["bank"]["iban"], "bank": {"iban": data[one]["ssn"]}},
        data[one] | {"ssn": data[one]["ssn"][:-4]},
        data[one] | {"ssn": "1"},
    ):
        old = next(
            s for s in store.sealed_under(people.report().popitem()[0], 10) if s.id == one and not s.past_version
        )
        assert store.reseal(old, changed, old.seals)
        assert people.ask("ada", "documents.get", 409, collection="people", id=one)["code"] == "cannot_unseal"
        assert people.ask("ada", "documents.query", 409, collection="people")["code"] == "cannot_unseal"
        assert people.seen("bob", one)["ssn"] == PLACEHOLDER

"""A damaged record is named; it never silently vanishes and never comes back as something else."""

import sqlite3
from typing import Any

import pymongo
import pytest

from idp.domain.grant import AuthorizationCode, RevokedToken
from idp.domain.user import User
from idp.ports import Repository
from idp.storage.rows import Unreadable
from tests.storage.engines import Engine
from tests.storage.examples import example


def spoil(engine: Engine, collection: str, id: str, body: object) -> None:
    """Overwrite the stored body behind the repository's back."""
    if engine.kind == "sqlite":
        connection = sqlite3.connect(engine.where)
        with connection:
            connection.execute(f'UPDATE "{collection}" SET body = ? WHERE id = ?', (body, id))
        connection.close()
        return
    client: pymongo.MongoClient[dict[str, Any]]
    with pymongo.MongoClient(engine.where) as client:
        client.get_default_database()[collection].update_one({"_id": id}, {"$set": {"body": body}})


BODIES = [
    "",
    "{",
    "null",
    "[]",
    "7",
    b"\x00\xff",
    5,
    '{"id": "token"}',
    '{"id": "other", "revoked_at": 1, "expires_at": 9e9}',
]


@pytest.mark.parametrize("body", BODIES, ids=repr)
def test_a_damaged_body_is_named_by_get_and_find(engine: Engine, store: Repository, body: object) -> None:
    store.insert(example(RevokedToken, 1, id="intact"))
    store.insert(example(RevokedToken, 2, id="token"))
    spoil(engine, "revoked_tokens", "token", body)
    with pytest.raises(Unreadable, match="revoked_tokens 'token'"):
        store.get(RevokedToken, "token")
    with pytest.raises(Unreadable, match="revoked_tokens 'token'"):
        store.find(RevokedToken)
    assert store.get(RevokedToken, "intact") is not None


def test_a_damaged_code_is_still_consumed_only_once(engine: Engine, store: Repository) -> None:
    store.insert(example(AuthorizationCode, id="code"))
    spoil(engine, "authorization_codes", "code", "garbage")
    with pytest.raises(Unreadable):
        store.consume(AuthorizationCode, "code")
    assert store.consume(AuthorizationCode, "code") is None


def test_the_error_names_the_record_but_never_shows_its_content(engine: Engine, store: Repository) -> None:
    user = example(User, id="usr_1")
    store.insert(user)
    spoil(engine, "users", "usr_1", '{"id": "usr_1", "password_hash": ["hunter2-hunter2"]}')
    with pytest.raises(Unreadable) as error:
        store.get(User, "usr_1")
    assert "hunter2" not in str(error.value)
    assert error.value.collection == "users"
    assert error.value.id == "usr_1"


def test_a_damaged_record_can_be_deleted(engine: Engine, store: Repository) -> None:
    store.insert(example(RevokedToken, id="token"))
    spoil(engine, "revoked_tokens", "token", "garbage")
    assert store.delete(RevokedToken, "token") is True
    assert store.find(RevokedToken) == []

"""The contract of idp.ports.Repository on every engine: finding, deleting, and what callers must not be able to do."""

from typing import Any

import pytest

from idp.domain.audit_event import AuditEvent, EventName, StoredSetting
from idp.domain.grant import Consent, Grant, RefreshToken
from idp.domain.user import User
from idp.ports import Repository, StoreUnavailable
from tests.storage.engines import Engine
from tests.storage.examples import example
from tests.support.clock import FakeClock


def setting(id: str = "base_url", value: str = "1") -> StoredSetting:
    return StoredSetting(id, value, 1.0)


# --- find -------------------------------------------------------------------------------------------------------------


@pytest.fixture
def tokens(store: Repository, clock: FakeClock) -> list[RefreshToken]:
    made = [
        RefreshToken(f"t{n}", "even" if n % 2 == 0 else "odd", "c", clock.now, clock.now + 60 + n) for n in range(8)
    ]
    for token in reversed(made):
        store.insert(token)
    return made


def test_find_gives_all_matches_in_the_order_of_their_ids(store: Repository, tokens: list[RefreshToken]) -> None:
    assert store.find(RefreshToken) == tokens
    assert store.find(RefreshToken, grant_id="odd") == tokens[1::2]
    assert store.find(RefreshToken, grant_id="none") == []


def test_find_gives_the_newest_first_when_asked(store: Repository, tokens: list[RefreshToken]) -> None:
    assert store.find(RefreshToken, newest=True, limit=2) == [tokens[7], tokens[6]]
    assert store.find(RefreshToken, newest=True, limit=1, grant_id="even") == [tokens[6]]


def test_find_gives_no_more_than_the_limit(store: Repository, tokens: list[RefreshToken]) -> None:
    assert store.find(RefreshToken, limit=3) == tokens[:3]
    assert store.find(RefreshToken, limit=0) == []
    assert store.find(RefreshToken, limit=-1) == []


def test_find_by_several_keys_needs_all_of_them(store: Repository) -> None:
    for number, (user, client) in enumerate([("u1", "c1"), ("u1", "c2"), ("u2", "c1")]):
        store.insert(example(Consent, number, id=str(number), user_id=user, client_id=client))
    assert [found.id for found in store.find(Consent, user_id="u1", client_id="c1")] == ["0"]
    assert [found.id for found in store.find(Consent, client_id="c1")] == ["0", "2"]


def test_find_by_none_gives_those_without_a_value(store: Repository) -> None:
    store.insert(example(Grant, 1, id="machine", user_id=None, client_id="c"))
    store.insert(example(Grant, 2, id="person", user_id="u", client_id="c"))
    assert [found.id for found in store.find(Grant, user_id=None)] == ["machine"]
    assert [found.id for found in store.find(Grant, client_id="c", user_id=None)] == ["machine"]


def test_find_by_a_unique_key_gives_its_one_holder(store: Repository) -> None:
    user = example(User)
    store.insert(user)
    store.insert(example(User, 2))
    assert store.find(User, username_key=user.username_key) == [user]


def test_events_of_one_name_come_newest_first(store: Repository) -> None:
    for number in range(20):
        name: EventName = "sign_out" if number % 5 == 0 else "user.created"
        store.insert(AuditEvent(f"evt_{number:02d}", float(number), name, "cli", "usr_1"))
    assert [found.id for found in store.find(AuditEvent, newest=True, limit=2, name="sign_out")] == ["evt_15", "evt_10"]


# --- delete -----------------------------------------------------------------------------------------------------------


def test_delete_is_true_for_the_one_who_deleted(store: Repository) -> None:
    store.insert(setting())
    assert store.delete(StoredSetting, "base_url") is True
    assert store.delete(StoredSetting, "base_url") is False
    assert store.get(StoredSetting, "base_url") is None


def test_delete_where_deletes_all_that_match_and_counts_them(store: Repository, tokens: list[RefreshToken]) -> None:
    assert store.delete_where(RefreshToken, grant_id="odd") == 4
    assert store.find(RefreshToken) == tokens[::2]


def test_delete_where_needs_a_key_and_a_value(store: Repository, tokens: list[RefreshToken]) -> None:
    with pytest.raises(ValueError, match="at least one key"):
        store.delete_where(RefreshToken)
    with pytest.raises(TypeError):
        store.delete_where(RefreshToken, grant_id=None)  # type: ignore[arg-type]
    assert store.find(RefreshToken) == tokens


# --- what callers must not be able to do ------------------------------------------------------------------------------

OPERATORS: list[Any] = [{"$gt": ""}, {"$ne": None}, ["t1"], b"t1", 1, True, 1.5, ("t1",)]


@pytest.mark.parametrize("value", OPERATORS, ids=repr)
def test_only_text_is_an_id_or_a_value(store: Repository, tokens: list[RefreshToken], value: Any) -> None:
    for call in (store.get, store.consume, store.delete):
        with pytest.raises(TypeError):
            call(RefreshToken, value)
    with pytest.raises(TypeError):
        store.find(RefreshToken, grant_id=value)
    with pytest.raises(TypeError):
        store.delete_where(RefreshToken, grant_id=value)
    assert store.find(RefreshToken) == tokens


@pytest.mark.parametrize(
    "key",
    [
        "client_id",
        "body",
        "version",
        "expires_at",
        "_id",
        "id",
        "$where",
        "grant_id' OR '1'='1",
        "grant_id\" = '' OR 1 --",
        "",
    ],
)
def test_an_undeclared_key_is_a_key_error(store: Repository, tokens: list[RefreshToken], key: str) -> None:
    with pytest.raises(KeyError):
        store.find(RefreshToken, **{key: "x"})  # type: ignore[arg-type]
    with pytest.raises(KeyError):
        store.delete_where(RefreshToken, **{key: "x"})
    assert store.find(RefreshToken) == tokens


@pytest.mark.parametrize(
    "text",
    [
        "' OR 1=1 --",
        '" OR ""="',
        "%",
        "_",
        "*",
        "$where",
        "'; DROP TABLE refresh_tokens; --",
        "\x00",
        "\ud800",
        "t1\x00",
    ],
)
def test_hostile_text_is_only_text(store: Repository, tokens: list[RefreshToken], text: str) -> None:
    assert store.get(RefreshToken, text) is None
    assert store.consume(RefreshToken, text) is None
    assert store.delete(RefreshToken, text) is False
    assert store.find(RefreshToken, grant_id=text) == []
    assert store.delete_where(RefreshToken, grant_id=text) == 0
    assert store.find(RefreshToken) == tokens


def test_a_closed_repository_says_that_it_is_not_available(engine: Engine, clock: FakeClock) -> None:
    repository = engine.open(clock)
    repository.insert(setting())
    repository.close()
    repository.close()
    with pytest.raises(StoreUnavailable):
        repository.get(StoredSetting, "base_url")


def test_what_one_repository_wrote_another_reads(engine: Engine, store: Repository, clock: FakeClock) -> None:
    store.insert(setting())
    with engine.opened(clock) as other:
        assert other.get(StoredSetting, "base_url") == setting()
        other.replace_if(setting(value="2"))
    assert store.replace_if(setting(value="3")) is None

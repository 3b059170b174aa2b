"""The contract of idp.ports.Repository on every engine: writing, unique keys, replacing and consuming."""

from dataclasses import replace
from typing import Any

import pytest

from idp.domain.attempt import LoginAttempt
from idp.domain.audit_event import StoredSetting
from idp.domain.factor import RecoveryCode
from idp.domain.grant import AuthorizationCode, Consent, RevokedToken
from idp.domain.signing_key import SigningKey
from idp.domain.upstream import FederatedLogin
from idp.domain.user import User
from idp.ports import Duplicate, Repository
from idp.storage.collections import COLLECTIONS
from tests.storage.examples import example
from tests.support.clock import FakeClock

KINDS = [collection.kind for collection in COLLECTIONS]


def setting(id: str = "base_url", value: str = "1") -> StoredSetting:
    return StoredSetting(id, value, 1.0)


def code(clock: FakeClock, id: str = "code", **given: Any) -> AuthorizationCode:
    return AuthorizationCode(id, "grant", "client", "https://app.example/cb", None, clock.now, clock.now + 60, **given)


# --- get and insert ---------------------------------------------------------------------------------------------------


def test_every_kind_comes_back_as_it_was_written(store: Repository) -> None:
    for kind in KINDS:
        record = example(kind)
        store.insert(record)
        assert store.get(kind, record.id) == record
        assert store.find(kind) == [record]


def test_a_record_that_was_never_written_is_none(store: Repository) -> None:
    assert store.get(User, "usr_nobody") is None


def test_an_id_is_taken_once_in_its_collection_and_free_in_others(store: Repository) -> None:
    store.insert(setting("same"))
    store.insert(example(RevokedToken, id="same"))
    with pytest.raises(Duplicate) as refusal:
        store.insert(setting("same", "2"))
    assert refusal.value.key == ("id",)
    assert refusal.value.collection == "settings"
    assert store.get(StoredSetting, "same") == setting("same", "1")


def test_ids_are_compared_byte_by_byte(store: Repository) -> None:
    for id in ("a", "A", "a ", "ä", "a\u0308", "a\x00", "a\x00b", ""):
        store.insert(setting(id, id))
    assert [found.value for found in store.find(StoredSetting)] == sorted(
        ["a", "A", "a ", "ä", "a\u0308", "a\x00", "a\x00b", ""]
    )
    assert store.get(StoredSetting, "a\x00") == setting("a\x00", "a\x00")


def test_a_class_that_is_not_stored_is_a_type_error(store: Repository) -> None:
    with pytest.raises(TypeError, match="not a stored kind"):
        store.get(dict, "x")
    with pytest.raises(TypeError, match="not a stored kind"):
        store.insert({"id": "x"})


def test_a_record_that_could_not_be_read_again_is_refused_and_not_written(store: Repository) -> None:
    for wrong in (setting(value=7), setting(id=None), setting(value="\ud800"), setting(value="x" * 5_000_000)):  # type: ignore[arg-type]
        with pytest.raises(ValueError):
            store.insert(wrong)
    assert store.find(StoredSetting) == []


# --- unique keys ------------------------------------------------------------------------------------------------------


def test_a_unique_key_is_taken_once_and_the_refusal_names_it(store: Repository) -> None:
    first = example(User, 1)
    store.insert(first)
    with pytest.raises(Duplicate) as refusal:
        store.insert(example(User, 2, username_key=first.username_key))
    assert refusal.value.key == ("username_key",)
    with pytest.raises(Duplicate) as refusal:
        store.insert(example(User, 2, email_key=first.email_key))
    assert refusal.value.key == ("email_key",)
    assert store.find(User) == [first]


def test_a_key_of_several_fields_is_taken_only_when_all_are_equal(store: Repository) -> None:
    login = example(FederatedLogin, provider_id="google", issuer="https://g", subject="1")
    store.insert(login)
    for number, (provider, issuer, subject) in enumerate(
        [("azure", "https://g", "1"), ("google", "https://h", "1"), ("google", "https://g", "2")]
    ):
        store.insert(example(FederatedLogin, number + 10, provider_id=provider, issuer=issuer, subject=subject))
    with pytest.raises(Duplicate) as refusal:
        store.insert(example(FederatedLogin, 20, provider_id="google", issuer="https://g", subject="1"))
    assert refusal.value.key == ("provider_id", "issuer", "subject")


def test_none_in_a_unique_key_exempts_the_record(store: Repository) -> None:
    for number in range(3):
        store.insert(example(User, number, email_key=None))
        store.insert(example(SigningKey, number, slot=None))
    assert len(store.find(User, email_key=None)) == 3


def test_an_empty_text_in_a_unique_key_is_a_value(store: Repository) -> None:
    store.insert(example(User, 1, email_key=""))
    with pytest.raises(Duplicate):
        store.insert(example(User, 2, email_key=""))


def test_a_unique_key_is_free_again_when_its_holder_is_gone_or_has_changed(store: Repository) -> None:
    first = example(User, 1)
    store.insert(first)
    renamed = store.replace_if(replace(first, username_key="other"))
    store.insert(example(User, 2, username_key=first.username_key))
    assert renamed is not None
    store.delete(User, first.id)
    store.insert(example(User, 3, username_key="other"))


def test_a_replacement_cannot_take_a_key_that_is_taken(store: Repository) -> None:
    store.insert(example(User, 1))
    second = example(User, 2)
    store.insert(second)
    with pytest.raises(Duplicate) as refusal:
        store.replace_if(replace(second, username_key=example(User, 1).username_key))
    assert refusal.value.key == ("username_key",)
    assert store.get(User, second.id) == second


def test_two_signing_keys_never_hold_one_slot_even_when_one_is_promoted(store: Repository) -> None:
    current = example(SigningKey, 1, slot="saml:current")
    following = example(SigningKey, 2, slot="saml:next")
    store.insert(current)
    store.insert(following)
    with pytest.raises(Duplicate):
        store.replace_if(replace(following, slot="saml:current"))
    retired = store.replace_if(replace(current, slot=None))
    assert retired is not None
    assert store.replace_if(replace(following, slot="saml:current")) is not None


# --- replace_if -------------------------------------------------------------------------------------------------------


def test_a_replacement_counts_the_version_up_and_gives_what_is_stored(store: Repository) -> None:
    store.insert(setting())
    stored = store.replace_if(setting(value="2"))
    assert stored == replace(setting(value="2"), version=1)
    assert store.get(StoredSetting, "base_url") == stored


def test_of_two_replacements_of_one_version_the_second_gives_none_and_changes_nothing(store: Repository) -> None:
    store.insert(setting())
    first = store.replace_if(setting(value="first"))
    assert store.replace_if(setting(value="second")) is None
    assert store.get(StoredSetting, "base_url") == first


def test_replacing_what_is_gone_gives_none(store: Repository) -> None:
    assert store.replace_if(setting()) is None
    assert store.find(StoredSetting) == []


def test_a_replacement_moves_the_look_up_keys(store: Repository) -> None:
    consent = example(Consent, client_id="old")
    store.insert(consent)
    store.replace_if(replace(consent, client_id="new"))
    assert store.find(Consent, client_id="old") == []
    assert [found.id for found in store.find(Consent, client_id="new")] == [consent.id]


def test_a_kind_without_versions_is_never_replaced(store: Repository, clock: FakeClock) -> None:
    with pytest.raises(TypeError, match="no version"):
        store.replace_if(code(clock))


# --- consume ----------------------------------------------------------------------------------------------------------


def test_a_code_is_consumed_once_and_stays_readable_as_consumed(store: Repository, clock: FakeClock) -> None:
    store.insert(code(clock))
    clock.advance(5)
    consumed = store.consume(AuthorizationCode, "code")
    assert consumed == replace(code(clock), created_at=clock.now - 5, expires_at=clock.now + 55, consumed_at=clock.now)
    clock.advance(5)
    assert store.consume(AuthorizationCode, "code") is None
    assert store.get(AuthorizationCode, "code") == consumed
    assert store.find(AuthorizationCode) == [consumed]


def test_consuming_what_does_not_exist_gives_none(store: Repository) -> None:
    assert store.consume(AuthorizationCode, "code") is None


def test_a_kind_that_never_expires_is_consumed_once_too(store: Repository) -> None:
    store.insert(RecoveryCode("r", "usr_1", 1.0))
    assert store.consume(RecoveryCode, "r") is not None
    assert store.consume(RecoveryCode, "r") is None


def test_a_kind_that_is_not_used_once_cannot_be_consumed(store: Repository) -> None:
    with pytest.raises(TypeError, match="cannot be consumed"):
        store.consume(User, "usr_1")


def test_a_writer_that_read_before_the_consumption_cannot_undo_it(store: Repository) -> None:
    attempt = example(LoginAttempt)
    store.insert(attempt)
    before = store.get(LoginAttempt, attempt.id)
    assert before is not None
    consumed = store.consume(LoginAttempt, attempt.id)
    assert store.replace_if(replace(before, denied=False)) is None
    assert store.consume(LoginAttempt, attempt.id) is None
    assert store.get(LoginAttempt, attempt.id) == consumed


def test_consuming_counts_the_version_up_as_any_change_does(store: Repository) -> None:
    attempt = example(LoginAttempt)
    store.insert(attempt)
    consumed = store.consume(LoginAttempt, attempt.id)
    assert consumed is not None
    assert consumed.version == attempt.version + 1
    assert store.get(LoginAttempt, attempt.id) == consumed


def test_what_is_consumed_can_still_be_changed_but_never_made_fresh(store: Repository) -> None:
    attempt = example(LoginAttempt)
    store.insert(attempt)
    consumed = store.consume(LoginAttempt, attempt.id)
    assert consumed is not None
    changed = store.replace_if(replace(consumed, app_name="changed"))
    assert changed is not None
    assert changed.consumed_at == consumed.consumed_at
    assert store.replace_if(replace(changed, consumed_at=None)) is None
    assert store.get(LoginAttempt, attempt.id) == changed

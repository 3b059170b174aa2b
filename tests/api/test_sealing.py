"""Sealed fields as such: what is stored, what is shown, what is kept, what cannot be asked."""

import json
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from idp.api import language
from idp.api.document_store.contract import Document
from idp.api.documents.keyring import Keyring, Source
from idp.api.documents.sealing import PLACEHOLDER, Sealer, Sealing, check_steps, refuse
from idp.base.errors import Refused
from tests.api.test_keyring import written

SSN: Sealing = frozenset({"ssn", "bank.iban"})


class Ring:
    """A keyring that tests change."""

    def __init__(self) -> None:
        self.text = written("a", "a", "b")
        self.sealer = Sealer(Keyring(Source("test", lambda: self.text, lambda: self.text)))


@pytest.fixture
def ring() -> Ring:
    return Ring()


def document(data: dict[str, Any], **more: Any) -> Document:
    return Document("people", "doc_1", 1, "t", "user:ada", "t", "user:ada", (), data, **more)


def code(act: Any) -> tuple[int, str]:
    with pytest.raises(Refused) as refused:
        act()
    return refused.value.status, refused.value.code


VALUES: list[Any] = [None, True, 0, 1.5, 2**63 - 1, "", "ß", [], [1, {"a": None}], {}, {"z": 1, "a": [2]}]


@pytest.mark.parametrize("value", VALUES, ids=json.dumps)
def test_a_sealed_value_comes_back_as_it_was_and_stands_nowhere_in_between(ring: Ring, value: Any) -> None:
    stored = ring.sealer.seal(SSN, document({"name": "Ada", "ssn": value}), None)
    assert stored.data["name"] == "Ada"
    assert isinstance(stored.data["ssn"], str)
    assert stored.seals == {("ssn", "a")}
    assert json.dumps(ring.sealer.shown(stored, unseal=True)) == json.dumps({"name": "Ada", "ssn": value})
    assert ring.sealer.shown(stored, unseal=False) == {"name": "Ada", "ssn": PLACEHOLDER}


def test_only_what_is_there_is_sealed(ring: Ring) -> None:
    for data in ({}, {"name": 1}, {"bank": "plain"}, {"bank": {}}, {"bank": None}):
        stored = ring.sealer.seal(SSN, document(data), None)
        assert (stored.data, stored.seals) == (data, frozenset())


def test_with_all_each_field_is_sealed(ring: Ring) -> None:
    stored = ring.sealer.seal("all", document({"a": 1, "b": {"c": 2}}), None)
    assert stored.seals == {("a", "a"), ("b", "a")}
    assert ring.sealer.shown(stored, unseal=False) == {"a": PLACEHOLDER, "b": PLACEHOLDER}
    assert ring.sealer.shown(stored, unseal=True) == {"a": 1, "b": {"c": 2}}


def test_what_was_given_is_not_changed(ring: Ring) -> None:
    given_data = {"bank": {"iban": "CH1"}}
    stored = ring.sealer.seal(SSN, document(given_data), None)
    ring.sealer.shown(stored, unseal=True)
    assert given_data == {"bank": {"iban": "CH1"}}


def test_a_list_on_the_way_refuses_the_write(ring: Ring) -> None:
    assert code(lambda: ring.sealer.seal(SSN, document({"bank": [{"iban": 1}]}), None)) == (400, "sealed_field")


def test_without_a_key_nothing_is_written_that_should_be_sealed(ring: Ring) -> None:
    ring.text = "broken"
    assert code(lambda: ring.sealer.seal(SSN, document({"ssn": 1}), None)) == (503, "keyring_unavailable")
    assert ring.sealer.seal(SSN, document({"name": 1}), None).data == {"name": 1}


def test_a_placeholder_keeps_what_is_sealed_and_nothing_else_can_be_kept(ring: Ring) -> None:
    old = ring.sealer.seal(SSN, document({"ssn": "1", "bank": {"iban": 2}}), None)
    again = {"ssn": dict(PLACEHOLDER), "bank": {"iban": dict(PLACEHOLDER), "bic": "X"}}
    new = ring.sealer.seal(SSN, replace(old, data=ring.sealer.kept(SSN, again, old)), old)
    assert new.data == {"ssn": old.data["ssn"], "bank": {"iban": old.data["bank"]["iban"], "bic": "X"}}
    assert ring.sealer.shown(new, unseal=True) == {"ssn": "1", "bank": {"iban": 2, "bic": "X"}}
    for data in ({"ssn": dict(PLACEHOLDER)}, {"bank": {"iban": dict(PLACEHOLDER)}}):
        assert code(lambda data=data: ring.sealer.kept(SSN, data, None)) == (400, "sealed_field")
    for other in ({"ssn": {"$sealed": 1}}, {"name": dict(PLACEHOLDER)}):
        assert ring.sealer.kept(SSN, other, old) == other  # which check_data refuses


def test_what_looks_like_ciphertext_is_data_unless_the_document_says_so(ring: Ring) -> None:
    old = ring.sealer.seal(SSN, document({"ssn": "1"}), None)
    copied = ring.sealer.seal(SSN, document({"ssn": old.data["ssn"], "note": old.data["ssn"]}), None)
    assert ring.sealer.shown(copied, unseal=True) == {"ssn": old.data["ssn"], "note": old.data["ssn"]}


def test_what_a_write_leaves_alone_comes_under_the_current_key(ring: Ring) -> None:
    old = ring.sealer.seal(SSN, document({"ssn": "1", "n": 0}), None)
    ring.text = written("b", "a", "b")
    new = ring.sealer.seal(SSN, replace(old, data=old.data | {"n": 1}), old)
    assert new.seals == {("ssn", "b")}
    assert ring.sealer.shown(new, unseal=True) == {"ssn": "1", "n": 1}


def test_what_does_not_open_is_not_lost_by_a_write_to_another_field(ring: Ring) -> None:
    old = ring.sealer.seal(SSN, document({"ssn": "1", "n": 0}), None)
    ring.text = written("b", "b")
    new = ring.sealer.seal(SSN, replace(old, data=old.data | {"n": 1}), old)
    assert (new.data["ssn"], new.seals) == (old.data["ssn"], {("ssn", "a")})


def test_what_was_moved_cut_or_exchanged_is_a_conflict_that_names_the_field(ring: Ring) -> None:
    stored = ring.sealer.seal(SSN, document({"ssn": "1", "bank": {"iban": "2"}}), None)
    ssn, iban = stored.data["ssn"], stored.data["bank"]["iban"]
    damaged = [
        replace(stored, id="doc_2"),
        replace(stored, collection="others"),
        replace(stored, data={"ssn": iban, "bank": {"iban": ssn}}),
        replace(stored, data=stored.data | {"ssn": ssn[:-4]}),
        replace(stored, data=stored.data | {"ssn": "b" + ssn[1:]}),
        replace(stored, data=stored.data | {"ssn": "1"}),
        replace(stored, data=stored.data | {"ssn": 1}),
        replace(stored, data={"bank": {"iban": iban}}),
    ]
    for broken in damaged:
        assert code(lambda broken=broken: ring.sealer.shown(broken, unseal=True)) == (409, "cannot_unseal")
        assert ring.sealer.shown(broken, unseal=False)  # tells nothing of the damage to those who may not see it anyway


SCALARS = st.none() | st.booleans() | st.integers(-(2**63), 2**63 - 1) | st.floats(allow_nan=False) | st.text()
TREES = st.recursive(
    SCALARS, lambda inner: st.lists(inner) | st.dictionaries(st.text("abc", min_size=1), inner), max_leaves=8
)


@given(st.dictionaries(st.sampled_from(["ssn", "bank", "name"]), TREES), st.sampled_from([SSN, "all"]))
def test_whatever_is_sealed_and_shown_is_what_was_given(data: dict[str, Any], sealed: Sealing) -> None:
    ring = Ring()
    if isinstance(data.get("bank"), list) and sealed != "all":
        return
    stored = ring.sealer.seal(sealed, document(data), None)
    assert json.dumps(ring.sealer.shown(stored, unseal=True)) == json.dumps(data)
    assert ring.sealer.seal(sealed, stored, stored) == stored


@pytest.mark.parametrize(
    "filter",
    [{"ssn": 1}, {"ssn.x": 1}, {"bank": None}, {"bank.iban": {"$exists": True}}, {"$or": [{"a": 1}, {"$nor": [{"ssn": 1}]}]}],
    ids=str,
)  # fmt: skip
def test_sealed_fields_cannot_be_searched(filter: dict[str, Any]) -> None:
    paths = language.touched(language.parse_filter(filter))
    assert code(lambda: refuse(SSN, paths)) == (400, "sealed_field")
    assert code(lambda: refuse("all", paths)) == (400, "sealed_field")


def test_what_is_not_sealed_can_be_searched() -> None:
    refuse(SSN, language.touched(language.parse_filter({"name": 1, "bank.bic": 1, "_id": "x"})))
    refuse("all", language.touched(language.parse_filter({"_id": "x", "_version": 1})))
    refuse(frozenset(), language.touched(language.parse_filter({"ssn": 1})))


@pytest.mark.parametrize(
    "update",
    [{"$inc": {"ssn": 1}}, {"$push": {"bank": 1}}, {"$set": {"ssn.x": 1}}, {"$unset": {"bank.iban.x": True}}],
    ids=str,
)
def test_an_update_cannot_look_at_what_is_sealed_nor_reach_into_it(update: dict[str, Any]) -> None:
    assert code(lambda: check_steps(SSN, language.parse_update(update))) == (400, "sealed_field")


def test_an_update_can_set_remove_and_keep_what_is_sealed() -> None:
    update = {"$set": {"ssn": 1, "bank": {"iban": 2}, "name": "x"}, "$inc": {"n": 1}, "$unset": {"other": True}}
    steps = language.parse_update(update)
    assert list(check_steps(SSN, steps)) == list(steps)
    kept = language.parse_update({"$set": {"ssn": dict(PLACEHOLDER), "n": 1}, "$unset": {"bank.iban": True}})
    assert [step[1] for step in check_steps(SSN, kept)] == [("n",), ("bank", "iban")]
    assert code(lambda: check_steps("all", language.parse_update({"$set": {"a.b": 1}}))) == (400, "sealed_field")
    assert check_steps("all", language.parse_update({"$set": {"a": 1}}))

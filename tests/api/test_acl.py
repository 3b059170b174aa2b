"""Who may do what: the pure rule, and that the keys stores filter by say the same."""

import random
from dataclasses import dataclass

import pytest

from idp.api import acl
from idp.api.acl import Entry

READ = ("read",)


@dataclass(frozen=True)
class Who:
    principals: frozenset[tuple[str, str]]
    is_administrator: bool = False


def who(*principals: tuple[str, str], admin: bool = False) -> Who:
    return Who(frozenset({*principals, ("everyone", "")}), admin)


ADA, BOB = who(("user", "ada"), ("role", "staff")), who(("user", "bob"))
ROOT = who(("user", "root"), admin=True)


def test_without_an_acl_only_administrators_may() -> None:
    for rules in (None, ()):
        assert not any(acl.may(ADA, right, rules) for right in acl.DOCUMENT_RIGHTS)
        assert all(acl.may(ROOT, right, rules) for right in acl.DOCUMENT_RIGHTS)


@pytest.mark.parametrize(
    "entry", [Entry("user", "ada", READ), Entry("role", "staff", READ), Entry("everyone", "", READ)]
)
def test_an_entry_gives_its_rights_and_no_others(entry: Entry) -> None:
    assert acl.may(ADA, "read", (entry,))
    assert not any(acl.may(ADA, right, (entry,)) for right in ("update", "delete", "share"))


def test_a_deny_entry_wins_over_every_allow_entry_in_any_order() -> None:
    rules = (
        Entry("user", "ada", ("read", "update")),
        Entry("everyone", "", READ),
        Entry("role", "staff", READ, "deny"),
    )
    assert not acl.may(ADA, "read", rules)
    assert not acl.may(ADA, "read", rules[::-1])
    assert acl.may(ADA, "update", rules)
    assert acl.may(BOB, "read", rules)


def test_a_user_a_role_and_a_client_of_the_same_id_are_not_the_same() -> None:
    assert not acl.may(
        ADA, "read", (Entry("role", "ada", READ), Entry("client", "ada", READ), Entry("user", "staff", READ))
    )


def test_an_id_with_colons_cannot_pretend_to_be_another_kind() -> None:
    rules = (Entry("user", "x", READ),)
    sly = who(("role", "x"), ("user", "user:x"), ("role", "user:x"))
    assert not acl.may(sly, "read", rules)
    wanted = acl.wanted_keys(sly, "read")
    assert wanted is not None
    assert not wanted & acl.stored_keys(rules).allow


def random_acl(dice: random.Random) -> acl.Acl | None:
    if dice.random() < 0.1:
        return None
    return tuple(
        Entry(
            kind,
            "" if kind == "everyone" else dice.choice(["a", "b", "c", "user:a"]),
            tuple(dice.sample(acl.DOCUMENT_RIGHTS, dice.randint(1, 4))),
            dice.choice(["allow", "allow", "allow", "deny"]),
        )
        for kind in dice.choices(["user", "role", "client", "everyone"], k=dice.randint(0, 4))
    )


def random_who(dice: random.Random) -> Who:
    roles = [("role", id) for id in dice.sample(["a", "b", "c", "user:a"], dice.randint(0, 3))]
    return who((dice.choice(["user", "client"]), dice.choice(["a", "b", "c"])), *roles, admin=dice.random() < 0.1)


@pytest.mark.parametrize("seed", range(4))
def test_the_keys_for_stores_say_the_same_as_the_rule(seed: int) -> None:
    dice = random.Random(seed)
    for _ in range(5000):
        rules, caller, right = random_acl(dice), random_who(dice), dice.choice(acl.DOCUMENT_RIGHTS)
        stored, wanted = acl.stored_keys(rules), acl.wanted_keys(caller, right)
        passes = wanted is None or (bool(wanted & stored.allow) and not wanted & stored.deny)
        assert passes == acl.may(caller, right, rules), (rules, caller, right)


def test_an_acl_survives_being_stored() -> None:
    dice = random.Random(7)
    for _ in range(200):
        rules = random_acl(dice)
        assert acl.from_json(acl.to_json(rules)) == rules

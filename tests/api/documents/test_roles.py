"""Roles of the companion: members of any depth, cycles, and changes that hold with the next request on every node."""

from collections.abc import Callable

from tests.api.documents.conftest import ADA, BOB, EVE, ROOT, Companion, allow, caller


def define(companion: Companion, name: str, *members: tuple[str, str]) -> None:
    companion.run(ROOT, "roles.set", name=name, members=[{"kind": kind, "id": id} for kind, id in members])


def sees(companion: Companion, notes: str, who: object) -> bool:
    return bool(companion.run(who, "documents.query", collection=notes)["documents"])  # type: ignore[arg-type]


def test_roles_nest_to_any_depth_and_cycles_end(companion: Companion, notes: str) -> None:
    companion.run(ROOT, "documents.insert", collection=notes, data={}, acl=[allow("role", "level40", "read")])
    assert not sees(companion, notes, ADA)
    define(companion, "level0", ("user", "usr_ada"), ("role", "level40"))
    for level in range(1, 41):
        define(companion, f"level{level}", ("role", f"level{level - 1}"))
    assert sees(companion, notes, ADA)
    assert not sees(companion, notes, BOB)
    assert sees(companion, notes, caller("bob", "level7"))  # a role that the token gives
    define(companion, "level20")
    assert not sees(companion, notes, ADA)
    assert not sees(companion, notes, caller("bob", "level7"))
    assert sees(companion, notes, caller("bob", "level21"))


def test_a_membership_changes_with_the_next_request_on_every_node(
    open_companion: Callable[[], Companion], notes: str
) -> None:
    here, there = open_companion(), open_companion()
    here.run(ROOT, "documents.insert", collection=notes, data={}, acl=[allow("role", "crew", "read")])
    for members, expected in (([("user", "usr_eve")], True), ([], False), ([("user", "usr_eve")], True)):
        define(here, "crew", *members)
        assert sees(there, notes, EVE) is sees(here, notes, EVE) is expected
    here.run(ROOT, "roles.delete", name="crew")
    assert not sees(there, notes, EVE)
    assert here.refused(ROOT, "roles.delete", name="crew") == (404, "unknown_role")


def test_a_deny_entry_for_a_role_bites_through_nested_roles(companion: Companion, notes: str) -> None:
    deny = {**allow("role", "outer", "read"), "effect": "deny"}
    companion.run(ROOT, "documents.insert", collection=notes, data={}, acl=[allow("everyone", "", "read"), deny])
    assert sees(companion, notes, BOB)
    define(companion, "inner", ("user", "usr_bob"))
    define(companion, "outer", ("role", "inner"))
    assert not sees(companion, notes, BOB)


def test_only_administrators_define_roles_and_nobody_that_of_administrators(companion: Companion) -> None:
    for operation, more in (
        ("set", {"name": "r", "members": []}),
        ("get", {"name": "r"}),
        ("delete", {"name": "r"}),
        ("list", {}),
    ):
        assert companion.refused(caller("maker", "makers"), f"roles.{operation}", **more) == (403, "not_permitted")
    members = [{"kind": "user", "id": "usr_eve"}]
    assert companion.refused(ROOT, "roles.set", name="administrator", members=members) == (400, "reserved_role")
    define(companion, "helpers", ("role", "administrator"))
    assert companion.run(ROOT, "roles.get", name="helpers")["members"] == [{"kind": "role", "id": "administrator"}]
    assert "helpers" in [role["name"] for role in companion.run(ROOT, "roles.list")["roles"]]
    for name in (".", "", "a b", "a" * 101, "é"):
        assert companion.refused(ROOT, "roles.set", name=name, members=[]) == (400, "invalid_request")


def test_a_role_is_set_once_for_one_key(companion: Companion) -> None:
    asked = {"name": "once", "members": [{"kind": "user", "id": "a"}], "idempotency_key": "role"}
    assert companion.run(ROOT, "roles.set", **asked) == companion.run(ROOT, "roles.set", **asked)

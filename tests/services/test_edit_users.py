"""Owns the claims about changing what apps learn about a user: fields, roles, groups and claims."""

import pytest

from idp.base.claims import ADMINISTRATOR
from idp.base.errors import Refused
from idp.domain.audit_event import AuditEvent


def test_what_is_given_replaces_what_was_and_the_rest_stays(services, ada, clock) -> None:
    clock.advance(50)
    first = services.users.edit(ada, groups=("a", "b"), claims={"nickname": "A", "level": 1}, actor="cli")
    assert first.claims == {"nickname": "A", "level": 1, "updated_at": int(clock())}
    second = services.users.edit(first, claims={"level": None, "locale": "en"}, actor="cli")
    assert second.claims == {"nickname": "A", "locale": "en", "updated_at": int(clock())}
    assert (second.groups, second.name, second.email) == (("a", "b"), "Ada Lovelace", "ada@example.org")
    third = services.users.edit(second, name="Ada King", email="ada@king.example", groups=(), actor="cli")
    assert (third.name, third.email, third.email_verified, third.groups) == ("Ada King", "ada@king.example", True, ())
    assert services.users.by_email("ada@king.example") == third
    assert services.repo.find(AuditEvent, name="user.changed")


def test_roles_are_replaced_but_nobody_becomes_or_ceases_to_be_an_administrator_that_way(services, ada) -> None:
    assert services.users.edit(ada, roles=("editor",), actor="cli").roles == ("editor",)
    with pytest.raises(Refused, match="invalid_role"):
        services.users.edit(services.users.get(ada.id), roles=(ADMINISTRATOR,), actor="cli")
    with pytest.raises(Refused, match="invalid_role"):
        services.users.add("eve", email=None, roles=(ADMINISTRATOR,), actor="cli")
    root = services.users.add("root", email=None, administrator=True, roles=("editor",), actor="cli")
    assert root.roles == (ADMINISTRATOR, "editor")
    assert services.users.edit(root, roles=(), actor="cli").roles == (ADMINISTRATOR,)


def test_a_wrong_value_changes_nothing(services, ada) -> None:
    services.users.add("eve", email="eve@example.org", actor="cli")
    for wrong in (
        {"claims": {"sub": "x"}},
        {"claims": {"picture": "javascript:x"}},
        {"groups": ("",)},
        {"email": "eve@example.org"},
        {"email": "none"},
        {"name": "\x00"},
    ):
        with pytest.raises(Refused):
            services.users.edit(ada, **wrong, actor="cli")
    assert services.users.get(ada.id) == ada
    with pytest.raises(Refused):
        services.users.add("mal", email=None, claims={"iss": "x"}, actor="cli")
    assert services.users.by_login("mal") is None


def test_two_changes_at_once_do_not_undo_one_another(services, ada) -> None:
    services.users.edit(ada, groups=("a",), actor="cli")
    with pytest.raises(Refused, match="changed_meanwhile"):
        services.users.edit(ada, claims={"level": 1}, actor="cli")

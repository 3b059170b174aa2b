"""Owns the claims about scopes of an installation's own: names, words, and that changes are seen within a second."""

import pytest

from idp.base.errors import Refused
from idp.domain.audit_event import AuditEvent
from idp.domain.relying import CustomScope
from idp.services.scopes import Scopes


def test_a_scope_is_added_changed_and_removed_and_each_is_in_the_audit(services) -> None:
    services.scopes.add(CustomScope("employee", "see  your number", ("employee_number",)), actor="cli")
    found = services.scopes.get("employee")
    assert found == CustomScope("employee", "see your number", ("employee_number",))
    changed = services.scopes.change(CustomScope("employee", "", ("desk",), found.version), actor="cli")
    assert changed.version == 1
    services.scopes.remove("employee", actor="cli")
    assert services.scopes.get("employee") is None
    names = sorted(event.name for event in services.repo.find(AuditEvent, subject="employee"))
    assert names == ["scope.added", "scope.changed", "scope.removed"]


def test_a_change_of_another_process_is_seen_within_a_second(services, clock) -> None:
    other = Scopes(services.repo, clock, services.audit)
    assert "employee" not in services.scopes.known().names
    other.add(CustomScope("employee", "", ("employee_number",)), actor="cli")
    clock.advance(1)
    known = services.scopes.known()
    assert "employee" in known.names
    assert "employee_number" in known.claim_names
    assert known.claims["employee"] == ("employee_number",)


def test_the_scopes_are_read_once_a_second_at_most(services, clock, monkeypatch) -> None:
    services.scopes.known()
    monkeypatch.setattr(services.scopes, "_repo", None)
    clock.advance(0.9)
    assert "openid" in services.scopes.known().names


@pytest.mark.parametrize(
    "scope",
    [
        CustomScope(""),
        CustomScope("two words"),
        CustomScope('qu"ote'),
        CustomScope("back\\slash"),
        CustomScope("ü"),
        CustomScope("x" * 129),
        CustomScope("openid"),
        CustomScope("groups"),
        CustomScope("offline_access"),
        CustomScope("documents.read"),
        CustomScope("own", "x" * 201),
        CustomScope("own", "a\x1b[2J"),
        CustomScope("own", "", ("sub",)),
        CustomScope("own", "", ("no name",)),
        CustomScope("own", "", tuple(f"c{n}" for n in range(101))),
    ],
)
def test_what_is_no_scope_is_refused(services, scope: CustomScope) -> None:
    with pytest.raises(Refused):
        services.scopes.add(scope, actor="cli")
    assert services.scopes.known().custom == ()


def test_a_scope_exists_once_and_is_not_changed_behind_somebodys_back(services) -> None:
    stored = services.scopes.add(CustomScope("own"), actor="cli")
    with pytest.raises(Refused, match="scope_taken"):
        services.scopes.add(CustomScope("own"), actor="cli")
    services.scopes.change(CustomScope("own", "new", (), stored.version), actor="cli")
    with pytest.raises(Refused, match="changed_meanwhile"):
        services.scopes.change(CustomScope("own", "late", (), stored.version), actor="cli")
    with pytest.raises(Refused, match="unknown_scope"):
        services.scopes.remove("never", actor="cli")

"""Scopes of this installation's own: names, the words of the consent page, and the claims that they release.

Every process reads them again after a second at most. Leaves the scopes of OpenID Connect to idp.domain.claims, and
releasing claims to services.release.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass, replace

from idp.base.claims import ADMIN_SCOPE, API_SCOPES
from idp.base.clock import Clock
from idp.base.errors import Refused
from idp.domain.audit_event import EventName
from idp.domain.claims import IDENTITY_SCOPES, SCOPE_CLAIMS, check_name
from idp.domain.relying import CustomScope
from idp.ports import Duplicate, Repository
from idp.services.record_audit import Audit

READ_AGAIN_SECONDS = 1.0
MAX_SCOPES = 1000
_TOKEN = re.compile(r"[!#-\[\]-~]{1,128}\Z")  # RFC 6749 3.3
_TAKEN = frozenset({*IDENTITY_SCOPES, *API_SCOPES, ADMIN_SCOPE})


@dataclass(frozen=True, slots=True)
class Known:
    """The scopes of one moment. claims: what each scope releases, the standard ones included. names, claim_names: for
    the metadata."""

    custom: tuple[CustomScope, ...]
    claims: Mapping[str, tuple[str, ...]]
    names: tuple[str, ...]
    claim_names: tuple[str, ...]
    read_at: float | None = None


def known(custom: tuple[CustomScope, ...], read_at: float | None = None) -> Known:
    claims = {**SCOPE_CLAIMS, **{scope.id: scope.claims for scope in custom}}
    names = tuple(dict.fromkeys(name for released in claims.values() for name in released))
    return Known(custom, claims, (*IDENTITY_SCOPES, *(scope.id for scope in custom)), names, read_at)


class Scopes:
    def __init__(self, repo: Repository, clock: Clock, audit: Audit) -> None:
        self._repo = repo
        self._clock = clock
        self._audit = audit
        self._known = known(())

    def known(self) -> Known:
        """At most a second old."""
        now, found = self._clock(), self._known
        if found.read_at is not None and 0 <= now - found.read_at < READ_AGAIN_SECONDS:
            return found
        custom = tuple(self._repo.find(CustomScope, limit=MAX_SCOPES))
        self._known = known(custom, now) if custom != found.custom else replace(found, read_at=now)
        return self._known

    def words(self, name: str) -> str | None:
        """What the person who is asked reads; None for a scope that has none of its own."""
        return next((scope.words for scope in self.known().custom if scope.id == name and scope.words), None)

    def get(self, name: str) -> CustomScope | None:
        return self._repo.get(CustomScope, name)

    def add(self, scope: CustomScope, *, actor: str) -> CustomScope:
        """Raises Refused(invalid_scope_definition | scope_taken | invalid_claim)."""
        checked = check_scope(scope)
        if len(self._repo.find(CustomScope, limit=MAX_SCOPES)) >= MAX_SCOPES:
            raise _bad(f"There are {MAX_SCOPES} scopes already.")
        try:
            self._repo.insert(checked)
        except Duplicate:
            raise Refused("scope_taken", "There is a scope of this name already.", status=409) from None
        self._changed("scope.added", checked, actor)
        return checked

    def change(self, scope: CustomScope, *, actor: str) -> CustomScope:
        """Raises Refused(invalid_scope_definition | changed_meanwhile | invalid_claim)."""
        stored = self._repo.replace_if(check_scope(scope))
        if stored is None:
            raise Refused("changed_meanwhile", "Somebody else changed it at the same time. Look again.", status=409)
        self._changed("scope.changed", stored, actor)
        return stored

    def remove(self, name: str, *, actor: str) -> None:
        """Apps that may ask for it may still do so; it releases nothing any more. Raises Refused(unknown_scope)."""
        found = self._repo.get(CustomScope, name)
        if found is None or not self._repo.delete(CustomScope, name):
            raise Refused("unknown_scope", "There is no such scope.", status=404)
        self._changed("scope.removed", found, actor)

    def _changed(self, event: EventName, scope: CustomScope, actor: str) -> None:
        self._known = replace(self._known, read_at=None)
        self._audit.record(event, actor=actor, subject=scope.id, claims=" ".join(scope.claims))


def check_scope(scope: CustomScope) -> CustomScope:
    """Raises Refused(invalid_scope_definition | invalid_claim)."""
    if not _TOKEN.match(scope.id):
        raise _bad('A scope has 1 to 128 characters of ASCII, without blanks, quotes and "\\".')
    if scope.id in _TAKEN:
        raise _bad("This scope has a meaning of its own already. Choose another name.")
    words = " ".join(scope.words.split())
    if len(words) > 200 or not words.isprintable():
        raise _bad("Use words of at most 200 characters, without control characters.")
    if len(scope.claims) > 100:
        raise _bad("A scope releases at most 100 claims.")
    return replace(scope, words=words, claims=tuple(dict.fromkeys(check_name(name) for name in scope.claims)))


def _bad(why: str) -> Refused:
    return Refused("invalid_scope_definition", why)

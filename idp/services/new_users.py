"""Makes the user of a login that nobody has yet: both at once or neither.

Leaves whether one may be made, and what it gets, to idp.domain.linking and mapping.
"""

from collections.abc import Callable
from dataclasses import replace

from idp.base import ids
from idp.base.clock import Clock
from idp.base.errors import Refused
from idp.domain.audit_event import AuditEvent
from idp.domain.claims import check_groups
from idp.domain.link_change import Invitation
from idp.domain.mapping import Given
from idp.domain.upstream import FederatedLogin, UpstreamIdentity
from idp.domain.user import User, display_name, email_key, username_key
from idp.ports import Duplicate, Repository
from idp.services.manage_users import Users
from idp.services.overtaken import Overtaken
from idp.services.record_audit import Audit


class NewUsers:
    def __init__(self, repo: Repository, clock: Clock, users: Users, audit: Audit) -> None:
        self._repo = repo
        self._clock = clock
        self._users = users
        self._audit = audit

    def make(
        self,
        identity: UpstreamIdentity,
        given: Given,
        *,
        email: str | None,
        verified: bool,
        invitation: Invitation | None = None,
    ) -> User:
        """email: None for none; verified: counts as proved. invitation: used up with it.

        Raises Overtaken: somebody else has the login or the address by now. Refused(no_free_username | invitation_dead).
        """
        for name in _names(identity, invitation):
            user = self._user(name, identity, given, email, verified, invitation)
            if user is None or self._repo.find(User, username_key=user.username_key):
                continue
            try:
                self._store(user, identity, given, invitation)
            except Duplicate as duplicate:
                if "username_key" in duplicate.key:
                    continue
                raise Overtaken from None
            if user.is_administrator:
                self._users.note_administrator()
            return user
        raise Refused("no_free_username", "No user name could be found for you. Ask an administrator.", status=409)

    def _user(
        self,
        name: str,
        identity: UpstreamIdentity,
        given: Given,
        email: str | None,
        verified: bool,
        invitation: Invitation | None,
    ) -> User | None:
        """None when nobody can have that name."""
        key = _or_none(username_key, name)
        if key is None:
            return None
        invited_roles = invitation.roles if invitation else ()
        return User(
            id=ids.public_id("usr"),
            username=name.strip(),
            username_key=key,
            email=email.strip() if email else None,
            email_key=email_key(email) if email else None,
            email_verified=verified and bool(email),
            name=_shown(invitation.name if invitation else "", identity.name) or name.strip(),
            created_at=self._clock(),
            roles=_fitting(invited_roles, given.roles),
            groups=_fitting(invitation.groups if invitation else (), given.groups),
            claims=given.claims,
        )

    def _store(self, user: User, identity: UpstreamIdentity, given: Given, invitation: Invitation | None) -> None:
        login = replace(
            login_of(user, identity, self._clock()),
            roles=tuple(one for one in given.roles if invitation is None or one not in invitation.roles),
            groups=tuple(one for one in given.groups if invitation is None or one not in invitation.groups),
            claims=given.claims,
        )
        events = self._events(user, login, invitation)
        # The login first: where there is no transaction, of two first sign-ins at once only one goes on to make a user. A
        # login without a user opens nothing, and goes at the next sign-in.
        records = (login, user, *events)
        try:
            if invitation is None:
                self._repo.insert_all(*records)
            elif self._repo.consume(Invitation, invitation.id, also=records) is None:
                raise Refused("invitation_dead", "This invitation was already used. Ask for a new one.", status=410)
        except Duplicate:
            self._repo.delete(FederatedLogin, login.id)
            raise
        for event in events:
            self._audit.stored(event)

    def _events(self, user: User, login: FederatedLogin, invitation: Invitation | None) -> list[AuditEvent]:
        actor = f"upstream:{login.provider_id}"
        made = [
            self._audit.event("user.created", actor=actor, subject=user.id, username=user.username),
            self._audit.event(
                "login.linked",
                actor=actor,
                subject=user.id,
                provider=login.provider_id,
                issuer=login.issuer,
                before="",
                after=login.provider_id,
                why="invited" if invitation else "new_user",
            ),
        ]
        if user.roles or user.groups:
            made.append(
                self._audit.event(
                    "login.mapped",
                    actor=actor,
                    subject=user.id,
                    login=login.id,
                    before="",
                    after=" ".join([*user.roles, *user.groups]),
                )
            )
        if invitation is not None:
            made.append(self._audit.event("invitation.used", actor=actor, subject=user.id, by=invitation.created_by))
        return made


def login_of(user: User, identity: UpstreamIdentity, now: float) -> FederatedLogin:
    return FederatedLogin(
        ids.public_id("fed"),
        user.id,
        identity.provider_id,
        identity.issuer,
        identity.subject,
        now,
        identity.email,
        identity.name,
        now,
    )


def _names(identity: UpstreamIdentity, invitation: Invitation | None) -> list[str]:
    # Never a whole address: whoever has the user name `ada@example.org` would be found when Ada types her e-mail.
    said = (identity.username or "", identity.email or "")
    wanted = [name.partition("@")[0] for name in said]
    invited = [invitation.username] if invitation and invitation.username else []
    wanted = list(dict.fromkeys(name for name in (*invited, *wanted) if name))
    return [*wanted, *(f"{name}-{ids.public_id('')[-6:]}" for name in wanted), ids.public_id("user")]


def _shown(*names: str | None) -> str:
    for name in names:
        found = _or_none(display_name, (name or "")[:200])
        if found:
            return found
    return ""


def _fitting(first: tuple[str, ...], more: tuple[str, ...]) -> tuple[str, ...]:
    """Those of `more` only if there is room for all."""
    try:
        return check_groups((*first, *more))
    except Refused:
        return check_groups(first)


def _or_none(function: Callable[[str], str], text: str) -> str | None:
    try:
        return function(text)
    except Refused:
        return None

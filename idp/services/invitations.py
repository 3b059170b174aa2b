"""Invitations: an administrator opens the door for one login that nobody here has yet.

Leaves what an invited login leads to, and using an invitation up with it, to idp.domain.linking and idp.services.arrivals.
"""

from dataclasses import dataclass, field
from datetime import UTC, datetime

from idp.base import ids
from idp.base.claims import ADMINISTRATOR
from idp.base.clock import Clock
from idp.base.errors import Refused
from idp.domain.claims import check_groups
from idp.domain.link_change import Invitation
from idp.domain.upstream import UpstreamProvider
from idp.domain.user import User, display_name, email_key, username_key
from idp.ports import Repository
from idp.services.mail_words import mail
from idp.services.mails import Mails
from idp.services.record_audit import Audit

DAY = 86_400.0
MOST = 10_000


@dataclass(frozen=True, slots=True)
class Asked:
    """Whom to invite. user: somebody who is here already and gets one more login; else a new user with the other fields.
    provider_id: the only upstream that it is good for. days: how long, None for the setting."""

    user: User | None = None
    email: str = ""
    username: str = ""
    name: str = ""
    roles: tuple[str, ...] = ()
    groups: tuple[str, ...] = ()
    provider_id: str = ""
    days: int | None = None


@dataclass(frozen=True, slots=True)
class Made:
    """token: shown once, to whoever made it; mailed: it is also on its way to the address."""

    invitation: Invitation
    token: str = field(repr=False)
    mailed: bool = False


class Invitations:
    def __init__(self, repo: Repository, clock: Clock, audit: Audit, days: int) -> None:
        self._repo = repo
        self._clock = clock
        self._audit = audit
        self._days = days

    def live(self, invitation_id: str | None) -> Invitation | None:
        """The one of this id, if it can still be used."""
        found = self._repo.get(Invitation, invitation_id) if invitation_id else None
        return found if found is not None and found.consumed_at is None else None

    def by_token(self, token: str) -> Invitation:
        """Raises Refused(invitation_dead)."""
        found = self.live(ids.digest(token)) if 20 <= len(token) <= 100 else None
        if found is None:
            raise Refused("invitation_dead", "This invitation is no longer good. Ask for a new one.", status=410)
        return found

    def waiting(self) -> list[Invitation]:
        """Those that can still be used, the newest first."""
        found = self._repo.find(Invitation, limit=MOST)
        return sorted((one for one in found if one.consumed_at is None), key=lambda one: (-one.created_at, one.id))

    def get(self, invitation_id: str) -> Invitation:
        """Raises Refused(unknown_invitation)."""
        found = self.live(invitation_id)
        if found is None:
            raise Refused("unknown_invitation", "There is no such invitation (any more).", status=404)
        return found

    def make(self, asked: Asked, *, actor: str) -> Made:
        """Raises Refused(invalid_… | email_taken | username_taken | unknown_upstream | user_disabled)."""
        if len(self.waiting()) >= MOST - 1:
            raise Refused("too_many_invitations", "Too many invitations are open. Withdraw some.", status=409)
        days = self._days if asked.days is None else asked.days
        if not 1 <= days <= 90:
            raise Refused("invalid_invitation", "An invitation is good for 1 to 90 days.")
        provider_id = self._provider(asked.provider_id)
        now, token = self._clock(), ids.secret()
        common = (ids.digest(token), now, now + days * DAY, actor)
        if asked.user is not None:
            invitation = self._for_user(common, asked, provider_id)
        else:
            invitation = self._for_new(common, asked, provider_id)
        self._repo.insert(invitation)
        whom = invitation.user_id or invitation.email or invitation.username or "anybody"
        self._audit.record("invitation.made", actor=actor, subject=whom, provider=provider_id, days=str(days))
        return Made(invitation, token)

    def _for_user(self, common: tuple[str, float, float, str], asked: Asked, provider_id: str | None) -> Invitation:
        user = asked.user
        assert user is not None
        if user.disabled:
            raise Refused("user_disabled", "This account is switched off.", status=409)
        if asked.email or asked.username or asked.name or asked.roles or asked.groups:
            raise Refused("invalid_invitation", "Who is here already keeps address, name, roles and groups.")
        return Invitation(*common, user_id=user.id, provider_id=provider_id)

    def _for_new(self, common: tuple[str, float, float, str], asked: Asked, provider_id: str | None) -> Invitation:
        if ADMINISTRATOR in asked.roles:
            raise Refused("invalid_role", "Nobody becomes an administrator by an invitation.")
        email, username = asked.email.strip(), asked.username.strip()
        if email and self._repo.find(User, limit=1, email_key=email_key(email)):
            raise Refused("email_taken", "Another user has this e-mail address. Invite that user.", status=409)
        if username and self._repo.find(User, limit=1, username_key=username_key(username)):
            raise Refused("username_taken", "This user name is taken. Choose another one.", status=409)
        return Invitation(
            *common,
            email=email or None,
            username=username,
            name=display_name(asked.name),
            roles=check_groups(asked.roles),
            groups=check_groups(asked.groups),
            provider_id=provider_id,
        )

    def _provider(self, provider_id: str) -> str | None:
        if not provider_id:
            return None
        provider = self._repo.get(UpstreamProvider, provider_id)
        if provider is None or provider.mode != "sign_in":
            raise Refused("unknown_upstream", "There is no such way to sign in.", status=404)
        return provider.id

    def withdraw(self, invitation: Invitation, *, actor: str) -> None:
        """One that was used or withdrawn meanwhile is gone anyhow."""
        if self._repo.delete(Invitation, invitation.id):
            whom = invitation.user_id or invitation.email or invitation.username or "anybody"
            self._audit.record("invitation.withdrawn", actor=actor, subject=whom)

    def send(self, made: Made, mails: Mails, *, to: str, issuer: str, organisation: str, language: str = "en") -> Made:
        """Also by mail, when there is a mail server and an address."""
        if not to:
            return made
        until = datetime.fromtimestamp(made.invitation.expires_at, UTC).strftime("%Y-%m-%d %H:%M UTC")
        values = {"organisation": organisation, "link": link_of(issuer, made.token), "until": until}
        return Made(made.invitation, made.token, mails.send(to, *mail(language, "invited", values)))


def address_of(user: User | None, typed: str) -> str:
    """Where it may be mailed to; empty: nowhere. Who is here already and has an address that nobody verified gets no mail there:
    whoever reads it would join a login of their own to that account."""
    if user is None:
        return typed
    return (user.email or "") if user.email_verified else ""


def link_of(issuer: str, token: str) -> str:
    return f"{issuer}/invitation/{token}"

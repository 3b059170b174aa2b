"""Many logins, one identity: what is known of an upstream login, and how it is joined to a User and taken off again.

The key is (provider, issuer, subject). Leaves whose it is to idp.domain.linking, making users to new_users, what a user
gets by it to map_login, and merging, splitting and undoing to change_links.
"""

from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from typing import TYPE_CHECKING

from idp.base import ids
from idp.base.clock import Clock
from idp.base.errors import Refused
from idp.domain.link_change import Invitation
from idp.domain.linking import Known
from idp.domain.upstream import FederatedLogin, UpstreamIdentity, UpstreamProvider
from idp.domain.user import User, email_key
from idp.ports import Duplicate, Repository
from idp.services.manage_users import Users
from idp.services.new_users import login_of
from idp.services.overtaken import Overtaken
from idp.services.record_audit import Audit
from idp.services.sessions import Sessions

if TYPE_CHECKING:
    from idp.services.change_links import LinkChanges

YOUNG_SECONDS = 60.0  # so long a login may be there before its user is


class LinkLogin:
    """keep_a_way_in(login ids): raises Refused when without them nobody who administers could come in."""

    def __init__(
        self,
        repo: Repository,
        clock: Clock,
        users: Users,
        audit: Audit,
        changes: "LinkChanges",
        sessions: Sessions,
        keep_a_way_in: Callable[[str], None] = lambda login_id: None,
    ) -> None:
        self._repo = repo
        self._clock = clock
        self._users = users
        self._audit = audit
        self._changes = changes
        self._sessions = sessions
        self._keep_a_way_in = keep_a_way_in

    def of(self, user_id: str) -> list[FederatedLogin]:
        return self._repo.find(FederatedLogin, user_id=user_id)

    # ---------------------------------------------------------------- what is known

    def known(self, identity: UpstreamIdentity, invitation: Invitation | None = None) -> Known:
        """Only looks. invitation: the live one of this browser."""
        return self.look_up(identity, invitation)[1]

    def look_up(
        self, identity: UpstreamIdentity, invitation: Invitation | None = None
    ) -> tuple[FederatedLogin | None, Known]:
        """(the login if there is one, what is known of it)."""
        login = self.find(identity)
        user = self._users.get(login.user_id) if login is not None else None
        if login is not None and (user is None or user.email_key == _key(identity)):
            return login, Known(linked=True, user=user, invitation=invitation)
        by_email = self._users.by_email(identity.email) if identity.email else None
        if login is not None:
            return login, Known(linked=True, user=user, by_email=by_email, invitation=invitation)
        if by_email is not None and self.find(identity) is not None:
            # Another tab has made both between our two looks: its user is no stranger whose proof is needed.
            return self.look_up(identity, invitation)
        # Who was merged into another account is that one now, with the address that they had proved.
        merged = by_email is not None and by_email.merged_into is not None and by_email.email_verified
        heir = self._users.remaining(by_email) if by_email is not None and merged else None
        invited = self._users.get(invitation.user_id) if invitation and invitation.user_id else None
        taken = bool(invitation and invitation.email and self._users.by_email(invitation.email))
        return None, Known(False, None, by_email, invitation, invited, taken, heir)

    def find(self, identity: UpstreamIdentity) -> FederatedLogin | None:
        found = self._repo.find(
            FederatedLogin, provider_id=identity.provider_id, issuer=identity.issuer, subject=identity.subject
        )
        return found[0] if found else None

    def forget_orphan(self, login: FederatedLogin) -> bool:
        """A login whose user is gone for good opens nothing and stands in nobody's way: whoever has it comes as somebody new.
        False while its user may just be on the way into the store."""
        if self._clock() - login.linked_at < YOUNG_SECONDS:
            return False
        self._repo.delete(FederatedLogin, login.id)
        self._audit.record("login.unlinked", actor="sheaf", subject=login.user_id, provider=login.provider_id)
        return True

    # ---------------------------------------------------------------- joining

    def link(
        self,
        user: User,
        identity: UpstreamIdentity,
        *,
        actor: str,
        why: str = "",
        invitation: Invitation | None = None,
    ) -> FederatedLogin:
        """Join it to a user who was there before; the owner is told. why: the rule. invitation: used up with it.

        Raises Refused(login_taken) when another user has it, (invitation_dead). Linking one's own again changes nothing.
        """
        login = login_of(user, identity, self._clock())
        before = [one.provider_id for one in self.of(user.id)]
        events = [
            self._audit.event(
                "login.linked",
                actor=actor,
                subject=user.id,
                provider=identity.provider_id,
                issuer=identity.issuer,
                login=login.id,
                before=" ".join(before),
                after=" ".join([*before, identity.provider_id]),
                why=why or None,
            )
        ]
        if invitation is not None:
            made_by = invitation.created_by
            events.append(self._audit.event("invitation.used", actor=actor, subject=user.id, by=made_by))
        draft = self._changes.draft("linked", user, login, actor=actor, why=why)
        try:
            if invitation is None:
                self._repo.insert_all(login, draft.change, *events)
            elif self._repo.consume(Invitation, invitation.id, also=(login, draft.change, *events)) is None:
                raise Refused("invitation_dead", "This invitation was already used. Ask for a new one.", status=410)
        except Duplicate:
            existing = self.find(identity)
            if existing is not None and existing.user_id == user.id:
                return existing
            raise Refused(
                "login_taken", "This login already belongs to another user here. Nothing was changed.", status=409
            ) from None
        for event in events:
            self._audit.stored(event)
        self._changes.told(draft)
        return login

    def prove_address(self, user: User, identity: UpstreamIdentity, *, gets: bool) -> User:
        """An upstream that may say so vouches for the address of the user. gets: they had none until now. Raises Overtaken."""
        if gets:
            assert identity.email is not None
            changed = replace(user, email=identity.email.strip(), email_key=email_key(identity.email))
        else:
            changed = user
        try:
            stored = self._repo.replace_if(replace(changed, email_verified=True))
        except Duplicate:
            raise Overtaken from None
        if stored is None:
            raise Overtaken
        self._audit.record(
            "user.changed",
            actor=f"upstream:{identity.provider_id}",
            subject=user.id,
            what="email email_verified" if gets else "email_verified",
        )
        return stored

    # ---------------------------------------------------------------- taking off

    def unlink(self, user: User, login_id: str, *, actor: str, local_login: bool, here: str = "") -> None:
        """With everything that the user had because of it alone, and whoever came in by it; the owner is told. here: sid of
        the session that asks.

        Raises Refused(unknown_login | last_way_in | last_way_in_for_administrators). The last usable way in stays."""
        login = next((one for one in self.of(user.id) if one.id == login_id), None)
        if login is None:
            raise Refused("unknown_login", "This login is not linked to you.", status=404)
        last = Refused("last_way_in", "This is your last way to sign in. Link another one first.", status=409)
        if not self._way_in_besides(user, login, local_login=local_login):
            raise last
        if user.is_administrator:
            self._keep_a_way_in(login.id)
        before = [one.provider_id for one in self.of(user.id)]
        # First who came in by it and what it gave: cut off in between, nobody keeps what only this login gave them.
        self._sessions.end_by(user.id, login.provider_id, actor=actor, besides=here)
        self._changes.take_back(user.id, login)
        if not self._repo.delete(FederatedLogin, login.id):
            return
        if not self.has_way_in(user, local_login=local_login):
            # Looked at again after the deletion: two tabs that unlink two logins at once must not remove both.
            with suppress(Duplicate):
                self._repo.insert(login)
            raise last
        # And whoever finished a sign-in by it meanwhile.
        self._sessions.end_by(user.id, login.provider_id, actor=actor, besides=here)
        self._audit.record(
            "login.unlinked",
            actor=actor,
            subject=user.id,
            provider=login.provider_id,
            issuer=login.issuer,
            login=login.id,
            before=" ".join(before),
            after=" ".join(one.provider_id for one in self.of(user.id)),
        )
        self._changes.record("unlinked", user, login, actor=actor)

    def _way_in_besides(self, user: User, login: FederatedLogin, *, local_login: bool) -> bool:
        others = (one for one in self.of(user.id) if one.id != login.id)
        by_others = any(self._usable_provider(one.provider_id) for one in others)
        return by_others or bool(local_login and user.password_hash)

    def has_way_in(self, user: User, *, local_login: bool) -> bool:
        by_password, providers = self.ways_to_prove(user, local_login=local_login)
        return by_password or bool(providers)

    def ways_to_prove(self, owner: User, *, local_login: bool) -> tuple[bool, tuple[str, ...]]:
        """(by password, by these provider ids): how the owner of an e-mail can show that they are the owner."""
        providers = {one.provider_id for one in self.of(owner.id) if self._usable_provider(one.provider_id)}
        return bool(local_login and owner.password_hash), tuple(sorted(providers))

    def _usable_provider(self, provider_id: str) -> bool:
        provider = self._repo.get(UpstreamProvider, provider_id)
        return provider is not None and provider.enabled and provider.mode == "sign_in"


def login_digest(key: str) -> str:
    """Of domain.linking.login_key, for a Proof that is made for this login."""
    return ids.digest(f"login:{key}")


def _key(identity: UpstreamIdentity) -> str:
    """Canonical; of what is no address something that nobody has."""
    try:
        return email_key(identity.email or "")
    except Refused:
        return ""

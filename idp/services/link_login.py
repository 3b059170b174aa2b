"""Many logins, one identity: whom an upstream login belongs to, and how it is joined to a User.

The key is (provider, issuer, subject). An e-mail never joins by itself: it only makes us ask its owner for proof.
"""

from contextlib import suppress
from dataclasses import dataclass, replace

from idp.base import ids
from idp.base.clock import Clock
from idp.base.errors import Refused
from idp.domain.upstream import FederatedLogin, UpstreamIdentity, UpstreamProvider
from idp.domain.user import User, email_key
from idp.ports import Duplicate, Repository
from idp.services.manage_users import Users
from idp.services.record_audit import Audit


@dataclass(frozen=True, slots=True)
class Known:
    user: User


@dataclass(frozen=True, slots=True)
class AskOwner:
    """An existing user has the e-mail of this unknown login: that user must prove themselves to join it."""

    owner: User


@dataclass(frozen=True, slots=True)
class Unknown:
    """Nobody has it; `may_create` says whether the provider allows a new user."""

    may_create: bool


class LinkLogin:
    def __init__(self, repo: Repository, clock: Clock, users: Users, audit: Audit) -> None:
        self._repo = repo
        self._clock = clock
        self._users = users
        self._audit = audit

    def of(self, user_id: str) -> list[FederatedLogin]:
        return self._repo.find(FederatedLogin, user_id=user_id)

    def whose(self, identity: UpstreamIdentity, provider: UpstreamProvider) -> Known | AskOwner | Unknown:
        """Raises Refused(login_orphaned) when the linked user is gone."""
        login = self._find(identity)
        if login is not None:
            user = self._users.get(login.user_id)
            if user is None:
                raise Refused("login_orphaned", "This login belongs to a user who no longer exists.", status=403)
            self._repo.replace_if(replace(login, last_used_at=self._clock(), email=identity.email, name=identity.name))
            return Known(user)
        owner = self._users.by_email(identity.email) if identity.email else None
        if owner is not None:
            return AskOwner(owner)
        return Unknown(may_create=_may_create(identity, provider))

    def create_user(self, identity: UpstreamIdentity, *, with_email: bool) -> User:
        """A new user for an unknown login. with_email=False: the address belongs to somebody else and stays there.

        The e-mail counts as verified only if the upstream said so with the JSON boolean true. When another request has
        just made a user for the same login, that one is given and nothing is left behind.
        """
        email = identity.email if with_email and _usable(identity.email) else None
        for username in self._names(identity):
            try:
                user = self._users.add(
                    username,
                    email=email,
                    name=(identity.name or "")[:200],
                    email_verified=identity.email_verified,
                    actor=f"upstream:{identity.provider_id}",
                )
            except Refused as refused:
                if refused.code in ("username_taken", "invalid_username"):
                    continue
                raise
            return self._first_link(user, identity)
        raise Refused("no_free_username", "No user name could be found for you. Ask an administrator.", status=409)

    def _first_link(self, user: User, identity: UpstreamIdentity) -> User:
        try:
            self.link(user, identity, actor=user.id)
        except Refused:
            self._repo.delete(User, user.id)
            login = self._find(identity)
            winner = self._users.get(login.user_id) if login is not None else None
            if winner is None:
                raise
            return winner
        return user

    def link(self, user: User, identity: UpstreamIdentity, *, actor: str) -> FederatedLogin:
        """Raises Refused(login_taken) when another user has it. Linking what is already one's own changes nothing."""
        now = self._clock()
        login = FederatedLogin(
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
        try:
            self._repo.insert(login)
        except Duplicate:
            existing = self._find(identity)
            if existing is not None and existing.user_id == user.id:
                return existing
            raise Refused(
                "login_taken", "This login already belongs to another user here. Nothing was changed.", status=409
            ) from None
        self._audit.record(
            "login.linked", actor=actor, subject=user.id, provider=identity.provider_id, issuer=identity.issuer
        )
        return login

    def link_proven(self, user_id: str, identity: UpstreamIdentity) -> None:
        """After the owner of the address has proved themselves in the same attempt."""
        user = self._users.get(user_id)
        if user is None:
            raise Refused("login_orphaned", "This account no longer exists.", status=403)
        self.link(user, identity, actor=user.id)

    def unlink(self, user: User, login_id: str, *, actor: str, local_login: bool) -> None:
        """Raises Refused(unknown_login | last_way_in). The last usable way in stays."""
        login = next((one for one in self.of(user.id) if one.id == login_id), None)
        if login is None:
            raise Refused("unknown_login", "This login is not linked to you.", status=404)
        last = Refused("last_way_in", "This is your last way to sign in. Link another one first.", status=409)
        if not self._way_in_besides(user, login, local_login=local_login):
            raise last
        if not self._repo.delete(FederatedLogin, login.id):
            return
        if not self.has_way_in(user, local_login=local_login):
            # Looked at again after the deletion: two tabs that unlink two logins at once must not remove both.
            with suppress(Duplicate):
                self._repo.insert(login)
            raise last
        self._audit.record("login.unlinked", actor=actor, subject=user.id, provider=login.provider_id)

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

    def _find(self, identity: UpstreamIdentity) -> FederatedLogin | None:
        found = self._repo.find(
            FederatedLogin, provider_id=identity.provider_id, issuer=identity.issuer, subject=identity.subject
        )
        return found[0] if found else None

    def _names(self, identity: UpstreamIdentity) -> list[str]:
        # Never a whole address: whoever has the user name `ada@example.org` would be found when Ada types her e-mail.
        given = (identity.username or "", identity.email or "")
        wanted = list(dict.fromkeys(name.partition("@")[0] for name in given if name.partition("@")[0]))
        return [*wanted, *(f"{name}-{ids.public_id('')[-6:]}" for name in wanted), ids.public_id("user")]


def _usable(email: str | None) -> bool:
    if not email:
        return False
    try:
        return bool(email_key(email))
    except Refused:
        return False


def _may_create(identity: UpstreamIdentity, provider: UpstreamProvider) -> bool:
    if provider.mode != "sign_in" or provider.may_create == "nobody":
        return False
    if provider.may_create == "anybody":
        return True
    if not identity.email_verified or not identity.email or not _usable(identity.email):
        return False
    return email_key(identity.email).rpartition("@")[2] in provider.create_domains

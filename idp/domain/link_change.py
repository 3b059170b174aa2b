"""Changes of who a login belongs to, each of which can be undone for thirty days; invitations; mails about them."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any, Literal

from idp.domain.upstream import FederatedLogin

UNDO_SECONDS = 30 * 86_400.0
UNDER_WAY = "yes"
What = Literal["linked", "unlinked", "merged", "split"]


@dataclass(frozen=True, slots=True)
class LinkChange:
    """user_id: whose logins changed; other_id: the other user of a merge or split. before, after: what is needed to undo it and
    to tell it (JSON values, no secrets). undo_digest: of the token in the mail to the owner, None when nobody was told.
    pending: UNDER_WAY while several records are being changed for it, or for undoing it; whoever finds it later completes it.
    """

    id: str
    at: float
    expires_at: float
    what: What
    user_id: str
    actor: str
    other_id: str | None = None
    before: Mapping[str, Any] = field(default_factory=dict, repr=False)
    after: Mapping[str, Any] = field(default_factory=dict, repr=False)
    undo_digest: str | None = field(default=None, repr=False)
    undone_at: float | None = None
    undone_by: str = ""
    pending: str | None = None
    pending_since: float = 0.0
    version: int = 0

    @property
    def logins(self) -> tuple[str, ...]:
        """Ids of the logins that it is about."""
        if self.what in ("merged", "split"):
            return tuple(self.before.get("logins", ()))
        side = self.after if self.what == "linked" else self.before
        return (str(side["login"]["id"]),) if "login" in side else ()


@dataclass(frozen=True, slots=True)
class MergeOffer:
    """Somebody who was signed in as user_id wants to join that account with another one, to which they are about to sign in
    in the same browser. id = digest of that browser's. Two proofs, one after the other, make a merge of one's own."""

    id: str
    user_id: str
    created_at: float
    expires_at: float
    consumed_at: float | None = None


@dataclass(frozen=True, slots=True)
class Invitation:
    """Opens the door for one unknown login. id = digest of the token. user_id: the existing user whom the login will belong
    to, None for a new one with these fields. provider_id: the only upstream it is good for, None for any."""

    id: str
    created_at: float
    expires_at: float
    created_by: str
    user_id: str | None = None
    email: str | None = None
    username: str = ""
    name: str = ""
    roles: tuple[str, ...] = ()
    groups: tuple[str, ...] = ()
    provider_id: str | None = None
    consumed_at: float | None = None


@dataclass(frozen=True, slots=True)
class QueuedMail:
    """A mail that is still to be delivered. sealed: recipient, subject and text (they may hold a token), sealed at rest.
    slice: for finding those that wait."""

    id: str
    created_at: float
    expires_at: float
    next_try_at: float
    sealed: str = field(repr=False)
    slice: str = "waiting"
    tries: int = 0
    problem: str = ""
    version: int = 0


def login_as_json(login: FederatedLogin) -> dict[str, Any]:
    return {name: list(value) if isinstance(value, tuple) else value for name, value in asdict(login).items()}


def login_from_json(kept: Mapping[str, Any]) -> FederatedLogin:
    """As it was, to be stored anew."""
    lists = {name: tuple(kept.get(name, ())) for name in ("roles", "groups")}
    return FederatedLogin(**{**kept, **lists, "version": 0})

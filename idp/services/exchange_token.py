"""Token exchange (RFC 8693): a token of ours for another one that can do less, for an app or for a service behind it.

Who may exchange: the app that the token was issued to, and the services it is meant for. What comes out hangs on the same
grant, so whatever ends that ends this. Leaves parameters and answers to the OIDC door, and checking tokens to check_token.
"""

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from idp.base.claims import AUTHORIZATION_DETAILS, CLIENT_ID, GRANT
from idp.base.clock import Clock
from idp.base.errors import Refused
from idp.domain.grant import Grant
from idp.domain.narrowing import Details, narrowed
from idp.domain.relying import Client
from idp.domain.session import had_second_factor
from idp.domain.user import User
from idp.ports import Repository
from idp.services.check_token import Access, CheckToken
from idp.services.issue_grant import Issued, came_as_accepted, narrowed_audiences, narrowed_scopes
from idp.services.live_grants import LiveGrants
from idp.services.record_audit import Audit
from idp.services.subjects import Subjects

ACCESS_TOKEN = "urn:ietf:params:oauth:token-type:access_token"  # noqa: S105
ID_TOKEN = "urn:ietf:params:oauth:token-type:id_token"  # noqa: S105
MANY = 100_000  # grants of one session
MAX_ACTORS = 4  # in one chain of `act`; it travels in every token
ONLY_NARROWER = "offline_access"

Claims = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Exchange:
    """What an app asks for. targets: resources and audiences together, empty for all that are allowed."""

    client: Client
    subject_token: str = field(repr=False)
    subject_token_type: str
    actor_token: str | None = field(default=None, repr=False)
    scopes: tuple[str, ...] = ()
    targets: tuple[str, ...] = ()
    confirmation: Mapping[str, str] = field(default_factory=dict)
    details: Details = ()


@dataclass(frozen=True, slots=True)
class Subject:
    """A good subject token. audiences: those that the new token may have at most. bound: its `cnf`. own: it was issued to
    the app that exchanges it. details: to what it is narrowed."""

    grant: Grant
    user: User
    scopes: tuple[str, ...]
    audiences: tuple[str, ...]
    expires_at: float
    own: bool
    bound: Mapping[str, str] = field(default_factory=dict)
    actor: Mapping[str, Any] = field(default_factory=dict)
    details: Details = ()


@dataclass(frozen=True, slots=True)
class Exchanged:
    """seconds: how long the new token may live at most."""

    issued: Issued
    seconds: int


class ExchangeToken:
    """read_id_token: the claims of an ID token of ours, expired or not."""

    def __init__(
        self,
        repo: Repository,
        clock: Clock,
        *,
        live: LiveGrants,
        check: CheckToken,
        audit: Audit,
        subjects: Subjects,
        issuer: Callable[[], str],
        read_id_token: Callable[[str], Claims | None],
    ) -> None:
        self._repo = repo
        self._clock = clock
        self._live = live
        self._check = check
        self._audit = audit
        self._subjects = subjects
        self._issuer = issuer
        self._read_id_token = read_id_token

    def exchange(self, asked: Exchange) -> Exchanged:
        """Raises Refused(invalid_request | invalid_scope | invalid_target | invalid_authorization_details): RFC 8693 2.2.2."""
        subject = self._subject(asked)
        _key_is_proved(asked, subject)
        scopes = _scopes(asked, subject)
        audiences = narrowed_audiences(asked.targets, subject.audiences)
        details = narrowed(asked.details, subject.details, handover=True)
        actor, ends = self._actor(asked, subject)
        self._audit.record(
            "token.exchanged",
            actor=asked.client.id,
            subject=subject.user.id,
            grant=subject.grant.id,
            scopes=" ".join(scopes),
            audiences=" ".join(audiences),
            acting=str(actor["sub"]) if actor else None,
        )
        issued = Issued(replace(subject.grant, actor=actor), subject.user, scopes, audiences, None, details)
        return Exchanged(issued, max(1, math.floor(min(ends, subject.expires_at) - self._clock())))

    # ---------------------------------------------------------------- the subject

    def _subject(self, asked: Exchange) -> Subject:
        if asked.subject_token_type == ID_TOKEN:
            subject = self._of_id_token(asked.client, asked.subject_token)
        else:
            subject = self._of_access_token(asked.client, asked.subject_token)
        if asked.client.second_factor_required and not had_second_factor(subject.grant.amr):
            raise unacceptable("subject_token", "the app demands a second factor, and the sign-in behind it had none")
        if not came_as_accepted(asked.client, subject.grant):
            raise unacceptable("subject_token", "the app does not accept the way by which the person came")
        return subject

    def _of_access_token(self, client: Client, token: str) -> Subject:
        access = self._check.access(token)
        if access is None:
            raise unacceptable("subject_token", "it is unknown, expired or revoked, or its user is gone")
        if access.grant is None or access.user is None:
            raise unacceptable("subject_token", "it stands for an app, not for a person")
        own = access.claims[CLIENT_ID] == client.id
        if not own and not set(access.audiences) & set(client.audiences):
            raise unacceptable("subject_token", f"it is neither issued to {client.id} nor meant for it")
        # Nobody gets beyond the token: a service trades it for a part of what the token and the service both reach.
        reach = tuple(one for one in client.audiences if one in access.audiences)
        if not reach and self._issuer() not in access.audiences:
            raise unacceptable("subject_token", "nothing that it is meant for is registered for the app any more")
        return Subject(
            access.grant,
            access.user,
            access.scopes,
            reach,
            float(access.claims["exp"]),
            own,
            access.claims.get("cnf", {}),
            access.claims.get("act", {}),
            tuple(access.claims.get(AUTHORIZATION_DETAILS, ())),
        )

    def _of_id_token(self, client: Client, token: str) -> Subject:
        """Only that of the app itself. It says nothing of scopes: those of the newest grant that it can come from."""
        claims = self._read_id_token(token)
        if claims is None or claims.get("aud") != client.id or self._clock() >= claims["exp"]:
            raise unacceptable("subject_token", f"it is no ID token that was issued to {client.id}, or it has expired")
        for grant in self._grants_behind(client, claims):
            user = self._live.user_of(grant)
            if user is not None and self._subjects.names(client, str(claims["sub"]), user.id):
                reach = tuple(one for one in client.audiences if one in grant.audiences)
                return Subject(
                    grant, user, grant.scopes, reach, float(claims["exp"]), True, grant.confirmation, {}, grant.details
                )
        raise unacceptable("subject_token", "the grant behind the ID token is revoked, or its session has ended")

    def _grants_behind(self, client: Client, claims: Claims) -> list[Grant]:
        said, made_at = claims.get("sid"), claims.get("iat", 0)
        sid = self._subjects.session(client, said) if isinstance(said, str) else None
        found = self._repo.find(Grant, limit=MANY, session_sid=sid) if sid is not None else []
        own = [one for one in found if one.client_id == client.id and one.created_at < made_at + 1]
        return sorted(own, key=lambda one: -one.created_at)

    # ---------------------------------------------------------------- the actor

    def _actor(self, asked: Exchange, subject: Subject) -> tuple[Mapping[str, Any], float]:
        """The `act` claim (RFC 8693 4.1) and when the actor's own token ends. Who acted before stands inside of it; without
        a new actor it stays as it is, as nobody can wash it off."""
        if asked.actor_token is None:
            return subject.actor, subject.expires_at
        access = self._check.access(asked.actor_token)
        if access is None or access.claims[CLIENT_ID] != asked.client.id:
            raise unacceptable("actor_token", f"it is not good, or not issued to {asked.client.id}")
        if "act" in access.claims:
            raise unacceptable("actor_token", "it stands for somebody else already")
        if not _proves(access.claims.get("cnf", {}), asked.confirmation):
            raise unacceptable("actor_token", "it is bound to another key than the one that was proved")
        actor = {**_identity(access), **({"act": dict(subject.actor)} if subject.actor else {})}
        if _length(actor) > MAX_ACTORS:
            raise unacceptable("actor_token", f"more than {MAX_ACTORS} would act one for another")
        return actor, float(access.claims["exp"])


def unacceptable(which: str, reason: str) -> Refused:
    """RFC 8693 2.2.2: invalid_request, whatever is wrong with a token."""
    return Refused("invalid_request", f"The {which} cannot be exchanged.", reason=f"{which}: {reason}")


def _scopes(asked: Exchange, subject: Subject) -> tuple[str, ...]:
    """Those of the token that the app is registered for; never a lasting one."""
    reach = tuple(one for one in subject.scopes if one in asked.client.scopes and one != ONLY_NARROWER)
    scopes = narrowed_scopes(asked.scopes, reach)
    if not scopes:
        raise Refused("invalid_scope", "Of the scopes of this token the app may have none.")
    return scopes


def _key_is_proved(asked: Exchange, subject: Subject) -> None:
    """A bound token is worth nothing to a thief, and must not become worth something here: its own app proves the same
    key; a service, which cannot have it, gets a token that is bound to its own."""
    if not subject.bound:
        return
    if subject.own and not _proves(subject.bound, asked.confirmation):
        raise unacceptable("subject_token", "it is bound to another key than the one that was proved")
    if not asked.confirmation:
        raise unacceptable("subject_token", "it is bound to a key, so what it is exchanged for must be bound, too")


def _proves(bound: Mapping[str, str], confirmation: Mapping[str, str]) -> bool:
    return all(confirmation.get(way) == key for way, key in bound.items())


def _identity(access: Access) -> Claims:
    """sub as the app knows it. grant_id: for our own use, so that the token ends with the actor's sign-in, too."""
    who: Claims = {"sub": access.claims["sub"]}
    if access.grant is not None:
        who[GRANT] = access.grant.id
    return who


def _length(actor: Mapping[str, Any]) -> int:
    return 1 + (_length(actor["act"]) if "act" in actor else 0)

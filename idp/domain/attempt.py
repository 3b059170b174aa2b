"""LoginAttempt and `next_step`: one persisted sign-in under way and the one pure function that says what comes next.

Nothing the browser holds decides anything: it holds a random handle, the attempt is in the store. Steps never link to
each other; each records its proof in the attempt and asks `next_step` again.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from enum import StrEnum
from typing import Any, Literal

from idp.domain.decision import Note, fitting, made
from idp.domain.narrowing import Details, within
from idp.domain.policy import SecondFactorPolicy
from idp.domain.session import Session
from idp.domain.upstream import LOCAL, UpstreamIdentity
from idp.domain.user import User

FrontDoor = Literal["oidc", "saml", "account", "device", "test"]


class Step(StrEnum):
    CHOOSE = "choose"  # password or an upstream
    LINK = "link"  # an upstream login is waiting for its owner's proof
    FACTOR = "factor"
    ENROL = "enrol"
    CONSENT = "consent"
    DONE = "done"
    DENIED = "denied"  # the person said no; the front door tells the app


@dataclass(frozen=True, slots=True)
class Proof:
    """What was proved, by whom and when. factor_at is None until the second factor was. logout: as in UpstreamIdentity.

    auth_time may lie before the sign-in, when the upstream says so; proved_at is when we learned of it, None: the same.
    joins: digest of the one waiting login that this was proved for, and for no other. logins: ids of the logins by which
    somebody came; it is worth nothing once one of them is no longer the user's.
    """

    user_id: str
    auth_time: float
    amr: tuple[str, ...]
    factor_at: float | None = None
    provider_id: str | None = None
    session_id: str | None = None  # set when an existing session vouches
    logout: Mapping[str, str] = field(default_factory=dict, repr=False)
    joins: str = ""
    proved_at: float | None = None
    logins: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Wants:
    """What the app asked for. max_age in seconds; force: prove again although a session exists, at an upstream too;
    ignore_session: the person wants to choose anew, but an upstream need not ask again. language: of the pages, None for
    what the browser says. upstreams: the only ways in that the app accepts (ids, LOCAL for the password), None for all.
    details: to what the scopes are narrowed (RFC 9396)."""

    force: bool = False
    ignore_session: bool = False
    max_age: float | None = None
    second_factor: bool = False
    scopes: tuple[str, ...] = ()  # those that need consent; empty when the app needs none
    force_consent: bool = False
    login_hint: str | None = None
    language: str | None = None
    upstreams: tuple[str, ...] | None = None
    details: Details = ()


@dataclass(frozen=True, slots=True)
class LoginAttempt:
    """id = digest of the handle. request: what the front door needs to resume, opaque to everybody else.

    browser: digest of the browser's cookie, set at the first visit. waiting: an upstream login whose owner (owner_id) must
    prove themselves; joined: it is theirs now.
    linking: set when a signed-in user links another login from the account page. invitation: id of the one that was opened
    in this browser. notes: what was found and decided so far, in order; they end up in a SignInRecord.
    said: what an upstream said last, for the same record.
    """

    id: str
    front_door: FrontDoor
    resume_path: str
    request: Mapping[str, Any]
    created_at: float
    expires_at: float
    app_id: str = ""
    app_name: str = ""
    wants: Wants = field(default_factory=Wants)
    browser: str | None = None
    proof: Proof | None = None
    waiting: UpstreamIdentity | None = None
    owner_id: str | None = None
    joined: bool = False
    linking: bool = False
    invitation: str | None = None
    notes: tuple[Note, ...] = ()
    said: UpstreamIdentity | None = None
    consented: bool = False
    denied: bool = False
    finished: bool = False
    session_sid: str | None = None  # of the session that finishing made or used
    consumed_at: float | None = None
    version: int = 0


@dataclass(frozen=True, slots=True)
class Facts:
    """What the store knows at this moment. user: the one named by the effective proof, None when there is none.
    has_factor: that user has a confirmed factor. consented: scopes the user has already allowed this app,
    narrowed to consented_details."""

    user: User | None
    has_factor: bool
    consented: frozenset[str]
    policy: SecondFactorPolicy
    consented_details: Details = ()


def effective_proof(attempt: LoginAttempt, session: Session | None, now: float) -> Proof | None:
    """The attempt's own proof, else the one that a live session of this browser gives."""
    if attempt.proof is not None:
        return attempt.proof
    if attempt.waiting is not None:
        # Joining a login needs a proof made for that very purpose, not just a browser that happens to be signed in.
        return None
    if session is None or not session_suffices(attempt.wants, session, now):
        return None
    return proof_of(session)


def proof_of(session: Session) -> Proof:
    return Proof(
        session.user_id,
        session.auth_time,
        session.amr,
        session.factor_at,
        session.provider_id,
        session.id,
        proved_at=session.proved_at,
    )


def session_suffices(wants: Wants, session: Session, now: float) -> bool:
    """max_age counts from the last time the first factor was proved (OIDC Core 3.1.2.1)."""
    if wants.force or wants.ignore_session or not accepts(wants, session.provider_id):
        return False
    return wants.max_age is None or now - session.auth_time <= wants.max_age


def accepts(wants: Wants, provider_id: str | None) -> bool:
    """May somebody come in this way (None: by password) for this app?"""
    return wants.upstreams is None or (provider_id or LOCAL) in wants.upstreams


def waits(attempt: LoginAttempt) -> bool:
    """Is there a login that is still to be joined?"""
    return attempt.waiting is not None and not attempt.joined


def noted(attempt: LoginAttempt, at: float, step: str, result: str, **facts: object) -> LoginAttempt:
    """The attempt with one more note (see Note); not stored yet. Never pass a secret."""
    return replace(attempt, notes=fitting((*attempt.notes, made(at, step, result, **facts))))


def next_step(attempt: LoginAttempt, proof: Proof | None, facts: Facts) -> Step:
    """The one decision. `proof` is effective_proof(...), `facts` are those of its user."""
    if attempt.denied:
        return Step.DENIED
    if proof is None or facts.user is None or facts.user.disabled or outdated(proof, facts.user):
        return Step.LINK if attempt.waiting is not None else Step.CHOOSE
    if proof.factor_at is None and factor_needed(attempt, facts):
        return Step.FACTOR if facts.has_factor else Step.ENROL
    if consent_needed(attempt, facts):
        return Step.CONSENT
    return Step.DONE


def outdated(proof: Proof | Session, user: User) -> bool:
    """A changed password shuts out whoever knew the old one, half-way through a sign-in and with a session too."""
    learned_at = proof.auth_time if proof.proved_at is None else proof.proved_at
    return user.password_changed_at is not None and learned_at < user.password_changed_at


def factor_needed(attempt: LoginAttempt, facts: Facts) -> bool:
    """Whoever has a factor is asked for it; whoever must have one and has none enrols; federated sign-ins are not exempt."""
    assert facts.user is not None
    return facts.has_factor or attempt.wants.second_factor or facts.policy.requires(facts.user)


def consent_needed(attempt: LoginAttempt, facts: Facts) -> bool:
    # What is remembered belongs to one user; the answer in the attempt may be that of somebody who was here before.
    wider = not within(attempt.wants.details, facts.consented_details)
    missing = [scope for scope in attempt.wants.scopes if wider or scope not in facts.consented]
    asked_anyway = attempt.wants.force_consent and not attempt.consented
    return bool(missing) or (asked_anyway and bool(attempt.wants.scopes))

"""What was found and decided in one sign-in, in order: notes on the attempt, kept as a SignInRecord when it ends. Pure.

Leaves keeping and explaining records to idp.services.sign_in_records, and the words to the text catalogue (`note.STEP_RESULT`).
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

Outcome = Literal["signed_in", "refused", "denied", "linked"]
MAX_NOTES = 60
MAX_FACT = 300
MAX_FACTS = 12
SEPARATOR = ", "  # between the parts of a fact that is a list


@dataclass(frozen=True, slots=True)
class Note:
    """One thing that was found or decided. step: asked, message, check, saml_check, identity, candidates, rule, mapping,
    password, factor, session, consent, released or outcome; result: a short snake_case code within the step; facts: texts,
    redacted and bounded."""

    at: float
    step: str
    result: str
    facts: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class SignInRecord:
    """One ended sign-in. id sorts by time. code: the short one that the person sees (the trace code of a refusal).

    reason: code of the refusal, empty when nobody was refused. identity: what the upstream said (idp.domain.replay.redacted),
    for a replay; empty without an upstream. owner_id: who had been asked to prove themselves then; invitation: as in LoginAttempt.
    """

    id: str
    code: str
    at: float
    expires_at: float
    front_door: str
    outcome: Outcome
    reason: str = ""
    user_id: str | None = None
    provider_id: str | None = None
    app_id: str = ""
    app_name: str = ""
    notes: tuple[Note, ...] = ()
    identity: Mapping[str, Any] = field(default_factory=dict, repr=False)
    owner_id: str | None = None
    invitation: str | None = None
    version: int = 0


def made(at: float, step: str, result: str, **facts: object) -> Note:
    """Facts that are None are left out; the others become bounded, printable text."""
    said = [(name, printable(value)) for name, value in facts.items() if value is not None]
    return Note(at, step, result, dict(said[:MAX_FACTS]))


def printable(value: object, limit: int = MAX_FACT) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    listed = value if isinstance(value, tuple | list | set | frozenset) else (value,)
    text = SEPARATOR.join(str(one) for one in listed)[:limit]
    return text if text.isprintable() else "".join(c if c.isprintable() else "?" for c in text)


def fitting(notes: Sequence[Note]) -> tuple[Note, ...]:
    """At most MAX_NOTES, in the order of time: of too many the first and the last, which say how it began and how it ended."""
    ordered = sorted(notes, key=lambda note: note.at)  # stable: what was noted at one moment stays as it was noted
    half = MAX_NOTES // 2
    return tuple(ordered if len(ordered) <= MAX_NOTES else [*ordered[:half], *ordered[-half:]])

"""Everything that is kept under one short code, as one document of plain values in English: for the command line and for JSON.

Leaves keeping to record_audit, sign_in_records and saml_messages, and pages, which speak other languages, to the doors.
"""

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from idp.domain.audit_event import Trace
from idp.domain.decision import SignInRecord
from idp.domain.saml import SamlMessage
from idp.resources import catalogue
from idp.services.explain_messages import explained
from idp.services.explain_sign_in import (
    USERS,
    Names,
    cure_of_check,
    cure_of_reason,
    facts_of,
    key_of_cause,
    notes_of,
    plainly,
    told,
)
from idp.services.record_audit import Traces
from idp.services.saml_messages import SamlMessages
from idp.services.sign_in_records import SignInRecords, canonical


@dataclass(frozen=True, slots=True)
class Kept:
    """What stands under one code. trace: of a refusal; record: of a sign-in; message: of SAML. One of them at least."""

    code: str
    trace: Trace | None
    record: SignInRecord | None
    message: SamlMessage | None


def find(code: str, traces: Traces, records: SignInRecords, messages: SamlMessages) -> Kept | None:
    wanted = canonical(code)
    trace, record = (traces.explain(wanted), records.get(wanted)) if wanted else (None, None)
    if trace is None and record is None:
        return None
    return Kept(wanted, trace, record, messages.of_trace(wanted))


def document(kept: Kept, names: Names) -> dict[str, Any]:
    """trace, at, door, error, reason, detail: of a refusal. steps, said and the rest: of a sign-in; names: of the users in the
    steps. checks: of a SAML message."""
    made: dict[str, Any] = {"trace": kept.code}
    if kept.trace is not None:
        made |= _of_trace(kept.trace)
    if kept.record is not None:
        made |= _of_record(kept.record, names, refused=kept.trace is not None)
    if kept.message is not None:
        made |= {"message": kept.message.id, "checks": [explained(check) for check in kept.message.checks]}
    return made


def _of_trace(trace: Trace) -> dict[str, Any]:
    advice = catalogue("en").get(cure_of_reason(trace.code), "")
    return {
        "at": datetime.fromtimestamp(trace.at, UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
        "door": trace.door,
        "error": trace.code,
        "reason": trace.reason,
        "cure": advice or None,
        "detail": dict(trace.detail),
    }


def _of_record(record: SignInRecord, names: Names, *, refused: bool) -> dict[str, Any]:
    facts = facts_of(record, names)
    kept = {name: value for name, value in facts.items() if name not in ("code", "reason", "at" if refused else "code")}
    notes = notes_of(record)
    steps = [plainly(told(note, names)) for note in notes]
    ids = {value for note in notes for name, value in note.facts.items() if name in USERS}
    if (cure := cure_of_check(record)) and refused:
        kept["cure"] = catalogue("en")[cure]
    if (cause := key_of_cause(record)) and refused:
        kept["because"] = catalogue("en")[cause]
    return {
        **kept,
        "front_door": record.front_door,
        "steps": steps,
        "names": {id: names.of_user(id) for id in sorted(ids)},
        "said": dict(record.identity),
    }

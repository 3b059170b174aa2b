"""The record of a sign-in as sentences and plain values: which words of the catalogue tell each note, and what to do about it.

For pages, the command line and JSON alike. Leaves keeping records to sign_in_records, and rendering to the doors.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from string import Formatter
from typing import Any

from idp.domain.decision import SEPARATOR, Note, SignInRecord
from idp.domain.upstream import UpstreamProvider
from idp.domain.user import User
from idp.resources import catalogue

_BAD = frozenset({"failed", "wrong", "refused", "off", "not_trusted"})
_GOOD = frozenset({"passed", "right", "proved", "trusted", "enrolled", "signed_in", "linked", "given"})
USERS = frozenset({"user", "by_email", "owner", "displaced"})  # facts that are ids of users
NOBODY = "–"


@dataclass(frozen=True, slots=True)
class Names:
    """What to call users and upstreams. Ids of what is gone stand for themselves."""

    user: Callable[[str], User | None]
    upstream: Callable[[str], UpstreamProvider | None]

    def of_user(self, id: str) -> str:
        found = self.user(id)
        return found.username if found is not None else id

    def of_upstream(self, id: str) -> str:
        found = self.upstream(id)
        return found.label if found is not None else id

    def of_fact(self, name: str, value: str) -> str:
        if name in USERS:
            return self.of_user(value)
        return self.of_upstream(value) if name in ("upstream", "provider") else value


@dataclass(frozen=True, slots=True)
class Told:
    """One note. key: of its sentence, `plain` when the catalogue has none; values: what the sentence takes; good: None for what
    is neither; facts: (key of the label, text) of what the sentence does not say; cure: key of what to do, or empty."""

    note: Note
    key: str
    plain: str
    good: bool | None
    values: Mapping[str, str] = field(default_factory=dict)
    facts: tuple[tuple[str, str], ...] = ()
    cure: str = ""


def notes_of(record: SignInRecord) -> list[Note]:
    """Its notes, each check for itself."""
    found: list[Note] = []
    for note in record.notes:
        codes = note.facts.get("codes", "").split(SEPARATOR) if "codes" in note.facts else ()
        found += [replace(note, facts={"code": code}) for code in codes] or [note]
    return found


def told(note: Note, names: Names) -> Told:
    words = catalogue("en")
    key = key_of(note)
    facts = {name: names.of_fact(name, value) for name, value in note.facts.items()}
    wanted = {name for _, name, _, _ in Formatter().parse(words.get(key, "")) if name}
    values = {name: facts.get(name, NOBODY) for name in wanted}
    hidden = (
        {"code"} if note.step in ("check", "saml_check") else {"why", "reason"} if note.step == "outcome" else set()
    )
    rest = [(f"fact.{name}", value) for name, value in facts.items() if name not in wanted and name not in hidden]
    good = False if note.result in _BAD else True if note.result in _GOOD else None
    if note.step == "rule" and note.facts.get("action") == "refuse":
        good = False
    return Told(note, key, _plain(note), good, values, tuple(rest), cure_of(note))


def key_of(note: Note) -> str:
    """Of its sentence in the catalogue."""
    if note.step in ("check", "saml_check"):
        return key_of_check(note.facts.get("code", ""), saml=note.step == "saml_check")
    return f"rule.{note.result}" if note.step == "rule" else f"note.{note.step}_{note.result}"


def key_of_check(code: str, *, saml: bool) -> str:
    return f"{'saml' if saml else 'upstream'}_check.{code}"


def cure_of(note: Note) -> str:
    """The key of what to do about a check that failed; empty for all else."""
    if note.result != "failed" or note.step not in ("check", "saml_check"):
        return ""
    key = f"{'saml' if note.step == 'saml_check' else 'upstream'}_cure.{note.facts.get('code', '')}"
    return key if key in catalogue("en") else ""


def key_of_cause(record: SignInRecord) -> str:
    """The key of the rule by which it was refused; empty when it was none, and the reason in the trace says why."""
    rules = [note for note in record.notes if note.step == "rule"]
    refused = bool(rules) and rules[-1].facts.get("action") == "refuse"
    return key_of(rules[-1]) if refused and key_of(rules[-1]) in catalogue("en") else ""


def cure_of_check(record: SignInRecord) -> str:
    """The key of what to do about the check by which it failed; empty when it was none."""
    return next((cure for note in reversed(record.notes) if (cure := cure_of(note))), "")


def cure_of_reason(reason: str) -> str:
    """The key of what to do about a refusal; empty when there is no advice."""
    key = f"reason_cure.{reason}"
    return key if key in catalogue("en") else ""


# ---------------------------------------------------------------- as plain values, in English


def facts_of(record: SignInRecord, names: Names) -> dict[str, Any]:
    """What stands in a list."""
    return {
        "code": record.code,
        "at": _moment(record.at),
        "outcome": record.outcome,
        "reason": record.reason or None,
        "user": names.of_user(record.user_id) if record.user_id else None,
        "user_id": record.user_id,
        "upstream": record.provider_id,
        "app": record.app_name or record.app_id or None,
    }


def plainly(one: Told) -> dict[str, Any]:
    """A note for JSON and the command line."""
    words = catalogue("en")
    note = one.note
    what = words[one.key].format(**one.values) if one.key in words else one.plain
    said = {"at": _moment(note.at), "step": note.step, "result": note.result, "what": what, "facts": dict(note.facts)}
    return {**said, "cure": words[one.cure]} if one.cure else said


def _plain(note: Note) -> str:
    if note.step in ("check", "saml_check"):
        return note.facts.get("code", "").replace("_", " ")
    return f"{note.step} {note.result}".replace("_", " ")


def _moment(at: float) -> str:
    return datetime.fromtimestamp(at, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")

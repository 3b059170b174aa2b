"""A kept SAML message as plain values, with words and proposed cures for its checks: for the command line and for JSON.

Pages take the words in the reader's language from the same catalogue. Leaves keeping messages to saml_messages.
"""

from datetime import UTC, datetime
from typing import Any

from idp.domain.saml import MessageCheck, SamlMessage
from idp.resources import catalogue


def cause(message: SamlMessage) -> MessageCheck | None:
    """The check by which it failed."""
    return None if message.ok else next((check for check in message.checks if not check.ok), None)


def facts(message: SamlMessage) -> dict[str, Any]:
    """What stands in a list. cause: code of the check by which it failed."""
    found = cause(message)
    return {
        "id": message.id,
        "at": datetime.fromtimestamp(message.at, UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
        "peer": message.peer,
        "direction": message.direction,
        "kind": message.kind,
        "binding": message.binding,
        "ok": message.ok,
        "cause": found.code if found else None,
        "trace": message.trace or None,
    }


def explained(check: MessageCheck) -> dict[str, Any]:
    """cure: what is usually wrong and what to do about it; for a check that failed."""
    made: dict[str, Any] = {
        "code": check.code,
        "ok": check.ok,
        "what": what(check.code),
        "detail": check.detail or None,
    }
    return made if check.ok else {**made, "cure": cure(check.code)}


def what(code: str) -> str:
    return catalogue("en").get(f"saml_check.{code}", code.replace("_", " "))


def cure(code: str) -> str:
    return catalogue("en").get(f"saml_cure.{code}", "")

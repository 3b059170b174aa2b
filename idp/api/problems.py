"""Owns what a refusal looks like (RFC 9457) and the ready-made refusals that several modules need.

How a problem is sent is left to each transport.
"""

import json
from dataclasses import dataclass

from idp.base.errors import Refused

RETRY_SECONDS = 2
REALM = "sheaf"


@dataclass(frozen=True, slots=True)
class Problem:
    """status: HTTP status; body: members of the problem document; headers: HTTP headers that belong to it."""

    status: int
    body: dict[str, object]
    headers: dict[str, str]


def problem(refused: Refused, trace: str) -> Problem:
    """RFC 9457: type, title, status, detail; ours: code (stable name), trace (stands in the log), further members."""
    body = {
        **refused.detail,
        "type": f"urn:sheaf:problem:{refused.code}",
        "title": refused.code.replace("_", " ").capitalize(),
        "status": refused.status,
        "detail": refused.message,
        "code": refused.code,
        "trace": trace,
    }
    return Problem(refused.status, body, refused.headers)


def bad_request(code: str, message: str, **detail: object) -> Refused:
    return Refused(code, message, status=400, detail=detail)


def unavailable(part: str, reason: str) -> Refused:
    """A store, broker or identity provider did not answer in time. `reason` goes to the log only."""
    return Refused(
        f"{part}_unavailable",
        f"The {part} does not answer. Try again in a moment.",
        status=503,
        reason=reason,
        headers={"Retry-After": str(RETRY_SECONDS)},
    )


def bad_token(code: str, message: str, reason: str = "") -> Refused:
    """401 with the challenge of RFC 6750 section 3. Without a token the challenge names no error (section 3.1)."""
    challenge = f'Bearer realm="{REALM}"'
    if code != "missing_token":
        challenge += f', error="invalid_token", error_description="{code}"'
    return Refused(code, message, status=401, reason=reason, headers={"WWW-Authenticate": challenge})


def insufficient_scope(needed: str) -> Refused:
    return Refused(
        "insufficient_scope",
        f"The token lacks the scope {needed}.",
        status=403,
        detail={"scope": needed},
        headers={"WWW-Authenticate": f'Bearer realm="{REALM}", error="insufficient_scope", scope="{needed}"'},
    )


def quoted(text: object) -> str:
    """Foreign text made safe and short for a message: JSON-quoted, ASCII, at most 60 characters of it."""
    return json.dumps(str(text)[:60])

"""Owns what a refusal looks like (RFC 9457) and the ready-made refusals that several modules need.

How a problem is sent is left to each transport.
"""

import json
import logging
from dataclasses import dataclass

from idp.base import ids
from idp.base.errors import Refused
from idp.base.log import event

logger = logging.getLogger("idp.api")

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


def tell(error: Exception, **where: object) -> Problem:
    """The one mapping from any refusal or fault to an answer. The trace code stands in the log with the true reason."""
    refused = error if isinstance(error, Refused) else _fault()
    trace = refused.trace or ids.trace_code()
    level = logging.ERROR if refused.status >= 500 and refused.code != "closing" else logging.INFO
    event(
        logger, "refused", level, trace=trace, code=refused.code, status=refused.status, reason=refused.reason, **where
    )
    if not isinstance(error, Refused):
        logger.error("fault trace=%s", trace, exc_info=error)
    return problem(refused, trace)


def _fault() -> Refused:
    return Refused("internal_error", "Something went wrong here. The trace code helps us find it.", status=500)


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

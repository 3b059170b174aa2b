"""What goes wrong below every door, as refusals: the store is away, something broke, a request is of the wrong kind.

Leaves rendering to idp.http.errors (Flask) and idp.http.machine.
"""

from collections.abc import Mapping

from idp.base.errors import Refused
from idp.ports import StoreUnavailable

LONGEST_WORD = 34  # public ids are shown; secrets have 43 characters
_WORDS = {
    400: ("bad_request", "The request could not be understood."),
    404: ("not_found", "There is no page at this address."),
    405: ("method_not_allowed", "This address does not accept this kind of request."),
    413: ("too_large", "What was sent is larger than we accept."),
    415: ("unsupported_media_type", "This address accepts forms only."),
}


def of_status(status: int, method: str, path: str, headers: Mapping[str, str] | None = None) -> Refused:
    code, sentence = _WORDS.get(status, ("bad_request", "The request could not be answered."))
    return Refused(code, sentence, status=status, reason=f"{method} {place(path)!r}: {status}", headers=headers)


def of_store(error: StoreUnavailable) -> Refused:
    return Refused(
        "store_unavailable",
        "We cannot reach our store right now. Wait a moment, then try again.",
        status=503,
        reason=str(error),
        headers={"Retry-After": "5"},
    )


def of_fault(error: Exception, method: str, path: str) -> Refused:
    return Refused(
        "fault",
        "Something broke on our side; it is not your fault and it is logged. Try again, and tell us the code below.",
        status=500,
        reason=f"{type(error).__name__} at {method} {place(path)!r}",
    )


def place(path: str) -> str:
    """The path for the log, without what is long enough to be a handle or a set-up token."""
    return "/".join(part if len(part) <= LONGEST_WORD else "…" for part in path[:400].split("/"))[:200]

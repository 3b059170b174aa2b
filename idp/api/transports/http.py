"""Owns what REST and the streams over HTTP read in the same way: which token, which proof, which origin."""

from collections.abc import Collection, Mapping, Sequence
from typing import Any

from idp.api.problems import bad_request
from idp.base.errors import Refused


def authorization(found: Sequence[str]) -> str | None:
    """The one Authorization header. found: every one that came."""
    if len(found) > 1 or (found and "," in found[0]):  # WSGI servers join two headers with a comma
        raise bad_request("several_tokens", "Send exactly one Authorization header.")
    return found[0] if found else None


def proof(found: Sequence[str]) -> str | None:
    """The one DPoP proof (RFC 9449 4.3)."""
    if len(found) > 1 or (found and "," in found[0]):
        raise bad_request("several_proofs", "Send exactly one DPoP header.")
    return found[0] if found else None


def if_match(given: str | None) -> int | None:
    """The version that a write expects. `*` is any. Raises Refused 400 bad_if_match."""
    if given is None or given.strip() == "*":
        return None
    # Empty is not absent: the server hands on a header that is not ASCII as "", and its sender did set a condition.
    header = given.strip()
    text = header.strip('"')
    if header != f'"{text}"' or not text.isascii() or not text.isdigit() or len(text) > 18:
        raise bad_request("bad_if_match", 'If-Match takes one ETag of this API, for example "3".')
    return int(text)


def token_in_url() -> Refused:
    """It would end up in logs and histories."""
    return bad_request("token_in_wrong_place", "Send the token in the Authorization header, never in the URL.")


def unknown_operation(name: str) -> Refused:
    return Refused(
        "unknown_operation", "There is no such operation here.", status=404, reason=f"operation {name[:100]!r}"
    )


def headers_of(scope: Mapping[str, Any]) -> dict[str, str]:
    """Of an ASGI scope; those of one name joined, as RFC 9110 section 5.3 has it."""
    found: dict[str, str] = {}
    for raw_name, raw_value in scope["headers"]:
        name, value = raw_name.decode("latin-1").lower(), raw_value.decode("latin-1")
        if "_" not in name:  # X_Forwarded_For would else pass for X-Forwarded-For
            found[name] = f"{found[name]},{value}" if name in found else value
    return found


def values_of(scope: Mapping[str, Any], name: bytes) -> list[str]:
    """Every header of that name (in lower case)."""
    return [value.decode("latin-1") for found, value in scope["headers"] if found.lower() == name]


def check_origin(origin: str | None, allowed: Collection[str]) -> None:
    """Raises Refused 403 when a page of somebody else asks (RFC 6454)."""
    if origin is not None and origin not in allowed:
        raise Refused(
            "origin_not_allowed",
            "Pages of this origin may not use this API.",
            status=403,
            reason=f"origin {origin[:200]!r}",
        )


def cors(origin: str | None, allowed: Collection[str]) -> dict[str, str]:
    """The headers with which a browser lets a page of an allowed origin read the answer."""
    if origin is None or origin not in allowed:
        return {"Vary": "Origin"} if allowed else {}
    return {
        "Access-Control-Allow-Origin": origin,
        "Access-Control-Allow-Methods": "GET, POST, PUT, PATCH, DELETE",
        "Access-Control-Allow-Headers": "Authorization, DPoP, Content-Type, If-Match, Idempotency-Key, Sheaf-Priority, Last-Event-ID, "
        "Content-Disposition, Repr-Digest, Range, If-Range",
        "Access-Control-Expose-Headers": "ETag, Location, WWW-Authenticate, Retry-After, Content-Range, Repr-Digest, "
        "Content-Disposition",
        "Access-Control-Max-Age": "600",
        "Vary": "Origin",
    }

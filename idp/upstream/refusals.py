"""Owns the names under which an upstream's failure is refused, so that every kind says the same.

`reason` is for `idp explain CODE` only. It may hold what the upstream said, made printable; never a secret or a token.
"""

from idp.base.errors import Refused


def denied(reason: str) -> Refused:
    """The person, or the upstream, said no."""
    return Refused(
        "upstream_denied",
        "The other side did not let you sign in, or you turned back there. Try again, or choose another way.",
        status=403,
        reason=reason,
    )


def not_admitted(reason: str) -> Refused:
    """The answer proves who is there, and it is nobody whom the settings let in."""
    return Refused(
        "upstream_not_admitted",
        "The account that you used over there is of an organisation that may not sign in here. Use another account.",
        status=403,
        reason=reason,
    )


def unreachable(reason: str) -> Refused:
    """No usable answer in time: down, slow, too large, not allowed by the address guard."""
    return Refused(
        "upstream_unreachable",
        "The other side does not answer right now. Wait a moment, or choose another way to sign in.",
        status=502,
        reason=reason,
    )


def answer_invalid(reason: str) -> Refused:
    """It answered, but the answer does not prove who is there."""
    return Refused(
        "upstream_answer_invalid",
        "The answer of the other side could not be accepted. Start again; if it stays so, tell an administrator.",
        status=502,
        reason=reason,
    )


def misconfigured(reason: str) -> Refused:
    """Our settings and those of the upstream do not fit: an administrator must act."""
    return Refused(
        "upstream_misconfigured",
        "This way to sign in is not set up correctly. Choose another one, and tell an administrator.",
        status=502,
        reason=reason,
    )


def said(text: object, limit: int = 200) -> str:
    """Foreign text for a `reason`: printable, one line, short."""
    return "".join(c if c.isprintable() else "?" for c in str(text)[:limit])

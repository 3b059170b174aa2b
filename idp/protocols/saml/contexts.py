"""RequestedAuthnContext: what strength a service provider asks for, and which class describes a real session. Pure.

Three strengths: 0 says nothing, 1 is a first factor, 2 is a first and a second one (SAML Core 3.3.2.2.1).
"""

from idp.domain.session import FED, Session
from idp.saml.names import CLASSES, MFA, PASSWORD_TRANSPORT, UNSPECIFIED_CONTEXT

STRENGTH = {
    UNSPECIFIED_CONTEXT: 0,
    f"{CLASSES}Password": 1,
    PASSWORD_TRANSPORT: 1,
    f"{CLASSES}PreviousSession": 1,
    "https://refeds.org/profile/sfa": 1,
    MFA: 2,
    f"{CLASSES}TimeSyncToken": 2,
    "http://schemas.microsoft.com/claims/multipleauthn": 2,
}
STRONGEST = 2


def strength_needed(classes: tuple[str, ...], comparison: str) -> int | None:
    """The least strength of a session that can satisfy the request; None when no session of ours can."""
    if not classes:
        return 0
    known = [STRENGTH[c] for c in classes if c in STRENGTH]
    if not known:
        return None
    if comparison == "better":
        return max(known) + 1 if max(known) < STRONGEST else None
    return 0 if comparison == "maximum" else min(known)


def strength_of(session: Session) -> int:
    return 2 if session.factor_at is not None else 1


def class_for(classes: tuple[str, ...], comparison: str, session: Session) -> str | None:
    """The AuthnContextClassRef for this session; None when it does not satisfy the request.

    A first factor at an upstream is `unspecified`, for we did not see it, unless the service provider asks for a class
    of that strength by name: then that class, as every proxying identity provider does.
    """
    needed, reached = strength_needed(classes, comparison), strength_of(session)
    if needed is None or reached < needed:
        return None
    listed = [c for c in classes if c in STRENGTH]
    if comparison == "exact" and listed:
        return next(c for c in listed if STRENGTH[c] <= reached)
    if comparison == "maximum" and listed:
        reached = min(reached, max(STRENGTH[c] for c in listed))
    if reached == STRONGEST:
        return MFA
    same = next((c for c in listed if STRENGTH[c] == reached), None)
    if same is not None:
        return same
    return UNSPECIFIED_CONTEXT if FED in session.amr or reached == 0 else PASSWORD_TRANSPORT

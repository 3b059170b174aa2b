"""Authentication contexts: what is asked for, what a real session is called."""

import pytest

from idp.domain.session import Session
from idp.protocols.saml.contexts import class_for, strength_needed
from idp.saml.names import CLASSES, MFA, PASSWORD_TRANSPORT, UNSPECIFIED_CONTEXT

TOKEN, CARD = f"{CLASSES}TimeSyncToken", f"{CLASSES}Smartcard"
SFA = "https://refeds.org/profile/sfa"


def session(*amr: str, factor: bool = False) -> Session:
    return Session("id", "sid", "u", 0, 9, 0, 1, amr or ("pwd",), 2.0 if factor else None)


@pytest.mark.parametrize(
    ("asked", "comparison", "needed"),
    [
        ((), "exact", 0),
        ((PASSWORD_TRANSPORT,), "exact", 1),
        ((MFA,), "exact", 2),
        ((TOKEN,), "exact", 2),
        ((MFA, PASSWORD_TRANSPORT), "exact", 1),
        ((SFA,), "better", 2),
        ((CARD,), "exact", None),
        ((CARD, MFA), "exact", 2),
        ((PASSWORD_TRANSPORT,), "minimum", 1),
        ((UNSPECIFIED_CONTEXT,), "minimum", 0),
        ((PASSWORD_TRANSPORT,), "better", 2),
        ((UNSPECIFIED_CONTEXT,), "better", 1),
        ((MFA,), "better", None),
        ((PASSWORD_TRANSPORT, MFA), "better", None),
        ((MFA,), "maximum", 0),
    ],
)
def test_the_strength_that_a_request_needs(asked: tuple[str, ...], comparison: str, needed: int | None) -> None:
    assert strength_needed(asked, comparison) == needed


@pytest.mark.parametrize(
    ("asked", "comparison", "having", "called"),
    [
        ((), "exact", session(), PASSWORD_TRANSPORT),
        ((), "exact", session("pwd", "otp", factor=True), MFA),
        ((), "exact", session("fed"), UNSPECIFIED_CONTEXT),
        ((), "exact", session("fed", "otp", factor=True), MFA),
        ((PASSWORD_TRANSPORT,), "exact", session("pwd", "otp", factor=True), PASSWORD_TRANSPORT),
        ((MFA, PASSWORD_TRANSPORT), "exact", session(), PASSWORD_TRANSPORT),
        ((MFA, PASSWORD_TRANSPORT), "exact", session("pwd", "otp", factor=True), MFA),
        ((TOKEN,), "exact", session("pwd", "otp", factor=True), TOKEN),
        ((MFA,), "exact", session(), None),
        ((CARD,), "exact", session("pwd", "otp", factor=True), None),
        ((SFA,), "exact", session(), SFA),
        ((SFA,), "exact", session("pwd", "otp", factor=True), SFA),
        ((SFA, MFA), "minimum", session(), SFA),
        ((PASSWORD_TRANSPORT,), "exact", session("fed"), PASSWORD_TRANSPORT),
        ((PASSWORD_TRANSPORT,), "minimum", session("pwd", "otp", factor=True), MFA),
        ((f"{CLASSES}Password",), "minimum", session(), f"{CLASSES}Password"),
        ((PASSWORD_TRANSPORT,), "better", session(), None),
        ((PASSWORD_TRANSPORT,), "better", session("pwd", "otp", factor=True), MFA),
        ((PASSWORD_TRANSPORT,), "maximum", session("pwd", "otp", factor=True), PASSWORD_TRANSPORT),
        ((MFA,), "maximum", session(), PASSWORD_TRANSPORT),
        ((UNSPECIFIED_CONTEXT,), "maximum", session("pwd", "otp", factor=True), UNSPECIFIED_CONTEXT),
    ],
)
def test_a_session_is_called_what_it_is(
    asked: tuple[str, ...], comparison: str, having: Session, called: str | None
) -> None:
    assert class_for(asked, comparison, having) == called

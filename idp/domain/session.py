"""Session: a browser signed in with us. The browser holds a random handle; the store holds its digest. SignedOut: its end."""

from dataclasses import dataclass

PWD, OTP, FED, RECOVERY = "pwd", "otp", "fed", "recovery"  # RFC 8176 where it has a name
MFA = "mfa"  # a second factor that an upstream has asked for and that is trusted


@dataclass(frozen=True, slots=True)
class Session:
    """id = digest of the cookie's handle. sid: public identifier for tokens and lists, reveals nothing of the handle.

    auth_time: when the first factor was last proved, as the upstream says if it says so; proved_at: when we learned of it,
    None: the same. factor_at: when the second factor was proved, None if not at all.
    amr: what was really done: pwd, fed, otp, recovery, mfa. provider_id: the upstream, when one was used. apps: ids of the
    clients that were sent a code in it; they outlive their grants, which may end sooner than the session.
    """

    id: str
    sid: str
    user_id: str
    created_at: float
    expires_at: float
    last_seen_at: float
    auth_time: float
    amr: tuple[str, ...]
    factor_at: float | None = None
    provider_id: str | None = None
    user_agent: str = ""
    apps: tuple[str, ...] = ()
    proved_at: float | None = None
    version: int = 0

    @property
    def acr(self) -> str:
        return ACR_MFA if self.factor_at else ACR_SINGLE


def had_second_factor(amr: tuple[str, ...]) -> bool:
    """Was there one in what was really done? `acr` may say less, when an app demanded less."""
    return OTP in amr or RECOVERY in amr or MFA in amr


ACR_SINGLE = "urn:sheaf:acr:1fa"
ACR_MFA = "https://refeds.org/profile/mfa"


@dataclass(frozen=True, slots=True)
class SignedOut:
    """What the page after a sign-out shows. id = digest of the handle in its address; browser: digest of the cookie of the
    browser that may see it. apps: ids of the clients that can be told. target: where the app app_id wants the person sent.
    here: it was the session of this very browser, which can tell apps, too (Front-Channel Logout 1.0). run: id of the
    LogoutRun with the SAML service providers of the session."""

    id: str
    sid: str
    browser: str
    apps: tuple[str, ...]
    created_at: float
    expires_at: float
    target: str | None = None
    app_id: str | None = None
    here: bool = True
    language: str = ""
    run: str = ""

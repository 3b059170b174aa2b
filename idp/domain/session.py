"""Session: a browser signed in with us. The browser holds a random handle; the store holds its digest."""

from dataclasses import dataclass

PWD, OTP, FED, RECOVERY = "pwd", "otp", "fed", "recovery"  # RFC 8176 where it has a name


@dataclass(frozen=True, slots=True)
class Session:
    """id = digest of the cookie's handle. sid: public identifier for tokens and lists, reveals nothing of the handle.

    auth_time: when the first factor was last proved. factor_at: when the second was, None if not at all.
    amr: what was really done: pwd, fed, otp, recovery. provider_id: the upstream, when one was used.
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
    version: int = 0

    @property
    def acr(self) -> str:
        return ACR_MFA if self.factor_at else ACR_SINGLE


ACR_SINGLE = "urn:sheaf:acr:1fa"
ACR_MFA = "https://refeds.org/profile/mfa"

"""One way to refuse. Code deep inside raises Refused; each door (page, OAuth JSON, SAML status, problem+json) renders it once."""

from collections.abc import Mapping
from typing import Self


class Refused(Exception):  # noqa: N818  (a refusal is an answer, not a fault)
    """A request that is answered with a named refusal.

    code:    stable machine name in snake_case, for example `redirect_uri_mismatch`
    message: one sentence for the person at the other end; says what to do; never holds a secret or foreign input unescaped
    status:  HTTP status
    reason:  the precise cause for the trace log (`idp explain CODE`), not shown outside; never holds a secret
    detail:  further public members for machine doors (OAuth JSON, problem+json)
    headers: HTTP headers that belong to the refusal (WWW-Authenticate, Retry-After)
    attempt: the LoginAttempt that was refused, with notes that nobody stored; for its record, see `about`
    trace:   the code under which it stands in the log, once it has one
    """

    def __init__(
        self,
        code: str,
        message: str,
        *,
        status: int = 400,
        reason: str = "",
        detail: Mapping[str, object] | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> None:
        super().__init__(f"{code}: {reason or message}")
        self.code = code
        self.message = message
        self.status = status
        self.reason = reason or message
        self.detail = dict(detail or {})
        self.headers = dict(headers or {})
        self.attempt: object | None = None
        self.trace = ""

    def about(self, attempt: object) -> Self:
        """The refusal itself, with the attempt as it stood when it was refused."""
        self.attempt = attempt
        return self


class Misconfigured(Exception):  # noqa: N818
    """The installation cannot start as configured. `setting` names the setting, `cure` what to do."""

    def __init__(self, setting: str, problem: str, cure: str) -> None:
        super().__init__(f"{setting}: {problem} {cure}")
        self.setting = setting
        self.problem = problem
        self.cure = cure

"""Owns what goes wrong: refusals of the companion (RFC 9457), and no answer at all."""

from collections.abc import Mapping
from typing import Any


class Problem(Exception):  # noqa: N818  (the term of RFC 9457)
    """A refusal. code: stable name; status: HTTP status; trace: stands in the companion's log with the precise reason;
    detail: further members; retry_after: seconds, when the companion says so."""

    def __init__(self, body: Mapping[str, Any], status: int, retry_after: float | None = None) -> None:
        self.code = str(body.get("code", f"http_{status}"))
        self.status = status
        self.trace = str(body.get("trace", ""))
        self.detail = dict(body)
        self.retry_after = retry_after
        said = str(body.get("detail", "The companion refused without a word."))
        super().__init__(f"{self.code}: {said}" + (f" (trace {self.trace})" if self.trace else ""))


class NoAnswer(Exception):  # noqa: N818
    """The companion could not be reached, or the connection broke. Without an idempotency key nobody knows whether the
    request had its effect."""

"""Owns one request and its answer, the same for both clients; when it is repeated, and how long to wait before.

Sending is left to client.py.
"""

import secrets
from collections.abc import Mapping
from typing import Any

import httpx

from sheaf_client.operations import EFFECTS
from sheaf_client.problems import NoAnswer, Problem
from sheaf_client.unset import UNSET

FIRST_PAUSE = 0.2
LONGEST_PAUSE = 10.0
PASSING = (429, 502, 503, 504)  # what may be over in a moment


def new_key() -> str:
    """An idempotency key: give the same one when you repeat a request, also from another process."""
    return secrets.token_urlsafe(24)


def body_of(members: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in members.items() if value is not UNSET}


def repeatable(operation: str, body: Mapping[str, Any]) -> bool:
    """Reads, and what has its effect once however often it is sent."""
    return operation not in EFFECTS or body.get("idempotency_key") is not None


def answer_of(response: httpx.Response) -> Any:
    """Raises Problem."""
    if response.is_success:
        return response.json() if response.content else {}
    raise problem_of(response)


def problem_of(response: httpx.Response) -> Problem:
    try:
        body = response.json()
    except ValueError:
        body = {}
    wait = response.headers.get("retry-after", "")
    return Problem(
        body if isinstance(body, dict) else {}, response.status_code, float(wait) if wait.isdigit() else None
    )


def wait_after(error: httpx.HTTPError | Problem, what: str, attempt: int, repeats: int) -> float:
    """Seconds before the next attempt. Raises Problem or NoAnswer when there is none."""
    problem = error if isinstance(error, Problem) else None
    if attempt >= repeats or (problem is not None and problem.status not in PASSING):
        raise problem or NoAnswer(f"{what}: {type(error).__name__}") from error
    if problem is not None and problem.retry_after is not None:
        return min(problem.retry_after, LONGEST_PAUSE)
    # Twice as long each time, and never all clients at once.
    return min(FIRST_PAUSE * 2**attempt, LONGEST_PAUSE) * (0.5 + secrets.randbelow(1000) / 2000)

"""What a form says when it was not accepted: the sentence, the trace code and the HTTP status of the refusal.

Leaves which refusals belong on the form to each page, and all others to idp.http.errors.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TypeVar

from flask import Response, make_response, request
from markupsafe import Markup

from idp.base.errors import Refused
from idp.http import seeing
from idp.http.render import page, sentence

T = TypeVar("T")

FIELD_PROBLEMS = ("missing_field", "field_too_long", "repeated_field")


@dataclass(frozen=True, slots=True)
class Problem:
    """sentence: in the reader's language; trace: its code in the log."""

    code: str
    sentence: Markup
    trace: str
    status: int
    headers: Mapping[str, str]


def attempted(act: Callable[[], T], *codes: str) -> T | Problem:
    """What `act` gives, or the Problem when it refuses with one of `codes` (or a missing field). Other refusals rise."""
    try:
        return act()
    except Refused as refused:
        if refused.code not in (*codes, *FIELD_PROBLEMS):
            raise
        trace = seeing.kept(request.path.split("/")[1] or "home", refused, endpoint=request.endpoint or "")
        return Problem(refused.code, sentence(refused), trace, refused.status, refused.headers)


def form_page(template: str, problem: Problem | None = None, **values: object) -> Response:
    """The page with its form, again with what was wrong; the status is that of the refusal."""
    response = make_response(page(template, problem=problem, **values), problem.status if problem else 200)
    response.headers.extend(dict(problem.headers) if problem else {})
    return response

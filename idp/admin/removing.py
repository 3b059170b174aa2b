"""The page that removes something, and its form: whoever sends it types the name of what goes.

Leaves finding and removing it, and what the page says, to each page.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Generic, TypeVar

from flask import redirect, request
from werkzeug.wrappers import Response

from idp.base.errors import Refused
from idp.http.forms import Problem, attempted
from idp.http.own_pages import recent_administrator
from idp.http.security import check_csrf, form_field

T = TypeVar("T")
MAX_NAME = 400


@dataclass(frozen=True, slots=True)
class Removing(Generic[T]):
    """find: by its name in the address; typed: what is to be typed; act(it, who): removes it; page(it, problem); refusals:
    codes that are told on the page; to: where it goes on from there."""

    find: Callable[[str], T]
    typed: Callable[[T], str]
    act: Callable[[T, str], object]
    page: Callable[[T, Problem | None], Response]
    to: str
    refusals: tuple[str, ...] = ()

    def asked(self, name: str) -> Response:
        recent_administrator(request.path)
        return self.page(self.find(name), None)

    def sent(self, name: str) -> Response:
        check_csrf()
        user = recent_administrator(request.path)
        found = self.find(name)
        outcome = attempted(lambda: self._removed(found, user.id), "not_its_name", *self.refusals)
        return self.page(found, outcome) if isinstance(outcome, Problem) else redirect(f"{self.to}?removed=1", 303)

    def _removed(self, found: T, who: str) -> None:
        if form_field("name", limit=MAX_NAME).strip() != self.typed(found).strip():
            raise Refused("not_its_name", "That is not its name. Nothing was removed.")
        self.act(found, who)

"""What the JSON APIs about apps have in common: the addresses, who may, which methods an address has.

Leaves what is done to json_api and sp_json_api.
"""

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from typing import Generic, TypeVar

from idp.admin.access import actor
from idp.base.errors import Refused
from idp.http.machine import Asked, Endpoint, Told
from idp.http.parts import Parts
from idp.http.refusals import of_status
from idp.services.check_token import Access

R = TypeVar("R")
Guard = Callable[[Callable[[Access, Asked], Told]], Callable[[Asked], Told]]
AboutOne = Mapping[str, Mapping[str, Callable[[Asked, R, str], Told]]]


class Resource(ABC, Generic[R]):
    """path: of all of them; each has an address below. about_one: what there is about one, and by which methods. unknown: what
    is said of an address of nothing."""

    path: str
    unknown = "There is no such app."
    about_one: AboutOne[R]

    def __init__(self, parts: Parts) -> None:
        self._parts = parts

    def endpoints(self, guard: Guard) -> list[Endpoint]:
        """guard: lets only those through who bring a good token for this API."""
        every = frozenset({"GET", "POST", "PUT", "PATCH", "DELETE"})
        many = Endpoint(self.path, frozenset({"GET", "POST"}), guard(self.many))
        return [many, Endpoint(f"{self.path}/", every, guard(self.one))]

    def many(self, access: Access, asked: Asked) -> Told:
        who = actor(self._parts, access)
        return self.create(asked, who) if asked.method == "POST" else self.list(asked)

    def one(self, access: Access, asked: Asked) -> Told:
        who = actor(self._parts, access)
        name, _, page = asked.path.removeprefix(f"{self.path}/").partition("/")
        methods = self.about_one.get(page)
        found = self.find(name) if methods else None
        if methods is None or found is None:
            raise Refused("not_found", self.unknown, status=404, reason="nothing, or no page, of this name")
        method = "GET" if asked.method == "HEAD" else asked.method
        if method not in methods:
            raise of_status(405, asked.method, asked.path, {"Allow": ", ".join(sorted(methods))})
        return methods[method](asked, found, who)

    @abstractmethod
    def find(self, name: str) -> R | None:
        """The one of an address."""

    @abstractmethod
    def list(self, asked: Asked) -> Told:
        """A page of all."""

    @abstractmethod
    def create(self, asked: Asked, who: str) -> Told:
        """One more."""

"""Documents and queues of the companion as pages to look at, under the rights of whoever looks. Changes nothing.

Leaves every rule to the companion, and asking it to idp.http.companion.
"""

import json
from collections.abc import Mapping
from typing import Any
from urllib.parse import quote

from flask import Blueprint, make_response, redirect, request
from werkzeug.wrappers import Response

from idp.base.errors import Refused
from idp.domain.user import User
from idp.http.companion import Companion
from idp.http.forms import Problem
from idp.http.own_pages import signed_in
from idp.http.parts import parts
from idp.http.render import page, sentence

bp = Blueprint("data", __name__)

PATH = "/data"
SHOWN = 25
LONGEST = 2000
PREVIEW = 120
EXAMPLE = '{"stars": {"$gte": 3}}'
# What the person asked for cannot be had: said on the page. Everything else is a page of its own.
_ON_PAGE = (400, 403, 404)


@bp.get(PATH)
def everything() -> Response:
    """Also the way to one collection or queue by its name: not everything that may be read can be listed."""
    for kind in ("collection", "queue"):
        if name := request.args.get(kind, "").strip()[:LONGEST]:
            return redirect(f"{PATH}/{kind}s/{_in_path(name)}", 303)
    companion, _ = _for_this(PATH)
    found = companion.ask("collections.list", {})["collections"]
    queues = companion.ask("queues.list", {})["queues"]
    return make_response(page("data.html", collections=found, queues=queues))


@bp.get(f"{PATH}/collections/<name>")
def collection(name: str) -> Response:
    companion, who = _for_this(f"{PATH}/collections/{_in_path(name)}")
    typed, cursor = request.args.get("filter", "").strip()[:LONGEST], request.args.get("cursor", "")[:LONGEST]
    found: Mapping[str, Any] = {"documents": [], "cursor": None}
    problem = None
    try:
        asked = {"collection": name, "filter": _filter(typed), "limit": SHOWN, "sort": {"_id": -1}}
        found = companion.ask("documents.query", asked | ({"cursor": cursor} if cursor else {}))
    except Refused as refused:
        problem = _on_page(refused)
    lines = [(document, _preview(document["data"])) for document in found["documents"]]
    next_ = found["cursor"]
    shown = {"lines": lines, "next": next_, "typed": typed, "problem": problem, "example": EXAMPLE, "who": who}
    html = page("data_collection.html", name=name, **shown)
    return make_response(html, 200 if problem is None else 400)


@bp.get(f"{PATH}/collections/<name>/<id>")
def document(name: str, id: str) -> Response:
    companion, who = _for_this(f"{PATH}/collections/{_in_path(name)}")
    named = {"collection": name, "id": id}
    shown = companion.ask("documents.get", named)
    versions = companion.ask("documents.history", named)["versions"]
    try:
        acl = companion.ask("documents.get_acl", named)["acl"]
    except Refused as refused:
        if refused.status != 403:
            raise
        acl = "hidden"
    text = _pretty(shown["data"])
    html = page("data_document.html", name=name, shown=shown, text=text, versions=versions, acl=acl, who=who)
    return make_response(html)


@bp.get(f"{PATH}/queues/<name>")
def queue(name: str) -> Response:
    companion, who = _for_this(f"{PATH}/queues/{_in_path(name)}")
    dead = request.args.get("dead") == "1"
    counts = companion.ask("queues.get", {"name": name})
    messages, problem = [], None
    try:
        found = companion.ask("queues.inspect", {"name": name, "dead": dead, "limit": SHOWN})["messages"]
        messages = [(message, _preview(message["body"])) for message in found]
    except Refused as refused:
        problem = _on_page(refused)
    html = page("data_queue.html", name=name, counts=counts, messages=messages, dead=dead, problem=problem, who=who)
    return make_response(html)


def _for_this(path: str) -> tuple[Companion, "Who"]:
    session, user = signed_in(path)
    return Companion(session, user), Who(user)


class Who:
    """Names for callers as the companion tells them (`user:ID`, `client:ID`, `ID`): administrators know the names of all
    people, everybody else only their own."""

    def __init__(self, viewer: User) -> None:
        self._viewer = viewer
        self._known = {viewer.id: viewer.username}

    def __call__(self, caller: str) -> str:
        kind, _, id = caller.rpartition(":")
        if kind not in ("", "user"):
            return caller
        if id not in self._known and self._viewer.is_administrator:
            found = parts().users.get(id)
            self._known[id] = found.username if found else id
        return self._known.get(id, caller)


def _filter(typed: str) -> Any:
    try:
        return json.loads(typed) if typed else {}
    except (ValueError, RecursionError):
        raise Refused("malformed_filter", "The filter is not JSON.") from None


def _on_page(refused: Refused) -> Problem:
    if refused.status not in _ON_PAGE:
        raise refused
    trace = parts().traces.keep("data", refused)
    return Problem(refused.code, sentence(refused), trace, refused.status, refused.headers)


def _preview(value: object) -> str:
    text = json.dumps(value, ensure_ascii=False)
    return text if len(text) <= PREVIEW else text[: PREVIEW - 1] + "…"


def _pretty(value: object) -> str:
    return json.dumps(value, ensure_ascii=False, indent=2)


def _in_path(name: str) -> str:
    return quote(name, safe="")

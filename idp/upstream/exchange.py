"""Owns talking to an upstream within one time budget: all requests of one departure or arrival share it.

Leaves connections, size limit and address guard to idp.base.net, and what the answers mean to the kinds.
"""

import json
import time
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from idp.base.net import Answer, NetPolicy, Unreachable, fetch
from idp.upstream.refusals import answer_invalid, said, unreachable


class Exchange:
    """Requests that together end after policy.timeout seconds."""

    def __init__(self, policy: NetPolicy) -> None:
        self._policy = policy
        self._until = time.monotonic() + policy.timeout

    def send(
        self, method: str, url: str, *, headers: Mapping[str, str] | None = None, body: bytes | None = None
    ) -> Answer:
        """Raises Refused(upstream_unreachable), for answers of status 5xx too."""
        left = self._until - time.monotonic()
        if left <= 0:
            raise unreachable(f"no time left: everything together took {self._policy.timeout:g} s")
        try:
            answer = fetch(method, url, replace(self._policy, timeout=left), headers=headers, body=body)
        except Unreachable as error:
            raise unreachable(str(error)) from None
        if answer.status >= 500:
            raise unreachable(f"{method} {_place(url)} answered {answer.status}")
        return answer

    def get_json(self, url: str, *, headers: Mapping[str, str] | None = None) -> dict[str, Any]:
        """The JSON object at `url`. Raises Refused(upstream_unreachable | upstream_answer_invalid)."""
        return json_object(self._get(url, headers).body, _place(url))

    def get_list(self, url: str, *, headers: Mapping[str, str], none_if: tuple[int, ...] = ()) -> list[Any]:
        """The JSON array at `url`, empty for a status of none_if. Raises like get_json."""
        answer = self._get(url, headers, none_if)
        found = [] if answer.status in none_if else _json(answer.body)
        if not isinstance(found, list):
            raise answer_invalid(f"{_place(url)} did not answer with a JSON array")
        return found

    def _get(self, url: str, headers: Mapping[str, str] | None, besides: tuple[int, ...] = ()) -> Answer:
        answer = self.send("GET", url, headers={"Accept": "application/json", **(headers or {})})
        if answer.status not in (200, *besides):
            raise answer_invalid(f"GET {_place(url)} answered {answer.status}")
        return answer


def json_object(body: bytes, where: str) -> dict[str, Any]:
    """Raises Refused(upstream_answer_invalid)."""
    found = _json(body)
    if not isinstance(found, dict):
        raise answer_invalid(f"{where} did not answer with a JSON object")
    return found


def _json(body: bytes) -> object:
    try:
        return json.loads(body)
    except (ValueError, RecursionError):
        return None


def _place(url: str) -> str:
    return said(url.partition("?")[0])

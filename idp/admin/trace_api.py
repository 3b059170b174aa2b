"""/admin/api/traces: why sign-ins ended as they did, as JSON, and deciding one once more. Changes nothing.

Leaves who may to access, what is kept to idp.services.tell_why, and the decision to replay_sign_in.
"""

from typing import Any

from idp.admin.access import actor
from idp.admin.json_requests import MOST, USUAL, body_of, query_of, whole_of
from idp.admin.json_resource import Guard
from idp.base.errors import Refused
from idp.domain.decision import Outcome, SignInRecord
from idp.http.machine import Asked, Endpoint, Told, told_json
from idp.http.parts import Parts
from idp.http.refusals import of_status
from idp.services import tell_why
from idp.services.check_token import Access
from idp.services.explain_sign_in import Names, facts_of
from idp.services.replay_sign_in import Replays
from idp.upstream.edited_rules import MAX_TEXT, edited

PATH = "/admin/api/traces"
OUTCOMES: tuple[Outcome, ...] = ("signed_in", "refused", "denied", "linked")
MAX_RULES = 100


class TraceApi:
    def __init__(self, parts: Parts) -> None:
        self._parts = parts
        self._names = Names(parts.users.get, parts.upstreams.get)

    def endpoints(self, guard: Guard) -> list[Endpoint]:
        one = Endpoint(f"{PATH}/", frozenset({"GET", "POST"}), guard(self.one))
        return [Endpoint(PATH, frozenset({"GET"}), guard(self.many)), one]

    def many(self, access: Access, asked: Asked) -> Told:
        """The newest sign-ins. user: only those of this user (id or name); outcome: only those that ended so."""
        actor(self._parts, access)
        given = query_of(asked, "user", "outcome", "limit")
        limit, outcome = whole_of(given.get("limit", str(USUAL)), "limit", 1, MOST), given.get("outcome", "")
        wanted = next((one for one in OUTCOMES if one == outcome), None)
        if outcome and wanted is None:
            raise Refused("invalid_request", f"outcome is one of {', '.join(OUTCOMES)}.")
        found = self._of_user(given["user"], wanted) if "user" in given else None
        if found is None:
            found = self._parts.records.newest(limit, outcome=wanted)
        return told_json({"traces": [facts_of(one, self._names) for one in found[:limit]]})

    def one(self, access: Access, asked: Asked) -> Told:
        actor(self._parts, access)
        code, _, page = asked.path.removeprefix(f"{PATH}/").partition("/")
        parts, method = self._parts, "GET" if asked.method == "HEAD" else asked.method
        kept = tell_why.find(code, parts.traces, parts.records, parts.saml_messages)
        if kept is None or page not in ("", "replay"):
            raise Refused("not_found", "There is no such code (any more).", status=404, reason="no trace of this code")
        due = "POST" if page else "GET"
        if method != due:
            raise of_status(405, asked.method, asked.path, {"Allow": due})
        if page:
            return told_json(self._replayed(kept.record, body_of(asked)))
        query_of(asked)
        return told_json(tell_why.document(kept, self._names))

    def _of_user(self, name: str, outcome: Outcome | None) -> list[SignInRecord]:
        user = self._parts.users.get(name) or self._parts.users.by_login(name)
        if user is None:
            raise Refused("unknown_user", "There is no such user.", status=404)
        found = self._parts.records.of_user(user.id, MOST)
        return [one for one in found if outcome in (None, one.outcome)]

    def _replayed(self, record: SignInRecord | None, body: dict[str, Any]) -> dict[str, Any]:
        """{"rules": {setting: value}} or {}. Raises Refused(no_replay | unknown_setting | invalid_setting)."""
        replays, given = replays_of(self._parts), _rules_of(body)
        tried = edited(*replays.rules(record), given) if given else None
        sides = replays.compare(record, tried)
        return {name: {**side.plainly(), "user": self._name(side.user_id)} for name, side in sides.items()}

    def _name(self, user_id: str) -> str | None:
        return self._names.of_user(user_id) if user_id else None


def replays_of(parts: Parts) -> Replays:
    roles = parts.settings.linking.never_auto_link_roles
    return Replays(parts.links, parts.invitations, parts.upstreams, parts.apps, roles)


def _rules_of(body: dict[str, Any]) -> dict[str, str]:
    """As texts, like on the command line: they only try something out."""
    rules = body.get("rules", {})
    if set(body) - {"rules"} or not isinstance(rules, dict) or len(rules) > MAX_RULES:
        raise Refused("invalid_request", "The body is {} or has the one member rules, an object.")
    if not all(isinstance(value, str) and len(value) <= MAX_TEXT for value in rules.values()):
        raise Refused("invalid_request", "rules: each value is a string, as on the command line.")
    return rules

"""A kept sign-in decided once more, by the rules of today or by edited ones, with the people of today. Changes nothing.

Leaves the decision to idp.domain.linking and mapping, who is known to link_login, and reading edited rules to idp.upstream.
"""

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from typing import Any

from idp.base.errors import Refused
from idp.domain.decision import MAX_FACT, SEPARATOR, Note, SignInRecord
from idp.domain.replay import Replay, replayed, restored
from idp.domain.upstream import UpstreamIdentity, UpstreamProvider
from idp.services.invitations import Invitations
from idp.services.link_login import LinkLogin
from idp.services.manage_apps import Apps
from idp.services.manage_upstreams import Upstreams

Rules = tuple[UpstreamProvider, Collection[str]]  # of the upstream, and the roles that are never joined by themselves
NOT_ACCEPTED = "way_not_accepted"  # the app does not take this upstream: decided before all rules


@dataclass(frozen=True, slots=True)
class Side:
    """One column of the comparison; empty texts where nothing is known. rule, action: as in Ruling; user_id: whom it is about."""

    rule: str = ""
    action: str = ""
    reason: str = ""
    user_id: str = ""
    email: str = ""
    vouched: bool | None = None
    displaced: str = ""
    roles: tuple[str, ...] | None = None
    groups: tuple[str, ...] | None = None
    claims: Mapping[str, Any] | None = field(default=None)

    def plainly(self) -> dict[str, Any]:
        return {
            "rule": self.rule or None,
            "action": self.action or None,
            "reason": self.reason or None,
            "user_id": self.user_id or None,
            "email": self.email or None,
            "email_vouched": self.vouched,
            "displaced": self.displaced or None,
            "roles": None if self.roles is None else list(self.roles),
            "groups": None if self.groups is None else list(self.groups),
            "claims": None if self.claims is None else dict(self.claims),
        }


def is_replayable(record: SignInRecord) -> bool:
    """Did an upstream say who it is, for a sign-in? Linking from the account page asks none of these rules."""
    linking = any(note.step == "asked" and note.result == "link" for note in record.notes)
    return bool(record.identity.get("subject")) and not linking


def then(record: SignInRecord) -> Side:
    """As it stands in the notes. The rule that let a login wait for its owner, when it had waited; else the last one."""
    rules = [note for note in record.notes if note.step == "rule"]
    waited = next((note for note in rules if note.facts.get("action") == "ask_owner"), None)
    rule = waited if waited is not None and record.outcome != "refused" else rules[-1] if rules else None
    mapping = next((note for note in reversed(record.notes) if note.step == "mapping"), None)
    candidates = next((note for note in reversed(record.notes) if note.step == "candidates"), None)
    facts: Mapping[str, str] = rule.facts if rule is not None else {}
    early = NOT_ACCEPTED if record.reason == NOT_ACCEPTED else ""
    return Side(
        rule=early or (rule.result if rule is not None else ""),
        action="refuse" if early else facts.get("action", ""),
        reason=record.reason,
        user_id=facts.get("user", "") or (record.user_id or ""),
        email=str(record.identity.get("email") or ""),
        vouched=_yes(candidates.facts.get("vouched") if candidates is not None else None),
        displaced=facts.get("displaced", ""),
        roles=_listed(mapping, "roles"),
        groups=_listed(mapping, "groups"),
    )


class Replays:
    """never_auto_link: the roles of the settings."""

    def __init__(
        self,
        links: LinkLogin,
        invitations: Invitations,
        upstreams: Upstreams,
        apps: Apps,
        never_auto_link: Collection[str],
    ) -> None:
        self._links = links
        self._invitations = invitations
        self._upstreams = upstreams
        self._apps = apps
        self._never_auto_link = never_auto_link

    def rules(self, record: SignInRecord | None) -> Rules:
        """Those of today. Raises Refused(no_replay): there is nothing to decide, or the upstream is gone."""
        provider = self._upstreams.get(record.provider_id) if record is not None and record.provider_id else None
        if record is None or provider is None or not is_replayable(record):
            raise _no_replay()
        return provider, self._never_auto_link

    def compare(self, record: SignInRecord | None, tried: Rules | None = None) -> dict[str, Side]:
        """`then`, `now` and, when rules are tried, `edited`. Raises Refused(no_replay)."""
        present = self.rules(record)
        identity = restored(record.identity) if record is not None else None
        if record is None or identity is None or identity.provider_id != present[0].id:
            raise _no_replay()
        found = {"then": then(record), "now": self._side(record, identity, present)}
        return found if tried is None else {**found, "edited": self._side(record, identity, tried)}

    def _side(self, record: SignInRecord, identity: UpstreamIdentity, rules: Rules) -> Side:
        provider, never_auto_link = rules
        ways = self._accepted_by(record)
        if ways is not None and provider.id not in ways:
            return Side(rule=NOT_ACCEPTED, action="refuse", reason=NOT_ACCEPTED, email=identity.email or "")
        known = self._links.known(identity, self._invitations.live(record.invitation))
        return _side(
            replayed(identity, provider, known, owner_id=record.owner_id, never_auto_link=never_auto_link), identity
        )

    def _accepted_by(self, record: SignInRecord) -> Collection[str] | None:
        """The ways in that the app accepts today; None for all, and when it is gone."""
        find = self._apps.service_provider if record.front_door == "saml" else self._apps.client
        app = find(record.app_id) if record.app_id else None
        return app.upstreams if app is not None else None


def _no_replay() -> Refused:
    return Refused(
        "no_replay",
        "There is nothing to decide once more: no upstream said who it was, or the upstream is gone.",
        status=409,
    )


def _side(found: Replay, identity: UpstreamIdentity) -> Side:
    ruling, refused = found.ruling, found.ruling.action == "refuse"
    return Side(
        rule=ruling.rule,
        action=ruling.action,
        reason=ruling.code,
        user_id=ruling.user.id if ruling.user is not None else "",
        email=identity.email or "",
        vouched=found.vouched,
        displaced=ruling.displaced.id if ruling.displaced is not None else "",
        roles=() if refused else found.given.roles,
        groups=() if refused else found.given.groups,
        claims={} if refused else found.given.claims,
    )


def _listed(note: Note | None, name: str) -> tuple[str, ...] | None:
    """None where it is not known: the note does not say, or had no room for all of them."""
    text = note.facts.get(name) if note is not None else None
    if text is None or len(text) >= MAX_FACT:
        return None
    return tuple(text.split(SEPARATOR)) if text else ()


def _yes(text: str | None) -> bool | None:
    return None if text is None else text == "yes"

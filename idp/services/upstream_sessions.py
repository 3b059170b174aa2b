"""Which session of ours hangs on whose session at an upstream, under which name: what upstream logout needs.

Leaves the messages to the doors, and ending sessions to sessions.
"""

from collections.abc import Mapping

from idp.base import ids
from idp.base.clock import Clock
from idp.domain.saml import UpstreamSession
from idp.domain.session import Session
from idp.ports import Duplicate, Repository
from idp.saml import names
from idp.services.participants import REMEMBER_SECONDS

MANY = 1_000


class UpstreamSessions:
    def __init__(self, repo: Repository, clock: Clock) -> None:
        self._repo = repo
        self._clock = clock

    def keep(self, session: Session, provider_id: str, facts: Mapping[str, str]) -> None:
        """The session was made or stepped up by a sign-in at this upstream. facts: UpstreamIdentity.logout; empty: it knows
        no logout. The newest sign-in counts."""
        if not facts.get("value"):
            return
        key = _name_key(provider_id, facts.get("Format", ""), facts["value"])
        ends = session.expires_at + REMEMBER_SECONDS
        index = _index_key(provider_id, facts.get("Format", ""), facts.get("session_index", ""))
        made = UpstreamSession(session.sid, provider_id, key, dict(facts), self._clock(), ends, index)
        while True:
            try:
                self._repo.insert(made)
                return
            except Duplicate:
                self._repo.delete(UpstreamSession, session.sid)

    def named(self, provider_id: str, name_id: Mapping[str, str], indexes: tuple[str, ...]) -> list[UpstreamSession]:
        """What this upstream means by that NameID and these SessionIndexes (none: all of that name)."""
        said = name_id.get("Format", "")
        formats = {said, *(("", *names.NAME_ID_FORMATS) if said in ("", names.UNSPECIFIED) else ("",))}
        keys = [_name_key(provider_id, format, name_id.get("value", "")) for format in sorted(formats)]
        found = [one for key in keys for one in self._repo.find(UpstreamSession, limit=MANY, name_key=key)]
        if not indexes:
            return found
        # One that gave no index when it signed the person in cannot mean another session by one.
        return [one for one in found if one.facts.get("session_index", "") in ("", *indexes)]

    def of_index(self, provider_id: str, format: str, index: str) -> list[UpstreamSession]:
        """What this upstream means by a session index alone (OpenID Connect: `sid`)."""
        key = _index_key(provider_id, format, index)
        return self._repo.find(UpstreamSession, limit=MANY, index_key=key) if key is not None else []


def _index_key(provider_id: str, format: str, index: str) -> str | None:
    return (
        ids.digest(f"upstream index|{len(provider_id)}:{provider_id}|{len(format)}:{format}|{index}") if index else None
    )


def _name_key(provider_id: str, format: str, value: str) -> str:
    return ids.digest(f"upstream name|{len(provider_id)}:{provider_id}|{len(format)}:{format}|{value}")

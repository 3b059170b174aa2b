"""Which SAML parties of a session are told of its end in the back channel, and what the note to each of them says.

The notes stand beside those of OpenID Connect and are handed over by the same queue (deliver_logout). Leaves telling the
others, through the browser, to logout_runs, and the message itself to the doors.
"""

from dataclasses import dataclass

from idp.base import ids
from idp.base.clock import Clock
from idp.domain.grant import LogoutDelivery
from idp.domain.saml import SamlParticipant, UpstreamSession
from idp.domain.session import Session
from idp.ports import Repository
from idp.services.participants import Participants
from idp.services.reach import FindReach, Reach

NAMES_EACH = 10  # one who gets a fresh name at each sign-in may have many; the newest count
KEEP_TRYING_SECONDS = 86_400.0


@dataclass(frozen=True, slots=True)
class Party:
    """A service provider of a session, or the identity provider that it came from. names: the NameIDs it knows, the newest
    first, at least one, each with its session_index."""

    id: str
    names: tuple[SamlParticipant, ...]
    reach: Reach
    upstream: UpstreamSession | None = None

    @property
    def peer(self) -> str:
        return f"{'sp' if self.upstream is None else 'upstream'}:{self.id}"

    def facts(self) -> tuple[dict[str, str], ...]:
        """What a LogoutRequest must say, for each name."""
        if self.upstream is not None:
            return (dict(self.upstream.facts),)
        return tuple({**one.name_id, "session_index": one.session_index} for one in self.names)


class SamlNotes:
    """sp, upstream: how a service provider and an identity provider can be told."""

    def __init__(
        self, repo: Repository, clock: Clock, participants: Participants, sp: FindReach, upstream: FindReach
    ) -> None:
        self._repo = repo
        self._clock = clock
        self._participants = participants
        self._sp = sp
        self._upstream = upstream

    def parties(self, sid: str, *, besides: str = "") -> list[Party]:
        """Those that are still registered, in the order in which they joined, and last of all the identity provider: that
        one may not let the browser go again. besides: the peer that began the logout and knows of it."""
        of_each: dict[str, list[SamlParticipant]] = {}
        for one in reversed(self._participants.of(sid)):
            of_each.setdefault(one.sp_id, []).insert(0, one)
        found = [
            Party(sp_id, tuple(named[:NAMES_EACH]), reach)
            for sp_id, named in of_each.items()
            if f"sp:{sp_id}" != besides and (reach := self._sp(sp_id)) is not None
        ]
        source = self._repo.get(UpstreamSession, sid)
        if source is not None and f"upstream:{source.provider_id}" != besides:
            reach = self._upstream(source.provider_id)
            if reach is not None:
                found.append(Party(source.provider_id, (), reach, source))
        return found

    def joined(self, sid: str) -> frozenset[str]:
        return frozenset(one.id for one in self._participants.of(sid))

    def deliveries(self, session: Session, *, besides: str, here: bool) -> list[LogoutDelivery]:
        """The notes, not stored yet. here: a browser run follows; then the identity provider, which has browsers of its own
        to tell, is asked by that."""
        now = self._clock()
        made = []
        for party in self.parties(session.sid, besides=besides):
            if not party.reach.soap or (party.upstream is not None and here and party.reach.browser):
                continue
            for facts in party.facts():
                made.append(
                    LogoutDelivery(
                        id=delivery_id(session.sid, party, facts),
                        client_id=party.id,
                        uri=party.reach.soap,
                        user_id=session.user_id,
                        sid=session.sid,
                        subject="",
                        created_at=now,
                        next_at=now,
                        expires_at=now + KEEP_TRYING_SECONDS,
                        protocol="saml" if party.upstream is None else "upstream",
                        facts=facts,
                    )
                )
        return made


def delivery_id(sid: str, party: Party, facts: dict[str, str]) -> str:
    return ids.digest(f"saml {sid} {party.peer} {facts.get('Format', '')} {facts.get('value', '')}")

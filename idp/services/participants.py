"""Which service providers got an assertion in which session, and under which names: what single logout needs (SAML Core 3.7).

Leaves the messages to the SAML door, and telling them to saml_notes and logout_runs.
"""

from collections.abc import Mapping

from idp.base import ids
from idp.crypto.seal import Seal
from idp.domain.saml import SamlParticipant
from idp.domain.session import Session
from idp.ports import Repository
from idp.saml import names

MANY = 100_000  # of one session: an app that gets a fresh name at each sign-in must not push the others out
REMEMBER_SECONDS = 86_400.0  # after the session: who is late with a sign-out must not be told that nobody is known


class Participants:
    def __init__(self, repo: Repository, seal: Seal) -> None:
        self._repo = repo
        self._key = seal.derive("saml session index")

    def session_index(self, sp_id: str, sid: str) -> str:
        """As this service provider knows the session: two of them cannot compare theirs."""
        return f"_{ids.digest(f'{self._key.hex()}|{len(sp_id)}:{sp_id}|{sid}')[:40]}"

    def new(self, sp_id: str, session: Session, name_id: Mapping[str, str], now: float) -> SamlParticipant | None:
        """The record to be stored with the answer; None when it is there already. name_id: `value` and XML attributes."""
        name_key = self.name_key(sp_id, name_id.get("Format", ""), name_id.get("value", ""))
        # Who proves themselves anew keeps the sid, and the end moves on: that is another record.
        id = ids.digest(f"{name_key}|{session.sid}|{int(session.expires_at)}")
        if self._repo.get(SamlParticipant, id) is not None:
            return None
        index = self.session_index(sp_id, session.sid)
        ends = session.expires_at + REMEMBER_SECONDS
        return SamlParticipant(id, sp_id, session.sid, session.user_id, name_key, dict(name_id), index, now, ends)

    def name_key(self, sp_id: str, format: str, value: str) -> str:
        return ids.digest(f"saml name|{len(sp_id)}:{sp_id}|{len(format)}:{format}|{value}")

    def of(self, sid: str) -> list[SamlParticipant]:
        """Everybody who got an assertion in this session, each name once, the newest first."""
        found = sorted(self._repo.find(SamlParticipant, limit=MANY, sid=sid), key=lambda one: one.created_at)
        return sorted({one.name_key: one for one in found}.values(), key=lambda one: -one.created_at)

    def named(self, sp_id: str, name_id: Mapping[str, str]) -> list[SamlParticipant]:
        """Where this service provider knows somebody by that NameID, the newest first. Many leave out the format and the
        qualifiers that they got; what they say must fit."""
        said = name_id.get("Format", "")
        formats = (said,) if said not in ("", names.UNSPECIFIED) else ("", *names.NAME_ID_FORMATS)
        keys = [self.name_key(sp_id, format, name_id.get("value", "")) for format in formats]
        found = [one for key in keys for one in self._repo.find(SamlParticipant, limit=MANY, name_key=key)]
        return sorted((one for one in found if _fits(one, name_id)), key=lambda one: -one.created_at)


def _fits(participant: SamlParticipant, name_id: Mapping[str, str]) -> bool:
    qualifiers = ("NameQualifier", "SPNameQualifier")
    given = ((name, name_id.get(name, "")) for name in qualifiers)
    return all(not value or value == participant.name_id.get(name, value) for name, value in given)

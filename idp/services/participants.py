"""Which service providers got an assertion in which session, and under which names: what single logout needs (SAML Core 3.7).

Leaves the messages to the SAML door.
"""

from collections.abc import Mapping

from idp.base import ids
from idp.crypto.seal import Seal
from idp.domain.saml import SamlParticipant
from idp.domain.session import Session
from idp.ports import Repository


class Participants:
    def __init__(self, repo: Repository, seal: Seal) -> None:
        self._repo = repo
        self._key = seal.derive("saml session index")

    def session_index(self, sp_id: str, sid: str) -> str:
        """As this service provider knows the session: two of them cannot compare theirs."""
        return f"_{ids.digest(f'{self._key.hex()}|{len(sp_id)}:{sp_id}|{sid}')[:40]}"

    def new(self, sp_id: str, session: Session, name_id: Mapping[str, str], now: float) -> SamlParticipant | None:
        """The record to be stored with the answer; None when it is there already. name_id: `value` and XML attributes."""
        name_key = self.name_key(sp_id, name_id)
        id = ids.digest(f"{name_key}|{session.sid}")
        if self._repo.get(SamlParticipant, id) is not None:
            return None
        index = self.session_index(sp_id, session.sid)
        return SamlParticipant(
            id, sp_id, session.sid, session.user_id, name_key, dict(name_id), index, now, session.expires_at
        )

    def name_key(self, sp_id: str, name_id: Mapping[str, str]) -> str:
        format, value = name_id.get("Format", ""), name_id.get("value", "")
        return ids.digest(f"saml name|{len(sp_id)}:{sp_id}|{len(format)}:{format}|{value}")

"""A user, a session, a request, and answers to it, as the door makes them, for the tests of `outbound`."""

from dataclasses import dataclass, replace
from typing import Any

import pytest
from lxml import etree

from idp.domain.relying import ServiceProvider
from idp.domain.session import Session
from idp.domain.user import User
from idp.protocols.saml import outbound
from idp.protocols.saml.entity import Entity, OurKey
from idp.protocols.saml.errors import SamlStatus
from idp.protocols.saml.name_id import name_id_for
from idp.protocols.saml.request import AuthnRequest
from idp.saml.sp_metadata import read, service_provider_from_metadata
from idp.services.sp_settings import with_settings
from tests.saml.peer import NS, Sp, one, pair
from tests.support.clock import START

NOW = START + 0.75
ENTITY = Entity("https://idp.example/saml/metadata", "https://idp.example")
USER = User(
    "user_1",
    "ada",
    "ada",
    "ada@example.org",
    "ada@example.org",
    True,
    "Ada <Lovelace> & Zoë",
    START,
    roles=("staff", "x"),
)
SESSION = Session("d", "sid_1", USER.id, START - 3600, START + 7200, START, START - 60, ("pwd",))
STRONG = replace(SESSION, amr=("pwd", "otp"), factor_at=START - 50)
PEER = Sp(encryption=pair("rsa-2048", 5))
ASKED = AuthnRequest("_request", PEER.entity_id, PEER.acs[0], "state")


@dataclass
class Issuer:
    """Answers as the door does; `sp` with settings of its own."""

    repo: Any
    kind: str = "rsa-2048"

    def issue(
        self,
        asked: AuthnRequest = ASKED,
        user: User = USER,
        session: Session = SESSION,
        peer: Sp = PEER,
        **settings: str,
    ) -> bytes:
        sp = with_settings(service_provider_from_metadata(peer.metadata(), START), settings)
        return self.issue_for(sp, asked, user, session)

    def issue_for(
        self, sp: ServiceProvider, asked: AuthnRequest = ASKED, user: User = USER, session: Session = SESSION
    ) -> bytes:
        view = read(sp.metadata.encode())
        name_id = name_id_for(self.repo, asked, sp, view, user, ENTITY.entity_id, NOW)
        subject = outbound.Subject(user, session, "_index")
        return outbound.assertion_response(self.issuing, asked, sp, view, subject, name_id).document

    @property
    def issuing(self) -> outbound.Issuing:
        key = pair(self.kind)
        return outbound.Issuing(ENTITY, OurKey("kid", key.private, key.certificate), NOW, 300)

    def name_id(self, asked: AuthnRequest = ASKED, **how: Any) -> Any:
        return one(etree.fromstring(self.issue(asked, **how)), "//saml:Subject/saml:NameID")

    def status(self, asked: AuthnRequest = ASKED, **how: Any) -> str:
        with pytest.raises(SamlStatus) as caught:
            self.issue(asked, **how)
        return caught.value.second


def attributes(document: bytes) -> dict[str, list[str]]:
    root = etree.fromstring(document)
    return {a.get("Name"): [v.text for v in a] for a in root.iter(f"{{{NS['saml']}}}Attribute")}

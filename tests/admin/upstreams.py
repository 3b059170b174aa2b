"""Owns upstreams of the tests of administrators' pages: connected as an administrator would, tested, found again."""

from idp.domain.audit_event import AuditEvent
from idp.domain.session import Session
from idp.domain.upstream import FederatedLogin, UpstreamHealth, UpstreamProvider, UpstreamTest
from idp.domain.user import User
from idp.services.upstream_tests import fingerprint
from idp.upstream.parse import new_upstream
from idp.upstream.registry import secret_fields
from tests.web.house import Browser, House, Seen

LIST = "/admin/upstreams"
SECRET = "TOPSECRET-3141"
KEPT = (User, FederatedLogin, Session, UpstreamHealth)
GIVEN = {"issuer": "https://login.corp.example", "client_id": "sheaf", "client_secret": SECRET}


def connect(browser: Browser, preset: str = "openid-connect", **fields: str) -> Seen:
    return browser.open(f"{LIST}/new/{preset}").submit(f"/new/{preset}", **(fields or {**GIVEN, "id": "corp"}))


def stored(house: House, provider_id: str = "corp") -> UpstreamProvider:
    found = house.parts.upstreams.get(provider_id)
    assert found is not None
    return found


def as_tested(house: House, provider_id: str = "corp") -> None:
    house.parts.repo.insert(UpstreamTest(provider_id, fingerprint(stored(house, provider_id)), house.clock(), "test"))


def events(house: House, name: str) -> list[AuditEvent]:
    return house.parts.repo.find(AuditEvent, name=name)


def add(house: House, kind: str, **given: str) -> UpstreamProvider:
    made = new_upstream(kind, "corp", given, house.clock())
    return house.parts.upstreams.add(made, secrets=secret_fields(kind), actor="test")


def counts(house: House) -> dict[str, int]:
    return {kind.__name__: len(house.parts.repo.find(kind)) for kind in KEPT}

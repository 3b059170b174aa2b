"""Owns an issuer of assertions, an app that uses them, and a person who has linked a login there, for tests (RFC 7523)."""

import secrets
from dataclasses import dataclass
from typing import Any

from werkzeug.test import TestResponse

from idp.domain.upstream import FederatedLogin, UpstreamProvider
from idp.domain.user import User
from tests.oidc.house import ISSUER, App, House
from tests.upstream.openid_double import MISSING, OpenIdDouble

GRANT = "urn:ietf:params:oauth:grant-type:jwt-bearer"


@dataclass
class Scene:
    """A house that trusts an issuer, an app that uses its assertions, and Ada, who has linked her login there."""

    house: House
    issuer: OpenIdDouble
    app: App
    ada: User

    def assertion(self, **changes: Any) -> str:
        now = int(self.house.clock())
        said = {
            "iss": self.issuer.issuer,
            "sub": "ada-there",
            "aud": ISSUER,
            "exp": now + 60,
            "iat": now,
            "jti": secrets.token_hex(8),
            **changes,
        }
        return self.issuer.sign({name: value for name, value in said.items() if value is not MISSING})

    def ask(self, assertion: str | None = None, app: App | None = None, **form: str) -> TestResponse:
        token = self.assertion() if assertion is None else assertion
        return self.house.token(app or self.app, grant_type=GRANT, assertion=token, **form)

    def refused(self, assertion: str | None = None, *, error: str = "invalid_grant", **form: str) -> str:
        """Gives the reason that stands in the log."""
        body = self.house.refused(self.ask(assertion, **form), 400, error)
        trace = self.house.parts.traces.explain(body["trace"])
        assert trace is not None
        return trace.reason

    def link(self, user: User, subject: str, provider: str = "corp") -> None:
        id = f"fed-{user.username}-{subject}-{provider}"
        login = FederatedLogin(id, user.id, provider, self.issuer.issuer, subject, self.house.clock())
        self.house.parts.repo.insert(login)


def provider(house: House, issuer: str, id: str = "corp", **more: Any) -> UpstreamProvider:
    settings = {"issuer": issuer, "client_id": "sheaf", "client_secret": "s", **more.pop("settings", {})}
    one = UpstreamProvider(id, "oidc", id.title(), house.clock(), settings=settings, **more)
    return house.parts.upstreams.add(one, secrets=("client_secret",), actor="test")


def furnished(house: House, issuer: OpenIdDouble) -> Scene:
    app = house.client("robot", grant_types=(GRANT,), redirect_uris=())
    scene = Scene(house, issuer, app, house.user("ada"))
    scene.link(scene.ada, "ada-there")
    return scene

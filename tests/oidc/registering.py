"""Owns asking for registrations: a house whose door for them is open, and requests as apps send them."""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any, cast
from urllib.parse import urlsplit

from werkzeug.test import TestResponse

from idp.app import create_app
from idp.base.config import Settings
from idp.base.sections import Registration
from idp.domain.relying import Client
from idp.storage.sqlite import SqliteRepository
from tests.oidc.house import CALLBACK, ISSUER, App, House
from tests.support.clock import FakeClock
from tests.support.quick import SEAL_KEY_TEXT, quick


class Office:
    """house: with the settings of registration as they are given."""

    def __init__(
        self, repo: SqliteRepository, clock: FakeClock, folder: Path, *, issuer: str = ISSUER, **registration: Any
    ) -> None:
        settings = Settings(
            issuer=issuer,
            data=str(folder / "data"),
            seal_key=SEAL_KEY_TEXT,
            registration=Registration(**{"mode": "open", **registration}),
        )
        self.house = House(quick(create_app(settings, repo=repo, clock=clock)), clock)
        self.parts = self.house.parts

    def initial(self, name: str = "team", uses: int | None = None) -> str:
        """An initial access token."""
        return self.parts.initial_tokens.add(name, uses=uses, seconds=3600, actor="test")[1].reveal()

    def ask(self, document: Any, token: str | None = None, **more: Any) -> TestResponse:
        """POST /register. document: bytes as they are, anything else as JSON."""
        body = document if isinstance(document, bytes) else json.dumps(document).encode()
        return self.house.app.test_client().post(
            "/register", data=body, content_type="application/json", headers=bearer(token), **more
        )

    def register(self, token: str | None = None, **metadata: Any) -> dict[str, Any]:
        """What the server says about a registration that it took."""
        answer = self.ask({"redirect_uris": [CALLBACK], **metadata}, token)
        assert answer.status_code == 201, answer.text
        assert answer.headers["Cache-Control"] == "no-store"
        return cast(dict[str, Any], answer.json)

    def manage(self, method: str, made: dict[str, Any], document: Any = None, token: str | None = "") -> TestResponse:
        """At the address that the server named, with the token that it gave (or another, or none)."""
        given = made["registration_access_token"] if token == "" else token
        path = urlsplit(made["registration_client_uri"]).path
        more = {"json": document} if document is not None else {}
        return self.house.app.test_client().open(path, method=method, headers=bearer(given), **more)  # type: ignore[arg-type]

    def stored(self, made: dict[str, Any]) -> Client:
        found = self.parts.apps.client(made["client_id"])
        assert found is not None
        return found

    def operator_sets(self, made: dict[str, Any], **fields: Any) -> Client:
        return self.parts.apps.change_client(replace(self.stored(made), **fields), actor="operator")

    def app(self, made: dict[str, Any]) -> App:
        return App(self.stored(made), made.get("client_secret", ""))


def bearer(token: str | None) -> dict[str, str]:
    return {} if token is None else {"Authorization": f"Bearer {token}"}


def again(made: dict[str, Any], **changes: Any) -> dict[str, Any]:
    """What an app sends to change its registration: what the server said, without what is the server's to say."""
    ours = ("registration_access_token", "registration_client_uri", "client_secret_expires_at", "client_id_issued_at")
    sent = {name: value for name, value in made.items() if name not in ours} | changes
    return {name: value for name, value in sent.items() if value is not ...}

"""Owns programs that talk to the administrators' JSON API: registered as such, with a token, sending JSON."""

import base64
from dataclasses import dataclass, replace
from typing import Any, cast

from flask import Flask
from werkzeug.test import TestResponse

from idp.base.claims import ADMIN_AUDIENCE, ADMIN_SCOPE
from idp.domain.relying import Client
from tests.web.house import House

API = "/admin/api/clients"
SP_API = "/admin/api/service-providers"
UPSTREAM_API = "/admin/api/upstreams"


@dataclass
class Program:
    """client: as it was registered. token: what it sends; scheme: how. api: which one it talks to."""

    app: Flask
    client: Client
    secret: str
    token: str = ""
    scheme: str = "Bearer"
    api: str = API

    def ask(self, method: str, path: str = "", body: Any = None, **more: Any) -> TestResponse:
        headers = {"Authorization": f"{self.scheme} {self.token}", **more.pop("headers", {})}
        json = {} if body is None else {"json": body}
        return self.app.test_client().open(f"{self.api}{path}", method=method, headers=headers, **json, **more)

    def done(self, method: str, path: str = "", body: Any = None, status: int = 200, **more: Any) -> dict[str, Any]:
        answer = self.ask(method, path, body, **more)
        assert answer.status_code == status, answer.text
        assert answer.headers["Cache-Control"] == "no-store"
        return cast(dict[str, Any], answer.json)

    def fresh_token(self, **form: str) -> str:
        return cast(str, self.token_answer(**form).json["access_token"])

    def token_answer(self, headers: dict[str, str] | None = None, **form: str) -> TestResponse:
        basic = base64.b64encode(f"{self.client.id}:{self.secret}".encode()).decode()
        sent = {"grant_type": "client_credentials", **form}
        return self.app.test_client().post(
            "/token", data=sent, headers={"Authorization": f"Basic {basic}", **(headers or {})}
        )


class Programs:
    def __init__(self, house: House) -> None:
        self.house = house

    def add(self, id: str = "deployer", *, token: bool = True, **fields: Any) -> Program:
        chosen = {
            "grant_types": ("client_credentials",),
            "scopes": (ADMIN_SCOPE,),
            "audiences": (ADMIN_AUDIENCE,),
            **fields,
        }
        client = Client(id, id.title(), self.house.clock(), **chosen)
        stored, secret = self.house.parts.apps.add_client(client, actor="test", with_secret=True)
        program = Program(self.house.app, stored, secret.reveal() if secret else "")
        program.token = program.fresh_token() if token else ""
        return program

    def change(self, program: Program, **fields: Any) -> None:
        """Past every check."""
        found = self.house.parts.apps.client(program.client.id)
        assert found is not None
        assert self.house.parts.repo.replace_if(replace(found, **fields)) is not None

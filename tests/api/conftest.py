"""Owns the companion under test: in process, on real files, judged by a real issuer."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from idp.api.app import create_app
from idp.base.config import Settings
from tests.api.issuer import CLIENT, Issuer
from tests.support.clock import FakeClock


@pytest.fixture
def issuer(clock: FakeClock) -> Iterator[Issuer]:
    issuer = Issuer()
    issuer.clock = clock
    yield issuer
    issuer.close()


@dataclass
class Companion:
    """`as_user` and `as_app` give tokens with all scopes; `call` sends a request with one."""

    client: FlaskClient
    issuer: Issuer
    clock: FakeClock

    def as_user(self, name: str = "ada", *, roles: list[str] | None = None, **changes: Any) -> str:
        return self.issuer.mint(**{"sub": f"usr_{name}", "roles": roles, **changes})

    def as_admin(self) -> str:
        return self.as_user("root", roles=["administrator"])

    def as_app(self, name: str = "app_worker") -> str:
        return self.issuer.mint(sub=name, client_id=name)

    def call(self, method: str, path: str, token: str | None, body: Any = None, **more: Any) -> TestResponse:
        headers = dict(more.pop("headers", {}))
        if token is not None:
            headers["Authorization"] = f"Bearer {token}"
        if body is not None:
            more["json"] = body
        return self.client.open(path, method=method, headers=headers, **more)

    def insert(self, token: str, data: dict[str, Any], **more: Any) -> str:
        self.clock.advance(0.01)  # ids sort by time of creation
        answer = self.call("POST", "/documents/notes", token, {"data": data, **more})
        assert answer.status_code == 201, answer.text
        return str(answer.json["id"])

    def find(self, token: str, filter: dict[str, Any] | None = None, **more: Any) -> list[dict[str, Any]]:
        answer = self.call("POST", "/documents/notes/query", token, {"filter": filter or {}, **more})
        assert answer.status_code == 200, answer.text
        return list(answer.json["documents"])


@pytest.fixture
def start(start_with: Callable[..., Companion]) -> Callable[..., Companion]:
    """Start companions with `api` settings of their own, laid over those that name the issuer."""
    return lambda **api: start_with(api=api)


@pytest.fixture
def start_with(tmp_path: Path, issuer: Issuer, clock: FakeClock) -> Iterator[Callable[..., Companion]]:
    """Start companions with settings of their own."""
    apps = []

    def start(api: dict[str, Any] | None = None, **more: Any) -> Companion:
        tree = {"data": str(tmp_path / "data"), "api": {"issuer": issuer.url, **(api or {})}, **more}
        settings = Settings.model_validate(tree)
        app = create_app(settings, clock)
        apps.append(app)
        return Companion(app.test_client(), issuer, clock)

    yield start
    for app in apps:
        app.extensions["sheaf"].close()


@pytest.fixture
def companion(start: Callable[..., Companion]) -> Companion:
    return start()


@pytest.fixture(scope="module")
def shared_companion(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Companion]:
    """One for all tests of a module that do not disturb each other. Without limits of requests: its clock hardly moves."""
    issuer, clock = Issuer(), FakeClock()
    issuer.clock = clock
    limits = dict.fromkeys(("limit_user", "limit_client", "limit_address"), 0)
    tree = {"data": str(tmp_path_factory.mktemp("companion")), "api": {"issuer": issuer.url, **limits}}
    app = create_app(Settings.model_validate(tree), clock)
    yield Companion(app.test_client(), issuer, clock)
    app.extensions["sheaf"].close()
    issuer.close()


@pytest.fixture
def asking_companion(start: Callable[..., Companion]) -> Companion:
    """A companion that introspects every token."""
    return start(introspection_client_id=CLIENT[0], introspection_client_secret=CLIENT[1])


def refusal(answer: TestResponse) -> tuple[int, str]:
    """Status and code of a problem document; checks that it is a whole one."""
    assert answer.mimetype == "application/problem+json", (answer.status, answer.text)
    problem = answer.json
    assert problem["status"] == answer.status_code
    assert problem["type"] == f"urn:sheaf:problem:{problem['code']}"
    assert len(problem["trace"]) == 8
    assert problem["title"]
    assert problem["detail"]
    return answer.status_code, problem["code"]

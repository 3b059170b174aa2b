"""Owns the companion without a transport: operations run with callers of our own making, on both stores."""

import secrets
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from idp.api.app import Api, open_api
from idp.api.caller import Caller
from idp.api.documents.keyring import fresh
from idp.api.narrowing import Narrowing
from idp.base import claims
from idp.base.config import Settings
from idp.base.errors import Refused
from tests.api.stores.conftest import ENGINES
from tests.support.clock import FakeClock
from tests.support.mongo import real_server


@dataclass
class Companion:
    """`run` gives the answer as JSON, `refused` status and code."""

    api: Api
    clock: FakeClock

    def run(self, caller: Caller, operation: str, **members: Any) -> dict[str, Any]:
        self.clock.advance(0.01)  # ids sort by time of creation
        return self.api.run(operation, caller, lambda: members).model_dump()

    def refused(self, caller: Caller, operation: str, **members: Any) -> tuple[int, str]:
        with pytest.raises(Refused) as found:
            self.run(caller, operation, **members)
        return found.value.status, found.value.code

    def outcome(self, caller: Caller, operation: str, **members: Any) -> dict[str, Any] | str:
        """The answer, or the code of the refusal."""
        try:
            return self.run(caller, operation, **members)
        except Refused as refused:
            return refused.code


def caller(name: str, *roles: str, narrowing: Narrowing | None = None, client: str = "app_notes") -> Caller:
    return Caller(f"usr_{name}", client, frozenset(claims.API_SCOPES), frozenset(roles), 4e9, "token", narrowing)


ADA, BOB, EVE, ROOT = caller("ada"), caller("bob"), caller("eve"), caller("root", "administrator")


def allow(kind: str, id: str, *rights: str) -> dict[str, Any]:
    return {"kind": kind, "id": id, "rights": list(rights)}


@pytest.fixture(scope="module", params=ENGINES)
def open_companion(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Callable[[], Companion]]:
    """Opens companions on one store: several are several nodes."""
    folder, clock = tmp_path_factory.mktemp("companion"), FakeClock()
    opened: list[Api] = []
    limits = {"limit_user": 0, "limit_client": 0, "limit_address": 0}
    store = _store(request.param, request, folder)
    api = {
        "issuer": "http://127.0.0.1:9",
        "store": store,
        "collection_makers": ["makers"],
        "keyring": fresh(),
        **limits,
    }

    def start() -> Companion:
        opened.append(open_api(Settings.model_validate({"data": str(folder), "api": api}), clock))
        return Companion(opened[-1], clock)

    yield start
    for started in opened:
        started.close()


@pytest.fixture(scope="module")
def companion(open_companion: Callable[[], Companion]) -> Companion:
    return open_companion()


@pytest.fixture
def notes() -> str:
    """A collection of this test alone."""
    return f"notes_{secrets.token_hex(4)}"


def _store(engine: str, request: pytest.FixtureRequest, folder: Path) -> str:
    if engine == "sqlite":
        return f"sqlite:{folder}/documents.db"
    uri = request.getfixturevalue("mongo_uri") if engine == "mongo" else real_server()
    if uri is None:
        pytest.skip("no IDP_TEST_MONGO_URI")
    return f"{uri}/api_{secrets.token_hex(4)}"

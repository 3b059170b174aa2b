"""Fixtures of these tests: the doors of several folders, each in this process and on the same store and clock.

`house` has people at browsers, `oidc_house` apps and tokens, `app` and `browser` upstreams with doubles, `way` a SAML one.
Applications in this process find their signing keys in the store.
`nodes` are nodes of the companion on both stores and both brokers, `talk` a client of them on each transport.
"""

import secrets
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from idp.api.documents.keyring import fresh
from tests.admin.conftest import program, programs  # noqa: F401  (fixtures)
from tests.api.transports.conftest import TRANSPORTS, Served, serve
from tests.oidc.conftest import house as oidc_house  # noqa: F401
from tests.oidc.conftest import house_with  # noqa: F401
from tests.upstream.conftest import (  # noqa: F401
    add_saml,
    add_upstream,
    app,
    browser,
    idp,
    live_corp,
    make_user,
    name_of,
    openid,
    refused_as,
    refused_for,
    services,
    set_settings,
    set_upstream,
    settings,
    way,
)
from tests.web.conftest import house, relaxed  # noqa: F401

ENGINES = ["embedded", pytest.param("mongodb and rabbitmq", marks=[pytest.mark.slow, pytest.mark.peer])]


@pytest.fixture
def new_store(store_with_keys: Path) -> Path:
    return store_with_keys


@pytest.fixture(scope="session", params=ENGINES)
def nodes(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    """A REST node and one with the streams. Take names of your own: they are there for all tests."""
    api: dict[str, Any] = dict.fromkeys(("limit_user", "limit_client", "limit_address"), 0)
    if request.param != "embedded":
        api |= {"store": f"{request.getfixturevalue('mongo_uri')}/proof_{secrets.token_hex(4)}"}
        api |= {"broker": request.getfixturevalue("rabbitmq_url")}
    folder = tmp_path_factory.mktemp("nodes")
    yield from serve(folder, keyring=fresh(), collection_makers=["makers"], **api)


@pytest.fixture(params=TRANSPORTS)
def talk(request: pytest.FixtureRequest, nodes: Served) -> Iterator[Any]:
    talk = nodes.open(request.param)
    yield talk
    talk.close()

"""Fixtures for the SAML tests."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from idp.ports import Duplicate
from idp.protocols.saml import inbound
from idp.protocols.saml.entity import Providers
from idp.protocols.saml.incoming import Incoming
from idp.saml import bindings
from idp.saml.sp_metadata import service_provider_from_metadata
from tests.peers.mellon import make_mellon  # noqa: F401  (a fixture)
from tests.saml.asking import NOW, PLAIN, SIGNING, SSO, Receive
from tests.saml.house import House, open_house
from tests.saml.issuing import Issuer
from tests.saml.peer import Xmlsec
from tests.saml.publishing import Publisher
from tests.support import needs
from tests.support.clock import FakeClock


@pytest.fixture
def new_store(store_with_keys: Path) -> Path:
    return store_with_keys


@pytest.fixture
def xmlsec(tmp_path: Path) -> Xmlsec:
    needs.need(needs.XMLSEC1)
    folder = tmp_path / "xmlsec"
    folder.mkdir()
    return Xmlsec(folder)


@pytest.fixture
def receive(repo: Any, clock: FakeClock) -> Receive:
    """Receives a query string or a form, as the door does, with PLAIN and SIGNING registered."""
    for sp in (PLAIN, SIGNING):
        repo.insert(service_provider_from_metadata(sp.metadata(), NOW))
    providers = Providers(repo)

    def receive(
        arrived: str | bytes | dict[str, str], *, require_signed: bool = False, skew: float = 300
    ) -> inbound.Received:
        if isinstance(arrived, dict):
            message = bindings.from_form({name: [value] for name, value in arrived.items()})
        else:
            message = bindings.from_query(arrived.encode() if isinstance(arrived, str) else arrived)
        received = inbound.receive(Incoming(message), providers, inbound.Rules(SSO, skew, require_signed), clock())
        try:
            repo.insert(received.seen)
        except Duplicate:
            raise inbound.replayed(received.sp.id) from None
        return received

    return receive


@pytest.fixture
def services(repo: Any, clock: FakeClock, tmp_path: Path) -> Any:
    """An installation that nobody has started, on loopback."""
    from idp.assemble import build_parts
    from idp.base.config import load

    return build_parts(load(None, {"data": str(tmp_path / "data")}, env={}), repo=repo, clock=clock)


@pytest.fixture
def publisher() -> Iterator[Publisher]:
    with Publisher() as publisher:
        yield publisher


@pytest.fixture
def issuer(repo: Any) -> Issuer:
    return Issuer(repo)


@pytest.fixture
def house(repo: Any, tmp_path: Path, clock: FakeClock) -> Iterator[House]:
    with open_house(repo, tmp_path, clock) as house:
        yield house

"""Fixtures for the SAML tests."""

from pathlib import Path
from typing import Any

import pytest

from idp.protocols.saml import inbound
from idp.protocols.saml.entity import Providers
from idp.saml import bindings
from idp.saml.sp_metadata import service_provider_from_metadata
from tests.peers.mellon import make_mellon  # noqa: F401  (a fixture)
from tests.saml.asking import NOW, PLAIN, SIGNING, SSO, Receive
from tests.saml.issuing import Issuer
from tests.saml.peer import Xmlsec
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
        return inbound.receive(message, repo, providers, inbound.Rules(SSO, skew, require_signed), clock())

    return receive


@pytest.fixture
def issuer(repo: Any) -> Issuer:
    return Issuer(repo)

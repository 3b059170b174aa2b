"""Owns what the journeys with libraries of others share: an installation with settings of its own, and Ada, who stays signed in
at it and at that of the whole run (fixture `sheaf`)."""

import json
from collections.abc import Iterator
from dataclasses import dataclass

import pytest
from joserfc.jwk import Key

from tests.support.proofs import make_key
from tests.support.receiver import Receiver
from tests.support.sheaf import Sheaf
from tests.support.visitor import Visitor

CALLBACK = "https://app.example.org/callback"


@dataclass(frozen=True)
class Partner:
    """Another identity provider: its issuer, and the key with which it signs assertions."""

    issuer: str
    key: Key


@pytest.fixture(scope="session")
def partner() -> Iterator[Partner]:
    """It publishes its keys and nothing else."""
    key = make_key("ES256", kid="partner-1")
    with Receiver(pages={"/keys": json.dumps({"keys": [key.as_dict(private=False)]})}) as server:
        yield Partner(server.url("").rstrip("/"), key)


@pytest.fixture(scope="session")
def special(tmp_path_factory: pytest.TempPathFactory, partner: Partner) -> Iterator[Sheaf]:
    """Demands a nonce in every DPoP proof, lets apps register themselves, trusts the assertions of the partner; only
    administrators need a second factor."""
    env = {
        "IDP_OIDC__DPOP_NONCE": "true",
        "IDP_REGISTRATION__MODE": "token",
        "IDP_OIDC__ASSERTION_ISSUERS": json.dumps({partner.issuer: f"{partner.issuer}/keys"}),
    }
    with Sheaf(tmp_path_factory.mktemp("special"), env=env, second_factor="administrators") as running:
        yield running


@pytest.fixture(scope="session")
def ada(sheaf: Sheaf) -> Iterator[Visitor]:
    """She comes back to apps at https://app.example.org/callback."""
    visitor = Visitor(sheaf.browser(CALLBACK), sheaf.add_user(full_name="Ada Lovelace", totp=True))
    yield visitor
    visitor.close()


@pytest.fixture(scope="session")
def grace(special: Sheaf) -> Iterator[Visitor]:
    """She does so at the special installation, and has no second factor."""
    visitor = Visitor(special.browser(CALLBACK), special.add_user(full_name="Grace Hopper"))
    yield visitor
    visitor.close()

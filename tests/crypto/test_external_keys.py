"""Owns the claims about keys that live elsewhere: another process signs, ours publishes, checks and never sees the private half."""

import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from types import ModuleType
from typing import Any

import pytest
from joserfc import jwt
from joserfc.jwk import KeySet

from idp.base.errors import Misconfigured, Refused
from idp.crypto import tokens
from idp.crypto.external_keys import ExternalSource, source
from idp.crypto.keys import PUBLISH_SECONDS, KeyRing
from idp.crypto.seal import Seal
from idp.domain.signing_key import KeyUse, SigningKey
from idp.services.record_audit import Audit
from idp.services.rotate_keys import RotateKeys
from idp.storage.sqlite import SqliteRepository
from tests.crypto import vectors
from tests.support.clock import FakeClock
from tests.support.outside_keys import OutsideKeys

SEAL = Seal(bytes(range(32)))
TYPE = "at+jwt"


@pytest.fixture
def device() -> Iterator[OutsideKeys]:
    device = OutsideKeys()
    yield device
    device.end()


class Node:
    """One process of an installation."""

    def __init__(self, repo: SqliteRepository, clock: FakeClock, outside: ExternalSource | None) -> None:
        self.ring = KeyRing(repo, SEAL, clock, external=outside, wait=lambda seconds: None)
        self.rotation = RotateKeys(repo, self.ring, clock, Audit(repo, clock), 90)

    def start(self) -> "Node":
        self.ring.ensure()
        self.rotation.settle()
        return self

    def token(self, use: KeyUse = "access_token", alg: str | None = None) -> str:
        return tokens.sign(self.ring.signer(use, alg), TYPE, {"sub": "ada"})


@pytest.fixture
def from_factory(monkeypatch: pytest.MonkeyPatch) -> Any:
    """The setting that names this provider."""

    def named(provider: object) -> ExternalSource:
        module = ModuleType("keys_of_ours")
        module.factory = lambda: provider  # type: ignore[attr-defined]
        monkeypatch.setitem(sys.modules, "keys_of_ours", module)
        found = source("keys_of_ours:factory")
        assert found is not None
        return found

    return named


def test_another_process_signs_and_its_tokens_verify_with_our_key_set(
    device: OutsideKeys, from_factory: Any, repo: SqliteRepository, clock: FakeClock
) -> None:
    node = Node(repo, clock, from_factory(device)).start()
    for use, alg in (("id_token", "RS256"), ("access_token", "ES256")):
        token = node.token(use)  # type: ignore[arg-type]
        read = jwt.decode(token, KeySet.import_key_set(node.ring.jwks()), algorithms=[alg])  # type: ignore[arg-type]
        assert read.claims == {"sub": "ada"}
        assert tokens.read(node.ring, token, use=use, typ=TYPE) == {"sub": "ada"}  # type: ignore[arg-type]


def test_the_private_half_is_neither_in_our_store_nor_in_our_process(
    device: OutsideKeys, from_factory: Any, repo: SqliteRepository, clock: FakeClock
) -> None:
    node = Node(repo, clock, from_factory(device)).start()
    node.token()
    stored = repo.find(SigningKey)
    assert len(stored) == 2
    assert all(key.external and key.sealed_private == "" and "d" not in key.public_jwk for key in stored)
    assert not hasattr(node.ring.signer("access_token"), "private")
    device.end()  # nobody else can sign
    with pytest.raises(Refused) as refused:
        node.token()
    assert (refused.value.code, refused.value.status) == ("temporarily_unavailable", 503)


def test_a_new_key_of_the_device_is_published_before_it_signs(
    device: OutsideKeys, from_factory: Any, repo: SqliteRepository, clock: FakeClock
) -> None:
    node, other = (Node(repo, clock, from_factory(device)).start() for _ in "12")
    before = node.ring.signer("access_token").kid
    with pytest.raises(Refused) as refused:
        node.rotation.rotate("access_token", actor="cli")
    assert refused.value.code == "no_next_key"
    device.make("access_token", "ES256")
    node.rotation.rotate("access_token", actor="cli")
    assert node.ring.signer("access_token").kid == before
    clock.advance(PUBLISH_SECONDS)
    after = other.ring.signer("access_token").kid
    assert after != before
    assert {before, after} <= {key["kid"] for key in node.ring.jwks()["keys"]}
    clock.advance(400 * 86_400)
    node.rotation.keep()
    assert other.ring.signer("access_token").kid == after, "a key that has signed is not taken for a new one"


def test_the_schedule_finds_a_new_key_by_itself(
    device: OutsideKeys, from_factory: Any, repo: SqliteRepository, clock: FakeClock
) -> None:
    node = Node(repo, clock, from_factory(device)).start()
    device.make("id_token", "RS256")
    node.rotation.keep()
    assert sum(key.state == "next" for key in repo.find(SigningKey)) == 1
    clock.advance(91 * 86_400)
    before = node.ring.signer("id_token").kid
    assert [age.use for age in node.rotation.keep()] == ["id_token"]
    assert node.ring.signer("id_token").kid != before


def test_keys_of_the_store_retire_when_the_setting_is_made_and_come_back_when_it_is_taken_away(
    device: OutsideKeys, from_factory: Any, repo: SqliteRepository, clock: FakeClock
) -> None:
    inside = Node(repo, clock, None).start()
    inside.ring.prepare("ES384")
    clock.advance(60)
    old = inside.token("id_token")
    outside = Node(repo, clock, from_factory(device)).start()
    clock.advance(PUBLISH_SECONDS)
    assert tokens.read(outside.ring, old, use="id_token", typ=TYPE) == {"sub": "ada"}
    assert {key.external for key in repo.find(SigningKey) if key.state in ("current", "next")} == {True}
    with pytest.raises(Refused) as refused:
        outside.ring.signer("id_token", "ES384")  # which the device does not offer
    assert refused.value.code == "unauthorized_client"
    with pytest.raises(Refused) as refused:
        outside.ring.prepare("ES384")
    assert refused.value.code == "invalid_client_metadata"
    assert outside.ring.algs() == ("RS256",)

    again = Node(repo, clock, None).start()
    clock.advance(PUBLISH_SECONDS)
    assert tokens.read(again.ring, again.token("id_token"), use="id_token", typ=TYPE) == {"sub": "ada"}
    assert not any(key.external for key in repo.find(SigningKey) if key.state == "current")


def test_a_process_without_the_setting_does_not_sign_with_keys_that_live_elsewhere(
    device: OutsideKeys, from_factory: Any, repo: SqliteRepository, clock: FakeClock
) -> None:
    Node(repo, clock, from_factory(device)).start()
    with pytest.raises(Refused) as refused:
        Node(repo, clock, None).token()
    assert refused.value.status == 503
    assert "oidc.external_keys" in refused.value.reason


def test_the_device_may_hold_every_algorithm(from_factory: Any, repo: SqliteRepository, clock: FakeClock) -> None:
    device = OutsideKeys([("id_token", alg) for alg in ("RS256", "PS256", "ES256", "ES384", "Ed25519")])
    try:
        node = Node(repo, clock, from_factory(device)).start()
        assert node.ring.algs() == ("RS256", "PS256", "ES256", "ES384", "Ed25519", "EdDSA")
        node.ring.prepare(*node.ring.algs())
        clock.advance(PUBLISH_SECONDS)
        for name in node.ring.algs():
            token = node.token("id_token", name)
            assert tokens.read(node.ring, token, use="id_token", typ=TYPE) == {"sub": "ada"}
        assert node.ring.signer("access_token").alg == "ES256"  # of the store: the device serves id_token only
    finally:
        device.end()


# ---------------------------------------------------------------- providers that are not right


@dataclass(frozen=True)
class Said:
    """A signer that says anything."""

    kid: Any = "k-1"
    use: Any = "access_token"
    alg: Any = "ES256"
    public_jwk: Any = None
    signature: Any = b"\0" * 64

    def sign(self, message: bytes) -> Any:
        if isinstance(self.signature, Exception):
            raise self.signature
        return self.signature


class Saying:
    def __init__(self, *signers: Any) -> None:
        self._signers = signers

    def signers(self) -> Sequence[Any]:
        return self._signers


P256: Mapping[str, str] = vectors.ES256_KEY
GOOD = Said(public_jwk=P256)


@pytest.mark.parametrize(
    ("said", "why"),
    [
        (replace(GOOD, kid=""), "kid"),
        (replace(GOOD, kid=7), "kid"),
        (replace(GOOD, kid="x" * 201), "kid"),
        (replace(GOOD, kid="a\nb"), "kid"),
        (replace(GOOD, use="saml"), "use"),
        (replace(GOOD, use="enc"), "use"),
        (replace(GOOD, alg="HS256"), "HS256"),
        (replace(GOOD, alg="none"), "none"),
        (replace(GOOD, alg="ES384"), "ES384"),
        (replace(GOOD, public_jwk={}), "fit"),
        (replace(GOOD, public_jwk=None), "fails"),
        (replace(GOOD, public_jwk={"kty": "oct", "k": "AAAA"}), "private"),
        (replace(GOOD, public_jwk={**vectors.BOB}), "private"),
        (GOOD, "does not verify"),
        (replace(GOOD, signature=OSError("no device")), "does not sign"),
        (replace(GOOD, signature="text"), "does not sign"),
    ],
)
def test_a_provider_that_is_not_right_stops_the_start_and_says_why(
    from_factory: Any, repo: SqliteRepository, clock: FakeClock, said: Said, why: str
) -> None:
    with pytest.raises(Misconfigured) as wrong:
        Node(repo, clock, from_factory(Saying(said))).start()
    assert wrong.value.setting == "oidc.external_keys"
    assert why in str(wrong.value)
    assert repo.find(SigningKey) == []


@pytest.mark.parametrize("provider", [None, object(), Saying("text"), Saying(*[GOOD] * 65), [GOOD]])
def test_a_provider_of_another_kind_is_a_wrong_setting(
    from_factory: Any, repo: SqliteRepository, clock: FakeClock, provider: object
) -> None:
    with pytest.raises(Misconfigured, match=r"oidc\.external_keys"):
        Node(repo, clock, from_factory(provider)).start()


def test_the_usual_algorithm_of_a_use_must_be_there(
    from_factory: Any, repo: SqliteRepository, clock: FakeClock
) -> None:
    device = OutsideKeys([("id_token", "ES384")])
    try:
        with pytest.raises(Misconfigured, match="no RS256 key for id_token"):
            Node(repo, clock, from_factory(device)).start()
    finally:
        device.end()


@pytest.mark.parametrize("path", ["nothing_there:factory", "json:nothing", "json", ":", "json:JSONDecodeError"])
def test_a_factory_that_is_not_there_is_a_wrong_setting(repo: SqliteRepository, clock: FakeClock, path: str) -> None:
    with pytest.raises(Misconfigured, match=r"oidc\.external_keys"):
        Node(repo, clock, source(path)).start()


def test_without_the_setting_nothing_is_asked() -> None:
    assert source("") is None


def test_a_command_that_signs_nothing_does_not_ask_the_device(repo: SqliteRepository, clock: FakeClock) -> None:
    Node(repo, clock, source("nothing_there:factory")).rotation.listing()

"""Owns the claims about signing keys: made once, published before use, rotated without a token that nobody can verify.

What is in the tokens is left to test_tokens.
"""

import base64
import threading
from dataclasses import replace
from pathlib import Path
from typing import Any, cast

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import padding, rsa
from cryptography.hazmat.primitives.hashes import SHA256
from joserfc import jws
from joserfc.jwk import KeySet

from idp.crypto.keys import PUBLISH_SECONDS, RETIRING_SECONDS, KeyRing
from idp.crypto.seal import Seal, SealBroken
from idp.domain.signing_key import SigningKey
from idp.services.record_audit import Audit
from idp.services.rotate_keys import RotateKeys
from idp.storage.sqlite import SqliteRepository
from tests.support.clock import FakeClock

SEAL = Seal(bytes(range(32)))


@pytest.fixture
def new_store(empty_store: Path) -> Path:
    return empty_store


@pytest.fixture
def ring(repo: SqliteRepository, clock: FakeClock) -> KeyRing:
    ring = KeyRing(repo, SEAL, clock)
    ring.ensure()
    return ring


@pytest.fixture
def rotation(repo: SqliteRepository, ring: KeyRing, clock: FakeClock) -> RotateKeys:
    return RotateKeys(repo, ring, clock, Audit(repo, clock))


def key_set(ring: KeyRing) -> KeySet:
    return KeySet.import_key_set(cast(Any, ring.jwks()))


def kids(ring: KeyRing) -> list[str]:
    return [key["kid"] for key in ring.jwks()["keys"]]


def test_the_first_start_makes_one_rsa_and_one_ec_key_that_sign(ring: KeyRing) -> None:
    assert ring.signer("id_token").alg == "RS256"
    assert ring.signer("access_token").alg == "ES256"
    assert ring.signer("id_token").kid != ring.signer("access_token").kid


def test_the_key_set_publishes_current_and_next_keys_and_nothing_private(ring: KeyRing) -> None:
    published = ring.jwks()["keys"]
    assert sorted(key["kty"] for key in published) == ["EC", "EC", "RSA", "RSA"]
    assert all(key["use"] == "sig" and key["alg"] in ("RS256", "ES256") for key in published)
    assert not any(set(key) & {"d", "p", "q", "dp", "dq", "qi", "k"} for key in published)


def test_a_kid_is_the_thumbprint_of_rfc_7638(ring: KeyRing) -> None:
    for key in key_set(ring).keys:
        assert key.kid == key.thumbprint()


def test_what_a_signer_signs_verifies_with_the_published_key(ring: KeyRing) -> None:
    for use in ("id_token", "access_token"):
        signer = ring.signer(use)
        header = f'{{"alg":"{signer.alg}","kid":"{signer.kid}"}}'.encode()
        signed = _b64(header) + b"." + _b64(b"hello")
        token = signed + b"." + _b64(signer.sign(signed))
        found = jws.deserialize_compact(token, key_set(ring), algorithms=[signer.alg])
        assert found.payload == b"hello"


def test_processes_that_start_together_agree_on_the_keys(tmp_path: Path, clock: FakeClock) -> None:
    rings = [KeyRing(SqliteRepository(tmp_path / "one.db", clock), SEAL, clock) for _ in range(6)]
    gate = threading.Barrier(len(rings))

    def start(ring: KeyRing) -> None:
        gate.wait()
        ring.ensure()
        ring.jwks()
        ring.ensure_saml()

    threads = [threading.Thread(target=start, args=(ring,)) for ring in rings]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    clock.advance(1)
    assert len({ring.signer("id_token").kid for ring in rings}) == 1
    assert len({ring.saml_current()[0] for ring in rings}) == 1
    assert len({tuple(kids(ring)) for ring in rings}) == 1
    assert len(rings[0].all()) == 6


def test_a_private_key_is_sealed_and_bound_to_its_kid(ring: KeyRing, repo: SqliteRepository) -> None:
    one, other = (key for key in repo.find(SigningKey) if key.state == "current")
    assert "PRIVATE" not in one.sealed_private
    assert "PRIVATE" in SEAL.open(one.sealed_private, owner=one.id, field="private")
    with pytest.raises(SealBroken):
        SEAL.open(one.sealed_private, owner=other.id, field="private")


def test_rotation_makes_the_published_next_key_sign_and_keeps_the_old_one_published(
    ring: KeyRing, rotation: RotateKeys, clock: FakeClock
) -> None:
    before = ring.signer("id_token").kid
    waiting = ring.ensure_next("id_token").id
    clock.advance(60)
    rotation.rotate("id_token", actor="cli")
    assert ring.signer("id_token").kid == waiting
    assert before in kids(ring)
    assert ring.ensure_next("id_token").id in kids(ring)
    assert ring.ensure_next("id_token").id not in (before, waiting)


def test_a_key_that_not_every_process_publishes_yet_does_not_sign(
    ring: KeyRing, rotation: RotateKeys, repo: SqliteRepository, clock: FakeClock
) -> None:
    other = KeyRing(repo, SEAL, clock)
    published = kids(other)
    for _ in range(3):
        rotation.rotate("id_token", actor="cli")
        assert ring.signer("id_token").kid in published
    clock.advance(PUBLISH_SECONDS)
    signs = ring.signer("id_token").kid
    assert signs not in published
    assert signs in kids(other)


def test_a_running_process_sees_a_rotation_within_a_second(
    ring: KeyRing, rotation: RotateKeys, repo: SqliteRepository, clock: FakeClock
) -> None:
    other = KeyRing(repo, SEAL, clock)
    before = other.signer("access_token").kid
    other.jwks()
    clock.advance(60)
    rotation.rotate("access_token", actor="cli")
    clock.advance(1)
    assert other.signer("access_token").kid == ring.signer("access_token").kid != before


def test_two_rotations_at_once_leave_one_current_and_one_next_key(tmp_path: Path, clock: FakeClock) -> None:
    def rotating() -> RotateKeys:
        repo = SqliteRepository(tmp_path / "one.db", clock)
        return RotateKeys(repo, KeyRing(repo, SEAL, clock), clock, Audit(repo, clock))

    threads = [
        threading.Thread(target=rotating().rotate, args=("access_token",), kwargs={"actor": "cli"}) for _ in "1234"
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    states = [age.state for age in rotating().listing()]
    assert states.count("current") == 1
    assert states.count("next") == 1


def test_a_rotation_that_was_cut_off_is_finished_by_the_next_signature(
    ring: KeyRing, repo: SqliteRepository, clock: FakeClock
) -> None:
    waiting = ring.ensure_next("id_token")
    current = next(key for key in ring.all() if key.slot == "id_token:current")
    clock.advance(60)
    repo.replace_if(_retiring(current, clock()))
    clock.advance(1)
    assert ring.signer("id_token").kid == waiting.id


def test_a_retired_key_leaves_the_key_set_after_every_token_it_signed_has_expired(
    ring: KeyRing, rotation: RotateKeys, repo: SqliteRepository, clock: FakeClock
) -> None:
    old = ring.signer("id_token").kid
    ring.jwks()
    rotation.rotate("id_token", actor="cli")
    clock.advance(RETIRING_SECONDS - 1)
    assert old in kids(ring)
    clock.advance(60)
    assert old not in kids(ring)
    assert ring.verifier(old, "id_token") is None
    rotation.rotate("id_token", actor="cli")
    gone = repo.get(SigningKey, old)
    assert gone is not None
    assert (gone.state, gone.sealed_private) == ("gone", "")


def test_the_listing_tells_age_and_state(ring: KeyRing, rotation: RotateKeys, clock: FakeClock) -> None:
    clock.advance(3600)
    rotation.rotate_tokens(actor="cli")
    listed = {(age.use, age.state): age for age in rotation.listing()}
    assert listed["id_token", "retiring"].age == 3600
    assert listed["access_token", "next"].age == 0
    assert listed["access_token", "current"].activated_at is not None


def test_the_saml_key_comes_with_a_certificate_of_ten_years(ring: KeyRing, clock: FakeClock) -> None:
    kid, private, pem = ring.saml_current()
    certificate = x509.load_pem_x509_certificate(pem.encode())
    signature = private.sign(b"m", padding.PKCS1v15(), SHA256())
    public = certificate.public_key()
    assert isinstance(public, rsa.RSAPublicKey)
    public.verify(signature, b"m", padding.PKCS1v15(), SHA256())
    assert (certificate.not_valid_after_utc - certificate.not_valid_before_utc).days == 3652
    assert ring.saml_published()[0] == pem
    assert len(ring.saml_published()) == 2
    assert kid not in kids(ring)
    assert ring.verifier(kid, "id_token") is None


def _retiring(key: SigningKey, at: float) -> SigningKey:
    return replace(key, state="retiring", slot=None, retired_at=at)


def _b64(raw: bytes) -> bytes:
    return base64.urlsafe_b64encode(raw).rstrip(b"=")

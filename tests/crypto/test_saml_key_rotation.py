"""A SAML key that begins to sign before its peers can have read our metadata is named; nothing is refused."""

import pytest

from idp.crypto.keys import KeyRing
from idp.crypto.seal import Seal
from idp.domain.signing_key import KeyUse
from idp.services.record_audit import Audit
from idp.services.rotate_keys import DAY, RotateKeys
from idp.storage.sqlite import SqliteRepository
from tests.support.clock import FakeClock


@pytest.fixture
def rotation(repo: SqliteRepository, clock: FakeClock) -> RotateKeys:
    ring = KeyRing(repo, Seal(bytes(range(32))), clock, wait=lambda seconds: None)
    ring.ensure_saml()
    return RotateKeys(repo, ring, clock, Audit(repo, clock))


@pytest.mark.parametrize(("waited", "hasty"), [(0.0, True), (DAY - 60, True), (DAY + 60, False)])
def test_a_key_that_stood_in_our_metadata_for_less_than_a_day_signs_in_haste(
    rotation: RotateKeys, clock: FakeClock, waited: float, hasty: bool
) -> None:
    clock.advance(waited)
    rotated = rotation.rotate("saml", actor="test")
    assert rotated.hasty is hasty
    clock.advance(10 * DAY)
    [current] = [key for key in rotation.listing() if key.use == "saml" and key.state == "current"]
    assert current.hasty is hasty, "how long it stood before it signed does not change afterwards"


def test_a_second_rotation_right_after_the_first_is_in_haste_too(rotation: RotateKeys, clock: FakeClock) -> None:
    clock.advance(2 * DAY)
    assert [rotation.rotate("saml", actor="test").hasty for _ in range(2)] == [False, True]


@pytest.mark.parametrize("use", ["saml_encryption", "id_token"])
def test_keys_that_no_peer_must_know_beforehand_are_never_in_haste(rotation: RotateKeys, use: KeyUse) -> None:
    assert not rotation.rotate(use, actor="test").hasty

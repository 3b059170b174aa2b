"""Owns the claims about what apps see of our keys: each app's algorithm, its key published before use, keys that live elsewhere.

The life of keys is left to test_keys and tests/crypto/test_key_life.
"""

import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

import pytest
from joserfc import jwt
from joserfc.jwk import KeySet

from idp.app import create_app
from idp.base.config import Settings
from idp.base.errors import Refused
from idp.base.waiting import WouldWait, hurried
from idp.crypto.algs import ALG_NAMES, half_hash
from idp.domain.signing_key import SigningKey
from idp.storage.sqlite import SqliteRepository
from tests.oidc.house import ISSUER, House
from tests.support.clock import FakeClock
from tests.support.outside_keys import OutsideKeys
from tests.support.quick import SEAL_KEY_TEXT, quick


@pytest.fixture
def device() -> Iterator[OutsideKeys]:
    device = OutsideKeys()
    yield device
    device.end()


@pytest.fixture
def house_with_device(
    device: OutsideKeys, repo: SqliteRepository, clock: FakeClock, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> House:
    module = ModuleType("device_of_ours")
    module.factory = lambda: device  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "device_of_ours", module)
    settings = Settings.model_validate(
        {
            "issuer": ISSUER,
            "data": str(tmp_path / "data"),
            "seal_key": SEAL_KEY_TEXT,
            "oidc": {"external_keys": "device_of_ours:factory"},
        }
    )
    house = House(quick(create_app(settings, repo=repo, clock=clock)), clock)
    clock.advance(5)
    return house


@pytest.mark.filterwarnings("ignore::joserfc.errors.SecurityWarning")
@pytest.mark.parametrize("alg", ALG_NAMES)
def test_an_app_gets_id_tokens_with_the_algorithm_that_it_registered(house: House, alg: str) -> None:
    app = house.client(id_token_signed_response_alg=alg)
    answer = house.sign_in(house.person(), app)
    token = house.read(answer["id_token"], alg)
    assert token.header["alg"] == alg
    assert token.header["kid"] in {key["kid"] for key in house.app.test_client().get("/jwks").get_json()["keys"]}
    assert token.claims["at_hash"] == half_hash(answer["access_token"], alg)
    assert house.parts.keys.verifier(token.header["kid"], "id_token") is not None


def test_the_metadata_lists_every_algorithm_by_both_names(house: House) -> None:
    found = house.app.test_client().get("/.well-known/openid-configuration").get_json()
    assert found["id_token_signing_alg_values_supported"] == [
        "RS256",
        "PS256",
        "ES256",
        "ES384",
        "Ed25519",
        "EdDSA",
    ]


def test_an_app_is_registered_once_its_algorithm_can_sign(house: House) -> None:
    forget(house, "ES384")
    waited = waits(house)
    app = house.client(id_token_signed_response_alg="ES384")
    assert waited == [3.0]
    house.read(house.sign_in(house.person(), app)["id_token"], "ES384")
    assert waited == [3.0]


def test_a_code_is_not_used_up_while_the_first_key_of_an_algorithm_is_being_published(house: House) -> None:
    app = house.client(id_token_signed_response_alg="ES384")
    code = house.code(house.person(), app)
    forget(house, "ES384")  # a store that was restored, an app that was put into it by hand
    waited = waits(house)
    with pytest.raises(WouldWait):  # answered again in a thread
        hurried(house.redeem, app, code)
    assert house.redeem(app, code).status_code == 200
    assert waited == [3.0]


def test_when_waiting_does_not_help_the_app_is_told_to_come_again(house: House) -> None:
    app = house.client(id_token_signed_response_alg="ES384")
    forget(house, "ES384")
    house.parts.keys._wait = lambda seconds: None  # a clock that is behind
    with pytest.raises(Refused) as refused:
        house.parts.keys.signer("id_token", "ES384")
    assert refused.value.headers["Retry-After"] == "3"
    assert app.client.id_token_signed_response_alg == "ES384"


def test_a_rotation_in_the_middle_of_a_sign_in_disturbs_nobody(house: House) -> None:
    app, person = house.client(id_token_signed_response_alg="ES256"), house.person()
    code = house.code(person, app)
    house.clock.advance(10)
    house.parts.rotation.rotate_tokens(actor="cli")
    answer = house.redeem(app, code).get_json()
    house.read(answer["id_token"], "ES256")
    assert house.userinfo(answer["access_token"]).status_code == 200


# ---------------------------------------------------------------- keys that live elsewhere


def test_a_whole_sign_in_with_keys_that_live_elsewhere(house_with_device: House, device: OutsideKeys) -> None:
    house = house_with_device
    app, person = house.client(), house.person()
    answer = house.sign_in(person, app)
    held = {one["kid"] for one in device.ask(do="list")}
    for token, alg in ((answer["id_token"], "RS256"), (answer["access_token"], "ES256")):
        keys = KeySet.import_key_set(house.app.test_client().get("/jwks").get_json())
        assert jwt.decode(token, keys, algorithms=[alg]).header["kid"] in held
    assert house.userinfo(answer["access_token"]).status_code == 200
    assert house.introspect(app, answer["access_token"])["active"] is True


def test_keys_of_the_store_sign_nothing_any_more(house_with_device: House) -> None:
    current = [key for key in house_with_device.parts.repo.find(SigningKey) if key.state in ("current", "next")]
    assert {(key.use, key.external) for key in current} == {
        ("id_token", True),
        ("access_token", True),
        ("saml", False),
    }


def test_only_what_the_device_can_do_is_offered(house_with_device: House) -> None:
    found = house_with_device.app.test_client().get("/.well-known/openid-configuration").get_json()
    assert found["id_token_signing_alg_values_supported"] == ["RS256"]
    with pytest.raises(Refused) as refused:
        house_with_device.client(id_token_signed_response_alg="ES384")
    assert refused.value.code == "invalid_client_metadata"


def test_a_device_that_is_away_is_503_and_no_fault(house_with_device: House, device: OutsideKeys) -> None:
    app = house_with_device.client()
    device.end()
    answer = house_with_device.token(app, grant_type="client_credentials")
    house_with_device.refused(answer, 503, "temporarily_unavailable")
    assert answer.headers["Retry-After"] == "2"


def forget(house: House, alg: str) -> None:
    """As if nobody had ever needed it."""
    for key in house.parts.repo.find(SigningKey):
        if key.alg == alg:
            house.parts.repo.delete(SigningKey, key.id)
    house.clock.advance(1)


def waits(house: House) -> list[float]:
    waited: list[float] = []

    def wait(seconds: float) -> None:
        waited.append(seconds)
        house.clock.advance(seconds)

    house.parts.keys._wait = wait
    return waited

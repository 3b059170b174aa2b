"""Owns the claims about the keys of clients: from the registered set, or fetched with care from their address."""

import json
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from joserfc.jwk import ECKey, Key, OctKey, OKPKey, RSAKey

from idp.base.net import NetPolicy
from idp.base.waiting import WouldWait, hurried
from idp.domain.relying import Client
from idp.protocols.oidc.client_keys import (
    FRESH_SECONDS,
    MAX_BYTES,
    MAX_KEYS,
    REFETCH_SECONDS,
    STALE_SECONDS,
    ClientKeys,
)
from tests.support.clock import FakeClock
from tests.support.proofs import make_key
from tests.support.receiver import Receiver

ONE, TWO = make_key("ES256", "one"), make_key("ES256", "two")


def jwks(*keys: Any) -> str:
    return json.dumps({"keys": [key if isinstance(key, dict) else key.as_dict(private=False) for key in keys]})


@pytest.fixture
def keys(clock: FakeClock) -> ClientKeys:
    return ClientKeys(lambda: NetPolicy(allow_private=True), clock)


@pytest.fixture
def site() -> Iterator[Receiver]:
    with Receiver(pages={"/jwks": jwks(ONE)}) as receiver:
        yield receiver


def client(**fields: Any) -> Client:
    return Client("shop", "Shop", 0.0, **fields)


@pytest.fixture
def shop(site: Receiver) -> Client:
    return client(jwks_uri=site.url("/jwks"))


def kids(found: list[Key]) -> list[str | None]:
    return [key.kid for key in found]


# ---------------------------------------------------------------- choosing


def test_a_registered_set_is_read_without_asking_anybody(keys: ClientKeys) -> None:
    registered = client(jwks=jwks(ONE, TWO), jwks_uri="http://127.0.0.1:9/never-asked")
    assert kids(keys.signing(registered, "two", "ES256")) == ["two"]
    assert kids(keys.signing(registered, None, "ES256")) == ["one", "two"]
    assert keys.signing(registered, "one", "RS256") == []


def test_a_key_without_an_id_may_be_meant_by_any(keys: ClientKeys) -> None:
    registered = client(jwks=jwks({**ONE.as_dict(private=False), "kid": None}, TWO))
    assert kids(keys.signing(registered, "three", "ES256")) == [None]


def test_what_cannot_be_read_is_left_out(keys: ClientKeys) -> None:
    odd = [
        7,
        None,
        {},
        {"kty": "oct", "k": "c2VjcmV0", "kid": "one"},
        {"kty": "EC", "crv": "?"},
        OctKey.import_key(b"x" * 32).as_dict(),
    ]
    assert kids(keys.signing(client(jwks=json.dumps({"keys": [*odd, ONE.as_dict(private=False)]})), None, "ES256")) == [
        "one"
    ]


@pytest.mark.parametrize("text", ["x", "[]", "{}", '{"keys": 7}', "[" * 5000, '{"keys": [7]}', "null"])
def test_a_set_that_is_none_gives_no_keys(keys: ClientKeys, text: str) -> None:
    assert keys.signing(client(jwks=text), None, "ES256") == []


def test_private_parts_and_all_beyond_the_limit_are_not_kept(keys: ClientKeys) -> None:
    many = [make_key("ES256", f"k{number}").as_dict(private=True) for number in range(MAX_KEYS + 3)]
    found = keys.all(client(jwks=json.dumps({"keys": many})))
    assert len(found) == MAX_KEYS
    assert not any("d" in one.key.as_dict() for one in found)


def test_keys_for_encryption_are_chosen_by_algorithm_and_use(keys: ClientKeys) -> None:
    rsa, ec, x = (
        RSAKey.generate_key(2048, {"kid": "r"}),
        ECKey.generate_key("P-256", {"kid": "e", "use": "enc"}),
        OKPKey.generate_key("X25519", {"kid": "x"}),
    )
    sig = ECKey.generate_key("P-256", {"kid": "s", "use": "sig"})
    ed = OKPKey.generate_key("Ed25519", {"kid": "ed"})
    registered = client(jwks=jwks(sig, ed, rsa, x, ec))

    def chosen(alg: str, registered: Client = registered) -> str | None:
        key = keys.encryption(registered, alg)
        return key.kid if key is not None else None

    assert chosen("RSA-OAEP-256") == "r"
    assert chosen("ECDH-ES") == "e"
    assert chosen("ECDH-ES", client(jwks=jwks(sig, ed, x))) == "x"
    assert chosen("ECDH-ES", client(jwks=jwks(sig, ed))) is None
    assert chosen("RSA-OAEP-256", client(jwks=jwks(RSAKey.generate_key(2048, {"alg": "RS256"})))) is None


# ---------------------------------------------------------------- fetching


def test_keys_are_fetched_once_and_kept(keys: ClientKeys, shop: Client, site: Receiver, clock: FakeClock) -> None:
    for _ in range(3):
        assert kids(keys.signing(shop, "one", "ES256")) == ["one"]
    assert len(site.received) == 1
    clock.advance(FRESH_SECONDS)
    assert kids(keys.signing(shop, "one", "ES256")) == ["one"]
    assert len(site.received) == 2


def test_a_new_key_id_is_asked_for_once_in_a_while(
    keys: ClientKeys, shop: Client, site: Receiver, clock: FakeClock
) -> None:
    assert kids(keys.signing(shop, "one", "ES256")) == ["one"]
    site.pages["/jwks"] = jwks(ONE, TWO)
    assert keys.signing(shop, "two", "ES256") == []
    clock.advance(REFETCH_SECONDS)
    assert kids(keys.signing(shop, "two", "ES256")) == ["two"]
    for number in range(20):
        assert keys.signing(shop, f"made-up-{number}", "ES256") == []
    assert len(site.received) == 2


def test_a_failure_is_remembered_for_a_moment(keys: ClientKeys, shop: Client, site: Receiver, clock: FakeClock) -> None:
    site.statuses = [500]
    for _ in range(20):
        assert keys.signing(shop, "one", "ES256") == []
    assert len(site.received) == 1
    clock.advance(REFETCH_SECONDS)
    assert kids(keys.signing(shop, "one", "ES256")) == ["one"]


def test_known_keys_outlive_a_short_silence_and_no_long_one(
    keys: ClientKeys, shop: Client, site: Receiver, clock: FakeClock, caplog: pytest.LogCaptureFixture
) -> None:
    assert keys.signing(shop, "one", "ES256")
    site.statuses = [503, 503]
    clock.advance(FRESH_SECONDS)
    assert keys.signing(shop, "one", "ES256")
    assert "client_keys_unreachable" in caplog.text
    clock.advance(STALE_SECONDS - FRESH_SECONDS)
    assert keys.signing(shop, "one", "ES256") == []


def test_a_key_that_is_withdrawn_is_gone_after_its_time(
    keys: ClientKeys, shop: Client, site: Receiver, clock: FakeClock
) -> None:
    assert keys.signing(shop, "one", "ES256")
    site.pages["/jwks"] = jwks(TWO)
    clock.advance(FRESH_SECONDS)
    assert keys.signing(shop, "one", "ES256") == []


@pytest.mark.parametrize("page", ["", "x", "[]", "{}", "\x00", " " * (MAX_BYTES + 1), "<html>"])
def test_an_answer_that_is_no_set_or_too_large_gives_no_keys(
    keys: ClientKeys, shop: Client, site: Receiver, page: str
) -> None:
    site.pages["/jwks"] = page
    assert keys.signing(shop, "one", "ES256") == []


def test_the_guard_of_outbound_requests_is_asked(shop: Client, site: Receiver, clock: FakeClock) -> None:
    closed = ClientKeys(lambda: NetPolicy(allow_private=False), clock)
    assert closed.signing(shop, "one", "ES256") == []
    assert site.received == []


def test_twenty_at_a_time_fetch_once(keys: ClientKeys, shop: Client, site: Receiver) -> None:
    started = threading.Barrier(20)

    def ask(_: int) -> list[str | None]:
        started.wait()
        return kids(keys.signing(shop, "one", "ES256"))

    with ThreadPoolExecutor(20) as pool:
        assert list(pool.map(ask, range(20))) == [["one"]] * 20
    assert len(site.received) == 1


def test_a_client_that_changes_its_address_gets_its_new_keys_at_once(
    keys: ClientKeys, shop: Client, site: Receiver
) -> None:
    assert keys.signing(shop, "one", "ES256")
    site.pages["/new"] = jwks(TWO)
    assert kids(keys.signing(client(jwks_uri=site.url("/new")), "two", "ES256")) == ["two"]


def test_where_requests_must_not_wait_a_fetch_is_not_begun(keys: ClientKeys, shop: Client, site: Receiver) -> None:
    with pytest.raises(WouldWait):
        hurried(keys.signing, shop, "one", "ES256")
    assert site.received == []
    assert keys.signing(shop, "one", "ES256")
    assert kids(hurried(keys.signing, shop, "one", "ES256")) == ["one"]


def test_an_assertion_is_checked_with_fetched_keys(house_with: Callable[..., Any], site: Receiver) -> None:
    from tests.oidc.assertions import ask, assertion, refused

    house = house_with()
    app = house.client(auth_method="private_key_jwt", jwks_uri=site.url("/jwks"))
    assert ask(house, assertion(house, app, ONE, header={"kid": "one"})).status_code == 200
    refused(house, ask(house, assertion(house, app, TWO, header={"kid": "two"})))
    house.clock.advance(REFETCH_SECONDS)
    site.pages["/jwks"] = jwks(TWO)
    assert ask(house, assertion(house, app, TWO, header={"kid": "two"})).status_code == 200

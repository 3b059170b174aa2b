"""Owns what a hostile review of the front of the OpenID provider found, one claim each, so that it does not come back.

Findings about one part alone stand with the tests of that part.
"""

import json
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest
from joserfc.jwk import Key
from werkzeug.test import TestResponse

from idp.base.net import Answer
from idp.protocols.oidc import request_objects
from idp.protocols.oidc.client_keys import FRESH_SECONDS
from tests.oidc.app_keys import AppKeys, request_claims
from tests.oidc.asserting import Scene, furnished, provider
from tests.oidc.assertions import KEY, ask, assertion, jwks
from tests.oidc.house import CALLBACK, App, House, sent_back
from tests.support.clock import FakeClock
from tests.support.receiver import Receiver
from tests.upstream.openid_double import MISSING, OpenIdDouble

KEYS = AppKeys()
OUTSIDE = {"redirect_uri": CALLBACK, "response_type": "code", "scope": "openid", "state": "outside"}
BASE64URL = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"


# ------------------------------------------------------------------ whoever waits for servers that apps name


@pytest.fixture
def two_threads(house_with: Callable[..., House]) -> House:
    return house_with(server={"threads": 2})


def test_apps_whose_addresses_do_not_answer_leave_threads_for_everybody_else(
    two_threads: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Anybody can send a browser with a registered request_uri here, as often as they like."""
    house, asked, answered = two_threads, threading.Semaphore(0), threading.Event()
    app = house.client(jwks=KEYS.jwks, request_uris=("https://app.example/slow",))
    body = KEYS.sign(request_claims(app.id, now=house.clock())).encode()

    def slow(*_: object, **__: object) -> Answer:
        asked.release()
        answered.wait(20)
        return Answer(200, {}, body)

    monkeypatch.setattr(request_objects, "fetch", slow)
    person = house.person()

    def come(_: int = 0) -> TestResponse:
        asking = {"client_id": app.id, "request_uri": "https://app.example/slow", **OUTSIDE}
        return person.browser.get("/authorize", query_string=asking)

    with ThreadPoolExecutor(1) as pool:
        first = pool.submit(come)
        assert asked.acquire(timeout=20)
        try:
            assert sent_back(come())["error"] == "temporarily_unavailable"
        finally:
            answered.set()
        assert "code" in sent_back(first.result())
    assert "code" in sent_back(come())


def test_key_sets_that_do_not_come_leave_threads_for_everybody_else(two_threads: House, receiver: Receiver) -> None:
    house = two_threads
    slow, other, known = (with_address(house, receiver, id, KEY) for id in ("slow", "other", "known"))

    def come(app: App) -> TestResponse:
        return ask(house, assertion(house, app, header={"kid": "k1"}))

    assert come(known).status_code == 200
    house.clock.advance(FRESH_SECONDS)
    receiver.silent = True
    with ThreadPoolExecutor(1) as pool:
        first = pool.submit(come, slow)
        receiver.wait(2)
        try:
            answer = come(other)
            house.refused(answer, 503, "temporarily_unavailable")
            assert "Retry-After" in answer.headers
            assert come(known).status_code == 200, "its keys are old, and good enough for now"
        finally:
            receiver.silent = False
        assert first.result().status_code == 200
    assert come(other).status_code == 200


def test_sectors_that_do_not_answer_leave_threads_for_everybody_else(
    house_with: Callable[..., House], receiver: Receiver
) -> None:
    house = house_with(server={"threads": 2}, registration={"mode": "open"})
    receiver.pages["/sector"] = json.dumps([CALLBACK])

    def come() -> TestResponse:
        document = {"redirect_uris": [CALLBACK], "sector_identifier_uri": receiver.url("/sector")}
        return house.app.test_client().post("/register", json=document)

    receiver.silent = True
    with ThreadPoolExecutor(1) as pool:
        first = pool.submit(come)
        receiver.wait(1)
        try:
            house.refused(come(), 503, "temporarily_unavailable")
            assert house.app.test_client().post("/register", json={"redirect_uris": [CALLBACK]}).status_code == 201
        finally:
            receiver.silent = False
        assert first.result().status_code == 201


def with_address(house: House, receiver: Receiver, id: str, key: Key) -> App:
    receiver.pages[f"/{id}"] = jwks(key)
    return house.client(id, auth_method="private_key_jwt", jwks_uri=receiver.url(f"/{id}"))


# ------------------------------------------------------------------ profiles


def test_profile_fapi2_signs_every_answer_with_an_algorithm_that_it_allows(house: House) -> None:
    """FAPI 2.0 5.4.1 forbids RS256, which is what JARM and RFC 9701 say where nothing is registered."""
    app = house.client("bank", profile="fapi2", auth_method="private_key_jwt", jwks=KEYS.jwks)
    assert app.client.authorization_signed_response_alg == "PS256"
    assert app.client.introspection_signed_response_alg == "PS256"


# ------------------------------------------------------------------ what is good once


@pytest.fixture
def issuer(clock: FakeClock) -> Iterator[OpenIdDouble]:
    double = OpenIdDouble(clock)
    yield double
    double.close()


def test_an_assertion_without_jti_is_good_once_however_its_signature_is_spelled(
    house_with: Callable[..., House], issuer: OpenIdDouble
) -> None:
    """The last letter of base64url has bits that mean nothing: with others it is the same assertion."""
    house = house_with(second_factor="administrators")
    provider(house, issuer.issuer, settings={"assertions": True})
    scene: Scene = furnished(house, issuer)
    token = scene.assertion(jti=MISSING)
    other = token[:-1] + BASE64URL[BASE64URL.index(token[-1]) ^ 1]
    assert scene.ask(token).status_code == 200
    assert "used before" in scene.refused(other)

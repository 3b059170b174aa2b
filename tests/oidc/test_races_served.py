"""Owns the claims about one code, refresh token and pushed request used by many at once, as the server runs: several worker
processes on one store, each answering in its own way of doing several things at once.

The same within one process is in test_races and test_races_once.
"""

import threading
import uuid
from collections import Counter
from collections.abc import Callable
from functools import partial
from urllib.parse import urlencode

import pytest
import requests

from tests.support.oidc_app import CALLBACK, CHALLENGE, OidcApp
from tests.support.sheaf import Sheaf

AT_ONCE = 20
WORKERS = {"IDP_SERVER__WORKERS": "3", "IDP_SERVER__THREADS": "4"}


@pytest.fixture(scope="module", params=["sqlite", "mongo"])
def shop(request: pytest.FixtureRequest, start_sheaf: Callable[..., Sheaf]) -> OidcApp:
    env = dict(WORKERS)
    if request.param == "mongo":
        server, query = request.getfixturevalue("mongo_uri").partition("?")[::2]
        env["IDP_STORE__URL"] = f"{server.rstrip('/')}/races_{uuid.uuid4().hex[:8]}?{query}".rstrip("?")
    return OidcApp(start_sheaf(second_factor="administrators", env=env), scopes=("openid", "offline_access"))


def all_at_once(act: Callable[[], requests.Response]) -> list[requests.Response]:
    gate, answers = threading.Barrier(AT_ONCE), []

    def run() -> None:
        gate.wait()
        answers.append(act())

    threads = [threading.Thread(target=run) for _ in range(AT_ONCE)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return answers


def test_of_many_that_redeem_one_code_exactly_one_gets_tokens(shop: OidcApp) -> None:
    browser, person = shop.browser(), shop.sheaf.add_user()
    shop.sign_in(browser, person)
    for _ in range(3):
        code = shop.ask(browser).params["code"]
        answers = all_at_once(partial(shop.redeem, code))
        assert Counter(answer.status_code for answer in answers) == {200: 1, 400: AT_ONCE - 1}
        assert {answer.json()["error"] for answer in answers if answer.status_code == 400} == {"invalid_grant"}


def test_of_many_that_use_one_refresh_token_all_get_the_one_successor(shop: OidcApp) -> None:
    tokens = shop.sign_in(shop.browser(), shop.sheaf.add_user())
    answers = all_at_once(lambda: shop.refresh(tokens["refresh_token"]))
    assert Counter(answer.status_code for answer in answers) == {200: AT_ONCE}
    assert len({answer.json()["refresh_token"] for answer in answers}) == 1
    assert shop.refresh(answers[0].json()["refresh_token"]).status_code == 200


def test_of_many_that_use_one_pushed_request_exactly_one_gets_a_code(shop: OidcApp) -> None:
    browser = shop.browser()
    shop.sign_in(browser, shop.sheaf.add_user())
    said = {"redirect_uri": CALLBACK, "response_type": "code", "scope": "openid", "state": "s"}
    said |= {"code_challenge": CHALLENGE, "code_challenge_method": "S256"}
    for _ in range(3):
        uri = shop.post("/par", **said).json()["request_uri"]
        where = f"{shop.base}/authorize?{urlencode({'client_id': shop.client.client_id, 'request_uri': uri})}"
        cookies = browser.cookies()
        look = partial(requests.get, where, cookies=cookies, allow_redirects=False, timeout=10)
        answers = all_at_once(look)
        assert Counter(answer.status_code for answer in answers) == {303: 1, 410: AT_ONCE - 1}
        [location] = [answer.headers["Location"] for answer in answers if answer.status_code == 303]
        assert "code=" in location

"""Owns the claims about doing the same thing many times at once: exactly one wins, and nothing breaks.

Races of several processes on one store are left to the conformance suite of the store.
"""

import threading
from collections import Counter
from collections.abc import Callable

import pytest
from werkzeug.test import TestResponse

from tests.oidc.house import House

AT_ONCE = 8


def all_at_once(act: Callable[[], TestResponse]) -> list[TestResponse]:
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


@pytest.mark.parametrize("attempt", range(5))
def test_of_many_that_redeem_one_code_exactly_one_gets_tokens(house: House, attempt: int) -> None:
    app = house.client()
    code = house.code(house.person(), app)
    answers = all_at_once(lambda: house.redeem(app, code))
    assert Counter(answer.status_code for answer in answers) == {200: 1, 400: AT_ONCE - 1}
    won = next(answer for answer in answers if answer.status_code == 200).get_json()
    assert house.userinfo(won["access_token"]).status_code == 401, "the second use revokes what the first one got"


@pytest.mark.parametrize("attempt", range(5))
def test_of_many_that_use_one_refresh_token_exactly_one_gets_tokens(house: House, attempt: int) -> None:
    app = house.client()
    token = house.sign_in(house.person(), app)["refresh_token"]
    answers = all_at_once(lambda: house.refresh(app, token))
    assert Counter(answer.status_code for answer in answers) == {200: 1, 400: AT_ONCE - 1}
    won = next(answer for answer in answers if answer.status_code == 200).get_json()
    house.refused(house.refresh(app, won["refresh_token"]), 400, "invalid_grant")


def test_many_revocations_of_one_token_all_succeed(house: House) -> None:
    app = house.client()
    tokens = house.sign_in(house.person(), app)
    for token in (tokens["access_token"], tokens["refresh_token"]):
        answers = all_at_once(lambda token=token: house.post("/revoke", app, token=token))  # type: ignore[misc]
        assert {answer.status_code for answer in answers} == {200}
    assert house.userinfo(tokens["access_token"]).status_code == 401


def test_many_first_requests_for_the_key_set_agree(house: House) -> None:
    answers = all_at_once(lambda: house.app.test_client().get("/jwks"))
    assert len({answer.text for answer in answers}) == 1
    assert len(answers[0].get_json()["keys"]) == 4


def test_many_introspections_and_userinfos_of_one_token_agree(house: House) -> None:
    app = house.client()
    token = house.sign_in(house.person(), app)["access_token"]
    assert {answer.status_code for answer in all_at_once(lambda: house.userinfo(token))} == {200}
    answers = all_at_once(lambda: house.post("/introspect", app, token=token))
    assert {answer.get_json()["active"] for answer in answers} == {True}

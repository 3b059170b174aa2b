"""Owns the claims about doing the same thing many times at once, on both stores: exactly one wins, and nothing breaks.

Races of several processes on one store are left to the conformance suite of the store.
"""

import secrets
import shutil
import threading
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from werkzeug.test import TestResponse

from idp.app import create_app
from idp.base.config import Settings
from idp.domain.audit_event import AuditEvent
from idp.domain.grant import Grant, RefreshToken
from idp.storage.sqlite import SqliteRepository
from tests.oidc import asserting as assertions
from tests.oidc import devices
from tests.oidc.house import ISSUER, House
from tests.storage.conftest import mongo_database
from tests.support.clock import FakeClock
from tests.support.quick import SEAL_KEY_TEXT, furnish, quick
from tests.upstream.openid_double import OpenIdDouble

AT_ONCE = 20


@pytest.fixture(params=["sqlite", pytest.param("mongo", marks=pytest.mark.slow)])
def house(request: pytest.FixtureRequest, clock: FakeClock, tmp_path: Path, store_with_keys: Path) -> Iterator[House]:
    settings = Settings(
        issuer=ISSUER, data=str(tmp_path / "data"), seal_key=SEAL_KEY_TEXT, second_factor="administrators"
    )
    if request.param == "sqlite":
        repo = SqliteRepository(Path(shutil.copy(store_with_keys, tmp_path / "idp.db")), clock)
        yield House(quick(create_app(settings, repo=repo, clock=clock)), clock)
        repo.close()
        return
    with mongo_database(request.getfixturevalue("mongo_uri")) as engine, engine.opened(clock) as store:
        furnish(store)
        yield House(quick(create_app(settings, repo=store, clock=clock)), clock)


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


def the_winner(answers: list[TestResponse]) -> dict[str, str]:
    assert Counter(answer.status_code for answer in answers) == {200: 1, 400: AT_ONCE - 1}
    won: dict[str, str] = next(answer for answer in answers if answer.status_code == 200).get_json()
    lost = {answer.get_json()["error"] for answer in answers if answer.status_code == 400}
    assert lost == {"invalid_grant"}
    return won


@pytest.mark.parametrize("attempt", range(3))
def test_of_many_that_redeem_one_code_exactly_one_gets_tokens(house: House, attempt: int) -> None:
    app = house.client()
    code = house.code(house.person(), app)
    won = the_winner(all_at_once(lambda: house.redeem(app, code)))
    assert house.userinfo(won["access_token"]).status_code == 401, "the second use revokes what the first one got"
    house.refused(house.refresh(app, won["refresh_token"]), 400, "invalid_grant")
    assert len(house.parts.repo.find(Grant)) == 1
    assert len(house.parts.repo.find(AuditEvent, name="grant.issued")) == 1


@pytest.mark.parametrize("attempt", range(3))
def test_of_many_that_use_one_refresh_token_all_get_the_one_successor_and_the_session_lives(
    house: House, attempt: int
) -> None:
    app = house.client()
    token = house.sign_in(house.person(), app)["refresh_token"]
    answers = all_at_once(lambda: house.refresh(app, token))
    assert {answer.status_code for answer in answers} == {200}
    successors = {answer.get_json()["refresh_token"] for answer in answers}
    assert len(successors) == 1
    assert len(house.parts.repo.find(RefreshToken)) == 2
    for answer in answers:
        assert house.userinfo(answer.get_json()["access_token"]).status_code == 200
    assert house.refresh(app, successors.pop()).status_code == 200


def test_of_many_that_use_an_old_refresh_token_none_gets_anything(house: House) -> None:
    app = house.client()
    token = house.sign_in(house.person(), app)["refresh_token"]
    house.refresh(app, token)
    house.clock.advance(60)
    answers = all_at_once(lambda: house.refresh(app, token))
    assert {answer.get_json().get("error") for answer in answers} == {"invalid_grant"}
    assert len(house.parts.repo.find(AuditEvent, name="grant.reuse_detected")) == 1


def test_of_many_that_poll_with_one_device_code_exactly_one_gets_tokens(house: House) -> None:
    app, person = devices.tv(house), house.person()
    begun = devices.begin(house, app)
    devices.answered(person.browser, begun["user_code"])
    won = the_winner(all_at_once(lambda: devices.poll(house, app, begun)))
    assert house.userinfo(won["access_token"]).status_code == 401, "the second use revokes what the first one got"


def test_of_many_that_poll_before_the_answer_none_makes_the_device_wait_for_ever(house: House) -> None:
    app, person = devices.tv(house), house.person()
    begun = devices.begin(house, app)
    answers = all_at_once(lambda: devices.poll(house, app, begun))
    errors = {answer.get_json()["error"] for answer in answers}
    assert errors <= {"authorization_pending", "slow_down"}
    devices.answered(person.browser, begun["user_code"])
    assert devices.poll(house, app, begun).status_code == 200


def test_of_many_that_type_one_code_the_last_answer_counts_for_nothing(house: House) -> None:
    app, person = devices.tv(house), house.person()
    begun = devices.begin(house, app)
    where, page = devices.asked(person.browser, begun["user_code"])
    form = {**devices.form_of(page, "/consent"), "answer": "allow"}
    sent = person.browser.post(where, data=form)
    end = person.browser.get(sent.headers["Location"]).headers["Location"]
    cookies = {
        name: value.value for name in ("sheaf_browser", "sheaf_session") if (value := person.browser.get_cookie(name))
    }

    def resume() -> TestResponse:
        browser = house.app.test_client()
        for name, value in cookies.items():
            browser.set_cookie(name, value)
        return browser.get(end)

    assert Counter(answer.status_code for answer in all_at_once(resume)) == {200: 1, 410: AT_ONCE - 1}
    assert devices.poll(house, app, begun).status_code == 200


def test_of_many_that_bring_one_assertion_exactly_one_gets_a_token(house: House, clock: FakeClock) -> None:
    issuer = OpenIdDouble(clock)
    try:
        assertions.provider(house, issuer.issuer, settings={"assertions": True})
        scene = assertions.furnished(house, issuer)
        token = scene.assertion(jti=secrets.token_hex(8))
        the_winner(all_at_once(lambda: scene.ask(token)))
    finally:
        issuer.close()


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
    assert len(answers[0].get_json()["keys"]) >= 4


def test_many_introspections_and_userinfos_of_one_token_agree(house: House) -> None:
    app = house.client()
    token = house.sign_in(house.person(), app)["access_token"]
    assert {answer.status_code for answer in all_at_once(lambda: house.userinfo(token))} == {200}
    answers = all_at_once(lambda: house.post("/introspect", app, token=token))
    assert {answer.get_json()["active"] for answer in answers} == {True}

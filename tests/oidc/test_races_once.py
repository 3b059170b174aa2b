"""Owns the claims about things that an app may show once, shown by twenty at the same time, on both stores.

Codes, refresh tokens and device codes are in test_races.
"""

import shutil
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest
from werkzeug.test import TestResponse

from idp.app import create_app
from idp.base.config import Settings
from idp.base.sections import Registration
from idp.domain.grant import AuthorizationCode, PushedRequest, Seen
from idp.domain.relying import Client, InitialAccessToken
from idp.storage.sqlite import SqliteRepository
from tests.oidc.assertions import KEY, ask, assertion, jwks
from tests.oidc.house import CALLBACK, ISSUER, VERIFIER, App, House, Person, basic, sent_back
from tests.oidc.test_races import AT_ONCE, all_at_once
from tests.storage.conftest import mongo_database
from tests.support.clock import FakeClock
from tests.support.proofs import Prover
from tests.support.quick import SEAL_KEY_TEXT, furnish, quick

TIMES = 3


@pytest.fixture(params=["sqlite", pytest.param("mongo", marks=pytest.mark.slow)])
def house(request: pytest.FixtureRequest, clock: FakeClock, tmp_path: Path, store_with_keys: Path) -> Iterator[House]:
    """One that registers apps for initial access tokens."""
    settings = Settings(
        issuer=ISSUER,
        data=str(tmp_path / "data"),
        seal_key=SEAL_KEY_TEXT,
        second_factor="administrators",
        registration=Registration(mode="token"),
    )
    if request.param == "sqlite":
        repo = SqliteRepository(Path(shutil.copy(store_with_keys, tmp_path / "idp.db")), clock)
        yield House(quick(create_app(settings, repo=repo, clock=clock)), clock)
        repo.close()
        return
    with mongo_database(request.getfixturevalue("mongo_uri")) as engine, engine.opened(clock) as store:
        furnish(store)
        yield House(quick(create_app(settings, repo=store, clock=clock)), clock)


def counted(answers: list[TestResponse]) -> Counter[int]:
    return Counter(answer.status_code for answer in answers)


def errors(answers: list[TestResponse]) -> set[str]:
    return {answer.get_json()["error"] for answer in answers if answer.status_code >= 400}


def pushed(house: House, app: App) -> str:
    sent = {"Authorization": basic(app.id, app.secret)}
    answer = house.app.test_client().post("/par", data=house.request_of(app), headers=sent)
    return str(answer.get_json()["request_uri"])


def in_many_windows(house: House, person: Person, path: str) -> list[TestResponse]:
    """Every window of one browser asks for the same page."""
    cookie = person.browser.get_cookie("sheaf_session")
    assert cookie is not None

    def look() -> TestResponse:
        window = house.app.test_client()
        window.set_cookie("sheaf_session", cookie.value)
        return window.get(path)

    return all_at_once(look)


@pytest.mark.parametrize("attempt", range(TIMES))
def test_of_many_that_use_one_pushed_request_exactly_one_gets_a_code(house: House, attempt: int) -> None:
    app, person = house.client(), house.person()
    uri = pushed(house, app)
    answers = in_many_windows(house, person, f"/authorize?client_id={app.id}&request_uri={uri}")
    assert counted(answers) == {303: 1, 410: AT_ONCE - 1}
    code = next(sent_back(answer)["code"] for answer in answers if answer.status_code == 303)
    assert len(house.parts.repo.find(AuthorizationCode)) == 1
    assert [one.consumed_at is not None for one in house.parts.repo.find(PushedRequest)] == [True]
    assert house.redeem(app, code).status_code == 200


@pytest.mark.parametrize("attempt", range(TIMES))
def test_of_many_that_take_the_last_use_exactly_one_registers(house: House, attempt: int) -> None:
    record, token = house.parts.initial_tokens.add("team", uses=1, seconds=3600, actor="test")
    headers = {"Authorization": f"Bearer {token.reveal()}"}
    before = len(house.parts.repo.find(Client))

    def register() -> TestResponse:
        return house.app.test_client().post("/register", json={"redirect_uris": [CALLBACK]}, headers=headers)

    answers = all_at_once(register)
    assert counted(answers) == {201: 1, 401: AT_ONCE - 1}
    assert errors(answers) == {"invalid_token"}
    assert len(house.parts.repo.find(Client)) == before + 1
    left = house.parts.repo.get(InitialAccessToken, record.id)
    assert left is None or left.uses_left == 0


@pytest.mark.parametrize("attempt", range(TIMES))
def test_of_many_that_show_one_assertion_exactly_one_is_let_in(house: House, attempt: int) -> None:
    app = house.client("robot", auth_method="private_key_jwt", jwks=jwks(KEY))
    given = assertion(house, app)
    answers = all_at_once(lambda: ask(house, given))
    assert counted(answers) == {200: 1, 401: AT_ONCE - 1}
    assert errors(answers) == {"invalid_client"}
    assert len(house.parts.repo.find(Seen)) == 1


@pytest.mark.parametrize("attempt", range(TIMES))
def test_of_many_that_show_one_proof_exactly_one_gets_a_token(house: House, attempt: int) -> None:
    app, prover = house.client(), Prover(house.clock)
    headers = {"Authorization": basic(app.id, app.secret), "DPoP": prover.proof("POST", f"{ISSUER}/token")}
    form = {"grant_type": "client_credentials"}
    answers = all_at_once(lambda: house.app.test_client().post("/token", data=form, headers=headers))
    assert counted(answers) == {200: 1, 400: AT_ONCE - 1}
    assert errors(answers) == {"invalid_dpop_proof"}


def test_of_many_that_read_with_one_proof_exactly_one_is_told(house: House) -> None:
    app, person, prover = house.client(), house.person(), Prover(house.clock)
    headers = {"Authorization": basic(app.id, app.secret), "DPoP": prover.proof("POST", f"{ISSUER}/token")}
    form = {"grant_type": "authorization_code", "code": house.code(person, app), "redirect_uri": CALLBACK}
    form["code_verifier"] = VERIFIER
    token = house.app.test_client().post("/token", data=form, headers=headers).get_json()["access_token"]
    proof = prover.proof("GET", f"{ISSUER}/userinfo", token)
    shown = {"Authorization": f"DPoP {token}", "DPoP": proof}
    answers = all_at_once(lambda: house.app.test_client().get("/userinfo", headers=shown))
    assert counted(answers) == {200: 1, 401: AT_ONCE - 1}
    assert errors(answers) == {"invalid_dpop_proof"}

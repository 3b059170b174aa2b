"""Attacks C97 and C101 to C104 at the identity provider: widening, consent, redirects, clocks, and a process killed in the middle.

Every variant is tested in tests/oidc, tests/services and tests/storage.
"""

import json
from collections.abc import Callable

from tests.oidc.exchanging import exchange, front, good, service
from tests.oidc.house import House as OidcHouse
from tests.oidc.house import sent_back
from tests.support.oidc_app import API_SCOPES, AUDIENCE, OidcApp
from tests.support.sheaf import Sheaf
from tests.web.house import PASSWORD, House

READ = {"type": "sheaf_documents", "collections": ["notes"], "rights": ["read"]}
MORE = {"type": "sheaf_documents", "collections": ["notes"], "rights": ["read", "update"]}


def test_c97_what_acts_for_somebody_is_never_wider_or_longer_than_what_it_came_from(oidc_house: OidcHouse) -> None:
    house = oidc_house
    app, behind = front(house), service(house, scopes=("documents.read", "documents.write"))
    narrow = house.sign_in(house.person(), app, scope="openid documents.read", authorization_details=json.dumps([READ]))
    mine = house.read(narrow["access_token"], "ES256").claims
    house.clock.advance(300)
    assert (
        exchange(house, behind, narrow["access_token"], scope="documents.write").get_json()["error"] == "invalid_scope"
    )
    wider = exchange(house, behind, narrow["access_token"], authorization_details=json.dumps([MORE]))
    assert wider.get_json()["error"] == "invalid_authorization_details"
    claims = good(house, exchange(house, behind, narrow["access_token"]))
    assert claims["exp"] <= mine["exp"]
    assert set(claims["scope"].split()) <= set(mine["scope"].split())
    assert claims["authorization_details"] == [READ]
    assert (claims["sub"], claims["client_id"]) == (mine["sub"], behind.id)


def test_c101_consent_is_neither_skipped_nor_stretched(oidc_house: OidcHouse) -> None:
    house, ada = oidc_house, oidc_house.person()
    app = house.client("asks", consent="ask")
    public = house.client("public", consent="ask", auth_method="none")
    for one in (app, public):
        silent = sent_back(house.authorize(ada.browser, one, scope="openid profile", prompt="none"))
        assert silent["error"] == "consent_required"
        assert "/flow/" in house.authorize(ada.browser, one, scope="openid profile").headers["Location"]


def test_c102_after_a_password_nothing_is_redirected_with_its_body(house: House) -> None:
    ada = house.person()
    page = house.browser().open("/sign-in")
    form = page.form("/password")
    answer = page.browser.client.post(form.action, data={**form.values, "username": ada.username, "password": PASSWORD})
    assert answer.status_code == 303


def test_c103_a_clock_that_leaps_gives_no_second_use_and_no_longer_life(house: House) -> None:
    ada = house.person()
    code = house.code(ada.secret)
    assert house.password_step(house.browser(), ada).submit("/factor", code=code).browser.signed_in
    for leap in (30, -60, 30):
        house.clock.advance(leap)
        again = house.password_step(house.browser(), ada).submit("/factor", code=code)
        assert not again.browser.signed_in, leap


def test_c104_a_code_that_was_given_before_a_kill_is_redeemed_once_after_it(start_sheaf: Callable[..., Sheaf]) -> None:
    sheaf = start_sheaf(second_factor="administrators")
    app, ada = OidcApp(sheaf, scopes=("openid", *API_SCOPES), audiences=[AUDIENCE]), sheaf.add_user()
    with app.browser() as browser:
        app.sign_in(browser, ada)
        code, other = app.ask(browser).params["code"], app.ask(browser).params["code"]
    assert app.redeem(other).status_code == 200
    sheaf.restart(kill=True)
    assert app.redeem(code).status_code == 200
    for used in (code, other):
        assert app.redeem(used).json()["error"] == "invalid_grant"

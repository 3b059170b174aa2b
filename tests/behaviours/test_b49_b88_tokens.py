"""Attacks B66 and B77 to B80: people who are switched off, old refresh tokens, exchange, scopes, devices.

Every variant of them is tested in tests/oidc.
"""

from collections.abc import Callable
from typing import Any

import pytest

from idp.domain.session import Session
from tests.oidc.devices import answered, begin, form_of, poll, told, tv, typed
from tests.oidc.exchanging import ACCESS, ID, INNER, exchange, front, good, service
from tests.oidc.house import App
from tests.oidc.house import House as OidcHouse
from tests.support.oidc_app import API_SCOPES, AUDIENCE, OidcApp
from tests.support.sheaf import Sheaf
from tests.upstream.browser import Browser as UpstreamBrowser
from tests.upstream.openid_double import OpenIdDouble
from tests.web.house import PASSWORD, House

# ------------------------------------------------------------------ whoever is switched off


def test_b66_who_is_switched_off_comes_in_by_no_upstream_and_with_no_session(
    app: Any, browser: UpstreamBrowser, live_corp: Any, openid: OpenIdDouble, name_of: Any, services: Any, repo: Any
) -> None:
    browser.follow(browser.come_back(openid.authorize(browser.leave(browser.begin()), "s-1")))
    assert browser.is_signed_in
    (session,) = repo.find(Session)
    user = services.users.get(session.user_id)
    services.users.add("root", email=None, administrator=True, actor="test")
    half = UpstreamBrowser(app)  # one that is away at the upstream while it happens
    params = openid.authorize(half.leave(half.begin()), "s-1")

    services.users.set_disabled(user, True, actor="test")

    assert not browser.is_signed_in
    assert repo.find(Session) == []
    assert name_of(half.come_back(params)) == "user_disabled"
    again = UpstreamBrowser(app)
    assert name_of(again.come_back(openid.authorize(again.leave(again.begin()), "s-1"))) == "user_disabled"
    assert not half.is_signed_in
    assert not again.is_signed_in


def test_b66_who_is_switched_off_gets_nothing_for_a_password_half_way_or_a_code(house: House) -> None:
    ada, boss = house.person(), house.person("boss", admin=True)
    half = house.password_step(house.browser(), ada)
    code = house.code(ada.secret)

    house.parts.users.set_disabled(ada.user, True, actor=boss.user.id)

    assert not half.submit("/factor", code=code).browser.signed_in
    refused = house.browser().open("/sign-in").submit("/password", username="ada", password=PASSWORD)
    assert refused.status == 401
    assert house.parts.sessions.of(ada.user.id) == []


def test_b66_who_is_switched_off_has_no_token_of_any_grant(oidc_house: OidcHouse) -> None:
    house, ada = oidc_house, oidc_house.person()
    house.user("boss", roles=("administrator",))
    app, device, behind = front(house), tv(house), service(house)
    tokens = house.sign_in(ada, app, scope="openid documents.read")
    code = house.code(ada, app, scope="openid documents.read")
    allowed, waiting = begin(house, device), begin(house, device)
    answered(ada.browser, allowed["user_code"])

    house.parts.users.set_disabled(ada.user, True, actor="test")

    house.refused(house.refresh(app, tokens["refresh_token"]), 400, "invalid_grant")
    house.refused(house.redeem(app, code), 400, "invalid_grant")
    assert poll(house, device, allowed).status_code == 400
    told(poll(house, device, waiting), "authorization_pending")
    assert "/flow/" in typed(ada.browser, waiting["user_code"]).headers["Location"]  # she would have to sign in first
    house.refused(exchange(house, behind, tokens["access_token"]), 400, "invalid_request")
    assert house.userinfo(tokens["access_token"]).status_code == 401
    assert house.introspect(behind, tokens["access_token"]) == {"active": False}
    assert "/flow/" in house.authorize(ada.browser, app, scope="openid").headers["Location"]
    house.parts.apps.remove_client(behind.id, actor="test")
    house.refused(house.token(behind, grant_type="client_credentials"), 401, "invalid_client")


# ------------------------------------------------------------------ refresh tokens, exchange, scopes


def test_b77_a_rotated_refresh_token_stays_worthless_after_a_restart(start_sheaf: Callable[..., Sheaf]) -> None:
    sheaf = start_sheaf(second_factor="administrators")
    app, ada = OidcApp(sheaf, scopes=("openid", *API_SCOPES), audiences=[AUDIENCE]), sheaf.add_user()
    with app.browser() as browser:
        first = app.sign_in(browser, ada)
    second = app.tokens(app.refresh(first["refresh_token"]))
    third = app.tokens(app.refresh(second["refresh_token"]))

    sheaf.restart()

    assert app.refresh(first["refresh_token"]).json()["error"] == "invalid_grant"
    assert app.refresh(third["refresh_token"]).json()["error"] == "invalid_grant", "whoever reuses one ends them all"


EXCHANGES: dict[str, dict[str, str]] = {
    "no token": {"subject_token": ""},
    "no type": {"subject_token_type": ""},
    "a made-up one": {"subject_token": "sheaf_at_unknown"},
    "an audience of somebody else": {"resource": "urn:example:elsewhere"},
    "an actor that is nobody": {"actor_token": "x", "actor_token_type": ACCESS},
}


@pytest.mark.parametrize("what", list(EXCHANGES))
def test_b78_a_token_is_exchanged_for_nothing_when_the_request_has(oidc_house: OidcHouse, what: str) -> None:
    app = front(oidc_house)
    token = oidc_house.sign_in(oidc_house.person(), app, scope="documents.read")["access_token"]

    answer = exchange(oidc_house, app, token, **EXCHANGES[what])

    assert answer.status_code == 400
    assert answer.get_json()["error"] in ("invalid_request", "invalid_grant", "invalid_target")


def test_b78_an_exchanged_token_has_no_scope_that_the_first_one_had_not_and_ends_with_it(oidc_house: OidcHouse) -> None:
    house = oidc_house
    app, behind = front(house), service(house, scopes=("documents.read", "documents.write", "queues.publish"))
    stranger = service(house, "stranger", audiences=("urn:example:elsewhere",))
    narrow = house.sign_in(house.person(), app, scope="openid documents.read")

    wider = exchange(house, behind, narrow["access_token"], scope="documents.read documents.write")
    assert wider.get_json()["error"] == "invalid_scope"
    claims = good(house, exchange(house, behind, narrow["access_token"], resource=INNER))
    assert set(claims["scope"].split()) <= {"documents.read"}
    assert exchange(house, stranger, narrow["access_token"]).status_code == 400
    assert exchange(house, behind, narrow["id_token"], subject_token_type=ID).status_code == 400
    house.clock.advance(601)
    house.refused(exchange(house, behind, narrow["access_token"]), 400, "invalid_request")


def _scopes_of(house: OidcHouse, app: App, **form: str) -> set[str]:
    answer = house.token(app, grant_type="client_credentials", **form)
    return set(answer.get_json().get("scope", "").split()) if answer.status_code == 200 else set()


def test_b79_an_app_gets_no_scope_that_an_administrator_did_not_give_it(oidc_house: OidcHouse) -> None:
    house = oidc_house
    robot = service(house, "robot", scopes=("documents.read",))
    device = tv(house, scopes=("openid", "profile"))

    for scope in ("admin", "sheaf.admin", "documents.write", "documents.read documents.write", "openid"):
        answer = house.token(robot, grant_type="client_credentials", scope=scope)
        assert (scope, answer.get_json()["error"]) == (scope, "invalid_scope")
        asked = house.post("/device_authorization", device, scope=f"openid {scope}" if scope != "openid" else "admin")
        assert asked.get_json()["error"] == "invalid_scope", scope
    assert _scopes_of(house, robot) == {"documents.read"}
    tokens = house.sign_in(house.person(), house.client(), scope="openid")
    assert "documents.read" not in house.read(tokens["access_token"], "ES256").claims["scope"].split()


# ------------------------------------------------------------------ devices

DEVICE_GRANTS = ("urn:ietf:params:oauth:grant-type:device_code",)


def test_b80_the_code_of_a_device_is_guessed_a_few_times_only(oidc_house: OidcHouse) -> None:
    begun = begin(oidc_house, tv(oidc_house))
    person = oidc_house.person()

    answers = [typed(person.browser, "BCDF-GHJK").status_code for _ in range(30)]

    assert answers == [400] * 10 + [429] * 20
    assert typed(person.browser, begun["user_code"]).status_code == 429, "not even with the right one"


def test_b80_a_device_is_allowed_by_a_form_of_ours_that_names_it_once_and_for_itself_only(
    oidc_house: OidcHouse,
) -> None:
    house, device, other = oidc_house, tv(oidc_house), oidc_house.client("other-tv", grant_types=DEVICE_GRANTS)
    person, begun = oidc_house.person(), begin(oidc_house, device)
    where = typed(person.browser, begun["user_code"]).headers["Location"]
    page = person.browser.get(where)
    while page.status_code == 303:
        where = page.headers["Location"]
        page = person.browser.get(where)
    assert "Tv" in page.text
    assert begun["user_code"] in page.text

    assert person.browser.get(where, query_string={"answer": "allow"}).status_code == 200
    assert person.browser.post(where, data={"answer": "allow"}).status_code == 403
    crossing = {"Sec-Fetch-Site": "cross-site"}
    forged = {**form_of(page, "/consent"), "answer": "allow"}
    assert person.browser.post(where, data=forged, headers=crossing).status_code == 403
    told(poll(house, device, begun), "authorization_pending")

    sent = person.browser.post(where, data=forged)
    while sent.status_code == 303:
        sent = person.browser.get(sent.headers["Location"])
    house.refused(poll(house, other, begun), 400, "invalid_grant")
    house.clock.advance(5)
    assert poll(house, device, begun).status_code == 200
    assert poll(house, device, begun).status_code == 400
    assert typed(oidc_house.person("bob").browser, begun["user_code"]).status_code == 400

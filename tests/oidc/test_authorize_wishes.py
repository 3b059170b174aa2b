"""Owns the claims about what an app may wish for at /authorize: how strong, how recent, who, which claims, which language;
and about what profiles and registration add to it.

How requests are refused is left to test_authorize, reading the claims parameter to test_claims_request.
"""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from pydantic import SecretStr

from idp.app import create_app
from idp.base.config import Settings
from idp.base.sections import Roles
from idp.domain.attempt import LoginAttempt, Proof, Wants
from idp.domain.relying import Client
from idp.domain.session import ACR_MFA, ACR_SINGLE
from idp.storage.sqlite import SqliteRepository
from tests.oidc.house import CALLBACK, ISSUER, App, House, Person, sent_back
from tests.support.clock import FakeClock
from tests.support.quick import SEAL_KEY_TEXT, quick

PLAIN = {"code_challenge": None, "code_challenge_method": None}


def wants(house: House) -> Wants:
    """Of the sign-in that was begun last."""
    return max(house.parts.repo.find(LoginAttempt), key=lambda attempt: attempt.created_at).wants


def essential(*values: str, **more: Any) -> str:
    return json.dumps({"id_token": {"acr": {"essential": True, "values": values}, **more}})


def id_token(house: House, person: Person, app: App, **asked: str | None) -> dict[str, Any]:
    return dict(house.read(house.sign_in(person, app, **asked)["id_token"], "RS256").claims)


@pytest.fixture
def easy(repo: SqliteRepository, clock: FakeClock, tmp_path: Path) -> House:
    """A house where nobody needs a second factor but for whom an app asks for one."""
    settings = Settings(
        issuer=ISSUER,
        data=str(tmp_path / "data"),
        seal_key=SecretStr(SEAL_KEY_TEXT),
        second_factor=Roles(roles=("nobody",)),
    )
    return House(quick(create_app(settings, repo=repo, clock=clock)), clock)


# ------------------------------------------------------------------ how strong (acr)


def test_an_essential_acr_is_stepped_up_to(easy: House) -> None:
    app, person = easy.client(), easy.person(factor=False)
    answer = easy.authorize(person.browser, app, claims=essential(ACR_MFA))
    assert answer.headers["Location"].startswith("/flow/")
    assert wants(easy).second_factor
    silent = sent_back(easy.authorize(person.browser, app, claims=essential(ACR_MFA), prompt="none"))
    assert silent["error"] == "interaction_required"
    assert "code" in sent_back(easy.authorize(person.browser, app))


def test_an_essential_acr_that_the_session_has_is_answered_at_once(house: House) -> None:
    assert id_token(house, house.person(), house.client(), claims=essential("urn:x", ACR_MFA))["acr"] == ACR_MFA


def test_an_essential_acr_that_nobody_can_reach_is_refused_at_once(house: House) -> None:
    answer = sent_back(house.authorize(house.browser(), house.client(), claims=essential("urn:x", "urn:y")))
    assert answer["error"] == "unmet_authentication_requirements"
    assert house.parts.repo.find(LoginAttempt) == []


def test_two_factors_are_good_enough_where_one_is_demanded_and_the_answer_says_what_was_asked(house: House) -> None:
    app, person = house.client(), house.person()
    assert id_token(house, person, app, claims=essential(ACR_SINGLE))["acr"] == ACR_SINGLE
    assert id_token(house, person, app, claims=essential(ACR_SINGLE, ACR_MFA))["acr"] == ACR_MFA


def test_a_sign_in_that_is_not_as_strong_as_demanded_gives_no_code(easy: House) -> None:
    """The steps would not let it come that far; the last look does not rely on them."""
    app, user, browser = easy.client(), easy.user(), easy.browser()
    location = easy.authorize(browser, app, claims=essential(ACR_MFA)).headers["Location"]
    browser.get(location)
    attempt = easy.parts.repo.find(LoginAttempt)[0]
    session, _ = easy.parts.sessions.establish(Proof(user.id, easy.clock(), ("pwd",)), None, "tests")
    done = replace(attempt, finished=True, session_sid=session.sid)
    assert easy.parts.repo.replace_if(done) is not None
    answer = browser.get("/authorize/resume", query_string={"attempt": location.rpartition("/")[2]})
    assert sent_back(answer)["error"] == "unmet_authentication_requirements"


@pytest.mark.parametrize(
    ("asked", "stronger"),
    [
        ({"acr_values": ACR_MFA}, True),
        ({"acr_values": f"urn:x {ACR_MFA} {ACR_SINGLE}"}, True),
        ({"acr_values": f"{ACR_SINGLE} {ACR_MFA}"}, False),
        ({"acr_values": "urn:x"}, False),
        ({"claims": json.dumps({"id_token": {"acr": {"value": ACR_MFA}}})}, True),
        ({"claims": json.dumps({"id_token": {"acr": {"value": ACR_SINGLE}}}), "acr_values": ACR_MFA}, False),
        ({"claims": json.dumps({"id_token": {"acr": {"essential": True}}})}, False),
        ({"claims": json.dumps({"userinfo": {"acr": {"essential": True, "value": ACR_MFA}}})}, False),
        ({}, False),
    ],
)
def test_a_wish_for_two_factors_is_one_for_the_value_that_is_liked_best(
    house: House, asked: dict[str, str], stronger: bool
) -> None:
    house.authorize(house.browser(), house.client(), **asked)
    assert wants(house).second_factor is stronger


def test_a_mere_wish_never_costs_the_answer_that_can_be_given_in_silence(easy: House) -> None:
    app, person = easy.client(), easy.person(factor=False)
    assert "code" in sent_back(easy.authorize(person.browser, app, acr_values=ACR_MFA, prompt="none"))
    assert easy.authorize(person.browser, app, acr_values=ACR_MFA).headers["Location"].startswith("/flow/")


def test_an_app_may_register_what_it_wishes_for(house: House) -> None:
    app = house.client(default_acr_values=(ACR_MFA,), default_max_age=30)
    house.authorize(house.browser(), app)
    assert wants(house).second_factor
    assert wants(house).max_age == 30
    house.clock.advance(1)
    house.authorize(house.browser(), app, acr_values=ACR_SINGLE, max_age="90")
    assert not wants(house).second_factor
    assert wants(house).max_age == 90


def test_a_registered_age_of_nought_asks_every_time(house: House) -> None:
    app = house.client(default_max_age=0)
    assert house.authorize(house.person().browser, app).headers["Location"].startswith("/flow/")


# ------------------------------------------------------------------ who


def test_the_person_whom_claims_name_must_be_the_one_who_is_signed_in(house: House) -> None:
    app, ada, eve = house.client(), house.person("ada"), house.person("eve")
    for section in ("id_token", "userinfo"):
        asked = json.dumps({section: {"sub": {"value": ada.user.id}}})
        assert "code" in sent_back(house.authorize(ada.browser, app, claims=asked, prompt="none"))
        answer = sent_back(house.authorize(eve.browser, app, claims=asked, prompt="none"))
        assert answer["error"] == "login_required"
        assert house.authorize(eve.browser, app, claims=asked).headers["Location"].startswith("/flow/")


def test_the_hint_and_the_claims_must_be_about_the_same_person(house: House) -> None:
    app, ada = house.client(), house.person()
    hint = house.sign_in(ada, app)["id_token"]
    same, other = (json.dumps({"id_token": {"sub": {"value": value}}}) for value in (ada.user.id, "other"))
    assert "code" in sent_back(house.authorize(ada.browser, app, id_token_hint=hint, claims=same))
    answer = sent_back(house.authorize(ada.browser, app, id_token_hint=hint, claims=other))
    assert answer["error"] == "invalid_request"


def test_nobody_is_both_of_two_people(house: House) -> None:
    ada = house.person()
    asked = json.dumps({"id_token": {"sub": {"value": ada.user.id}}, "userinfo": {"sub": {"value": "other"}}})
    answer = sent_back(house.authorize(ada.browser, house.client(), claims=asked, prompt="none"))
    assert answer["error"] == "login_required"


def test_a_hint_names_the_person_as_the_app_knows_them(house: House) -> None:
    app, ada, eve = house.client(subject_type="pairwise"), house.person("ada"), house.person("eve")
    tokens = house.sign_in(ada, app)
    subject = house.read(tokens["id_token"], "RS256").claims["sub"]
    assert subject != ada.user.id
    house.clock.advance(3000)  # the hint may have expired
    asked = json.dumps({"id_token": {"sub": {"value": subject}}})
    for wish in ({"id_token_hint": tokens["id_token"]}, {"claims": asked}):
        assert "code" in sent_back(house.authorize(ada.browser, app, prompt="none", **wish))
        assert sent_back(house.authorize(eve.browser, app, prompt="none", **wish))["error"] == "login_required"
    bare = json.dumps({"id_token": {"sub": {"value": ada.user.id}}})
    assert sent_back(house.authorize(ada.browser, app, prompt="none", claims=bare))["error"] == "login_required"


def test_a_hint_of_another_app_is_none(house: House) -> None:
    app, other, ada = house.client(), house.client("other"), house.person()
    hint = house.sign_in(ada, other)["id_token"]
    assert sent_back(house.authorize(ada.browser, app, id_token_hint=hint))["error"] == "invalid_request"


# ------------------------------------------------------------------ which claims


def test_claims_that_are_asked_for_by_name_come_although_their_scope_does_not(house: House) -> None:
    app = house.client()
    asked = json.dumps({"id_token": {"email": None, "auth_time": {"essential": True}}, "userinfo": {"name": None}})
    tokens = house.sign_in(house.person(), app, scope="openid", claims=asked)
    claims = house.read(tokens["id_token"], "RS256").claims
    assert claims["email"] == "ada@example.org"
    assert claims["auth_time"] == int(house.clock())
    assert "name" not in claims
    assert house.userinfo(tokens["access_token"]).get_json()["name"] == "Ada"


def test_the_person_is_asked_about_the_scope_behind_a_claim(house: House) -> None:
    app = house.client(consent="ask")
    house.authorize(house.browser(), app, scope="openid", claims='{"userinfo": {"email": null, "sub": null}}')
    assert set(wants(house).scopes) == {"openid", "email"}


def test_an_app_that_may_not_have_a_scope_does_not_get_at_it_by_name(house: House) -> None:
    app = house.client(scopes=("openid",))
    claims = id_token(house, house.person(), app, scope="openid", claims='{"id_token": {"email": null, "name": null}}')
    assert not {"email", "name"} & set(claims)


def test_the_time_of_the_sign_in_is_always_there(house: House) -> None:
    for asked in ({}, {"max_age": "1000"}):
        app = house.client(f"app-{len(asked)}", require_auth_time=True)
        person = house.person(f"user-{len(asked)}")
        assert id_token(house, person, app, **asked)["auth_time"] == int(house.clock())


# ------------------------------------------------------------------ language and display


@pytest.mark.parametrize(
    ("asked", "language"),
    [
        ("de", "de"),
        ("de-CH en", "de"),
        ("fr de", "de"),
        ("en de", "en"),
        ("fr", "en"),
        ("x y z", "en"),
        ("DE-at", "de"),
    ],
)
def test_the_pages_of_a_sign_in_speak_the_language_that_the_app_asks_for(
    house: House, asked: str, language: str
) -> None:
    browser = house.browser()
    location = house.authorize(browser, house.client(), ui_locales=asked).headers["Location"]
    assert f'<html lang="{language}"' in browser.get(location).text


def test_without_a_language_that_we_speak_the_browser_decides(house: House) -> None:
    browser = house.browser()
    location = house.authorize(browser, house.client(), ui_locales="fr").headers["Location"]
    assert '<html lang="de"' in browser.get(location, headers={"Accept-Language": "de"}).text


def test_the_last_page_speaks_it_too(house: House) -> None:
    answer = house.authorize(house.person().browser, house.client(), ui_locales="de", response_mode="form_post")
    assert '<html lang="de"' in answer.text


@pytest.mark.parametrize("display", ["page", "popup", "touch", "wap", "hologram"])
def test_every_display_is_as_good_as_any(house: House, display: str) -> None:
    assert "code" in sent_back(house.authorize(house.person().browser, house.client(), display=display))


# ------------------------------------------------------------------ profiles and kinds of apps


def stored(house: House, app: App, **changes: Any) -> App:
    """As it may stand in a store, whatever registration says today."""
    client = house.parts.repo.replace_if(replace(app.client, **changes))
    assert isinstance(client, Client)
    return App(client, app.secret)


def test_oauth_2_1_means_pkce_whatever_is_registered_besides(house: House) -> None:
    app = stored(house, house.client(), profile="oauth21", pkce_required=False)
    assert sent_back(house.authorize(house.person().browser, app, **PLAIN))["error"] == "invalid_request"


def test_a_legacy_app_may_do_without_pkce_but_not_with_half_of_it(house: House) -> None:
    app, person = house.client(profile="legacy", pkce_required=False), house.person()
    assert "code" in sent_back(house.authorize(person.browser, app, **PLAIN))
    for half in ({"code_challenge": None}, {"code_challenge_method": None}, {"code_challenge_method": "plain"}):
        assert sent_back(house.authorize(person.browser, app, **half))["error"] == "invalid_request"


def test_only_native_apps_choose_the_port_of_a_loopback_address(house: House) -> None:
    person = house.person()
    uris, chosen = ("http://127.0.0.1/cb", CALLBACK), "http://127.0.0.1:49152/cb"
    native = house.client("native", auth_method="none", application_type="native", redirect_uris=uris)
    loopback = house.client("loopback", auth_method="none", redirect_uris=uris[:1])
    web = stored(house, house.client("web", auth_method="none"), redirect_uris=uris)
    secret = stored(house, house.client("secret"), application_type="native", redirect_uris=uris)
    assert "code" in sent_back(house.authorize(person.browser, native, redirect_uri=chosen), chosen)
    assert "code" in sent_back(house.authorize(person.browser, loopback, redirect_uri=chosen), chosen)
    for app in (web, secret):
        answer = house.authorize(person.browser, app, redirect_uri=chosen)
        assert answer.status_code == 400
        assert "Location" not in answer.headers

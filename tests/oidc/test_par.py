"""Owns the claims about pushed authorization requests (RFC 9126): pushing them, and what their names are good for.

What request objects say is left to test_jar, what the parameters mean to test_authorize.
"""

import threading
from collections.abc import Callable
from dataclasses import replace
from typing import Any
from urllib.parse import urlsplit

import pytest
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from idp.app import create_app
from idp.base import ids
from idp.base.config import Settings
from idp.base.sections import Oidc
from idp.domain.attempt import LoginAttempt, Proof
from idp.domain.grant import AuthorizationCode, PushedRequest
from idp.domain.profile import rules
from idp.storage.sqlite import SqliteRepository
from tests.oidc.app_keys import AppKeys, request_claims
from tests.oidc.house import API, CALLBACK, ISSUER, App, House, basic, sent_back
from tests.support.clock import FakeClock
from tests.support.quick import SEAL_KEY_TEXT, quick

AT_ONCE = 20
PREFIX = "urn:ietf:params:oauth:request_uri:"
NOBODY = {"client_id": None}


def push(house: House, app: App, headers: dict[str, str] | None = None, **changes: str | None) -> TestResponse:
    form = house.request_of(app, **changes)
    if app.client.is_public:
        return house.app.test_client().post("/par", data=form, headers=headers)
    sent = {"Authorization": basic(app.id, app.secret), **(headers or {})}
    return house.app.test_client().post("/par", data=form, headers=sent)


def pushed(house: House, app: App, **changes: str | None) -> str:
    answer = push(house, app, **changes)
    assert answer.status_code == 201, answer.text
    return str(answer.get_json()["request_uri"])


def use(browser: FlaskClient, app: App, uri: str, **outside: str) -> TestResponse:
    return browser.get("/authorize", query_string={"client_id": app.id, "request_uri": uri, **outside})


def finish(house: House, browser: FlaskClient, location: str, user_id: str) -> TestResponse:
    """The person proves both factors, and the browser goes the rest of the way."""
    handle = location.rpartition("/")[2]
    browser.get(location)
    attempt = house.parts.repo.get(LoginAttempt, ids.digest(handle))
    assert attempt is not None
    now = house.clock()
    done = replace(attempt, proof=Proof(user_id, now, ("pwd", "otp"), now))
    assert house.parts.repo.replace_if(done) is not None
    return browser.get(browser.get(location).headers["Location"])


# ------------------------------------------------------------------ pushing


def test_a_pushed_request_gets_a_name_that_is_good_for_one_code(house: House) -> None:
    app, person = house.client(), house.person()
    answer = push(house, app)
    assert answer.status_code == 201
    assert answer.headers["Cache-Control"] == "no-store"
    body = answer.get_json()
    assert set(body) == {"request_uri", "expires_in"}
    assert body["request_uri"].startswith(PREFIX)
    assert body["expires_in"] == 90
    sent = sent_back(use(person.browser, app, body["request_uri"]))
    assert sent["state"] == "s-1"
    assert house.redeem(app, sent["code"]).status_code == 200


def test_a_public_app_may_push(house: House) -> None:
    app = house.client("spa", auth_method="none")
    assert "code" in sent_back(use(house.person().browser, app, pushed(house, app)))


def test_what_is_said_beside_the_name_does_not_count(house: House) -> None:
    app, person = house.client(), house.person()
    uri = pushed(house, app, scope="openid")
    sent = sent_back(
        use(
            person.browser,
            app,
            uri,
            scope="openid roles",
            state="x",
            prompt="login",
            redirect_uri="https://evil.example/",
        )
    )
    assert sent["state"] == "s-1"
    assert house.redeem(app, sent["code"]).get_json()["scope"] == "openid"


def test_what_authenticates_the_app_is_not_kept(house: House) -> None:
    app = house.client(auth_method="client_secret_post")
    form = {**house.request_of(app), "client_secret": app.secret, "unheard_of": "1", "resource": API}
    answer = house.app.test_client().post("/par", data=form)
    assert answer.status_code == 201, answer.text
    kept = house.parts.repo.find(PushedRequest)[0]
    assert app.secret not in repr(kept)
    assert {name for name, _ in kept.parameters} == set(house.request_of(app)) | {"resource"}
    assert PREFIX not in kept.id
    assert answer.get_json()["request_uri"].removeprefix(PREFIX) not in repr(kept)


def test_several_resources_may_be_pushed(house: House) -> None:
    app = house.client(audiences=(API, "urn:second", "urn:third"))
    form = [*house.request_of(app).items(), ("resource", API), ("resource", "urn:third")]
    headers = {"Authorization": basic(app.id, app.secret), "Content-Type": "application/x-www-form-urlencoded"}
    body = "&".join(f"{name}={value}" for name, value in form)
    uri = house.app.test_client().post("/par", data=body, headers=headers).get_json()["request_uri"]
    code = sent_back(use(house.person().browser, app, uri))["code"]
    access = house.redeem(app, code).get_json()["access_token"]
    assert set(house.read(access, "ES256").claims["aud"]) == {API, "urn:third", ISSUER}


def test_a_signed_request_may_be_pushed_and_is_verified_there(house: House) -> None:
    keys = AppKeys()
    app, person = house.client(jwks=keys.jwks, require_signed_request_object=True), house.person()
    headers = {"Authorization": basic(app.id, app.secret)}
    said = request_claims(app.id, now=house.clock())
    answer = house.app.test_client().post("/par", data={"request": keys.sign(said)}, headers=headers)
    assert answer.status_code == 201, answer.text
    assert sent_back(use(person.browser, app, answer.get_json()["request_uri"]))["state"] == "inside"
    forged = AppKeys(kid="k2").sign(said)
    answer = house.app.test_client().post("/par", data={"request": forged}, headers=headers)
    house.refused(answer, 400, "invalid_request_object")
    house.refused(push(house, app), 400, "invalid_request")


REFUSALS: list[tuple[dict[str, str | None], str]] = [
    ({"redirect_uri": "https://evil.example/"}, "invalid_request"),
    ({"redirect_uri": None}, "invalid_request"),
    ({"client_id": "other"}, "invalid_request"),
    ({"request_uri": PREFIX + "x"}, "invalid_request"),
    ({"request_uri": "https://app.example/r"}, "invalid_request"),
    ({"request": "x.y.z"}, "invalid_request_object"),
    ({"response_type": "token"}, "unsupported_response_type"),
    ({"response_type": None}, "invalid_request"),
    ({"response_mode": "fragment"}, "invalid_request"),
    ({"code_challenge": None, "code_challenge_method": None}, "invalid_request"),
    ({"code_challenge_method": "plain"}, "invalid_request"),
    ({"scope": "openid admin"}, "invalid_scope"),
    ({"resource": "urn:other"}, "invalid_target"),
    ({"prompt": "none login"}, "invalid_request"),
    ({"max_age": "-1"}, "invalid_request"),
    ({"claims": "[]"}, "invalid_request"),
    ({"id_token_hint": "x"}, "invalid_request"),
    ({"registration": "{}"}, "registration_not_supported"),
    ({"dpop_jkt": "short"}, "invalid_request"),
    ({"nonce": "n" * 2000}, "invalid_request"),
]


@pytest.mark.parametrize(("changes", "error"), REFUSALS)
def test_a_request_that_breaks_a_rule_is_refused_when_it_is_pushed(
    house: House, changes: dict[str, str | None], error: str
) -> None:
    answer = push(house, house.client(), **changes)
    house.refused(answer, 400, error)
    assert "Location" not in answer.headers
    assert house.parts.repo.find(PushedRequest) == []


def test_nobody_pushes_without_authenticating(house: House) -> None:
    app, other = house.client(), house.client("other")
    client = house.app.test_client()
    house.refused(client.post("/par", data=house.request_of(app)), 401, "invalid_client")
    wrong = {"Authorization": basic(app.id, other.secret)}
    house.refused(client.post("/par", data=house.request_of(app), headers=wrong), 401, "invalid_client")
    house.refused(client.post("/par", data={}), 401, "invalid_client")


def test_the_endpoint_takes_forms_by_post_only(house: House) -> None:
    app, client = house.client(), house.app.test_client()
    headers = {"Authorization": basic(app.id, app.secret)}
    assert client.get("/par", headers=headers).status_code == 405
    assert client.post("/par", json=house.request_of(app), headers=headers).status_code == 400
    assert client.post("/par?scope=openid", data=house.request_of(app), headers=headers).status_code == 400
    assert client.post("/par", data={"state": "x" * 600_000}, headers=headers).status_code == 413
    assert client.post("/par", data={"state": "x" * 20_000}, headers=headers).status_code == 400
    body = "state=1&state=2"
    form = {**headers, "Content-Type": "application/x-www-form-urlencoded"}
    house.refused(client.post("/par", data=body, headers=form), 400, "invalid_request")


# ------------------------------------------------------------------ using


def test_the_name_is_good_once_and_the_second_time_people_are_told_what_to_do(house: House) -> None:
    app, person = house.client(), house.person()
    uri = pushed(house, app)
    assert "code" in sent_back(use(person.browser, app, uri))
    again = use(person.browser, app, uri)
    assert again.status_code == 410
    assert "Location" not in again.headers
    assert "already answered" in again.text
    german = person.browser.get(
        "/authorize", query_string={"client_id": app.id, "request_uri": uri}, headers={"Accept-Language": "de"}
    )
    assert "beantwortet" in german.text


def test_a_page_that_is_loaded_again_before_the_sign_in_is_over_does_no_harm(house: House) -> None:
    app, user, browser = house.client(), house.user(), house.browser()
    uri = pushed(house, app)
    first = use(browser, app, uri).headers["Location"]
    second = use(browser, app, uri).headers["Location"]
    assert first.startswith("/flow/")
    assert second.startswith("/flow/")
    assert "code" in sent_back(finish(house, browser, second, user.id))
    late = browser.get(browser.get(first).headers["Location"])
    assert late.status_code == 410
    assert "already answered" in late.text
    assert len(house.parts.repo.find(AuthorizationCode)) == 1


def test_the_name_expires_but_not_under_a_person_who_is_signing_in(house: House) -> None:
    app, user, browser = house.client(), house.user(), house.browser()
    uri = pushed(house, app)
    location = use(browser, app, uri).headers["Location"]
    house.clock.advance(89)
    assert use(house.browser(), app, uri).headers["Location"].startswith("/flow/")
    house.clock.advance(1)
    late = use(house.browser(), app, uri)
    assert late.status_code == 410
    assert "expired" in late.text
    house.clock.advance(400)
    assert "code" in sent_back(finish(house, browser, location, user.id))


def test_who_declines_has_answered(house: House) -> None:
    app, user, browser = house.client(), house.user(), house.browser()
    uri = pushed(house, app)
    location = use(browser, app, uri).headers["Location"]
    browser.get(location)
    attempt = house.parts.repo.find(LoginAttempt)[0]
    house.parts.sign_in.deny(attempt)
    assert sent_back(browser.get(browser.get(location).headers["Location"]))["error"] == "access_denied"
    assert use(browser, app, uri).status_code == 410
    assert user.id


def test_an_answer_without_a_page_is_an_answer(house: House) -> None:
    app = house.client()
    uri = pushed(house, app, prompt="none")
    assert sent_back(use(house.browser(), app, uri))["error"] == "login_required"
    assert use(house.browser(), app, uri).status_code == 410


def test_a_name_belongs_to_the_app_that_pushed(house: House) -> None:
    app, other, person = house.client(), house.client("other"), house.person()
    uri = pushed(house, app)
    stolen = use(person.browser, other, uri)
    assert stolen.status_code == 410
    assert "Location" not in stolen.headers
    assert "code" in sent_back(use(person.browser, app, uri))


@pytest.mark.parametrize("uri", [PREFIX, PREFIX + "x", PREFIX + "x" * 43, PREFIX + "é", PREFIX + "x" * 10_000])
def test_a_made_up_name_is_a_page(house: House, uri: str) -> None:
    answer = use(house.person().browser, house.client(), uri)
    assert answer.status_code == 410
    assert "Location" not in answer.headers


def test_a_pushed_request_is_judged_again_when_it_is_used(house: House) -> None:
    app, person = house.client(), house.person()
    uri = pushed(house, app)
    assert house.parts.repo.replace_if(replace(app.client, redirect_uris=("https://new.example/",))) is not None
    answer = use(person.browser, app, uri)
    assert answer.status_code == 400
    assert "Location" not in answer.headers


def test_of_many_that_use_one_name_at_once_one_gets_a_code(house: House) -> None:
    app, person = house.client(), house.person()
    cookie = person.browser.get_cookie("sheaf_session")
    assert cookie is not None
    uri, gate = pushed(house, app), threading.Barrier(AT_ONCE)
    statuses: list[int] = []

    def run() -> None:
        browser = house.browser()
        browser.set_cookie("sheaf_session", cookie.value)
        gate.wait()
        statuses.append(use(browser, app, uri).status_code)

    threads = [threading.Thread(target=run) for _ in range(AT_ONCE)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(statuses) == [303] + [410] * (AT_ONCE - 1)
    assert len(house.parts.repo.find(AuthorizationCode)) == 1


# ------------------------------------------------------------------ who must push


def test_an_app_that_must_push_gets_no_code_otherwise(house: House) -> None:
    app, person = house.client(require_pushed_authorization_requests=True), house.person()
    assert sent_back(house.authorize(person.browser, app))["error"] == "invalid_request"
    assert sent_back(house.authorize(person.browser, app, request="x.y.z"))["error"] == "invalid_request"
    assert "code" in sent_back(use(person.browser, app, pushed(house, app)))


@pytest.fixture
def pushing_house(repo: SqliteRepository, clock: FakeClock, tmp_path: Any) -> House:
    oidc = Oidc(require_pushed_authorization_requests=True, pushed_request_seconds=30)
    settings = Settings(issuer=ISSUER, data=str(tmp_path / "data"), seal_key=SEAL_KEY_TEXT, oidc=oidc)
    return House(quick(create_app(settings, repo=repo, clock=clock)), clock)


def test_an_installation_may_demand_it_of_everybody(pushing_house: House) -> None:
    app, person = pushing_house.client(), pushing_house.person()
    assert sent_back(pushing_house.authorize(person.browser, app))["error"] == "invalid_request"
    answer = push(pushing_house, app)
    assert answer.get_json()["expires_in"] == 30
    assert "code" in sent_back(use(person.browser, app, answer.get_json()["request_uri"]))
    published = pushing_house.app.test_client().get("/.well-known/openid-configuration").get_json()
    assert published["require_pushed_authorization_requests"] is True


def test_the_metadata_names_the_endpoint(house: House) -> None:
    published = house.app.test_client().get("/.well-known/openid-configuration").get_json()
    assert published["pushed_authorization_request_endpoint"] == f"{ISSUER}/par"
    assert published["require_pushed_authorization_requests"] is False


# ------------------------------------------------------------------ bound to a key


def test_a_key_that_is_named_binds_the_code(house: House) -> None:
    app, person = house.client(), house.person()
    thumbprint = "0ZcOCORZNYy-DWpqq30jZyJGHTN0d2HglBV3uiguA4I"
    for uri in (pushed(house, app, dpop_jkt=thumbprint),):
        sent_back(use(person.browser, app, uri))
    code = house.parts.repo.find(AuthorizationCode)[0]
    assert code.grant is not None
    assert code.grant.confirmation == {"jkt": thumbprint}
    sent_back(house.authorize(person.browser, app, dpop_jkt=thumbprint))
    assert all(
        one.grant.confirmation == {"jkt": thumbprint} for one in house.parts.repo.find(AuthorizationCode) if one.grant
    )


def test_a_proof_that_comes_along_binds_the_code_and_must_be_of_the_named_key(
    house: House, proof_for: Callable[..., tuple[str, str]]
) -> None:
    app, person = house.client(), house.person()
    proof, thumbprint = proof_for("POST", f"{ISSUER}/par")
    answer = push(house, app, {"DPoP": proof})
    assert answer.status_code == 201, answer.text
    sent_back(use(person.browser, app, answer.get_json()["request_uri"]))
    code = house.parts.repo.find(AuthorizationCode)[0]
    assert code.grant is not None
    assert code.grant.confirmation == {"jkt": thumbprint}
    proof, _ = proof_for("POST", f"{ISSUER}/par")
    house.refused(push(house, app, {"DPoP": proof}, dpop_jkt="x" * 43), 400, "invalid_dpop_proof")
    proof, _ = proof_for("POST", f"{ISSUER}/token")
    house.refused(push(house, app, {"DPoP": proof}), 400, "invalid_dpop_proof")
    house.refused(push(house, app, {"DPoP": "rubbish"}), 400, "invalid_dpop_proof")


@pytest.fixture
def proof_for(house: House) -> Callable[..., tuple[str, str]]:
    keys = AppKeys(kid="dpop")
    made = iter(range(1000))

    def proof(method: str, url: str) -> tuple[str, str]:
        """A DPoP proof (RFC 9449 4.2) and the thumbprint of its key."""
        jwk = {
            name: value for name, value in keys.key.as_dict(private=False).items() if name in ("kty", "crv", "x", "y")
        }
        claims = {"htm": method, "htu": url, "iat": int(house.clock()), "jti": f"jti-{next(made)}-{url}"}
        return keys.sign(claims, typ="dpop+jwt", kid=None, jwk=jwk), str(keys.key.thumbprint())

    return proof


# ------------------------------------------------------------------ profiles


def test_fapi_2_apps_push_and_send_people_to_https(house: House) -> None:
    keys = AppKeys()
    app = house.client("bank", profile="fapi2", auth_method="private_key_jwt", jwks=keys.jwks)
    demanded = rules(app.client)
    assert demanded.pushed_request
    assert demanded.pkce
    assert demanded.https_redirects
    person = house.person()
    assert sent_back(house.authorize(person.browser, app))["error"] == "invalid_request"

    def asserted(**changes: str | None) -> TestResponse:
        now = int(house.clock())
        claims = {"iss": app.id, "sub": app.id, "aud": ISSUER, "iat": now, "exp": now + 60, "jti": repr(changes)}
        form = {
            **house.request_of(app, **changes),
            "client_assertion_type": "urn:ietf:params:oauth:client-assertion-type:jwt-bearer",
            "client_assertion": keys.sign(claims, typ="JWT"),
        }
        return house.app.test_client().post("/par", data=form)

    answer = asserted()
    assert answer.status_code == 201, answer.text
    sent = use(person.browser, app, answer.get_json()["request_uri"])
    assert sent.status_code == 303
    assert "code" in sent_back(sent)
    assert "client_assertion" not in repr(house.parts.repo.find(PushedRequest))
    house.refused(asserted(code_challenge=None, code_challenge_method=None), 400, "invalid_request")
    plain = replace(app.client, redirect_uris=("http://app.example/callback",), version=app.client.version)
    assert house.parts.repo.replace_if(plain) is not None
    house.refused(asserted(redirect_uri="http://app.example/callback"), 400, "invalid_request")


def test_the_browser_is_sent_away_with_303_and_without_a_referrer(house: House) -> None:
    app, person = house.client(), house.person()
    answer = use(person.browser, app, pushed(house, app))
    assert answer.status_code == 303
    assert answer.headers["Referrer-Policy"] == "no-referrer"
    assert urlsplit(answer.headers["Location"]).netloc == urlsplit(CALLBACK).netloc

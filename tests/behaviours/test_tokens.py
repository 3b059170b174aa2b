"""A token is good for whom it was made, for what it was made, and only as long as everything behind it lives."""

import base64
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path

from tests.saml.peer import Sp
from tests.support.oidc_app import API_SCOPES, AUDIENCE, OidcApp, api, claims, query
from tests.support.sheaf import Sheaf

ACCESS_SECONDS = 600
COMPANION_SECONDS = 5.0


def _app(sheaf: Sheaf, *, audiences: tuple[str, ...] = (AUDIENCE,), **settings: str) -> OidcApp:
    return OidcApp(sheaf, scopes=("openid", *API_SCOPES), audiences=audiences, **settings)


def _refused(sheaf: Sheaf, token: str) -> bool:
    return query(sheaf, token) == 401


def test_a_token_for_one_app_is_refused_by_the_others_and_by_the_companion(sheaf_with_api: Sheaf) -> None:
    sheaf, ada = sheaf_with_api, sheaf_with_api.add_user(totp=True)
    mine, other = _app(sheaf, audiences=("urn:test:reports",)), _app(sheaf)
    with mine.browser() as browser:
        tokens = mine.sign_in(browser, ada)
        for_companion = other.sign_in(browser, ada)["access_token"]
    token = tokens["access_token"]

    said = claims(token)
    assert set(said["aud"]) == {"urn:test:reports", sheaf.issuer}
    assert said["exp"] - said["iat"] <= ACCESS_SECONDS
    assert mine.active(token) is True
    assert other.active(token) is False
    assert other.refresh(tokens["refresh_token"]).json()["error"] == "invalid_grant"
    assert query(sheaf, for_companion) == 200
    refused = api(sheaf, token, "POST", "/documents/notes/query", {})
    assert (refused.status_code, refused.json()["code"]) == (401, "wrong_audience")


def test_disabling_a_user_or_changing_the_password_ends_every_live_token_within_five_seconds(
    sheaf_with_api: Sheaf,
) -> None:
    sheaf, app = sheaf_with_api, _app(sheaf_with_api)
    ada, bob = sheaf.add_user(totp=True), sheaf.add_user(totp=True)
    with app.browser() as one, app.browser() as two:
        held = [(one, app.sign_in(one, ada)), (two, app.sign_in(two, bob))]
        for _, tokens in held:
            token = tokens["access_token"]
            assert (query(sheaf, token), app.userinfo(token).status_code, app.active(token)) == (200, 200, True)

        sheaf.cli("user", "disable", ada.username)
        sheaf.cli("user", "password", bob.username, "--password-stdin", stdin="another long password\n")

        for browser, tokens in held:
            token = tokens["access_token"]
            assert app.userinfo(token).status_code == 401
            assert app.active(token) is False
            assert app.refresh(tokens["refresh_token"]).json()["error"] == "invalid_grant"
            assert app.ask(browser, prompt="none").params["error"] == "login_required"
            sheaf.soon(partial(_refused, sheaf, token), "the companion refuses the token", COMPANION_SECONDS)


def test_nothing_that_was_made_for_an_app_opens_the_companion_but_an_access_token_for_it(
    sheaf_with_api: Sheaf, tmp_path: Path
) -> None:
    sheaf, app, ada = sheaf_with_api, _app(sheaf_with_api), sheaf_with_api.add_user(totp=True)
    sp = Sp("https://exchange.test/metadata", acs=("https://exchange.test/acs",))
    (tmp_path / "sp.xml").write_bytes(sp.metadata())
    sheaf.add_sp(tmp_path / "sp.xml")
    with app.browser() as browser:
        tokens = app.sign_in(browser, ada)
        code = app.ask(browser).params["code"]
        request = sp.query(sp.authn_request(time.time(), sheaf.url("/saml/sso")))
        page = browser.open(sheaf.url(f"/saml/sso?{request}"))
        assertion = next(f.values["SAMLResponse"] for f in page.document.forms if "SAMLResponse" in f.values)
        session = browser.cookies()["sheaf_session"]
    assert b"Assertion" in base64.b64decode(assertion)

    assert query(sheaf, tokens["access_token"]) == 200
    for other in (tokens["id_token"], tokens["refresh_token"], code, session, "".join(assertion.split())):
        answer = api(sheaf, other, "POST", "/documents/notes/query", {})
        assert answer.status_code == 401
        assert answer.json()["code"] in ("wrong_token_type", "malformed_token")
    # Nor is there an exchange at the front door, for an app that no administrator has registered for one.
    for form in (
        {"grant_type": "urn:ietf:params:oauth:grant-type:token-exchange", "subject_token": tokens["id_token"]},
        {"grant_type": "urn:ietf:params:oauth:grant-type:saml2-bearer", "assertion": assertion},
        {"grant_type": "urn:ietf:params:oauth:grant-type:jwt-bearer", "assertion": tokens["id_token"]},
    ):
        assert app.post("/token", **form).json()["error"] in ("unauthorized_client", "unsupported_grant_type")


def test_what_was_used_once_stays_used_after_the_power_was_cut(start_sheaf: Callable[..., Sheaf]) -> None:
    sheaf = start_sheaf(second_factor="administrators")
    app, ada = _app(sheaf), sheaf.add_user()
    with app.browser() as browser:
        first = app.sign_in(browser, ada)
        unused, used = (app.ask(browser).params["code"] for _ in range(2))
    from_code = app.tokens(app.redeem(used))
    second = app.tokens(app.refresh(first["refresh_token"]))
    rotated = app.tokens(app.refresh(second["refresh_token"]))

    sheaf.restart(kill=True)

    assert app.redeem(unused).status_code == 200  # what was not used is not lost
    assert app.active(rotated["access_token"]) is True
    assert app.refresh(first["refresh_token"]).json()["error"] == "invalid_grant"
    assert app.redeem(used).json()["error"] == "invalid_grant"
    assert app.active(rotated["access_token"]) is False
    assert app.active(from_code["access_token"]) is False

"""Attacks B63 to B65, B75 and B76: the way back, the result, and what a browser sends besides.

Every variant of them is tested in tests/upstream and tests/oidc.
"""

from collections.abc import Callable
from typing import Any

import pytest

from idp.domain.session import Session
from idp.domain.upstream import FederatedLogin
from idp.domain.user import User
from idp.ports import Repository
from tests.oidc.devices import form_of
from tests.oidc.house import App
from tests.oidc.house import House as OidcHouse
from tests.oidc.house import Person as OidcPerson
from tests.upstream.browser import Browser as UpstreamBrowser
from tests.upstream.openid_double import MISSING, OpenIdDouble, Published, key

# ------------------------------------------------------------------ the way back from an upstream


def test_b63_a_state_that_is_missing_anothers_used_or_made_for_another_upstream_is_refused(
    app: Any, browser: UpstreamBrowser, live_corp: Any, add_upstream: Any, openid: OpenIdDouble, name_of: Any
) -> None:
    add_upstream("other")
    params = openid.authorize(browser.leave(browser.begin()))
    victim = UpstreamBrowser(app)
    victim.begin()

    for state in (MISSING, "", "x" * 43):
        assert name_of(browser.come_back({**params, "state": state})) == "upstream_unexpected"
    assert name_of(browser.come_back(params, "other")) == "upstream_unexpected"
    assert name_of(victim.come_back(params)) == "attempt_other_browser"
    assert openid.times_asked("/token") == 0
    assert browser.come_back(params).status_code == 303
    assert name_of(browser.come_back(params)) == "upstream_unexpected"
    assert openid.times_asked("/token") == 1
    assert not victim.is_signed_in


FORGED: dict[str, Callable[[OpenIdDouble], object]] = {
    "for another client": lambda op: op.lies.update(aud="another-client"),
    "for several, us among them": lambda op: op.lies.update(aud=["sheaf", "another-client"], azp="another-client"),
    "without an end": lambda op: op.lies.update(exp=MISSING),
    "with an end that is a text": lambda op: op.lies.update(exp="9999999999"),
    "over": lambda op: op.lies.update(exp=int(op.clock()) - 3600),
    "without a nonce": lambda op: op.lies.update(nonce=MISSING),
    "with the nonce of another time": lambda op: op.lies.update(nonce="n" * 43),
    "alg none": lambda op: setattr(op, "make_token", op.unsigned),
    "HS256 with the public key": lambda op: setattr(op, "make_token", op.signed_with_the_public_key_as_secret),
    "by a key that is not published": lambda op: setattr(op, "signer", Published("first", key("stranger"))),
}


@pytest.mark.parametrize("lie", list(FORGED))
def test_b64_an_id_token_that_is_not_for_us_not_now_or_not_signed_signs_nobody_in(
    browser: UpstreamBrowser, live_corp: Any, openid: OpenIdDouble, name_of: Any, repo: Repository, lie: str
) -> None:
    params = openid.authorize(browser.leave(browser.begin()))
    FORGED[lie](openid)

    assert name_of(browser.come_back(params)) == "upstream_answer_invalid"
    assert not browser.is_signed_in
    assert repo.find(FederatedLogin) == []
    assert repo.find(User) == []


def _allowed(house: OidcHouse, person: OidcPerson, app: App, **forged: str) -> str:
    """As far as the address where the app's answer waits. forged: sent besides with the answer to the question."""
    flow = house.authorize(person.browser, app, prompt="consent").headers["Location"]
    where = person.browser.get(flow).headers["Location"]
    form = form_of(person.browser.get(where), "/consent")
    assert set(form) == {"csrf"}, "nothing else is kept in the page"
    sent = person.browser.post(where, data={**form, "answer": "allow", **forged}, query_string=forged)
    return str(person.browser.get(sent.headers["Location"]).headers["Location"])


def test_b65_the_result_of_a_sign_in_is_given_out_once_and_to_its_own_browser(oidc_house: OidcHouse) -> None:
    app, person = oidc_house.client(consent="ask"), oidc_house.person()
    early = oidc_house.authorize(person.browser, app).headers["Location"].rpartition("/")[2]
    person.browser.get(f"/flow/{early}")
    assert person.browser.get(f"/authorize/resume?attempt={early}").status_code == 409  # there is nothing to give yet
    end = _allowed(oidc_house, person, app)
    thief = oidc_house.app.test_client()
    thief.set_cookie("sheaf_browser", "c" * 43)

    assert thief.get(end).status_code == 403
    first, second = person.browser.get(end), person.browser.get(end)

    assert "code=" in first.headers["Location"]
    assert (second.status_code, second.headers.get("Location")) == (410, None)


def test_b75_what_a_browser_sends_back_besides_its_handle_changes_nothing(oidc_house: OidcHouse) -> None:
    """The attempt of one app cannot become that of another one, of another door, or of a later step."""
    app, other = oidc_house.client(consent="ask"), oidc_house.client("evil", redirect_uris=("https://evil.example/cb",))
    person = oidc_house.person()
    forged = {
        "client_id": other.id,
        "redirect_uri": "https://evil.example/cb",
        "response_type": "token",
        "scope": "openid roles",
        "step": "done",
        "user": "admin",
        "flow": "x" * 43,
    }
    end = _allowed(oidc_house, person, app, **forged)

    answer = person.browser.get(f"{end}&client_id={other.id}&redirect_uri=https://evil.example/cb&response_type=token")

    assert answer.headers["Location"].startswith("https://app.example/callback?")
    assert "access_token" not in answer.headers["Location"]
    code = answer.headers["Location"].partition("code=")[2].partition("&")[0]
    oidc_house.refused(oidc_house.redeem(other, code), 400, "invalid_grant")
    end = _allowed(oidc_house, person, app)
    for door in ("/saml/resume", "/device/resume"):
        assert person.browser.get(end.replace("/authorize/resume", door)).status_code in (400, 409, 410)


def test_b76_what_opens_one_thing_opens_nothing_else(oidc_house: OidcHouse) -> None:
    """Codes, handles, sessions, refresh tokens and set-up links each have a space of their own."""
    house, app = oidc_house, oidc_house.client(grant_types=("authorization_code", "refresh_token"), consent="skip")
    person = house.person()
    cookie = person.browser.get_cookie("sheaf_session")
    assert cookie is not None
    tokens = house.sign_in(person, app)
    flow = house.authorize(house.browser(), app).headers["Location"].rpartition("/")[2]
    things = {
        "session": cookie.value,
        "attempt": flow,
        "code": house.code(person, app),
        "refresh token": tokens["refresh_token"],
        "access token": tokens["access_token"],
        "set-up link": house.parts.set_up.fresh_link(),
    }

    for name, thing in things.items():
        if name != "refresh token":
            house.refused(house.refresh(app, thing), 400, "invalid_grant")
        if name != "access token":
            assert house.userinfo(thing).status_code == 401
        if name != "attempt":
            assert house.browser().get(f"/flow/{thing}").status_code in (404, 410), name
        if name != "session":
            stranger = house.browser()
            stranger.set_cookie("sheaf_session", thing)
            assert stranger.get("/account").status_code == 303, name
        if name != "set-up link":
            assert house.browser().get(f"/setup/{thing}").status_code in (404, 410), name
        if name != "code":
            house.refused(house.redeem(app, thing), 400, "invalid_grant")
    assert len(house.parts.repo.find(Session)) == 1

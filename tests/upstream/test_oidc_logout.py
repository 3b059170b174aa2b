"""Owns single logout with OpenID Providers: logout tokens (Back-Channel Logout 1.0, 2.6) and the way to their sign-out page."""

import json
from urllib.parse import parse_qs, urlsplit

import pytest

from idp.domain.saml import LogoutRun, UpstreamSession
from idp.domain.session import Session
from tests.upstream.browser import BASE, Browser, away
from tests.upstream.openid_double import CLIENT_ID, MISSING, Published, Trouble, key

EVENT = "http://schemas.openid.net/event/backchannel-logout"


@pytest.fixture
def person(app, live_corp, openid):
    """Signs in; `sid` as its OpenID Provider says it."""

    def sign_in(sub="user-1", sid="their-sid", **claims):
        browser = Browser(app)
        params = openid.authorize(browser.leave(browser.begin()), sub, sid=sid, **claims)
        assert browser.follow(browser.come_back(params)).status_code == 200
        assert browser.is_signed_in
        return browser

    return sign_in


@pytest.fixture
def tell(app, openid, clock):
    """POST a logout token; lies: claims to change or (MISSING) leave out."""

    def go(provider="corp", *, token=None, header=None, signer=None, fields=None, query="", **lies):
        claims = {
            "iss": openid.issuer,
            "aud": CLIENT_ID,
            "iat": int(clock()),
            "exp": int(clock()) + 120,
            "jti": f"jti-{len(openid.asked)}-{json.dumps(lies, default=str)}"[:200],
            "events": {EVENT: {}},
            "sub": "user-1",
            "sid": "their-sid",
            **lies,
        }
        openid.header = {"typ": "logout+jwt", **(header or {})}
        made = (
            token if token is not None else openid.sign({k: v for k, v in claims.items() if v is not MISSING}, signer)
        )
        openid.header = {}
        data = {"logout_token": made} if fields is None else fields
        return app.test_client().post(f"/upstream/{provider}/backchannel-logout{query}", data=data, base_url=BASE)

    return go


def test_a_logout_token_ends_the_session_and_no_other(person, tell, repo):
    mine, other, stranger = person(), person(sid="another-sid"), person("user-2", sid="third-sid")

    answer = tell()

    assert (answer.status_code, answer.headers["Cache-Control"]) == (200, "no-store")
    assert (mine.is_signed_in, other.is_signed_in, stranger.is_signed_in) == (False, True, True)


def test_sub_alone_means_all_of_that_person_and_sid_alone_that_session(person, tell):
    first, second, other = person(sid="s1"), person(sid="s2"), person("user-2", sid="s3")

    assert tell(sid="s3", sub=MISSING).status_code == 200
    assert (first.is_signed_in, second.is_signed_in, other.is_signed_in) == (True, True, False)

    assert tell(sid=MISSING).status_code == 200
    assert (first.is_signed_in, second.is_signed_in) == (False, False)


def test_what_will_never_be_told_is_not_kept(person, repo):
    person(sid=MISSING)

    [session] = repo.find(Session)
    assert repo.get(UpstreamSession, session.sid) is None


def test_one_that_tells_by_sub_alone_is_understood(person, tell, openid):
    openid.metadata = {"backchannel_logout_supported": True}
    mine = person(sid=MISSING)

    assert tell(sid=MISSING).status_code == 200
    assert not mine.is_signed_in


def test_a_sid_of_somebody_else_ends_nothing(person, tell):
    mine = person()

    assert tell(sub="user-2").status_code == 200
    assert mine.is_signed_in


def test_it_is_good_once(person, tell, openid, clock):
    person()
    assert tell(jti="once").status_code == 200
    again = person()

    answer = tell(jti="once")

    assert (answer.status_code, again.is_signed_in) == (400, True)


LIES = [
    {"iss": "https://evil.example"},
    {"aud": "another-client"},
    {"aud": [CLIENT_ID, "another"]},
    {"exp": 1},
    {"exp": MISSING},
    {"exp": 10**11},
    {"exp": "soon"},
    {"iat": MISSING},
    {"iat": 10**11},
    {"jti": MISSING},
    {"jti": 7},
    {"jti": "x" * 300},
    {"events": MISSING},
    {"events": {}},
    {"events": {EVENT: "yes"}},
    {"events": [EVENT]},
    {"nonce": "n"},
    {"nonce": None},
    {"sub": MISSING, "sid": MISSING},
    {"sub": 7},
    {"sub": ""},
    {"sid": ["their-sid"]},
    {"sid": "x" * 300},
]


def test_a_token_that_lies_ends_nothing(person, tell):
    mine = person()

    for lies in LIES:
        answer = tell(**lies)
        assert (lies, answer.status_code, answer.get_json()["error"]) == (lies, 400, "invalid_request")
        assert answer.headers["Cache-Control"] == "no-store"

    assert mine.is_signed_in


def test_a_token_of_a_wrong_key_or_kind_ends_nothing(person, tell, openid):
    mine = person()
    unsigned = openid.unsigned({"iss": openid.issuer, "aud": CLIENT_ID, "events": {EVENT: {}}, "sub": "user-1"})

    assert tell(signer=Published("first", key("attacker"))).status_code == 400
    assert tell(header={"typ": "at+jwt"}).status_code == 400
    assert tell(token=unsigned).status_code == 400
    assert mine.is_signed_in


def test_an_id_token_is_no_logout_token(person, tell, openid):
    kept = []
    openid.make_token = lambda claims: kept.append(openid.sign(claims)) or kept[-1]
    mine = person()

    assert tell(token=kept[0]).status_code == 400
    assert mine.is_signed_in


def test_a_form_that_is_none_is_refused(person, tell):
    mine = person()

    for fields in (
        {},
        {"logout_token": ""},
        {"logout_token": "x" * 200_000},
        {"logout_token": ["a", "b"]},
        {"token": "x"},
    ):
        assert 400 <= tell(fields=fields).status_code < 500
    assert mine.is_signed_in


def test_nothing_counts_in_the_address(person, tell, openid):
    person()

    assert tell(query="?logout_token=x").status_code == 400


def test_one_that_is_off_unknown_or_of_another_protocol_ends_nothing(person, tell, set_upstream, services, clock):
    from idp.domain.upstream import UpstreamProvider

    mine = person()
    services.upstreams.add(UpstreamProvider("saml", "saml", "SAML", clock()), secrets=(), actor="test")
    set_upstream(enabled=False)

    assert {tell().status_code, tell("nothing").status_code} == {404}
    assert tell("saml").status_code >= 400
    assert mine.is_signed_in


def test_sessions_of_another_upstream_are_not_its_own(person, tell, add_upstream):
    mine = person()
    add_upstream("twin")

    assert tell("twin").status_code == 200
    assert mine.is_signed_in


def test_a_new_key_is_found_without_a_restart(person, tell, openid):
    mine = person()
    openid.rotate("first", "second")

    assert tell().status_code == 200
    assert not mine.is_signed_in


# ---------------------------------------------------------------- from here to there


@pytest.fixture
def leading(openid, services, live_corp):
    """It has a sign-out page, and is to be told."""
    openid.metadata = {"end_session_endpoint": f"{openid.issuer}/logout?tenant=1"}
    from idp.upstream.parse import changed_provider

    provider, settings = changed_provider(services.upstreams.get("corp"), {"logout": "yes"})
    services.upstreams.change(provider, settings, secrets=(), actor="test")


def sign_out(browser):
    answer = browser.post("/sign-out", on="/account")
    while answer.status_code == 303:
        answer = browser.get(answer.location)
    return answer


def test_who_signs_out_here_is_led_there_and_back(leading, person, openid, repo):
    browser = person()

    url = urlsplit(away(sign_out(browser)))
    asked = {name: values[0] for name, values in parse_qs(url.query).items()}

    assert f"{url.scheme}://{url.netloc}{url.path}" == f"{openid.issuer}/logout"
    assert (asked["tenant"], asked["client_id"]) == ("1", CLIENT_ID)
    assert asked["post_logout_redirect_uri"] == f"{BASE}/upstream/corp/signed-out"
    assert asked["id_token_hint"].count(".") == 2
    assert not browser.is_signed_in

    back = browser.get(f"/upstream/corp/signed-out?state={asked['state']}")
    assert back.status_code == 303
    assert browser.follow(back).status_code == 200
    [run] = repo.find(LogoutRun)
    assert [told.state for told in run.told] == ["done"]


def test_the_hint_is_sealed_while_it_waits(leading, person, openid, repo):
    kept = []
    openid.make_token = lambda claims: kept.append(openid.sign(claims)) or kept[-1]
    person()

    [session] = repo.find(Session)
    known = repo.get(UpstreamSession, session.sid)
    assert kept[0] not in str(known.facts)
    assert known.facts["hint"].startswith("s1.")


def test_without_the_setting_nobody_is_led_anywhere(person, openid):
    openid.metadata = {"end_session_endpoint": f"{openid.issuer}/logout"}
    browser = person()

    answer = sign_out(browser)

    assert "Refresh" not in answer.headers
    assert openid.issuer not in answer.text


@pytest.mark.parametrize("endpoint", [MISSING, "http://evil.example/logout"], ids=["none", "clear"])
def test_one_without_a_usable_page_keeps_nobody_from_signing_out(leading, person, openid, endpoint):
    openid.metadata = {"end_session_endpoint": endpoint}
    browser = person()

    answer = sign_out(browser)

    assert (answer.status_code, "Refresh" in answer.headers) == (200, False)
    assert not browser.is_signed_in
    assert "Corporate login" in answer.text


def test_one_that_is_down_keeps_nobody_from_signing_out(leading, person, openid, clock):
    browser = person()
    openid.metadata = {}
    openid.trouble = {"/.well-known/openid-configuration": Trouble(status=503)}
    clock.advance(700)

    answer = sign_out(browser)

    assert (answer.status_code, browser.is_signed_in) == (200, False)


def test_a_made_up_way_back_leads_to_the_ordinary_page(app, live_corp):
    for state in ("", "x", "_" + "x" * 43 + ".0000", "\0", "é" * 50):
        answer = app.test_client().get("/upstream/corp/signed-out", query_string={"state": state}, base_url=BASE)
        assert (answer.status_code, answer.location) == (303, "/sign-out")


def test_a_session_that_its_provider_ended_is_not_told_to_it_again(leading, person, tell, repo):
    browser = person()

    assert tell().status_code == 200
    assert not browser.is_signed_in
    assert repo.find(LogoutRun) == []

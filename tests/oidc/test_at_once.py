"""Owns the claims about GET /authorize without a page: the same answer by both ways, and nothing done before it is sure."""

import logging
from collections.abc import Callable
from dataclasses import replace
from typing import Any
from urllib.parse import parse_qsl, urlencode, urlsplit

import pytest

from idp.domain.grant import AuthorizationCode
from idp.domain.session import Session
from idp.http.machine import Asked, Lane, Told
from tests.oidc.house import App, House, Person

HOST = {"host": "localhost", "accept": "*/*"}
ONCE = ("code", "session_state", "response")  # another one in every answer


def cookies_of(person: Person, *names: str) -> str:
    found = [(name, person.browser.get_cookie(name)) for name in names or ("sheaf_session", "sheaf_browser")]
    return "; ".join(f"{name}={cookie.value}" for name, cookie in found if cookie is not None)


def cut_short(house: House, query: str, cookie: str, method: str = "GET") -> Told | None:
    lane: Lane = house.app.extensions["sheaf_lane"]
    run = lane.short_cut(method, "/authorize")
    return None if run is None else run(Asked(method, "/authorize", query.encode(), {**HOST, "cookie": cookie}))


def compared(status: int, headers: list[tuple[str, str]]) -> tuple[int, list[tuple[str, str]], list[str]]:
    """Without what is random in every answer; the names of that must be there all the same."""
    location = dict(headers)["Location"]
    fields = parse_qsl(urlsplit(location).query)
    fixed = [(name, value) for name, value in fields if name not in ONCE]
    rest = [(name, value) for name, value in headers if name != "Location"]
    return status, sorted([*rest, ("Location", location.partition("?")[0]), *fixed]), [name for name, _ in fields]


def both(house: House, person: Person, app: App, cookie: str = "", **changes: str | None) -> None:
    query = urlencode(house.request_of(app, **changes))
    sent = cookie or cookies_of(person)
    told = cut_short(house, query, sent)
    assert told is not None, changes
    fresh = house.app.test_client(use_cookies=False)
    page = fresh.get(f"/authorize?{query}", headers={"Cookie": sent})
    assert compared(told.status, told.headers) == compared(page.status_code, list(page.headers)), changes
    assert told.body == page.data == b""


@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"state": None, "nonce": None},
        {"scope": "openid offline_access"},
        {"prompt": "none"},
        {"max_age": "600", "acr_values": "urn:sheaf:acr:mfa", "ui_locales": "de", "display": "page"},
        {"response_mode": "query"},
        {"response_mode": "jwt"},
        {"response_mode": "query.jwt", "state": "a b&c=d é"},
        {"state": "%00%0d%0aX: y".replace("%", "~")},
        {"resource": "urn:example:api"},
        {"claims": '{"id_token": {"email": null}}'},
    ],
    ids=str,
)
def test_both_ways_give_the_same_answer(house: House, changes: dict[str, str | None]) -> None:
    both(house, house.person(), house.client(), **changes)


def test_both_ways_give_the_same_answer_over_https(house_with: Callable[..., House]) -> None:
    house = house_with(issuer="https://id.example")
    person, app = house.person(), house.client()
    handle = person.browser.get_cookie("sheaf_session")
    assert handle is not None
    both(house, person, app, cookie=f"__Host-sheaf_session={handle.value}")
    assert cut_short(house, urlencode(house.request_of(app)), f"sheaf_session={handle.value}") is None


def test_both_ways_keep_the_state_of_the_session_once(house: House) -> None:
    person, app = house.person(), house.client()
    query = urlencode(house.request_of(app))
    told = cut_short(house, query, cookies_of(person))
    assert told is not None
    name, _, value = dict(told.headers)["Set-Cookie"].partition(";")[0].partition("=")
    sent = f"{cookies_of(person)}; {name}={value}"
    both(house, person, app, cookie=sent)
    again = cut_short(house, query, sent)
    assert again is not None
    assert "Set-Cookie" not in dict(again.headers)


def test_an_app_that_is_no_page_gets_no_session_state_by_either_way(house: House) -> None:
    uri = "com.example.app:/callback"
    app = house.client(auth_method="none", application_type="native", redirect_uris=(uri,), consent="skip")
    both(house, house.person(), app, redirect_uri=uri)


def test_the_first_of_two_cookies_of_one_name_counts_by_both_ways(house: House) -> None:
    person, app = house.person(), house.client()
    both(house, person, app, cookie=f"{cookies_of(person)}; sheaf_session={'x' * 43}; odd; =; a=b=c")


def test_the_code_is_good_and_the_session_knows_the_app(house: House) -> None:
    person, app = house.person(), house.client()
    told = cut_short(house, urlencode(house.request_of(app)), cookies_of(person))
    assert told is not None
    fields = dict(parse_qsl(urlsplit(dict(told.headers)["Location"]).query))
    assert (fields["state"], fields["iss"]) == ("s-1", house.parts.installation.issuer)
    assert house.redeem(app, fields["code"]).status_code == 200
    session = house.parts.sessions.by_sid(person.session.sid)
    assert session is not None
    assert session.apps == (app.id,)


def test_a_session_is_seen_by_both_ways(house: House) -> None:
    person, app = house.person(), house.client()
    house.clock.advance(120)
    assert cut_short(house, urlencode(house.request_of(app)), cookies_of(person)) is not None
    session = house.parts.repo.get(Session, person.session.id)
    assert session is not None
    assert session.last_seen_at == house.clock()


@pytest.mark.parametrize(
    "changes",
    [
        {"prompt": "login"},
        {"prompt": "select_account"},
        {"prompt": "none", "max_age": "0"},
        {"max_age": "0"},
        {"response_mode": "form_post"},
        {"response_mode": "form_post.jwt"},
        {"response_mode": "fragment"},
        {"response_type": "token"},
        {"request": "a.b.c"},
        {"request_uri": "urn:ietf:params:oauth:request_uri:x"},
        {"client_id": "nobody"},
        {"redirect_uri": "https://evil.example/"},
        {"code_challenge": None},
        {"scope": "unknown"},
        {"id_token_hint": "a.b.c"},
        {"claims": '{"id_token": {"sub": {"value": "somebody else"}}}'},
        {"claims": '{"id_token": {"acr": {"essential": true, "value": "unknown"}}}'},
        {"nonce": "n" * 2000},
        {"state": "\x00"},
    ],
    ids=str,
)
def test_all_else_is_for_the_page_and_nothing_has_been_done(house: House, changes: dict[str, str | None]) -> None:
    person, app = house.person(), house.client()
    assert cut_short(house, urlencode(house.request_of(app, **changes)), cookies_of(person)) is None
    assert house.parts.repo.find(AuthorizationCode) == []


def test_a_repeated_parameter_is_for_the_page(house: House) -> None:
    person, app = house.person(), house.client()
    assert cut_short(house, urlencode(house.request_of(app)) + "&state=2", cookies_of(person)) is None


def test_looking_and_posting_are_for_the_page(house: House) -> None:
    query = urlencode(house.request_of(house.client()))
    for method in ("HEAD", "POST", "PUT", "OPTIONS"):
        assert cut_short(house, query, cookies_of(house.person(method.lower())), method) is None


Change = Callable[[House, Person], object]


def change_user(**more: Any) -> Change:
    def change(house: House, person: Person) -> object:
        user = house.parts.users.get(person.user.id)
        assert user is not None
        return house.parts.repo.replace_if(replace(user, **more))

    return change


@pytest.mark.parametrize(
    "change",
    [
        change_user(disabled=True),
        change_user(password_changed_at=2_000_000_000.0),
        lambda house, person: house.parts.sessions.end(person.session, actor="test"),
        lambda house, _: house.clock.advance(10 * 86_400),
    ],
    ids=["disabled", "password changed", "signed out", "expired"],
)
def test_a_session_that_is_good_no_longer_is_for_the_page(house: House, change: Change) -> None:
    person, app = house.person(), house.client()
    query = urlencode(house.request_of(app))
    assert cut_short(house, query, cookies_of(person)) is not None
    change(house, person)
    assert cut_short(house, query, cookies_of(person)) is None


@pytest.mark.parametrize(
    ("factor", "more"),
    [(True, {"consent": "ask"}), (False, {"second_factor_required": True})],
    ids=["consent", "second factor"],
)
def test_a_step_that_is_due_is_for_the_page(house: House, factor: bool, more: dict[str, Any]) -> None:
    person, app = house.person(factor=factor), house.client(**more)
    assert cut_short(house, urlencode(house.request_of(app)), cookies_of(person)) is None


@pytest.mark.parametrize(
    "cookie", ["", "sheaf_browser=" + "b" * 43, "sheaf_session=short", "sheaf_session=\xe9" + "x" * 43]
)
def test_a_browser_that_nobody_is_signed_in_with_is_for_the_page(house: House, cookie: str) -> None:
    assert cut_short(house, urlencode(house.request_of(house.client())), cookie) is None


def test_a_fault_is_logged_and_left_to_the_page(
    house: House, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    person, app = house.person(), house.client()
    monkeypatch.setattr("idp.protocols.oidc.at_once.find_way", lambda *_: 1 / 0)
    with caplog.at_level(logging.ERROR, "idp.errors"):
        assert cut_short(house, urlencode(house.request_of(app)), cookies_of(person)) is None
    assert "fault in the short cut" in caplog.text

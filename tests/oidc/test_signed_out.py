"""Owns the claims about who is kept waiting and what is shown after a sign-out, and about notes in a real installation.

What is in a logout token is in test_backchannel_logout, iframes are in test_frontchannel_logout.
"""

import time
from collections.abc import Callable

import pytest

from tests.oidc.house import BYE, House
from tests.oidc.listening import csrf_of, deliver, listening, queue_of
from tests.support.html import parse
from tests.support.http_browser import Page, PlainBrowser
from tests.support.oidc_app import OidcApp, claims
from tests.support.ports import free_port
from tests.support.receiver import Receiver
from tests.support.running import until
from tests.support.sheaf import Sheaf

pytestmark = pytest.mark.slow


def test_after_signing_out_the_person_sees_which_apps_were_reached(house: House, receiver: Receiver) -> None:
    shop = listening(house, receiver)
    away = house.client("away", backchannel_logout_uri=f"http://127.0.0.1:{free_port()}/logout")
    person = house.person()
    for app in (shop, away):
        house.sign_in(person, app)
    answer = person.browser.post("/sign-out", data={"csrf": csrf_of(person)})
    where = answer.headers["Location"]
    page = person.browser.get(where)
    assert page.text.count("being told") == 2
    assert page.headers["Refresh"] == f"1;url={where}?looked=1"
    deliver(house)
    page = person.browser.get(where, query_string={"looked": "1"})
    words = parse(page.text).text
    assert "Away not reached yet" in words
    assert "Shop signed out" in words
    assert (where + "?looked=2", page.headers["Refresh"]) == (_link(page.text, "Look again"), f"2;url={where}?looked=2")
    assert "Refresh" not in person.browser.get(where, query_string={"looked": "5"}).headers


def test_nobody_else_sees_that_page(house: House, receiver: Receiver) -> None:
    app, person = listening(house, receiver), house.person()
    house.sign_in(person, app)
    answer = person.browser.post("/sign-out", data={"csrf": csrf_of(person)})
    stranger = house.app.test_client()
    stranger.set_cookie("sheaf_browser", "c" * 43)
    for browser in (stranger, house.app.test_client()):
        seen = browser.get(answer.headers["Location"])
        assert (seen.status_code, seen.headers["Location"]) == (303, "/sign-out")
    for handle in ("x", "x" * 43, "x" * 5000, "%00", "ä"):
        assert person.browser.get(f"/signed-out/{handle}").headers["Location"] == "/sign-out"


def test_an_app_that_is_reached_at_once_sends_the_person_straight_back(house: House, receiver: Receiver) -> None:
    app, person = listening(house, receiver), house.person()
    tokens = house.sign_in(person, app)
    house.parts.logout.on_new = queue_of(house).take
    answer = person.browser.get(
        "/end_session",
        query_string={"id_token_hint": tokens["id_token"], "post_logout_redirect_uri": BYE, "state": "s"},
    )
    assert (answer.status_code, answer.headers["Location"]) == (303, f"{BYE}?state=s")
    assert len(receiver.received) == 1
    assert queue_of(house).quiet(20)


def test_one_that_is_not_holds_nobody_up_for_long(house: House, receiver: Receiver) -> None:
    app, person = listening(house, receiver), house.person()
    tokens = house.sign_in(person, app)
    house.parts.logout.on_new = queue_of(house).take
    receiver.silent = True
    began = time.monotonic()
    answer = person.browser.get(
        "/end_session", query_string={"id_token_hint": tokens["id_token"], "post_logout_redirect_uri": BYE}
    )
    assert time.monotonic() - began < 3
    page = person.browser.get(answer.headers["Location"])
    assert page.headers["Refresh"] == f"3;url={BYE}"
    assert "being told" in page.text
    receiver.silent = False
    assert queue_of(house).quiet(20)


@pytest.mark.parametrize(("silent", "onward"), [(True, "later"), (False, "loaded")])
def test_iframes_do_not_take_away_a_page_that_tells_of_an_app_that_is_slow(
    house: House, receiver: Receiver, silent: bool, onward: str
) -> None:
    app, person = listening(house, receiver), house.person()
    front = house.client("front", frontchannel_logout_uri="https://front.example/out")
    tokens = [house.sign_in(person, one) for one in (front, app)][1]
    house.parts.logout.on_new = queue_of(house).take
    receiver.silent = silent
    answer = person.browser.get(
        "/end_session", query_string={"id_token_hint": tokens["id_token"], "post_logout_redirect_uri": BYE}
    )
    page = person.browser.get(answer.headers["Location"]).text
    assert f'data-onward="{onward}"' in page, parse(page).text
    receiver.silent = False
    assert queue_of(house).quiet(20)


# ---------------------------------------------------------------- a real installation


@pytest.fixture(scope="module")
def running(start_sheaf: Callable[..., Sheaf]) -> Sheaf:
    return start_sheaf(second_factor="administrators")


def app_at(running: Sheaf, uri: str) -> OidcApp:
    return OidcApp(running, settings={"backchannel_logout_uri": uri})


def sign_out_there(browser: PlainBrowser, running: Sheaf) -> Page:
    return browser.open(running.url("/sign-out")).submit()


def test_the_person_sees_at_once_that_the_app_knows(running: Sheaf, receiver: Receiver) -> None:
    app, person = app_at(running, receiver.url("/out")), running.add_user()
    browser = app.browser()
    tokens = app.sign_in(browser, person)
    page = sign_out_there(browser, running)
    assert "Test app signed out" in page.text
    (got,) = receiver.received
    assert claims(got.form["logout_token"][0])["sid"] == claims(tokens["id_token"])["sid"]


def test_an_app_hears_of_a_user_who_is_disabled_on_the_command_line(running: Sheaf, receiver: Receiver) -> None:
    app, person = app_at(running, receiver.url("/out")), running.add_user()
    app.sign_in(app.browser(), person)
    running.cli("user", "disable", person.username)
    (got,) = receiver.wait()
    assert claims(got.form["logout_token"][0])["sub"] == person.id


def test_a_note_outlives_the_process_that_was_killed(running: Sheaf) -> None:
    port = free_port()
    app, person = app_at(running, f"http://127.0.0.1:{port}/out"), running.add_user()
    browser = app.browser()
    app.sign_in(browser, person)
    page = sign_out_there(browser, running)
    assert "Test app not reached yet" in page.text
    running.restart(kill=True)
    with Receiver(port) as receiver:
        receiver.wait(seconds=30)
        until(lambda: "Test app signed out" in browser.open(page.url).text, "the page says so", seconds=10)
        assert len(receiver.received) == 1


def _link(html: str, text: str) -> str:
    return dict(parse(html).links)[text]

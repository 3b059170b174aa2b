"""Owns the claims about OpenID Connect Front-Channel Logout 1.0 and the page after a sign-out, in this process and in Chromium.

Logout tokens sent from server to server are in test_backchannel_logout.
"""

import re
from collections.abc import Callable, Iterator
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
import requests
from werkzeug.test import TestResponse

from idp.domain.attempt import Proof
from tests.oidc.house import BYE, ISSUER, App, House, Person
from tests.support.chromium import Windows
from tests.support.html import parse
from tests.support.oidc_app import CHALLENGE, VERIFIER
from tests.support.ports import free_port
from tests.support.receiver import Receiver
from tests.support.sheaf import PASSWORD, Sheaf

FRAME = "https://app.example:8443/out?keep=1"


def framed(house: House, id: str = "shop", uri: str = FRAME, **more: Any) -> App:
    return house.client(id, frontchannel_logout_uri=uri, **more)


def left(house: House, person: Person, app: App, **params: str) -> TestResponse:
    """The page after an app has signed the person out."""
    hint = house.sign_in(person, app)["id_token"]
    answer = person.browser.get("/end_session", query_string={"id_token_hint": hint, **params})
    assert answer.status_code == 303
    assert answer.headers["Location"].startswith("/signed-out/")
    return person.browser.get(answer.headers["Location"], headers={"Accept-Language": "en"})


def iframes(page: TestResponse) -> list[str]:
    return [uri.replace("&amp;", "&") for uri in re.findall(r'<iframe[^>]* src="([^"]*)"', page.text)]


def directive(page: TestResponse, name: str) -> str:
    policy = dict(part.strip().partition(" ")[::2] for part in page.headers["Content-Security-Policy"].split(";"))
    return policy[name]


def test_the_page_shows_the_app_in_an_iframe_with_issuer_and_session(house: House) -> None:
    app, person = framed(house), house.person()
    page = left(house, person, app)
    (uri,) = iframes(page)
    assert uri.startswith(f"{FRAME}&")
    assert parse_qs(urlsplit(uri).query) == {"keep": ["1"], "iss": [ISSUER], "sid": [person.session.sid]}
    assert directive(page, "frame-src") == "https://app.example:8443"
    assert page.headers["X-Frame-Options"] == "DENY"
    assert "Shop told by this browser" in parse(page.text).text


def test_frames_may_come_from_exactly_the_apps_of_the_session(house: House) -> None:
    shop, mail = framed(house), framed(house, "mail", "https://MAIL.example/out")
    framed(house, "unused", "https://unused.example/out")
    person = house.person()
    house.sign_in(person, mail)
    page = left(house, person, shop)
    assert sorted(directive(page, "frame-src").split()) == ["https://app.example:8443", "https://mail.example"]
    assert len(iframes(page)) == 2


def test_pages_without_iframes_allow_none(house: House) -> None:
    page = house.person().browser.get("/account")
    assert directive(page, "frame-src") == "'none'"


def test_it_goes_on_to_the_app_by_itself_and_by_a_button(house: House) -> None:
    page = left(house, house.person(), framed(house), post_logout_redirect_uri=BYE, state="s&1")
    assert page.headers["Refresh"] == f"3;url={BYE}?state=s%261"
    assert ("Continue to Shop", f"{BYE}?state=s%261") in parse(page.text).links


def test_without_an_address_of_the_app_it_stays(house: House) -> None:
    page = left(house, house.person(), framed(house))
    assert "Refresh" not in page.headers
    assert ("Sign in again", "/sign-in") in parse(page.text).links


def test_looking_again_does_not_call_the_apps_again(house: House) -> None:
    person = house.person()
    page = left(house, person, framed(house))
    again = person.browser.get(page.request.path, query_string={"looked": "1"})
    assert (again.status_code, iframes(again), directive(again, "frame-src")) == (200, [], "'none'")
    for odd in ("-1", "x", "9" * 30, "²"):
        assert person.browser.get(page.request.path, query_string={"looked": odd}).status_code == 200


def test_our_own_sign_out_shows_the_same_page(house: House) -> None:
    app, person = framed(house), house.person()
    house.sign_in(person, app)
    form = parse(person.browser.get("/sign-out").text).forms[0]
    answer = person.browser.post("/sign-out", data=form.values)
    assert len(iframes(person.browser.get(answer.headers["Location"]))) == 1


def test_a_session_that_is_ended_from_elsewhere_calls_nobody_from_here(house: House) -> None:
    app, person = framed(house), house.person()
    house.sign_in(person, app)
    proof = Proof(person.user.id, house.clock(), ("pwd", "otp"), house.clock())
    _, handle = house.parts.sessions.establish(proof, None, "another browser")
    browser = house.browser()
    browser.set_cookie("sheaf_session", handle)
    csrf = parse(browser.get("/sign-out").text).forms[0].values["csrf"]
    answer = browser.post(f"/account/sessions/{person.session.sid}/end", data={"csrf": csrf})
    assert answer.headers["Location"] == "/account"
    house.client("told", backchannel_logout_uri=f"http://127.0.0.1:{free_port()}/out")
    second, _ = house.parts.sessions.establish(proof, None, "a third browser")
    house.parts.sessions.used_by(second, "told")
    answer = browser.post(f"/account/sessions/{second.sid}/end", data={"csrf": csrf})
    page = browser.get(answer.headers["Location"])
    assert "That session has ended" in page.text
    assert ("Back to your account", "/account") in parse(page.text).links
    assert browser.get("/account").status_code == 200


def test_an_app_that_cannot_be_told_at_all_makes_no_page(house: House) -> None:
    app, person = house.client(), house.person()
    hint = house.sign_in(person, app)["id_token"]
    answer = person.browser.get("/end_session", query_string={"id_token_hint": hint, "post_logout_redirect_uri": BYE})
    assert answer.headers["Location"] == BYE


# ---------------------------------------------------------------- in Chromium


@pytest.fixture(scope="module")
def running(start_sheaf: Callable[..., Sheaf]) -> Sheaf:
    return start_sheaf(second_factor="administrators")


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    with Receiver() as receiver:
        receiver.pages |= {"/callback": "<p>signed in</p>", "/bye": "<p>bye</p>", "/front": "<p>out</p>"}
        yield receiver


def signed_in_at(
    running: Sheaf, receiver: Receiver, windows: Windows, *, js: bool = True, **uris: str
) -> tuple[Any, str]:
    """A page in Chromium after a sign-in to an app of `receiver`, and the address that signs it out."""
    app = running.add_client(
        receiver.url("/callback"),
        name="Wiki",
        post_logout_redirect_uris=[receiver.url("/bye")],
        consent="skip",
        scopes=["openid"],
        settings=uris,
    )
    person = running.add_user()
    asked = {
        "client_id": app.client_id,
        "redirect_uri": receiver.url("/callback"),
        "response_type": "code",
        "scope": "openid",
        "code_challenge": CHALLENGE,
        "code_challenge_method": "S256",
    }
    url = requests.Request("GET", running.url("/authorize"), params=asked).prepare().url
    page = windows.open(url, js=js)
    page.fill("[name=username]", person.username)
    page.fill("[name=password]", PASSWORD)
    page.click("main button:has-text('Sign in')")
    page.wait_for_url(receiver.url("/callback?**"))
    answer = requests.post(
        running.url("/token"),
        data={
            "grant_type": "authorization_code",
            "code": parse_qs(urlsplit(page.url).query)["code"][0],
            "redirect_uri": receiver.url("/callback"),
            "code_verifier": VERIFIER,
        },
        auth=(app.client_id, app.client_secret or ""),
        timeout=10,
    ).json()
    leave = {"id_token_hint": answer["id_token"], "post_logout_redirect_uri": receiver.url("/bye"), "state": "s"}
    out = requests.Request("GET", running.url("/end_session"), params=leave).prepare().url
    assert out is not None
    return page, out


@pytest.mark.parametrize("js", [True, False])
def test_the_browser_calls_the_app_and_goes_on(running: Sheaf, receiver: Receiver, windows: Windows, js: bool) -> None:
    page, out = signed_in_at(running, receiver, windows, js=js, frontchannel_logout_uri=receiver.url("/front"))
    page.goto(out)
    page.wait_for_url(receiver.url("/bye?state=s"))
    (called,) = [got for got in receiver.received if got.path.startswith("/front")]
    assert called.query["iss"] == [running.issuer]
    assert called.query["sid"][0].startswith("sid_")
    assert "referer" not in called.headers
    assert windows.complaints == []


def test_an_app_that_hangs_does_not_keep_the_person(running: Sheaf, receiver: Receiver, windows: Windows) -> None:
    with Receiver(silent=True) as hanging:
        page, out = signed_in_at(running, receiver, windows, frontchannel_logout_uri=hanging.url("/front"))
        page.goto(out, wait_until="commit")
        page.wait_for_url(receiver.url("/bye?state=s"), timeout=10_000)


def test_the_page_looks_as_it_should(running: Sheaf, receiver: Receiver, windows: Windows) -> None:
    away = f"http://127.0.0.1:{free_port()}/out"
    page, _ = signed_in_at(
        running, receiver, windows, backchannel_logout_uri=away, frontchannel_logout_uri=receiver.url("/front")
    )
    page.goto(running.url("/sign-out"))
    page.click("main button")
    page.wait_for_selector("text=not reached yet")
    page.goto(page.url.partition("?")[0] + "?looked=9")  # it does not look again by itself any more
    windows.screenshot(page, "signed-out-desktop-light")
    assert windows.violations(page) == []
    page.emulate_media(color_scheme="dark")
    page.set_viewport_size({"width": 390, "height": 844})
    windows.screenshot(page, "signed-out-phone-dark")
    assert windows.complaints == []

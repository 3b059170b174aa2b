"""Owns the claims about OpenID Connect Session Management 1.0: session_state, the iframe, the cookie behind it; in Chromium.

Ending sessions is in test_end_session and the two tests of logout channels.
"""

import hashlib
from collections.abc import Callable, Iterator
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
import requests

from idp.protocols.oidc.session_iframe import origin_of, session_state
from tests.oidc.house import CALLBACK, House, sent_back
from tests.support.chromium import Windows
from tests.support.html import parse
from tests.support.oidc_app import CHALLENGE
from tests.support.receiver import Receiver
from tests.support.sheaf import PASSWORD, Sheaf

CHECK = "/session/check"


def state_cookie(browser: Any) -> str | None:
    cookie = browser.get_cookie("sheaf_state")
    return cookie.value if cookie is not None else None


def test_an_authorization_answer_carries_a_session_state_that_the_cookie_explains(house: House) -> None:
    app, person = house.client(), house.person()
    said = sent_back(house.authorize(person.browser, app))["session_state"]
    given, _, salt = said.partition(".")
    text = f"{app.id} https://app.example {state_cookie(person.browser)} {salt}"
    assert given == hashlib.sha256(text.encode()).hexdigest()
    assert len(salt) >= 12
    again = sent_back(house.authorize(person.browser, app))["session_state"]
    assert again.partition(".")[2] != salt


def test_a_refusal_carries_none(house: House) -> None:
    assert "session_state" not in sent_back(house.authorize(house.browser(), house.client(), prompt="none"))


def test_an_app_without_an_origin_gets_none(house: House) -> None:
    app = house.client(
        auth_method="none", application_type="native", redirect_uris=("com.example.app:/cb",), consent="skip"
    )
    person = house.person()
    answer = house.authorize(person.browser, app, redirect_uri="com.example.app:/cb")
    assert "session_state" not in (answer.headers.get("Location") or "")


def test_the_cookie_tells_nothing_of_the_session_and_changes_with_it(house: House) -> None:
    app, person = house.client(), house.person()
    answer = house.authorize(person.browser, app)
    (header,) = [value for value in answer.headers.getlist("Set-Cookie") if value.startswith("sheaf_state=")]
    assert "HttpOnly" not in header
    assert "SameSite=Lax" in header
    first = state_cookie(person.browser)
    handle = person.browser.get_cookie("sheaf_session")
    assert handle is not None
    assert first is not None
    assert len(first) == 40
    for secret in (handle.value, person.session.id, person.session.sid, person.user.id):
        assert secret not in first
        assert hashlib.sha256(secret.encode()).hexdigest()[:40] != first
    other = house.person("eve")
    house.authorize(other.browser, app)
    assert state_cookie(other.browser) != first


def test_over_https_the_cookie_is_for_frames_of_other_sites(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(type(house.parts.installation), "issuer", property(lambda _: "https://localhost"))
    app, person = house.client(), house.person()
    handle = person.browser.get_cookie("sheaf_session")
    assert handle is not None
    person.browser.set_cookie("__Host-sheaf_session", handle.value)
    answer = house.authorize(person.browser, app)
    (header,) = [value for value in answer.headers.getlist("Set-Cookie") if value.startswith("__Host-sheaf_state=")]
    assert {"Secure", "SameSite=None", "Path=/"} <= set(header.split("; "))
    assert "Domain" not in header


def test_the_cookie_is_set_again_only_when_it_is_another(house: House) -> None:
    app, person = house.client(), house.person()
    house.authorize(person.browser, app)
    answer = house.authorize(person.browser, app)
    assert "Set-Cookie" not in answer.headers
    person.browser.set_cookie("sheaf_state", "stale")
    assert "Set-Cookie" in house.authorize(person.browser, app).headers


def test_the_state_ends_with_the_session_wherever_it_is_ended(house: House) -> None:
    app, person = house.client(), house.person()
    house.authorize(person.browser, app)
    csrf = parse(person.browser.get("/sign-out").text).forms[0].values
    person.browser.post("/sign-out", data=csrf)
    assert state_cookie(person.browser) is None
    other = house.person("eve")
    house.authorize(other.browser, app)
    house.parts.sessions.end(other.session, actor="administrator")
    other.browser.get("/")
    assert state_cookie(other.browser) is None


def test_the_iframe_may_stand_in_any_page_and_does_nothing_else(house: House) -> None:
    browser = house.person().browser
    found = browser.get(CHECK)
    assert (found.status_code, found.mimetype) == (200, "text/html")
    assert "X-Frame-Options" not in found.headers
    policy = {part.strip() for part in found.headers["Content-Security-Policy"].split(";")}
    assert policy == {
        "default-src 'none'",
        "script-src 'self'",
        "base-uri 'none'",
        "form-action 'none'",
        "frame-ancestors *",
    }
    assert "Set-Cookie" not in found.headers
    assert parse(found.text).resources == ["/static/session-check.js"]
    with browser.get("/static/session-check.js") as script:
        assert script.status_code == 200
    again = browser.get(CHECK, headers={"If-None-Match": found.headers["ETag"]})
    assert (again.status_code, again.data) == (304, b"")
    assert browser.post(CHECK).status_code == 405


def test_the_metadata_name_the_iframe_and_both_channels(house: House) -> None:
    document = house.app.test_client().get("/.well-known/openid-configuration").get_json()
    assert document["check_session_iframe"].endswith(CHECK)
    for channel in ("backchannel", "frontchannel"):
        assert document[f"{channel}_logout_supported"] is True
        assert document[f"{channel}_logout_session_supported"] is True


@pytest.mark.parametrize(
    ("uri", "origin"),
    [
        (CALLBACK, "https://app.example"),
        ("https://APP.example:443/cb", "https://app.example"),
        ("http://127.0.0.1:80/cb", "http://127.0.0.1"),
        ("http://[::1]:8080/cb", "http://[::1]:8080"),
        ("https://app.example:8443/cb?x=https://other.example", "https://app.example:8443"),
        ("com.example.app:/cb", None),
        ("https://a;script-src *", None),
        ("https://a:x/", None),
        ("https://[::1/", None),
        ("https:///cb", None),
    ],
)
def test_an_origin_is_written_as_browsers_write_it(uri: str, origin: str | None) -> None:
    assert origin_of(uri) == origin


# ---------------------------------------------------------------- in Chromium

# What an app does (Session Management 1.0, 3.1): a hidden iframe of ours, and messages to it.
RP_PAGE = """<!doctype html><title>RP</title><iframe src="%s" title="op" hidden></iframe><script>
const op = document.querySelector("iframe");
const ready = new Promise((done) => op.addEventListener("load", done));
window.ask = async (said) => {
  await ready;
  return new Promise((done) => {
    addEventListener("message", (event) => done([event.data, event.origin]), { once: true });
    op.contentWindow.postMessage(said, new URL(op.src).origin);
  });
};
</script>"""


@pytest.fixture(scope="module")
def running(start_sheaf: Callable[..., Sheaf]) -> Sheaf:
    return start_sheaf(second_factor="administrators")


@pytest.fixture
def receiver(running: Sheaf) -> Iterator[Receiver]:
    with Receiver() as receiver:
        receiver.pages |= {"/callback": "<p>signed in</p>", "/rp": RP_PAGE % running.url(CHECK)}
        yield receiver


def test_in_a_browser_the_iframe_tells_whether_the_session_is_still_the_same(
    running: Sheaf, receiver: Receiver, windows: Windows
) -> None:
    app = running.add_client(receiver.url("/callback"), consent="skip", scopes=["openid"])
    person, other = running.add_user(), running.add_user()
    asked = {
        "client_id": app.client_id,
        "redirect_uri": receiver.url("/callback"),
        "response_type": "code",
        "scope": "openid",
        "code_challenge": CHALLENGE,
        "code_challenge_method": "S256",
    }
    start = requests.Request("GET", running.url("/authorize"), params=asked).prepare().url

    def sign_in(page: Any, who: Any) -> str:
        page.goto(start)
        if "/flow/" in page.url:
            page.fill("[name=username]", who.username)
            page.fill("[name=password]", PASSWORD)
            page.click("main button:has-text('Sign in')")
            page.wait_for_url(receiver.url("/callback?**"))
        return parse_qs(urlsplit(page.url).query)["session_state"][0]

    first = windows.open()
    state = sign_in(first, person)
    rp = first.context.new_page()
    windows.watch(rp)
    rp.goto(receiver.url("/rp"))

    def answer(said: object) -> str:
        data, origin = rp.evaluate("said => ask(said)", said)
        assert origin == running.issuer
        return str(data)

    same = f"{app.client_id} {state}"
    assert answer(same) == "unchanged"
    assert (
        answer(f"{app.client_id} {sign_in(first, person)}") == "unchanged"
    )  # asked again: another salt, the same session
    assert answer(f"another-app {state}") == "changed"
    made_up = session_state(app.client_id, "https://elsewhere.example", "x" * 40, "salt")
    assert answer(f"{app.client_id} {made_up}") == "changed"
    for odd in ("", "x", "a b", "a b c.d", "a b.c.d", "a .c", {"a": 1}, 7, None, "x" * 5000):
        assert answer(odd) == "error"

    first.goto(running.url("/sign-out"))
    first.click("main button")
    first.wait_for_selector("text=You are signed out")
    assert answer(same) == "changed"
    state_of_other = sign_in(first, other)
    assert answer(same) == "changed"
    assert answer(f"{app.client_id} {state_of_other}") == "unchanged"
    assert windows.complaints == []

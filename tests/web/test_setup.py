"""The set-up: three screens that can be left, reloaded and sent twice, and an address that is checked by using it."""

import logging
import threading
from collections.abc import Iterator
from pathlib import Path

import pyotp
import pytest
from werkzeug.serving import make_server

from idp.app import create_app
from idp.base.config import Settings
from idp.base.errors import Refused
from idp.base.net import Answer, Unreachable
from idp.base.sections import Passwords
from idp.storage.sqlite import SqliteRepository
from idp.web.base_url import Failed, checked_form, leads_here, proxy_advice
from tests.support.clock import FakeClock
from tests.support.ports import free_port
from tests.support.quick import SEAL_KEY_TEXT, quick
from tests.web.house import PASSWORD, House, Seen

YOU = {"name": "Ada Lovelace", "username": "ada", "email": "ada@example.org", "password": PASSWORD}
HERE = "http://localhost"


@pytest.fixture
def house(repo: SqliteRepository, clock: FakeClock, tmp_path: Path) -> House:
    """Nobody is there yet, and the base URL is not configured."""
    cheap = Passwords(time_cost=1, memory_kib=8192)
    settings = Settings(data=str(tmp_path / "data"), passwords=cheap, seal_key=SEAL_KEY_TEXT)
    return House(quick(create_app(settings, repo=repo, clock=clock)), clock)


@pytest.fixture
def start(house: House) -> str:
    return f"/setup/{house.parts.set_up.fresh_link()}"


@pytest.fixture
def served(house: House) -> Iterator[str]:
    """The house at a real address, so that it can fetch itself."""
    port = free_port()
    server = make_server("127.0.0.1", port, house.app, threaded=True)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield f"http://127.0.0.1:{port}"
    server.shutdown()
    thread.join(10)
    server.server_close()


def _second_screen(house: House, start: str) -> Seen:
    return house.browser().open(start).submit("/you", **YOU)


def _third_screen(house: House, start: str) -> Seen:
    page = _second_screen(house, start)
    form = page.form("/address")
    return page.browser.post(form.action, {**form.values, "address": HERE, "anyway": "1"})


def _secret(page: Seen) -> str:
    return page.html.split('data-text="')[1].split('"')[0]


def test_the_three_screens_make_an_administrator_who_is_signed_in(house: House, start: str) -> None:
    page = _third_screen(house, start)
    codes = page.submit("/factor", code=house.code(_secret(page)))
    assert codes.html.count("<li><code>") == 10
    assert not house.parts.users.all()[0].is_administrator
    home = codes.submit("/done")
    assert home.path == "/"
    assert "Hello, Ada Lovelace" in home.text
    assert house.parts.users.all()[0].is_administrator
    assert house.parts.installation.issuer == HERE


def test_a_used_link_opens_nothing(house: House, start: str) -> None:
    page = _third_screen(house, start)
    done = page.submit("/factor", code=house.code(_secret(page)))
    done.submit("/done")
    for browser in (page.browser, house.browser()):
        gone = browser.open(start)
        assert gone.status == 410
        assert "Sign in instead" in gone.text
    assert done.submit("/done").status == 410


def test_a_fresh_link_kills_the_old_one_and_forgets_who_was_half_made(house: House, start: str) -> None:
    browser = _second_screen(house, start).browser
    fresh = f"/setup/{house.parts.set_up.fresh_link()}"
    dead = browser.open(start)
    assert dead.status == 410
    assert "idp setup-link" in dead.text
    assert house.parts.users.all() == []
    assert house.browser().open(fresh).submit("/you", **YOU).path == fresh


def test_only_the_browser_that_began_goes_on(house: House, start: str) -> None:
    page = _second_screen(house, start)
    other = house.browser()
    assert other.open(start).status == 403
    for screen in ("you", "address", "factor", "codes", "done"):
        assert other.post_blindly(f"{start}/{screen}", **YOU, address=HERE, anyway="1").status == 403
    assert page.browser.open(start).form("/address")


def test_screens_cannot_be_skipped(house: House, start: str) -> None:
    browser = house.browser()
    for screen in ("address", "factor", "codes", "done"):
        seen = browser.post_blindly(f"{start}/{screen}", address=HERE, anyway="1", code="123456")
        assert seen.form("/you")
    page = browser.open(start).submit("/you", **YOU)
    for screen in ("factor", "codes", "done"):
        assert page.browser.post_blindly(f"{start}/{screen}", code="123456").form("/address")
    page = _address(page)
    for screen in ("codes", "done"):
        assert page.browser.post_blindly(f"{start}/{screen}").form("/factor")
    assert not any(user.is_administrator for user in house.parts.users.all())


def _address(page: Seen) -> Seen:
    form = page.form("/address")
    return page.browser.post(form.action, {**form.values, "address": HERE, "anyway": "1"})


def test_each_screen_can_be_sent_twice_and_gone_back_to(house: House, start: str) -> None:
    browser = house.browser()
    first = browser.open(start)
    first.submit("/you", **YOU)
    second = first.submit("/you", **YOU)
    assert len(house.parts.users.all()) == 1
    _address(second)
    third = _address(second)
    assert browser.open(f"{start}/address").form("/address").values["address"] == HERE
    code = house.code(_secret(third))
    once, twice = third.submit("/factor", code=code), third.submit("/factor", code=code)
    assert once.html.count("<li><code>") == twice.html.count("<li><code>") == 10
    left = browser.open(start).submit("/codes")
    assert left.html.count("<li><code>") == 10
    assert left.submit("/done").path == "/"


@pytest.mark.parametrize(
    ("field", "value", "said"),
    [
        ("password", "short", "at least 10 characters"),
        ("email", "ada", "not an e-mail address"),
        ("username", "a b", "letters, digits"),
        ("name", "", "Fill in all fields"),
    ],
)
def test_the_first_screen_says_what_is_wrong_and_keeps_the_rest(
    house: House, start: str, field: str, value: str, said: str
) -> None:
    page = house.browser().open(start).submit("/you", **{**YOU, field: value})
    assert page.status == 400
    assert said in page.text
    assert house.parts.users.all() == []
    kept = {**YOU, field: value, "password": ""}
    assert {name: page.form("/you").values[name] for name in kept} == kept
    assert PASSWORD not in page.html


def test_the_address_is_checked_by_fetching_ourselves_there(house: House, start: str, served: str) -> None:
    page = _second_screen(house, start)
    moved = page.submit("/address", address=served)
    assert "new address" in moved.text
    assert f'href="{served}{start}"' in moved.html
    assert house.parts.installation.issuer == served


def test_an_address_where_nobody_answers_is_refused_until_the_person_insists(house: House, start: str) -> None:
    nobody = f"http://127.0.0.1:{free_port()}"
    page = _second_screen(house, start).submit("/address", address=nobody)
    assert page.status == 422
    assert "could not be reached" in page.text
    assert page.form("/address").values["address"] == nobody
    assert house.parts.installation.stored("base_url") is None
    page.submit("/address", anyway="1")
    assert house.parts.installation.stored("base_url") == nobody


def test_a_browser_at_another_name_after_the_move_goes_on_with_the_same_link(
    house: House, start: str, served: str
) -> None:
    _second_screen(house, start).submit("/address", address=served)
    there = house.browser()
    assert there.open(start).form("/factor")
    assert house.browser().open(start).status == 403


def test_a_proxy_that_is_not_trusted_is_seen_on_the_first_screen(house: House, start: str) -> None:
    page = house.browser().open(start, **{"X-Forwarded-Proto": "https", "X-Forwarded-Host": "id.example.org"})
    assert "https://id.example.org" in page.text
    assert "server: {trusted_proxies: 1}" in page.text


def test_behind_tls_the_browser_keeps_its_place_when_its_cookie_gets_the_secure_name(house: House, start: str) -> None:
    page = _second_screen(house, start)
    form = page.form("/address")
    fields = {**form.values, "address": "https://localhost", "anyway": "1"}
    page.browser.post(form.action, fields, **{"Origin": "https://localhost", "Sec-Fetch-Site": "same-origin"})
    cookie = page.browser.client.get_cookie("__Host-sheaf_browser")
    assert cookie is not None
    assert cookie.secure


def test_an_installation_with_an_administrator_is_not_set_up_again(house: House, start: str) -> None:
    house.person("bob", admin=True)
    assert house.browser().open(start).status == 410
    with pytest.raises(Refused, match="already_set_up"):
        house.parts.set_up.fresh_link()


def test_the_configured_issuer_is_shown_and_cannot_be_changed(
    repo: SqliteRepository, clock: FakeClock, tmp_path: Path
) -> None:
    settings = Settings(issuer="https://id.example.org", data=str(tmp_path / "data"))
    house = House(create_app(settings, repo=repo, clock=clock), clock)
    browser = house.app.test_client()
    start = f"https://id.example.org/setup/{house.parts.set_up.fresh_link()}"
    csrf = browser.get(start).text.split('name="csrf" value="')[1].split('"')[0]
    browser.post(f"{start}/you", data={**YOU, "csrf": csrf})
    assert "readonly" in browser.get(start).text
    browser.post(f"{start}/address", data={"csrf": csrf, "address": "https://other.example", "anyway": "1"})
    assert house.parts.installation.stored("base_url") == "https://id.example.org"


@pytest.mark.parametrize(
    ("typed", "stored"),
    [
        ("https://ID.example.org/", "https://id.example.org"),
        ("https://id.example.org:443", "https://id.example.org"),
        ("http://127.0.0.1:8000", "http://127.0.0.1:8000"),
        (" http://[::1]:8000 ", "http://[::1]:8000"),
    ],
)
def test_an_address_is_stored_in_one_form(typed: str, stored: str) -> None:
    assert checked_form(typed) == stored


@pytest.mark.parametrize(
    "typed",
    [
        "", "id.example.org", "ftp://id.example.org", "https://id.example.org/path", "https://id.example.org?x=1",
        "https://id.example.org#x", "https://user:pw@id.example.org", "https://id example.org", "https://id.example.org:x",
        "https://id.example.org:0", "javascript:alert(1)", "https://", "https://ä.example", "https://*.example.org",
    ],
)  # fmt: skip
def test_what_cannot_be_an_issuer_is_refused(typed: str) -> None:
    with pytest.raises(Refused, match="invalid_address"):
        checked_form(typed)


def test_the_check_tells_another_server_and_a_broken_one_from_ours() -> None:
    def ours(url: str) -> Answer:
        return Answer(200, {}, url.rsplit("/", 1)[1].upper().encode())

    def unreachable(url: str) -> Answer:
        raise Unreachable("id.example.org", "time-out")

    url = "https://id.example.org"
    assert leads_here(url, ours, str.upper) is None
    assert leads_here(url, ours, str.lower) == Failed("setup.check_other", url)
    assert leads_here(url, lambda _: Answer(404, {}, b""), str.upper) == Failed("setup.check_status", url, status=404)
    assert leads_here(url, unreachable, str.upper) == Failed("setup.check_failed", url, why="time-out")


def test_the_advice_names_the_line_to_change() -> None:
    advice = proxy_advice("https://id.example.org", "http://127.0.0.1:8000", 0, forwarded=True)
    assert advice is not None
    assert advice.line == "server: {trusted_proxies: 1}"
    mute_proxy = proxy_advice("https://id.example.org", "http://127.0.0.1:8000", 1, forwarded=False)
    assert mute_proxy is not None
    assert mute_proxy.line is None
    assert proxy_advice("http://a", "http://a", 0, forwarded=False) is None
    assert proxy_advice("", "http://a", 0, forwarded=False) is None


def test_the_second_step_can_be_scanned_opened_and_typed(house: House, start: str) -> None:
    page = _third_screen(house, start)
    assert "<svg" in page.html
    assert "otpauth://totp/Sheaf:ada" in page.html
    assert pyotp.TOTP(_secret(page)).at(0)


@pytest.mark.parametrize("typed", ["http://[", "http://[::1", "https://a]b"])
def test_an_address_that_cannot_be_read_is_a_word_on_the_form_not_a_fault(house: House, start: str, typed: str) -> None:
    page = _second_screen(house, start)
    again = page.submit("/address", address=typed)
    assert again.status == 400
    assert again.form("/address").values["address"] == typed
    assert page.browser.open(start, Referer=f"{typed}/setup/").status == 200


def test_the_set_up_link_is_not_written_to_the_log_when_a_form_is_reloaded(
    house: House, start: str, caplog: pytest.LogCaptureFixture
) -> None:
    logging.getLogger("idp").propagate = True
    with caplog.at_level(logging.DEBUG):
        assert house.browser().open(f"{start}/you").status == 405
    assert "405" in caplog.text
    assert start.rpartition("/")[2] not in caplog.text

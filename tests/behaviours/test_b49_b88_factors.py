"""Attacks B67 to B69 and B71 to B74: factors and passwords that are guessed, replayed, skipped or set up by somebody else.

Every variant of them is tested in tests/web and tests/services.
"""

import itertools
import threading
from collections.abc import Callable, Iterator

from idp.domain.factor import RecoveryCode
from idp.ports import Repository
from tests.oidc.house import House as OidcHouse
from tests.web.house import PASSWORD, Browser, House, Seen

TRIES = 20


# ------------------------------------------------------------------ the second step


def _at_once(calls: list[Callable[[], Seen]]) -> list[Seen]:
    """All of them from threads that begin together."""
    start, found = threading.Barrier(len(calls)), list[Seen]()

    def run(call: Callable[[], Seen]) -> None:
        start.wait()
        found.append(call())

    threads = [threading.Thread(target=run, args=(call,)) for call in calls]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert len(found) == len(calls)
    return found


def _sender(page: Seen, **fields: str) -> Callable[[], Seen]:
    return lambda: page.browser.post(page.form("/factor").action, {**page.form("/factor").values, **fields})


def test_b67_a_totp_code_opens_one_of_many_browsers_at_once_and_none_afterwards(house: House) -> None:
    ada = house.person()
    pages = [house.password_step(house.browser(), ada) for _ in range(6)]
    late = house.password_step(house.browser(), ada)
    code = house.code(ada.secret)

    answers = _at_once([_sender(page, code=code) for page in pages])

    assert sum(answer.browser.signed_in for answer in answers) == 1
    assert len(house.parts.sessions.of(ada.user.id)) == 1
    assert late.submit("/factor", code=code).status == 401
    assert not late.browser.signed_in


def test_b68_codes_are_guessed_five_times_whatever_browser_address_or_spelling(house: House) -> None:
    """Each guess has a browser and a password step of its own, from an address of its own."""
    ada = house.person()
    right = house.code(ada.secret)
    wrong = [code for code in (f"{n:06d}" for n in range(TRIES + 1)) if code != right][:TRIES]
    spelled: Iterator[Callable[[str], str]] = itertools.cycle((str, lambda c: f"{c[:3]} {c[3:]}", lambda c: f" {c}-"))

    def guess(number: int, code: str) -> Seen:
        page = house.password_step(house.browser(), ada)
        form = page.form("/factor")
        return page.browser.post(
            form.action, {**form.values, "code": code}, **{"X-Forwarded-For": f"203.0.113.{number}"}
        )

    answers = [guess(n, next(spelled)(code)).status for n, code in enumerate(wrong)]

    assert answers == [401] * 5 + [429] * (TRIES - 5)
    locked = guess(99, right)
    assert locked.status == 429
    first = int(locked.response.headers["Retry-After"])
    house.clock.advance(first + 1)
    assert guess(100, "000000" if right != "000000" else "000001").status == 401
    again = guess(101, house.code(ada.secret))
    assert again.status == 429, "after the lock there is one more try and not five"
    assert int(again.response.headers["Retry-After"]) + 30 > first
    assert house.parts.sessions.of(ada.user.id) == []


def test_b69_neither_an_address_nor_an_empty_form_nor_an_older_tab_goes_round_the_second_step(house: House) -> None:
    ada, browser = house.person(), house.browser()
    older, start = house.attempt("openid"), house.attempt("openid")
    browser.open(older)
    page = house.password_step(browser, ada, start)

    for path in ("", "/consent", "/enrol", "/factor"):
        assert browser.open(start + path).path == f"{start}/factor"
    for fields in ({}, {"code": ""}, {"way": "recovery"}, {"code": "", "way": "recovery"}):
        assert browser.post_blindly(f"{start}/factor", **fields).status == 400
    for path, fields in (("/consent", {"answer": "allow"}), ("/enrol", {"code": house.code(ada.secret)})):
        assert browser.post_blindly(start + path, **fields).path == f"{start}/factor"
    assert browser.open(older).path == older, "the older tab begins with the password"
    assert browser.open("/account").path.startswith("/flow/")
    assert house.parts.sessions.of(ada.user.id) == []
    page.submit("/factor", code=house.code(ada.secret)).submit("/consent", answer="allow")
    (session,) = house.parts.sessions.of(ada.user.id)
    assert "otp" in session.amr


def test_b69_at_the_openid_door_there_is_no_code_before_the_second_step(oidc_house: OidcHouse) -> None:
    app, half = oidc_house.client(second_factor_required=True), oidc_house.person(factor=False)

    answer = oidc_house.authorize(half.browser, app)
    flow = answer.headers["Location"]
    silent = oidc_house.authorize(half.browser, app, prompt="none")

    assert flow.startswith("/flow/")
    assert "error=" in silent.headers["Location"]
    assert "code=" not in silent.headers["Location"]
    assert half.browser.get(f"/authorize/resume?attempt={flow.rpartition('/')[2]}").status_code == 409


# ------------------------------------------------------------------ devices, enrolment, recovery codes, passwords


def _cookies(browser: Browser) -> dict[str, str]:
    names = ("sheaf_session", "sheaf_browser", "sheaf_state")
    found = {name: browser.client.get_cookie(name) for name in names}
    return {name: cookie.value for name, cookie in found.items() if cookie is not None}


def test_b71_no_cookie_stands_for_a_second_step(house: House) -> None:
    """There is no remembered device: neither a cookie of one's own from before nor that of somebody else spares the step."""
    ada, bob = house.person("ada"), house.person("bob")
    hers = house.sign_in(ada)
    kept = _cookies(hers)
    hers.open("/sign-out").submit("/sign-out")
    mine = house.browser()
    mine.client.set_cookie("sheaf_browser", kept["sheaf_browser"])
    mine.client.set_cookie("sheaf_session", kept["sheaf_session"])
    for name in ("remember", "remember_token", "trusted_device", "sheaf_remember"):
        mine.client.set_cookie(name, kept["sheaf_session"])

    assert not mine.signed_in
    for browser, person in ((hers, ada), (mine, ada), (mine, bob)):
        assert house.password_step(browser, person).path.endswith("/factor")
    assert house.parts.sessions.of(ada.user.id) == []
    assert house.parts.sessions.of(bob.user.id) == []


def test_b72_a_second_step_of_ones_own_is_set_up_only_by_who_passed_the_old_one_a_moment_ago(house: House) -> None:
    ada, half = house.person(), house.browser()
    start = house.attempt()
    house.password_step(half, ada, start)
    assert half.open(f"{start}/enrol").path == f"{start}/factor"
    for path in ("/account/authenticator", "/account/recovery-codes"):
        assert half.open(path).path.startswith("/flow/")
    whole = house.sign_in(ada)
    form = whole.open("/account/authenticator")
    seed = form.html.split('data-text="')[1].split('"')[0]
    house.clock.advance(601)  # the session alone, as one finds it at an unlocked desk

    sent = form.submit("/account/authenticator", code=house.code(seed))

    assert sent.path.startswith("/flow/")
    page = house.password_step(house.browser(), ada)
    assert page.submit("/factor", code=house.code(ada.secret)).browser.signed_in


def test_b73_a_recovery_code_opens_one_of_many_browsers_at_once_and_is_not_stored(
    house: House, repo: Repository
) -> None:
    ada = house.person()
    code = ada.recovery_codes[0]
    pages = [house.password_step(house.browser(), ada) for _ in range(6)]

    answers = _at_once([_sender(page, code=code, way="recovery") for page in pages])

    assert sum(answer.browser.signed_in for answer in answers) == 1
    late = house.password_step(house.browser(), ada)
    assert _sender(late, code=code, way="recovery")().status in (401, 429)
    stored = repr([repo.get(RecoveryCode, one.id) for one in repo.find(RecoveryCode, user_id=ada.user.id)])
    assert not [one for one in ada.recovery_codes if one in stored]


RESETS = (
    "/reset", "/reset-password", "/password/reset", "/password", "/forgot", "/forgot-password", "/recover", "/account/reset",
    "/flow/{handle}/reset", "/flow/{handle}/set-password", "/flow/{handle}/forgot", "/setup/{handle}/you",
)  # fmt: skip


def test_b74_there_is_no_way_to_a_new_password_but_the_old_one_and_both_steps(house: House) -> None:
    """No mail resets a password here: an administrator sets one on the server, which ends every session and keeps the factor."""
    ada, browser = house.person(), house.browser()
    start = house.attempt()
    house.password_step(browser, ada, start)
    handle = start.rpartition("/")[2]
    fields = {"password": "a new one of mine", "new": "a new one of mine", "username": "ada", "token": handle}
    for path in RESETS:
        address = path.format(handle=handle)
        assert browser.client.get(address).status_code in (404, 405, 410), address
        assert browser.post_blindly(address, **fields).status in (403, 404, 405, 410), address
    assert browser.post_blindly("/account/password", old=PASSWORD, new="a new one of mine").path.startswith("/flow/")
    assert house.password_step(house.browser(), ada).path.endswith("/factor")

    other = house.sign_in(ada)
    user = house.parts.users.get(ada.user.id)
    assert user is not None
    house.parts.users.set_password(user, "set on the server", actor="cli")

    assert not other.signed_in
    page = house.browser().open("/sign-in").submit("/password", username="ada", password="set on the server")
    assert page.path.endswith("/factor"), "the second step is kept"

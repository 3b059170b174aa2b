"""No step of a sign-in can be skipped, sent twice with profit, or continued in another browser."""

from idp.domain.session import Session
from tests.web.house import PASSWORD, RESUME, Browser, House, Person


def _nothing_issued(house: House, browser: Browser, person: Person) -> bool:
    return not browser.signed_in and house.parts.sessions.of(person.user.id) == []


def test_after_the_password_only_the_second_step_is_due_whatever_address_is_opened(house: House) -> None:
    person, browser, start = house.person(), house.browser(), house.attempt("openid")
    assert house.password_step(browser, person, start).path == f"{start}/factor"
    for page in ("", "/factor", "/enrol", "/consent"):
        seen = browser.open(start + page)
        assert seen.path == f"{start}/factor"
        assert "Second step" in seen.text
    assert browser.open(f"{RESUME}?attempt={start.rsplit('/', 1)[1]}").status == 404
    assert _nothing_issued(house, browser, person)


def test_an_empty_post_to_the_second_step_skips_nothing(house: House) -> None:
    person, browser, start = house.person(), house.browser(), house.attempt()
    house.password_step(browser, person, start)
    for fields in ({}, {"code": ""}, {"code": "   "}, {"way": "recovery"}, {"code": "", "way": "recovery"}):
        seen = browser.post_blindly(f"{start}/factor", **fields)
        assert seen.status == 400
        assert "Fill in all fields" in seen.text
    assert _nothing_issued(house, browser, person)


def test_posts_to_steps_that_are_not_due_lead_back_to_the_one_that_is(house: House) -> None:
    person, browser, start = house.person(), house.browser(), house.attempt("openid")
    browser.open(start)
    for page, fields in (("/factor", {"code": "1"}), ("/enrol", {"code": "1"}), ("/consent", {"answer": "allow"})):
        assert browser.post_blindly(start + page, **fields).path == start
    house.password_step(browser, person, start)
    for page, fields in (("/enrol", {"code": house.code(person.secret)}), ("/consent", {"answer": "allow"})):
        assert browser.post_blindly(start + page, **fields).path == f"{start}/factor"
    assert _nothing_issued(house, browser, person)


def test_a_second_tab_cannot_finish_what_only_the_first_has_proved(house: House) -> None:
    person, browser = house.person(), house.browser()
    first, second = house.attempt(force=True), house.attempt(force=True)
    house.password_step(browser, person, first)
    assert browser.open(second).path == second  # still asks for the password
    done = browser.open(first).submit("/factor", code=house.code(person.secret))
    assert done.path.startswith(RESUME)
    assert "password" in browser.open(second).form("/password").names


def test_a_finished_attempt_cannot_be_opened_or_sent_again(house: House) -> None:
    person, browser, start = house.person(), house.browser(), house.attempt()
    page = house.password_step(browser, person, start)
    code = house.code(person.secret)
    page.submit("/factor", code=code)
    for again in (browser.open(start), browser.open(f"{start}/factor"), page.submit("/factor", code=code)):
        assert again.status == 410
        assert "already complete" in again.text


def test_an_attempt_belongs_to_the_browser_that_opened_it_first(house: House) -> None:
    person, browser, start = house.person(), house.browser(), house.attempt()
    house.password_step(browser, person, start)
    thief = house.browser()
    for page in ("", "/factor", "/enrol", "/consent"):
        assert thief.open(start + page).status == 403
    assert thief.post_blindly(f"{start}/factor", code=house.code(person.secret)).status == 403


def test_an_attempt_expires(house: House) -> None:
    browser, start = house.browser(), house.attempt()
    browser.open(start)
    house.clock.advance(601)
    assert browser.open(start).status == 410


def test_one_code_opens_one_browser_only(house: House) -> None:
    person = house.person()
    pages = [house.password_step(house.browser(), person) for _ in range(2)]
    code = house.code(person.secret)
    ends = [page.submit("/factor", code=code) for page in pages]
    assert [end.browser.signed_in for end in ends] == [True, False]
    assert "already used" in ends[1].text
    assert ends[1].status == 401


def test_five_wrong_codes_lock_the_second_step_for_every_browser(house: House) -> None:
    person = house.person()
    good = house.code(person.secret)
    wrong = "000000" if good != "000000" else "111111"
    for number in range(5):
        page = house.password_step(house.browser(), person)
        assert page.submit("/factor", code=wrong if number % 2 else f"{wrong[:3]} {wrong[3:]}").status == 401
    locked = house.password_step(house.browser(), person).submit("/factor", code=good)
    assert locked.status == 429
    assert "Too many wrong codes" in locked.text
    assert int(locked.response.headers["Retry-After"]) > 0
    house.clock.advance(61)
    opened = house.password_step(house.browser(), person).submit("/factor", code=house.code(person.secret))
    assert opened.browser.signed_in


def test_a_recovery_code_works_once_in_the_way_it_is_printed(house: House) -> None:
    person = house.person()
    code = person.recovery_codes[0]
    for typed, works in ((f"{code[:5]}-{code[5:]}", True), (code, False)):
        page = house.password_step(house.browser(), person)
        form = page.form("/factor")
        end = page.browser.post(form.action, {**form.values, "code": typed, "way": "recovery"})
        assert end.browser.signed_in is works
        if not works:
            assert end.status == 401
            assert "<details open>" in end.html


def test_whoever_has_a_second_step_cannot_enrol_another_one_half_signed_in(house: House) -> None:
    person, browser = house.person(), house.browser()
    start = house.attempt()
    house.password_step(browser, person, start)
    assert browser.open(f"{start}/enrol").path == f"{start}/factor"
    assert browser.open("/account/authenticator").path.startswith("/flow/")
    assert house.parts.factors.enrolled_at(person.user.id) is not None


def test_the_first_sign_in_enrols_and_shows_the_recovery_codes_once(house: House) -> None:
    person, browser, start = house.person(totp=False), house.browser(), house.attempt()
    page = house.password_step(browser, person, start)
    assert page.path == f"{start}/enrol"
    secret = page.html.split('data-text="')[1].split('"')[0]
    wrong = page.submit("/enrol", code="12345")
    assert wrong.status == 401
    assert secret in wrong.html

    shown = page.submit("/enrol", code=house.code(secret))

    codes = _codes(shown.html)
    assert shown.status == 200
    assert len(codes) == 10
    assert shown.response.headers["Cache-Control"] == "no-store"
    assert not any(code[:5] in str(shown.response.headers) for code in codes)
    assert not browser.signed_in
    assert browser.open(f"{start}/enrol").path.startswith(RESUME)  # and the codes are gone
    assert house.parts.sessions.of(person.user.id)[0].factor_at is not None


def test_a_session_that_was_left_alone_does_not_get_a_second_step_of_its_own(relaxed: House) -> None:
    house, browser = relaxed, relaxed.browser()
    house.sign_in(house.person(totp=False), browser)
    assert browser.open(house.attempt(second_factor=True)).path.endswith("/enrol")
    house.clock.advance(601)

    start = house.attempt(second_factor=True)
    page = browser.open(start)
    assert page.path == start
    assert page.submit("/password", username="ada", password=PASSWORD).path == f"{start}/enrol"


def test_a_form_with_the_first_code_sent_twice_still_shows_codes_that_work(house: House) -> None:
    person, browser, start = house.person(totp=False), house.browser(), house.attempt()
    page = house.password_step(browser, person, start)
    code = house.code(page.html.split('data-text="')[1].split('"')[0])
    first, second = page.submit("/enrol", code=code), page.submit("/enrol", code=code)
    assert set(_codes(first.html)).isdisjoint(_codes(second.html))
    browser.open(start)
    other = house.password_step(house.browser(), person)
    fields = {**other.form("/factor").values, "way": "recovery"}
    assert other.browser.post(f"{other.path}", {**fields, "code": _codes(first.html)[0]}).status == 401
    assert other.browser.post(f"{other.path}", {**fields, "code": _codes(second.html)[0]}).browser.signed_in


def test_consent_is_asked_in_words_and_remembered(house: House) -> None:
    person, browser, start = house.person(), house.browser(), house.attempt("openid", "email", "odd:scope")
    page = house.password_step(browser, person, start).submit("/factor", code=house.code(person.secret))
    assert page.path == f"{start}/consent"
    for words in ("Allow Wiki?", "see your e-mail address", "odd:scope", "https://wiki.example", "account page"):
        assert words in page.text
    assert browser.post_blindly(f"{start}/consent").status == 400
    assert browser.post_blindly(f"{start}/consent", answer="perhaps").status == 400
    assert browser.open(start).path == f"{start}/consent"
    assert page.submit("/consent", answer="allow").path.startswith(RESUME)
    assert browser.open(house.attempt("openid", "email")).path.startswith(RESUME)


def test_consent_can_be_denied_and_then_nothing_is_remembered(house: House) -> None:
    person, browser, start = house.person(), house.browser(), house.attempt("openid")
    page = house.password_step(browser, person, start).submit("/factor", code=house.code(person.secret))
    assert page.submit("/consent", answer="deny").path.startswith(RESUME)
    # signed in with us all the same, and asked again at the next try
    assert browser.open(house.attempt("openid")).path.endswith("/consent")


def test_a_wrong_password_says_so_and_keeps_the_name(house: House) -> None:
    person, browser = house.person(), house.browser()
    page = browser.open("/sign-in").submit("/password", username=person.username, password="not it")
    assert page.status == 401
    assert "not right" in page.text
    assert page.form("/password").values["username"] == person.username
    assert "not it" not in page.html
    assert page.submit("/password", username=person.username, password=PASSWORD).path.endswith("/factor")


def test_the_session_cookie_changes_at_every_proof(house: House) -> None:
    person = house.person(totp=False)
    browser = house.browser()
    handles = set()
    for _ in range(2):
        page = house.password_step(browser, person, house.attempt(force=True))
        if page.path.endswith("/enrol"):
            secret = page.html.split('data-text="')[1].split('"')[0]
            page.submit("/enrol", code=house.code(secret))
            person.secret = secret
            browser.open(page.path.removesuffix("/enrol"))
        else:
            page.submit("/factor", code=house.code(person.secret))
        cookie = browser.client.get_cookie("sheaf_session")
        assert cookie is not None
        handles.add(cookie.value)
    assert len(handles) == 2
    assert len(house.parts.repo.find(Session, user_id=person.user.id)) == 1


def _codes(html: str) -> list[str]:
    return [part.split("<")[0].replace("-", "") for part in html.split("<li><code>")[1:]]

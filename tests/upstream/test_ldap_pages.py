"""Owns the page for name and password of a directory, through the real application: B54, B55, B63, B68 for directories."""

import re

import pytest

from idp.domain.upstream import FederatedLogin
from idp.domain.user import User
from idp.upstream.parse import new_provider
from idp.upstream.registry import secret_fields
from tests.upstream.browser import BASE, Browser
from tests.upstream.directory_double import DirectoryDouble

SECRET = "directory secret"


@pytest.fixture
def directory():
    double = DirectoryDouble()
    double.add("ada", SECRET, entryUUID="u-1", cn="Ada", mail="ada@corp.example")
    yield double
    double.close()


@pytest.fixture
def add_directory(services, directory, clock):
    def add(id="corp", **pairs):
        given = {
            "url": directory.url,
            "base_dn": "dc=corp,dc=example",
            "starttls": "no",
            "groups_from": "none",
            **pairs,
        }
        provider = new_provider("ldap", id, {"label": "Staff directory", **given}, clock())
        return services.upstreams.add(provider, secrets=secret_fields("ldap"), actor="test")

    return add


@pytest.fixture
def corp(add_directory):
    return add_directory()


def at(flow: str, provider: str = "corp") -> str:
    return f"{flow}/directory/{provider}"


def said(services, answer):
    """The name of a refusal that the form itself shows."""
    return services.traces.explain(shown(answer)).code


def shown(answer):
    return re.search(r'id="problem".*?class="mono">([0-9A-Z]+)<', answer.text, re.DOTALL)[1]


def prove(browser, flow, password=SECRET, username="ada", provider="corp", **fields):
    page = at(flow, provider)
    return browser.post(page, on=page, username=username, password=password, **fields)


def test_a_person_signs_in_and_is_the_same_user_the_next_time(app, corp, repo):
    for _ in range(2):
        browser = Browser(app)
        flow = browser.begin()
        sent = browser.post(f"{flow}/upstream/corp", on=flow)
        assert (sent.status_code, sent.location) == (303, at(flow))
        back = prove(browser, flow)
        assert (back.status_code, back.location) == (303, flow)
        assert browser.follow(back).status_code == 200
        assert browser.is_signed_in

    assert [user.email for user in repo.find(User)] == ["ada@corp.example"]
    [login] = repo.find(FederatedLogin)
    assert (login.provider_id, login.issuer, login.subject) == ("corp", "ldap:corp.example", "u-1")


def test_a_wrong_password_is_said_on_the_form_with_a_code(browser, corp, services):
    flow = browser.begin()

    answer = prove(browser, flow, "wrong")

    assert (answer.status_code, said(services, answer)) == (401, "wrong_credentials")
    assert 'value="ada"' in answer.text

    assert not browser.is_signed_in


@pytest.mark.parametrize(
    ("field", "value"), [("password", ""), ("username", ""), ("password", "x" * 2000), ("username", "x" * 999)]
)
def test_a_field_that_is_missing_or_too_long_is_refused_on_the_form(browser, corp, directory, field, value):
    flow = browser.begin()

    answer = prove(browser, flow, **{field: value})

    assert 400 <= answer.status_code < 500
    assert directory.asked == []


def test_guessing_is_slowed_down_and_the_directory_no_longer_asked(browser, corp, directory, services):
    flow = browser.begin()
    for _ in range(6):
        prove(browser, flow, "wrong")
    asked = len(directory.asked)

    answer = prove(browser, flow)

    assert (answer.status_code, said(services, answer)) == (429, "too_many_attempts")
    assert int(answer.headers["Retry-After"]) > 0
    assert len(directory.asked) == asked


def test_what_the_kind_cuts_off_makes_no_new_name_to_guess_at(browser, add_directory, directory, services):
    add_directory(preset="active_directory")
    flow = browser.begin()
    for number in range(6):
        prove(browser, flow, "wrong", f"DOMAIN{number}\\ada")

    assert said(services, prove(browser, flow, "wrong", "ada")) == "too_many_attempts"


def test_an_accent_that_a_directory_overlooks_makes_no_new_name_to_guess_at(browser, corp, directory, services):
    flow = browser.begin()
    for spelling in ("\u00e0da", "\u00e1da", "a\u0308da", "ada\ufe00", "ad\u00e2", "ada"):
        answer = prove(browser, flow, "wrong", spelling)
    assert said(services, answer) == "too_many_attempts"


def test_the_form_of_another_site_is_refused(browser, corp, directory, name_of):
    flow = browser.begin()
    browser.get(at(flow))

    answer = browser.client.post(at(flow), data={"username": "ada", "password": SECRET}, base_url=BASE)

    assert name_of(answer) == "form_expired"
    assert directory.asked == []


def test_another_browser_cannot_go_on_with_the_attempt(app, browser, corp, directory):
    flow = browser.begin()
    browser.get(flow)
    other = Browser(app)
    other.begin()

    assert other.get(at(flow)).status_code >= 400
    assert prove(other, flow).status_code >= 400
    assert directory.asked == []


@pytest.mark.parametrize(
    ("change", "refusal"),
    [({"enabled": False}, "unknown_upstream"), ({"mode": "link_only"}, "upstream_not_for_sign_in")],
)
def test_one_that_is_off_or_for_linking_only_lets_nobody_in(
    browser, corp, directory, set_upstream, name_of, change, refusal
):
    flow = browser.begin()
    token_page = at(flow)
    browser.get(token_page)
    set_upstream(**change)

    assert name_of(browser.get(token_page)) == refusal
    assert name_of(browser.post(token_page, on="/sign-in", username="ada", password=SECRET)) != ""
    assert directory.asked == []


def test_the_page_is_there_for_directories_only(browser, corp, add_upstream, name_of):
    add_upstream("other")
    flow = browser.begin()

    assert name_of(browser.get(at(flow, "other"))) == "unknown_upstream"
    assert name_of(browser.get(at(flow, "nothing"))) == "unknown_upstream"
    assert name_of(browser.get("/upstream/corp/callback?state=" + "x" * 43)) == "upstream_unexpected"
    assert browser.client.post("/upstream/corp/acs", data={"SAMLResponse": "x"}, base_url=BASE).status_code == 404


def test_a_proof_is_good_for_one_sign_in(browser, corp, directory):
    flow = browser.begin()
    browser.get(at(flow))
    browser.follow(prove(browser, flow))
    asked = len(directory.asked)

    assert prove(browser, flow).status_code >= 400
    assert len(directory.asked) == asked


def test_a_signed_in_person_joins_the_login_to_the_account(browser, corp, make_user, repo):
    ada = make_user("lovelace", email="else@corp.example")
    browser.sign_in("lovelace")

    sent = browser.post("/account/link/corp", on="/account")
    flow = sent.location.removesuffix("/directory/corp")
    answer = prove(browser, flow)

    assert (answer.status_code, answer.location) == (303, "/account")
    assert [one.user_id for one in repo.find(FederatedLogin)] == [ada.id]


def test_a_directory_that_stalls_has_a_name_and_the_password_is_nowhere(
    browser, corp, directory, services, name_of, caplog
):
    directory.wait = 30.0
    flow = browser.begin()

    answer = prove(browser, flow)

    assert (answer.status_code, name_of(answer)) == (502, "upstream_unreachable")
    assert SECRET not in answer.text + caplog.text


def test_the_checks_stand_in_the_record(browser, corp, services):
    flow = browser.begin()
    answer = prove(browser, flow, "wrong")

    record = services.records.get(shown(answer))
    noted = [(note.step, note.result, note.facts.get("code")) for note in record.notes]
    assert ("check", "failed", "password") in noted
    assert SECRET not in repr(record)

"""Why a sign-in by an upstream ended as it did: what stands in the record, through the real pages, and what a replay makes of it."""

import json
from dataclasses import asdict, replace

import pytest

from idp.base import ids
from idp.domain.decision import SignInRecord
from idp.domain.relying import Client
from idp.domain.session import Session
from idp.domain.upstream import FederatedLogin
from idp.domain.user import User
from idp.services.explain_sign_in import Names, notes_of, told
from idp.services.replay_sign_in import Replays
from tests.upstream.browser import PASSWORD, Browser, away, code


@pytest.fixture
def come(browser, openid, live_corp):
    """A browser comes through the upstream; gives the last page, or the refusal."""

    def go(sub="user-1", answer=None, **claims):
        flow = browser.begin()
        params = {**openid.authorize(browser.leave(flow), sub, **claims), **(answer or {})}
        return browser.follow(browser.come_back(params))

    return go


@pytest.fixture
def record_of(services):
    def find(response) -> SignInRecord:
        found = services.records.get(code(response))
        assert found is not None
        return found

    return find


@pytest.fixture
def replays(services):
    roles = services.settings.linking.never_auto_link_roles
    return Replays(services.links, services.invitations, services.upstreams, services.apps, roles)


def test_a_refusal_has_a_record_under_the_code_that_the_person_sees(come, record_of, set_upstream, services):
    set_upstream(may_create="nobody")

    found = record_of(come(email="eve@corp.example"))

    assert (found.outcome, found.reason, found.provider_id) == ("refused", "not_invited", "corp")
    assert [note.step for note in found.notes if note.step != "check"] == [
        "asked", "message", "identity", "candidates", "rule", "outcome",
    ]  # fmt: skip
    assert found.notes[-2].result == "not_invited"
    assert found.identity["subject"] == "user-1"
    assert services.traces.explain(found.code).code == "not_invited"


def test_a_check_that_fails_stands_in_the_record_and_those_before_it_passed(come, record_of):
    found = record_of(come(aud="somebody-else"))

    checks = [(note.facts["code"], note.result) for note in notes_of(found) if note.step == "check"]
    assert checks[-1] == ("audience", "failed")
    assert {result for _, result in checks[:-1]} == {"passed"}
    assert found.identity == {}


def test_a_sign_in_that_ends_well_has_a_record_on_the_page_of_its_user(come, services, repo):
    come(email="ada@corp.example", email_verified=True, name="Ada")
    [user] = repo.find(User)

    [found] = services.records.of_user(user.id)

    assert found.outcome == "signed_in"
    assert found.notes[-1].step == "outcome"
    assert {"identity", "rule", "factor", "session"} <= {note.step for note in found.notes}


def test_nothing_that_could_be_used_again_stands_in_a_record(come, record_of, set_upstream, repo):
    set_upstream(may_create="nobody")
    response = come(email="eve@corp.example", access_token="s3cret-in-a-claim", nonce_copy="n-123", custom="kept")

    stored = json.dumps(asdict(record_of(response)))

    assert "s3cret-in-a-claim" not in stored
    assert "n-123" not in stored
    assert "kept" in stored


def test_a_replay_says_what_changed_and_does_nothing(come, record_of, set_upstream, replays, repo):
    set_upstream(may_create="nobody")
    found = record_of(come(email="eve@corp.example", email_verified=True))
    set_upstream(may_create="anybody", trusted_domains=("corp.example",))
    before = counts(repo)

    sides = replays.compare(found)

    assert (sides["then"].rule, sides["then"].action) == ("not_invited", "refuse")
    assert (sides["now"].rule, sides["now"].action, sides["now"].vouched) == ("new_user", "create", True)
    assert counts(repo) == before


def counts(repo):
    return [len(repo.find(kind)) for kind in (User, FederatedLogin, Session, SignInRecord)]


def test_one_attempt_has_one_code_whoever_asks():
    assert ids.derived_code("a") == ids.derived_code("a") != ids.derived_code("b")
    assert len(ids.derived_code("a")) == 8


# ---------------------------------------------------------------- other ways


def test_an_answer_of_saml_that_is_refused_has_its_checks_in_the_record(way, record_of):
    found = record_of(way.come_back(way.answer(way.leave(), audience="https://other.example")))

    failed = [note for note in notes_of(found) if note.result == "failed"]
    assert [(note.step, note.facts["code"]) for note in failed] == [("saml_check", "audience")]
    assert told(failed[0], Names(lambda _: None, lambda _: None)).cure == "saml_cure.audience"
    assert found.provider_id == "corp"


def test_an_answer_that_nobody_asked_for_names_the_upstream_at_most(way, services, browser):
    response = way.come_back({"SAMLResponse": "x", "RelayState": "y" * 30})

    found = services.records.get(code(response))
    assert found is None or (found.user_id, found.identity) == (None, {})


def test_a_login_that_its_owner_confirmed_is_what_the_record_is_about(
    come, browser, openid, make_user, repo, services, replays
):
    ada = make_user("ada")
    flow = browser.begin()
    params = openid.authorize(browser.leave(flow), "user-9", email="ada@corp.example", email_verified=False)
    browser.follow(browser.come_back(params))
    page = browser.follow(browser.post(f"{flow}/password", on=flow, password=PASSWORD))
    assert page.status_code == 200

    [found] = services.records.of_user(ada.id)

    rules = [note.result for note in found.notes if note.step == "rule"]
    assert (found.outcome, rules) == ("signed_in", ["owner_must_confirm", "owner_confirmed"])
    assert found.identity["subject"] == "user-9"
    sides = replays.compare(found)
    assert (sides["then"].rule, sides["now"].rule) == ("owner_must_confirm", "known_login")


def test_linking_from_the_account_page_has_a_record_and_no_replay(
    browser, openid, live_corp, make_user, services, replays, refusal
):
    ada = make_user("ada")
    browser.sign_in()
    response = browser.post("/account/link/corp", on="/account")
    browser.come_back(openid.authorize(away(response), "user-3"))

    linked = [one for one in services.records.of_user(ada.id) if one.outcome == "linked"]

    assert [one.identity["subject"] for one in linked] == ["user-3"]
    assert linked[0].notes[0].result == "link"
    assert refusal(replays.compare, linked[0]).code == "no_replay"


def test_an_upstream_that_is_away_is_named_in_the_record(browser, live_corp, openid, record_of):
    flow = browser.begin()
    openid.close()

    found = record_of(browser.post(f"{flow}/upstream/corp", on=flow))

    assert (found.reason, found.provider_id) == ("upstream_unreachable", "corp")


def test_the_record_of_another_browser_tells_of_the_attempt_and_shows_the_stranger_nothing(
    app, browser, openid, live_corp, record_of
):
    params = openid.authorize(browser.leave(browser.begin()), "user-1")
    stranger = Browser(app)
    stranger.begin()

    response = stranger.come_back(params)

    assert record_of(response).reason == "attempt_other_browser"
    assert "user-1" not in response.text


def test_what_an_app_accepts_today_counts_in_a_replay(come, record_of, set_upstream, services, replays):
    set_upstream(may_create="nobody")
    found = replace(record_of(come(email="eve@corp.example")), front_door="oidc", app_id="wiki")
    services.repo.insert(Client("wiki", "Wiki", 0.0, upstreams=("local",)))

    assert replays.compare(found)["now"].rule == "way_not_accepted"

"""Owns the way of a browser to an upstream and back, through the real application, against the double of a provider."""

import pytest

from idp.domain.attempt import Wants
from idp.domain.upstream import FederatedLogin, UpstreamDeparture
from idp.domain.user import User
from tests.upstream.browser import BASE, PASSWORD, Browser, code
from tests.upstream.openid_double import CLIENT_SECRET, MISSING, OpenIdDouble, Trouble

# ---------------------------------------------------------------- signing in


def test_a_new_person_signs_in_and_is_the_same_user_the_next_time(app, live_corp, openid, repo):
    for _ in range(2):
        browser = Browser(app)
        flow = browser.begin()
        back = browser.come_back(openid.authorize(browser.leave(flow), email="ada@corp.example", email_verified=True))
        assert (back.status_code, back.location) == (303, flow)
        assert browser.follow(back).status_code == 200
        assert browser.is_signed_in

    assert [user.email for user in repo.find(User)] == ["ada@corp.example"]


def test_the_upstream_never_learns_the_handle_of_the_attempt(browser, live_corp, openid):
    flow = browser.begin()
    url = browser.leave(flow)

    assert flow.rpartition("/")[2] not in url
    assert openid.authorize(url)["state"] not in flow


def test_each_provider_has_a_callback_of_its_own(browser, live_corp, openid):
    openid.authorize(browser.leave(browser.begin()))

    assert openid.last_asked["redirect_uri"] == f"{BASE}/upstream/corp/callback"


def test_the_page_that_leads_away_needs_no_leave_from_the_form_that_led_to_it(browser, live_corp, openid):
    """A redirect would be held against the form's CSP at every hop; a page of our own that moves on is not."""
    flow = browser.begin()
    response = browser.post(f"{flow}/upstream/corp", on=flow)

    assert response.status_code == 200
    assert response.headers["Refresh"].startswith(f"0;url={openid.issuer}/authorize?")
    assert response.headers["Cache-Control"] == "no-store"
    assert f'href="{openid.issuer}/authorize?' in response.text


def test_leaving_needs_the_form_of_this_browser(browser, live_corp, name_of):
    flow = browser.begin()
    browser.get(flow)

    response = browser.client.post(f"{flow}/upstream/corp", base_url=BASE)

    assert name_of(response) == "form_expired"


# ---------------------------------------------------------------- state: B63, B65


@pytest.fixture
def away_at_corp(browser, live_corp, openid):
    """A browser that left to the upstream and signed in there: (flow, the parameters it comes back with)."""
    flow = browser.begin()
    return flow, openid.authorize(browser.leave(flow))


def test_an_answer_works_once(browser, away_at_corp, openid, name_of):
    _, params = away_at_corp
    browser.come_back(params)

    assert name_of(browser.come_back(params)) == "upstream_unexpected"
    assert openid.times_asked("/token") == 1


@pytest.mark.parametrize("state", [MISSING, "", "x" * 43, "x" * 9000])
def test_an_answer_without_the_right_state_goes_nowhere(browser, away_at_corp, openid, name_of, state):
    _, params = away_at_corp

    assert name_of(browser.come_back({**params, "state": state})) == "upstream_unexpected"
    assert openid.times_asked("/token") == 0
    assert not browser.is_signed_in


def test_an_answer_in_another_browser_is_refused_and_stays_good_for_its_own(
    app, browser, away_at_corp, openid, name_of
):
    """Login CSRF: a victim who follows the attacker's callback link is not signed in as the attacker."""
    _, params = away_at_corp
    victim = Browser(app)
    victim.begin()

    assert name_of(victim.come_back(params)) == "attempt_other_browser"
    assert not victim.is_signed_in
    browser.follow(browser.come_back(params))
    assert browser.is_signed_in


def test_an_answer_at_the_callback_of_another_provider_is_refused(browser, away_at_corp, add_upstream, openid, name_of):
    add_upstream("other")
    _, params = away_at_corp

    assert name_of(browser.come_back(params, "other")) == "upstream_unexpected"
    assert openid.times_asked("/token") == 0


def test_a_field_that_comes_twice_is_refused(browser, away_at_corp, name_of):
    _, params = away_at_corp
    query = "&".join(f"{name}={value}" for name, value in params.items())

    assert name_of(browser.get(f"/upstream/corp/callback?{query}&code=other")) == "repeated_field"


def test_two_tabs_at_the_upstream_do_not_disturb_one_another(browser, live_corp, openid):
    flow = browser.begin()
    first = openid.authorize(browser.leave(flow))
    second = openid.authorize(browser.leave(flow))

    assert browser.come_back(first).location == flow
    assert first["state"] != second["state"]


def test_an_answer_after_the_attempt_went_on_in_another_tab_is_refused(
    browser, away_at_corp, make_user, services, name_of
):
    flow, params = away_at_corp
    make_user("ada")
    browser.post(f"{flow}/password", on=flow, username="ada", password=PASSWORD)

    assert name_of(browser.come_back(params)) == "wrong_step"


def test_an_answer_after_ten_minutes_is_refused(browser, away_at_corp, clock, name_of):
    _, params = away_at_corp
    clock.advance(601)

    assert name_of(browser.come_back(params)) == "upstream_unexpected"


def test_what_is_remembered_for_the_way_back_is_in_the_store_and_not_in_the_browser(browser, away_at_corp, repo):
    _, params = away_at_corp
    departure = repo.find(UpstreamDeparture)[0]
    cookies = str(browser.client._cookies)

    assert departure.remembered["verifier"] not in cookies
    assert params["state"] not in cookies


# ---------------------------------------------------------------- trouble


def test_a_no_at_the_upstream_leads_back_to_the_choice(browser, away_at_corp, openid, name_of):
    flow, params = away_at_corp

    response = browser.come_back({"error": "access_denied", "state": params["state"], "iss": openid.issuer})

    assert (response.status_code, name_of(response)) == (403, "upstream_denied")
    assert f'href="{flow}"' in response.text
    assert "Corporate login" in browser.get(flow).text


def test_an_upstream_that_is_down_has_a_page_and_the_others_keep_working(
    browser, live_corp, openid, add_upstream, clock, name_of
):
    other = OpenIdDouble(clock)
    add_upstream("other", other)
    openid.trouble["/.well-known/openid-configuration"] = Trouble(status=503)
    flow = browser.begin()

    response = browser.post(f"{flow}/upstream/corp", on=flow)
    assert (response.status_code, name_of(response)) == (502, "upstream_unreachable")
    assert f'href="{flow}"' in response.text

    browser.follow(browser.come_back(other.authorize(browser.leave(flow, "other")), "other"))
    assert browser.is_signed_in
    other.close()


def test_the_reason_is_kept_for_the_administrator_and_not_shown(browser, away_at_corp, openid, services):
    openid.lies = {"aud": "another-client"}
    _, params = away_at_corp

    response = browser.come_back(params)

    assert "aud" in services.traces.explain(code(response)).reason
    assert "another-client" not in response.text
    assert "aud does not" not in response.text


def test_no_secret_of_the_round_trip_is_written_to_the_log(browser, live_corp, openid, caplog):
    caplog.set_level("DEBUG")
    openid.lies = {"nonce": "wrong"}
    params = openid.authorize(browser.leave(browser.begin()))
    browser.come_back(params)

    for secret in (CLIENT_SECRET, params["code"], params["state"], openid.last_asked["nonce"]):
        assert secret not in caplog.text


# ---------------------------------------------------------------- disabled and link-only: B54, B55


def test_a_disabled_upstream_is_refused_on_the_way_out_and_on_the_way_back(
    browser, away_at_corp, openid, set_upstream, name_of
):
    flow, params = away_at_corp
    set_upstream(enabled=False)

    assert name_of(browser.come_back(params)) == "unknown_upstream"
    assert name_of(browser.post(f"{flow}/upstream/corp", on=flow)) == "unknown_upstream"
    assert openid.times_asked("/token") == 0
    assert not browser.is_signed_in


def test_a_link_only_upstream_signs_nobody_in_even_when_the_answer_is_already_under_way(
    browser, away_at_corp, openid, set_upstream, name_of
):
    flow, params = away_at_corp
    set_upstream(mode="link_only")

    assert name_of(browser.come_back(params)) == "upstream_not_for_sign_in"
    assert name_of(browser.post(f"{flow}/upstream/corp", on=flow)) == "upstream_not_for_sign_in"
    assert openid.times_asked("/token") == 0
    assert not browser.is_signed_in


def test_an_upstream_that_nobody_configured_is_refused(browser, live_corp, name_of):
    flow = browser.begin()

    assert name_of(browser.post(f"{flow}/upstream/nothing", on=flow)) == "unknown_upstream"
    assert name_of(browser.get("/upstream/nothing/callback?state=x&code=y")) == "unknown_upstream"


# ---------------------------------------------------------------- the owner is asked


def test_an_email_that_belongs_to_somebody_asks_for_that_persons_proof(browser, live_corp, openid, make_user, repo):
    ada = make_user("ada")
    flow = browser.begin()
    back = browser.come_back(openid.authorize(browser.leave(flow), email="ada@corp.example", email_verified=True))

    asked = browser.follow(back)
    assert "Corporate login" in asked.text
    assert repo.find(FederatedLogin) == []

    browser.follow(browser.post(f"{flow}/password", on=flow, password=PASSWORD))
    assert [login.user_id for login in repo.find(FederatedLogin)] == [ada.id]
    assert browser.is_signed_in


def test_how_old_a_proof_may_be_is_passed_on_to_the_upstream(browser, live_corp, openid, services):
    draft = services.sign_in.draft("oidc", "/resume", {}, app_id="app", wants=Wants(max_age=300))
    openid.authorize(browser.leave(f"/flow/{services.sign_in.save(draft)}"))

    assert openid.last_asked["max_age"] == "300"
    assert "prompt" not in openid.last_asked


def test_an_app_that_wants_a_fresh_proof_gets_one_from_the_upstream(browser, live_corp, openid, services):
    draft = services.sign_in.draft("oidc", "/resume", {}, app_id="app", wants=Wants(force=True))
    openid.authorize(browser.leave(f"/flow/{services.sign_in.save(draft)}"))

    assert (openid.last_asked["prompt"], openid.last_asked["max_age"]) == ("login", "0")


def test_an_upstream_that_always_asks_does_so_at_every_sign_in(browser, live_corp, set_upstream, openid):
    set_upstream(always_ask=True)
    openid.authorize(browser.leave(browser.begin()))

    assert openid.last_asked["prompt"] == "login"

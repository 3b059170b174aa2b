"""Owns joining one more login from the account page, and taking it off, through the real application (B59 to B61)."""

import pytest

from idp.domain.upstream import FederatedLogin, UpstreamDeparture
from idp.domain.user import User
from tests.upstream.browser import BASE, Browser, away

# ---------------------------------------------------------------- linking and unlinking: B59 - B61


@pytest.fixture
def ada(make_user, browser):
    ada = make_user("ada")
    browser.sign_in()
    return ada


def start_link(browser, provider="corp"):
    return browser.post(f"/account/link/{provider}", on="/account")


def test_a_signed_in_user_links_one_more_login(browser, live_corp, openid, ada, repo, app):
    back = browser.come_back(openid.authorize(away(start_link(browser)), "s-9", email="other@mail.example"))
    assert (back.status_code, back.location) == (303, "/account")
    assert [(one.user_id, one.subject) for one in repo.find(FederatedLogin)] == [(ada.id, "s-9")]

    elsewhere = Browser(app)
    flow = elsewhere.begin()
    elsewhere.follow(elsewhere.come_back(openid.authorize(elsewhere.leave(flow), "s-9")))
    assert elsewhere.is_signed_in
    assert len(repo.find(User)) == 1


def test_a_link_only_upstream_can_be_linked(browser, openid, add_upstream, ada, repo):
    add_upstream(mode="link_only")

    browser.come_back(openid.authorize(away(start_link(browser))))

    assert [one.user_id for one in repo.find(FederatedLogin)] == [ada.id]


def test_a_disabled_upstream_cannot_be_linked(browser, openid, live_corp, ada, set_upstream, name_of, repo):
    params = openid.authorize(away(start_link(browser)))
    set_upstream(enabled=False)

    assert name_of(browser.come_back(params)) == "unknown_upstream"
    assert name_of(start_link(browser)) == "unknown_upstream"
    assert repo.find(FederatedLogin) == []


def test_another_site_cannot_start_linking_or_unlinking(browser, live_corp, ada, name_of):
    for path in ("/account/link/corp", "/account/unlink/any"):
        assert browser.get(path).status_code == 405
        assert name_of(browser.client.post(path, base_url=BASE)) == "form_expired"
        headers = {"Sec-Fetch-Site": "cross-site"}
        assert name_of(browser.client.post(path, base_url=BASE, headers=headers)) == "cross_site"


def test_linking_and_unlinking_need_a_recent_proof(browser, live_corp, ada, clock, repo):
    clock.advance(601)

    for path in ("/account/link/corp", "/account/unlink/any"):
        response = browser.post(path, on="/account")
        assert (response.status_code, "/flow/" in response.location) == (303, True)
    assert repo.find(UpstreamDeparture) == []


def test_a_link_that_comes_back_in_another_browser_is_refused(
    app, browser, live_corp, openid, ada, make_user, name_of, repo
):
    """The attacker's upstream login is not joined to whoever can be made to follow the link."""
    params = openid.authorize(away(start_link(browser)), "attacker")
    make_user("victim")
    victim = Browser(app)
    victim.sign_in("victim")

    assert name_of(victim.come_back(params)) == "attempt_other_browser"
    assert repo.find(FederatedLogin) == []


def test_a_link_that_comes_back_after_somebody_else_signed_in_is_refused(
    browser, live_corp, openid, ada, make_user, name_of, repo
):
    params = openid.authorize(away(start_link(browser)))
    make_user("eve")
    browser.client.delete_cookie("sheaf_session", domain="127.0.0.1")
    browser.sign_in("eve")

    assert name_of(browser.come_back(params)) == "link_not_yours"
    assert repo.find(FederatedLogin) == []


def test_a_link_that_comes_back_after_signing_out_is_refused(browser, live_corp, openid, ada, name_of, repo):
    params = openid.authorize(away(start_link(browser)))
    browser.client.delete_cookie("sheaf_session", domain="127.0.0.1")

    assert name_of(browser.come_back(params)) == "link_not_yours"
    assert repo.find(FederatedLogin) == []


def test_a_login_of_somebody_else_cannot_be_linked(browser, live_corp, openid, ada, make_user, services, name_of, repo):
    from idp.domain.upstream import UpstreamIdentity

    eve = make_user("eve")
    services.links.link(eve, UpstreamIdentity("corp", openid.issuer, "s-1"), actor="test")

    assert name_of(browser.come_back(openid.authorize(away(start_link(browser)), "s-1"))) == "login_taken"
    assert [one.user_id for one in repo.find(FederatedLogin)] == [eve.id]


def test_the_link_attempt_is_no_way_to_sign_in(browser, live_corp, openid, ada, repo, name_of):
    away(start_link(browser))
    handle = repo.find(UpstreamDeparture)[0].handle

    response = browser.post(f"/flow/{handle}/upstream/corp", on="/account")

    assert name_of(response) == "wrong_step"


def test_unlinking_keeps_the_last_way_in(browser, live_corp, openid, ada, repo, name_of):
    browser.come_back(openid.authorize(away(start_link(browser))))
    login = repo.find(FederatedLogin)[0]

    response = browser.post(f"/account/unlink/{login.id}", on="/account")
    assert (response.status_code, response.location) == (303, "/account")
    assert repo.find(FederatedLogin) == []

    assert name_of(browser.post(f"/account/unlink/{login.id}", on="/account")) == "unknown_login"

"""What is noted of an upstream that fails while people sign in, and when it is over."""

from tests.upstream.browser import Browser
from tests.upstream.openid_double import Trouble


def told(services):
    return [
        (one.provider.id, one.over, one.health.failures)
        for one in services.upstream_health.lately(services.upstreams.all())
    ]


def test_an_upstream_that_does_not_answer_is_noted_and_the_next_good_answer_ends_it(
    app, services, live_corp, openid, clock
):
    browser = Browser(app)
    openid.trouble["/.well-known/openid-configuration"] = Trouble(status=503)
    flow = browser.begin()
    assert browser.post(f"{flow}/upstream/corp", on=flow).status_code >= 500
    assert told(services) == [("corp", False, 1)]

    openid.trouble.clear()
    clock.advance(60)
    browser.come_back(openid.authorize(browser.leave(browser.begin()), email="ada@corp.example"))
    assert told(services) == [("corp", True, 1)]


def test_an_answer_that_does_not_hold_is_noted(app, services, live_corp, openid):
    browser = Browser(app)
    openid.lies["aud"] = "somebody-else"
    browser.come_back(openid.authorize(browser.leave(browser.begin())))

    (trouble,) = services.upstream_health.lately(services.upstreams.all())
    assert "aud" in trouble.health.reason


def test_a_person_who_turns_back_and_a_forged_state_are_no_failures_of_the_upstream(app, services, live_corp, openid):
    browser = Browser(app)
    state = openid.authorize(browser.leave(browser.begin()))["state"]
    browser.come_back({"error": "access_denied", "state": state, "iss": openid.issuer})
    browser.come_back({"code": "made-up", "state": "made-up"})

    assert told(services) == []

"""Owns the list of ways in that an app accepts: refused at the button, at the password, at the return and for a session."""

import pytest

from idp.base.errors import Refused
from idp.domain.attempt import Proof, Step, Wants
from idp.domain.upstream import LOCAL
from tests.upstream.browser import PASSWORD
from tests.upstream.conftest import BROWSER, says


@pytest.fixture
def begin_for(services):
    """A sign-in for an app that accepts these ways: gives (path, attempt)."""

    def begin(*ways):
        wants = Wants(upstreams=ways)
        draft = services.sign_in.draft("oidc", "/resume", {}, app_id="app", app_name="App", wants=wants)
        return f"/flow/{services.sign_in.save(draft)}", draft.attempt

    return begin


def test_only_the_ways_that_the_app_accepts_are_shown(browser, live_corp, add_upstream, begin_for):
    add_upstream("other", label="Another one")
    page = browser.get(begin_for("other")[0]).text

    assert "Another one" in page
    assert "Corporate login" not in page
    assert 'name="password"' not in page


def test_another_upstream_is_refused_at_the_button(browser, live_corp, openid, begin_for, name_of):
    flow, _ = begin_for(LOCAL)

    assert name_of(browser.post(f"{flow}/upstream/corp", on=flow)) == "way_not_accepted"
    assert openid.times_asked("/authorize") == 0


def test_the_password_is_refused_whether_it_is_right_or_wrong(browser, live_corp, make_user, begin_for, name_of):
    make_user("ada")
    flow, _ = begin_for("corp")

    for password in (PASSWORD, "wrong"):
        sent = browser.post(f"{flow}/password", on=flow, username="ada", password=password)
        assert (sent.status_code, name_of(sent)) == (403, "way_not_accepted")


def test_an_answer_that_is_under_way_is_refused_when_the_app_no_longer_accepts_it(
    services, add_provider, begin_for, refusal, repo
):
    corp = add_provider()
    _, attempt = begin_for("other")

    assert refusal(services.sign_in.arrive, attempt, says(), corp).code == "way_not_accepted"
    assert services.users.all() == []


@pytest.mark.parametrize(
    ("ways", "came_by", "step"),
    [
        (("corp",), "corp", Step.DONE),
        (("corp",), None, Step.CHOOSE),
        (("corp",), "other", Step.CHOOSE),
        ((LOCAL,), None, Step.DONE),
        ((LOCAL,), "corp", Step.CHOOSE),
        ((), "corp", Step.CHOOSE),
    ],
)
def test_a_session_is_good_for_the_app_only_if_it_was_begun_in_an_accepted_way(
    services, make_user, begin_for, clock, ways, came_by, step
):
    ada = make_user("ada")
    proof = Proof(ada.id, clock(), ("fed" if came_by else "pwd",), None, came_by)
    session, _ = services.sessions.establish(proof, None, "test")
    _, attempt = begin_for(*ways)

    assert services.sign_in.decide(attempt, session).step is step


def test_the_owner_of_an_address_may_prove_by_password_what_came_by_an_accepted_way(
    services, make_user, add_provider, begin_for, links
):
    ada, corp = make_user("ada"), add_provider()
    flow, _ = begin_for("corp")
    attempt = services.sign_in.load(flow.rpartition("/")[2], BROWSER)
    waiting = services.sign_in.arrive(attempt, says(), corp)
    proved = services.sign_in.prove_password(waiting, "ada", PASSWORD, "127.0.0.1")

    _, handle = services.sign_in.finish(proved, None, "test")

    assert services.sessions.load(handle)[0].provider_id == "corp"
    assert len(links.of(ada.id)) == 1


def test_no_upstream_may_be_called_as_the_password_is(add_provider, refusal):
    assert refusal(add_provider, LOCAL).code == "invalid_upstream"


def test_an_app_that_registers_itself_does_not_choose_who_comes_in():
    from idp.services.register_client import OWN_FIELDS

    assert "upstreams" not in OWN_FIELDS


@pytest.mark.parametrize(
    "ways",
    [(), ("",), ("Corp",), ("a b",), tuple(f"c{n}" for n in range(101))],
    ids=["none", "empty", "A", "blank", "many"],
)
def test_a_list_that_cannot_be_meant_is_refused_by_name(ways):
    from idp.domain.relying import Client, ServiceProvider
    from idp.services.check_client import check_client
    from idp.services.check_sp import check_sp

    for check in (
        lambda: check_client(Client("x", "X", 0.0, grant_types=(), upstreams=ways)),
        lambda: check_sp(ServiceProvider("https://sp.example", "X", "", upstreams=ways), None),
    ):
        with pytest.raises(Refused, match="upstreams:"):
            check()

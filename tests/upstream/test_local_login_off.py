"""Turning local login off with a real round trip through an upstream, and what is refused while it is off."""

import re
from dataclasses import replace
from threading import Barrier, Thread

import pyotp
import pytest

from idp.assemble import build_parts
from idp.base.errors import Refused
from idp.domain.local_login import FederatedProof
from idp.domain.upstream import UpstreamIdentity, UpstreamProvider
from idp.services.upstream_tests import fingerprint
from tests.support.federated import came_in
from tests.upstream.browser import PASSWORD, Browser

LAST = "last_way_in_for_administrators"


@pytest.fixture
def ada(make_user):
    return make_user("ada", administrator=True)


@pytest.fixture
def secret(services, ada):
    return services.factors.enrol_for(ada, actor="test")[0].secret


@pytest.fixture
def linked(services, openid, live_corp, ada):
    return services.links.link(ada, UpstreamIdentity("corp", openid.issuer, "sub-of-ada"), actor="test")


@pytest.fixture
def come_in(app, openid, clock, secret, linked):
    """The whole way in a browser of its own: to the upstream, back, and the second step. between: what happens on the way."""

    def go(between=lambda: None, *, factor=True):
        clock.advance(1)
        browser = Browser(app)
        flow = browser.begin()
        answer = openid.authorize(browser.leave(flow), "sub-of-ada")
        between()
        page = browser.follow(browser.come_back(answer))
        if factor:
            clock.advance(30)
            where = re.search(r'action="(/flow/[^"]+/factor)"', page.text)[1]
            page = browser.follow(browser.post(where, on=where, code=pyotp.TOTP(secret).at(clock())))
        return page

    return go


def proof(services, ada):
    return services.repo.get(FederatedProof, ada.id)


def test_a_round_trip_with_second_step_shows_that_the_upstream_works(services, come_in, ada, clock):
    come_in()
    found = proof(services, ada)
    corp = services.upstreams.get("corp")
    assert (found.provider_id, found.fingerprint, found.at) == ("corp", fingerprint(corp), clock())
    services.turn_local_login.turn_off(actor="cli", on_shell=True)
    come_in()
    session = services.sessions.of(ada.id)[0]
    assert services.turn_local_login.confirm(session, services.users.get(ada.id)).state == "off"


def test_half_a_sign_in_shows_nothing(services, come_in, ada):
    come_in(factor=False)
    assert proof(services, ada) is None


def test_a_configuration_changed_while_the_person_was_away_shows_nothing(services, come_in, ada, clock):
    def change():
        clock.advance(1)
        corp = services.upstreams.get("corp")
        services.upstreams.change(replace(corp, may_create="nobody"), {}, secrets=(), actor="test")

    come_in(change)
    assert proof(services, ada) is None
    come_in()
    assert proof(services, ada) is not None


def test_who_does_not_administer_shows_nothing(services, come_in, ada):
    services.repo.replace_if(replace(services.users.get(ada.id), roles=()))
    come_in()
    assert proof(services, ada) is None


# ---------------------------------------------------------------- off


@pytest.fixture
def off(services, come_in, ada, make_user):
    """Local login is off. Somebody else administers as well, but has never come in through an upstream."""
    make_user("spare", administrator=True)
    come_in()
    services.turn_local_login.turn_off(actor="cli", on_shell=True)
    come_in()
    return services.turn_local_login.confirm(services.sessions.of(ada.id)[0], services.users.get(ada.id))


def test_the_owner_of_an_address_is_not_asked_for_a_password(services, browser, openid, off, make_user, live_corp):
    bob = make_user("bob")
    services.clock.advance(60)
    flow = browser.begin()
    page = browser.follow(browser.come_back(openid.authorize(browser.leave(flow), "sub-of-bob", email=bob.email)))
    assert 'name="password"' not in page.text
    posted = browser.post(f"{flow}/password", on=flow, password=PASSWORD)
    assert posted.status_code in (401, 409)
    assert services.links.of(bob.id) == []


def refused(function, *args, **named):
    with pytest.raises(Refused) as caught:
        function(*args, **named)
    return caught.value.code


def test_the_only_administrator_who_can_come_in_stays_enabled(services, off, ada):
    assert refused(services.users.set_disabled, services.users.get(ada.id), True, actor="test") == LAST
    assert not services.users.get(ada.id).disabled


def test_the_only_administrators_login_stays(services, off, ada, linked):
    # With an exception the password would be another way in for her, but a password is no way in that was shown.
    services.turn_local_login.set_exceptions([ada], [], actor="test")
    code = refused(services.links.unlink, services.users.get(ada.id), linked.id, actor="test", local_login=True)
    assert code == LAST
    assert len(services.links.of(ada.id)) == 1


@pytest.mark.parametrize("change", [{"enabled": False}, {"mode": "link_only"}], ids=["off", "link-only"])
def test_the_only_upstream_by_which_administrators_come_in_stays(services, off, change):
    corp = services.repo.get(UpstreamProvider, "corp")
    assert refused(services.upstreams.change, replace(corp, **change), {}, secrets=(), actor="test") == LAST
    assert refused(services.remove_upstream.remove, "corp", actor="test") == LAST
    assert services.upstreams.get("corp").enabled


def test_with_a_second_one_who_has_come_in_the_first_may_go(services, off, ada, openid, make_user):
    other = make_user("other", administrator=True)
    services.links.link(other, UpstreamIdentity("corp", openid.issuer, "sub-of-other"), actor="test")
    came_in(services, other)
    assert services.users.set_disabled(services.users.get(ada.id), True, actor="test").disabled
    assert refused(services.users.set_disabled, services.users.get(other.id), True, actor="test") == LAST


def test_two_administrators_who_disable_each_other_at_once_do_not_both_succeed(
    services, settings, repo, clock, off, ada, openid, make_user
):
    other = make_user("other", administrator=True)
    services.links.link(other, UpstreamIdentity("corp", openid.issuer, "sub-of-other"), actor="test")
    came_in(services, other)
    clock.advance(10)
    nodes, start, told = [build_parts(settings, repo=repo, clock=clock) for _ in range(2)], Barrier(2), []

    def disable(node, user):
        start.wait()
        try:
            node.users.set_disabled(node.users.get(user.id), True, actor="test")
        except Refused as refusal:
            told.append(refusal.code)

    threads = [Thread(target=disable, args=pair) for pair in zip(nodes, (ada, other), strict=True)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert [services.users.get(one.id).disabled for one in (ada, other)].count(True) <= 1
    assert {*told} <= {LAST, "changed_meanwhile"}
    assert told


def test_turned_on_again_anything_may_be_taken_away(services, off, ada):
    services.turn_local_login.turn_on(actor="cli")
    assert services.users.set_disabled(services.users.get(ada.id), True, actor="test").disabled

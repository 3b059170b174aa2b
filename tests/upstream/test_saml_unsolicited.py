"""Owns sign-ins that begin at a SAML upstream, which an administrator may allow."""

from concurrent.futures import ThreadPoolExecutor

import pytest

from idp.domain.upstream import FederatedLogin
from tests.upstream.saml_answer import posted
from tests.upstream.saml_browser import Way


@pytest.fixture
def portal(app, browser, idp, add_saml):
    """An upstream whose own page may begin a sign-in."""
    add_saml(unsolicited="true")
    return Way(app, browser, idp)


def unasked(way, **changes):
    asked = way.leave()
    changes = {"in_response_to": None, "confirmed_in_response_to": None, **changes}
    return posted(way.double.answer(asked, **changes).document(way.double.clock()))


def test_a_sign_in_that_begins_at_the_upstream_is_refused_unless_allowed(way, refused_as):
    assert refused_as(way.come_back(unasked(way)))[0] == "upstream_unexpected"


def test_a_sign_in_that_begins_at_the_upstream_is_accepted_where_it_is_allowed(portal):
    response = portal.post(unasked(portal))

    assert response.location.startswith("/flow/")
    portal.browser.follow(portal.browser.get(response.location))
    assert portal.browser.is_signed_in


def test_an_unsolicited_answer_works_once(portal, refused_as):
    fields = unasked(portal)
    portal.post(fields)

    name, reason = refused_as(portal.post(fields))
    assert (name, reason.partition(":")[0]) == ("upstream_answer_invalid", "replay")


def test_of_many_equal_unsolicited_answers_at_the_same_moment_one_is_accepted(portal):
    fields = unasked(portal)
    with ThreadPoolExecutor(6) as pool:
        found = list(pool.map(lambda _: portal.post(fields).status_code, range(6)))

    assert sorted(found) == [303, *[502] * 5]


@pytest.mark.parametrize("field", ["in_response_to", "confirmed_in_response_to"])
def test_an_unsolicited_answer_must_not_name_a_request(portal, refused_as, field):
    name, reason = refused_as(portal.post(unasked(portal, **{field: "_made_up"})))

    assert (name, reason.partition(":")[0]) == ("upstream_answer_invalid", "in_response_to")


def test_the_answer_to_a_request_is_not_taken_for_an_unsolicited_one(portal, refused_as):
    fields = portal.answer(portal.leave())

    name, reason = refused_as(portal.post({"SAMLResponse": fields["SAMLResponse"]}))
    assert (name, reason.partition(":")[0]) == ("upstream_answer_invalid", "in_response_to")


def test_the_relay_state_of_an_unsolicited_answer_leads_nowhere(portal):
    response = portal.post({**unasked(portal), "RelayState": "https://evil.example/"})

    assert response.location.startswith("/flow/")


def test_an_unsolicited_answer_does_not_ask_the_owner_of_its_e_mail_to_join_it(portal, make_user, refused_as, repo):
    """Else a stranger posts his own answer, with her address, and sends Ada to the page where her password joins the two."""
    make_user("ada", email="ada@corp.example")
    fields = unasked(portal, attributes={"mail": ("ada@corp.example",)})

    assert refused_as(portal.post(fields))[0] == "join_not_asked_for"
    assert repo.find(FederatedLogin) == []


def test_an_unsolicited_answer_of_a_link_only_upstream_is_refused(portal, set_upstream, refused_as):
    fields = unasked(portal)
    set_upstream(mode="link_only")

    assert refused_as(portal.post(fields))[0] == "upstream_not_for_sign_in"

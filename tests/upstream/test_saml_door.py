"""Owns the way of a browser to a SAML identity provider and back, through the real application, against the double."""

import pytest

from idp.domain.saml import UpstreamArrival
from idp.domain.upstream import FederatedLogin
from idp.domain.user import User
from idp.ports import Departure
from idp.saml.attributes import OID
from tests.saml.peer import pair
from tests.upstream.browser import BASE, PASSWORD, Browser, away
from tests.upstream.saml_answer import status
from tests.upstream.saml_browser import Way

MAIL = OID["email"][0]


def test_a_new_person_signs_in_and_is_the_same_user_the_next_time(app, way, idp, repo):
    for _ in range(2):
        again = Way(app, Browser(app), idp)
        shown = again.sign_in(attributes={MAIL: ("ada@corp.example",), OID["name"][0]: ("Ada",)})
        assert shown.status_code == 200
        assert again.browser.is_signed_in

    assert [(user.email, user.name) for user in repo.find(User)] == [("ada@corp.example", "Ada")]
    assert [(login.issuer, login.subject) for login in repo.find(FederatedLogin)] == [(idp.entity_id, "user-1")]


def test_the_upstream_is_told_where_the_answer_belongs(way):
    asked = way.leave()

    assert asked.issuer == f"{BASE}/upstream/corp/metadata"
    assert asked.acs_url == f"{BASE}/upstream/corp/acs"
    assert way.flow.rpartition("/")[2] not in asked.relay_state


def test_the_answer_by_post_waits_until_the_same_browser_asks_for_it(way, repo):
    fields = way.answer(way.leave())

    response = way.post(fields)

    assert response.status_code == 303
    assert response.location.startswith("/upstream/corp/callback?arrival=")
    assert "SAMLResponse" not in response.location
    assert len(repo.find(UpstreamArrival)) == 1
    back = way.browser.get(response.location)
    assert (back.status_code, back.location) == (303, way.flow)
    assert repo.find(UpstreamArrival) == [], "what it says of a person is kept no longer than it is needed"


def test_an_answer_works_once(way, refused_as, repo):
    fields = way.answer(way.leave())
    way.browser.follow(way.come_back(fields))

    assert refused_as(way.come_back(fields))[0] == "upstream_unexpected"
    assert len(repo.find(User)) == 1


def test_of_two_equal_answers_at_once_one_goes_on(way, refused_as):
    fields = way.answer(way.leave())
    first, second = way.post(fields), way.post(fields)

    assert way.browser.get(first.location).status_code == 303
    assert refused_as(way.browser.get(second.location))[0] == "upstream_unexpected"


def test_nobody_fills_the_store_with_answers_to_one_request(way, refused_as, repo):
    fields = way.answer(way.leave())
    for _ in range(3):
        assert way.post(fields).status_code == 303

    assert refused_as(way.post(fields))[0] == "upstream_unexpected"
    assert len(repo.find(UpstreamArrival)) == 3


@pytest.mark.parametrize("text", ["not base64!", "A" * 400_004])
def test_what_can_be_no_answer_is_not_kept(way, refused_as, repo, text):
    fields = {**way.answer(way.leave()), "SAMLResponse": text}

    assert refused_as(way.post(fields))[0] == "upstream_answer_invalid"
    assert repo.find(UpstreamArrival) == []


@pytest.mark.parametrize("blank", ["\u00a0", "\u2003", "\u3000"])
def test_a_blank_that_xml_does_not_know_is_part_of_a_name(app, way, idp, repo, blank):
    """Where people choose their names, somebody could call themselves like somebody else."""
    for subject in ("ada", f"ada{blank}", f"{blank}ada"):
        Way(app, Browser(app), idp).sign_in(subject)

    assert len({login.user_id for login in repo.find(FederatedLogin)}) == 3


def test_the_white_space_of_xml_around_a_name_is_none_of_it(way, repo):
    way.sign_in("\n    ada\n  ")

    assert [login.subject for login in repo.find(FederatedLogin)] == ["ada"]


def test_an_answer_in_another_browser_is_refused_and_stays_good_for_its_own(app, way, refused_as):
    """Login CSRF: a victim who is made to post the attacker's answer is not signed in as the attacker."""
    response = way.post(way.answer(way.leave()))
    victim = Browser(app)
    victim.begin()

    assert refused_as(victim.get(response.location))[0] == "attempt_other_browser"
    assert not victim.is_signed_in
    way.browser.follow(way.browser.get(response.location))
    assert way.browser.is_signed_in


@pytest.mark.parametrize("state", [None, "", "x" * 43, "x" * 5000])
def test_an_answer_without_the_right_relay_state_goes_nowhere(way, refused_as, state):
    fields = {**way.answer(way.leave()), "RelayState": state}
    given = {name: value for name, value in fields.items() if value is not None}

    assert refused_as(way.come_back(given))[0] == "upstream_unexpected"
    assert not way.browser.is_signed_in


def test_an_answer_cannot_come_in_a_query(way, refused_as):
    fields = way.answer(way.leave())
    response = way.browser.client.get("/upstream/corp/callback", query_string=fields, base_url=BASE)

    assert refused_as(response)[0] == "upstream_unexpected"


def test_a_form_without_an_answer_or_with_two_is_refused(way, refused_as):
    fields = way.answer(way.leave())

    assert refused_as(way.post({"RelayState": fields["RelayState"]}))[0] == "upstream_unexpected"
    assert refused_as(way.post({}))[0] == "upstream_unexpected"
    twice = [*fields.items(), ("SAMLResponse", fields["SAMLResponse"])]
    response = way.app.test_client().post(
        "/upstream/corp/acs", data="&".join(f"{n}={v}" for n, v in twice), base_url=BASE,
        content_type="application/x-www-form-urlencoded",
    )  # fmt: skip
    assert refused_as(response)[0] == "repeated_field"


def test_a_form_that_is_too_large_is_refused(way):
    assert way.post({"SAMLResponse": "A" * 600_000, "RelayState": "x" * 43}).status_code == 413


def test_what_is_no_answer_at_all_is_refused_in_the_one_way(way, refused_as):
    for text in ("%%%", "AAAA", "PHg+"):
        asked = way.leave()
        fields = {"SAMLResponse": text, "RelayState": asked.relay_state}
        assert refused_as(way.come_back(fields))[0] == "upstream_answer_invalid"


def test_a_handle_that_nobody_gave_opens_nothing(way, refused_as):
    for handle in ("", "x", "x" * 64, "x" * 5000):
        response = way.browser.get(f"/upstream/corp/callback?arrival={handle}")
        assert refused_as(response)[0] == "upstream_unexpected"


def test_a_no_at_the_upstream_leads_back_to_the_choice(way, refused_as):
    asked = way.leave()

    response = way.come_back(way.answer(asked, status=status("Responder", "AuthnFailed")))

    assert refused_as(response)[0] == "upstream_denied"
    assert f'href="{way.flow}"' in response.text


def test_a_request_that_the_upstream_does_not_like_is_for_an_administrator(way, refused_as):
    asked = way.leave()
    response = way.come_back(way.answer(asked, status=status("Requester", "InvalidNameIDPolicy")))

    assert refused_as(response)[0] == "upstream_misconfigured"


def test_the_reason_is_kept_for_the_administrator_and_not_shown(way, refused_as):
    response = way.come_back(way.answer(way.leave(), audience="https://another.example"))

    name, reason = refused_as(response)
    assert name == "upstream_answer_invalid"
    assert reason.startswith("audience: ")
    assert "another.example" not in response.text


# ---------------------------------------------------------------- whose login it is


def test_an_address_that_belongs_to_somebody_asks_for_that_persons_proof(way, make_user, repo):
    """Trusted or not: an e-mail address joins nothing by itself."""
    ada = make_user("ada")

    asked = way.sign_in(attributes={MAIL: ("ada@corp.example",)})
    assert "Corporate login" in asked.text
    assert not way.browser.is_signed_in
    assert repo.find(FederatedLogin) == []

    way.browser.follow(way.browser.post(f"{way.flow}/password", on=way.flow, password=PASSWORD))
    assert [login.user_id for login in repo.find(FederatedLogin)] == [ada.id]
    assert way.browser.is_signed_in


def test_a_signed_in_user_links_one_more_login(way, make_user, repo):
    ada = make_user("ada")
    way.browser.sign_in()

    asked = way.double.asked(Departure(away(way.browser.post("/account/link/corp", on="/account")), {}))
    response = way.come_back(way.answer(asked, "ada-there"))

    assert (response.status_code, response.location) == (303, "/account")
    assert [(one.user_id, one.subject) for one in repo.find(FederatedLogin)] == [(ada.id, "ada-there")]


def test_the_same_subject_at_another_upstream_is_somebody_else(app, way, idp, add_saml, repo):
    way.sign_in()
    add_saml("other")
    Way(app, Browser(app), idp, "other").sign_in()

    assert len({login.user_id for login in repo.find(FederatedLogin)}) == 2


# ---------------------------------------------------------------- off, link-only, another one


def test_a_disabled_upstream_is_refused_on_every_path(way, refused_as, set_upstream):
    fields = way.answer(way.leave())
    waiting = way.post(fields).location
    set_upstream(enabled=False)

    assert refused_as(way.post(fields))[0] == "unknown_upstream"
    assert refused_as(way.browser.get(waiting))[0] == "unknown_upstream"
    assert refused_as(way.browser.get("/upstream/corp/metadata"))[0] == "unknown_upstream"
    assert refused_as(way.browser.post(f"{way.flow}/upstream/corp", on=way.flow))[0] == "unknown_upstream"
    assert not way.browser.is_signed_in


def test_a_link_only_upstream_signs_nobody_in_even_when_the_answer_is_already_under_way(way, refused_as, set_upstream):
    fields = way.answer(way.leave())
    set_upstream(mode="link_only")

    assert refused_as(way.come_back(fields))[0] == "upstream_not_for_sign_in"
    assert not way.browser.is_signed_in


def test_an_upstream_of_another_protocol_has_none_of_these_addresses(app, way, live_oidc, refused_as):
    client = app.test_client()

    assert (
        refused_as(client.post("/upstream/other/acs", data={"SAMLResponse": "x"}, base_url=BASE))[0]
        == "unknown_upstream"
    )
    assert refused_as(client.get("/upstream/other/metadata", base_url=BASE))[0] == "unknown_upstream"
    assert refused_as(client.get("/upstream/nothing/metadata", base_url=BASE))[0] == "unknown_upstream"


@pytest.fixture
def live_oidc(add_upstream):
    return add_upstream("other")


# ---------------------------------------------------------------- the inspector


@pytest.fixture
def messages(app):
    """What is kept for the inspector, by direction."""

    def read():
        app.extensions["sheaf"].saml_messages.flush()
        return {one.direction: one for one in app.extensions["sheaf"].saml_messages.of("upstream:corp")}

    return read


def test_what_went_and_what_came_is_kept_with_its_checks(way, messages):
    way.sign_in()

    kept = messages()
    assert (kept["out"].kind, kept["out"].binding) == ("AuthnRequest", "redirect")
    assert (kept["in"].kind, kept["in"].binding, kept["in"].ok) == ("Response", "post", True)
    assert {"signature", "destination", "audience", "replay"} <= {check.code for check in kept["in"].checks}


def test_a_refused_answer_is_kept_with_the_check_that_failed_and_the_trace_code(way, services, messages, refused_as):
    response = way.come_back(way.answer(way.leave(), recipient="https://another.example/acs"))

    kept = messages()["in"]
    assert not kept.ok
    assert [check.code for check in kept.checks if not check.ok] == ["recipient"]
    assert services.traces.explain(kept.trace).reason == refused_as(response)[1]


def test_keys_of_another_kind_can_be_used(app, browser, idp, add_saml):
    idp.keys = [pair("p-256")]
    add_saml()
    way = Way(app, browser, idp)
    way.sign_in()

    assert way.browser.is_signed_in

"""Owns the claims about the page behind the link in a mail, and about changes of one's own logins on the account page.

What undoing does to records is in tests/services/test_change_links_undo.
"""

import pytest

from idp.domain.audit_event import AuditEvent
from idp.domain.upstream import UpstreamIdentity
from tests.support.html import parse
from tests.web.house import House, Person


class Postman:
    def __init__(self) -> None:
        self.delivered: list[tuple[str, str, str]] = []

    def deliver(self, to: str, subject: str, text: str) -> None:
        self.delivered.append((to, subject, text))


@pytest.fixture
def postman(house: House) -> Postman:
    house.parts.mails._mailer = Postman()
    return house.parts.mails._mailer


@pytest.fixture
def ada(house: House, postman: Postman) -> Person:
    """With a verified address, a password, a second step and one login."""
    person = house.person("ada")
    person.user = house.parts.users.edit(person.user, email="ada@example.org", actor="test")
    linked(house, person, "a1")
    return person


def linked(house: House, person: Person, subject: str):
    identity = UpstreamIdentity("corp", "https://corp.example", subject, f"{subject}@corp.example")
    return house.parts.links.link(person.user, identity, actor="test")


def logins(house: House, person: Person) -> set[str]:
    return {one.subject for one in house.parts.links.of(person.user.id)}


def change_of(house: House, person: Person, subject: str):
    login = next(one for one in house.parts.links.of(person.user.id) if one.subject == subject)
    return next(one for one in house.parts.changes.of(person.user.id) if one.logins == (login.id,))


@pytest.fixture
def told(house: House, ada: Person, postman: Postman):
    """Ada was told of a new login; gives the path of the link in the mail."""
    house.parts.mails.deliver_due()
    postman.delivered.clear()
    linked(house, ada, "evil")
    house.parts.mails.deliver_due()
    text = postman.delivered[-1][2]
    return next(line.strip() for line in text.splitlines() if "/undo/" in line).removeprefix("http://localhost")


def test_the_link_shows_what_will_happen_and_does_nothing(house, ada, told):
    seen = house.browser().open(told)
    assert seen.status == 200
    assert "corp (evil@corp.example)" in seen.text
    assert logins(house, ada) == {"a1", "evil"}
    house.browser().client.head(told)
    assert logins(house, ada) == {"a1", "evil"}
    assert seen.response.headers["Cache-Control"] == "no-store"


def test_the_button_undoes_it_also_when_signed_out_and_says_so(house, ada, told):
    seen = house.browser().open(told).submit("/undo/")
    assert "It is undone" in seen.text
    assert logins(house, ada) == {"a1"}
    [event] = house.parts.repo.find(AuditEvent, name="login.undone")
    assert (event.actor, event.subject) == ("undo link", ada.user.id)


def test_whoever_was_signed_in_to_the_account_is_signed_out(house, ada, told):
    intruder = house.sign_in(ada)
    house.browser().open(told).submit("/undo/")
    assert not intruder.signed_in


def test_undoing_twice_shows_that_it_is_done(house, ada, told):
    first, second = house.browser().open(told), house.browser().open(told)
    first.submit("/undo/")
    again = second.submit("/undo/")
    assert again.status == 200
    assert "It is undone" in again.text
    assert not [form for form in again.document.forms if "/undo/" in form.action]


def test_without_the_token_of_the_form_nothing_is_undone(house, ada, told):
    browser = house.browser()
    browser.open(told)
    assert browser.post(told, {}).status == 403
    assert browser.post(told, {"csrf": "x"}, Origin="https://evil.example").status == 403
    assert house.browser().client.post(told).status_code == 403
    assert logins(house, ada) == {"a1", "evil"}


@pytest.mark.parametrize("token", ["x", "x" * 43, "x" * 5000, "%00" * 30], ids=["short", "unknown", "long", "nul"])
def test_a_link_that_is_not_good_says_so(house, token):
    seen = house.browser().open(f"/undo/{token}")
    assert seen.status == 410
    assert "Nothing was changed" in seen.text
    assert house.browser().post_blindly(f"/undo/{token}").status == 410


def test_after_thirty_days_the_link_is_dead(house, ada, told):
    house.clock.advance(30 * 86_400)
    assert house.browser().open(told).status == 410


def test_a_change_that_cannot_be_undone_any_more_says_why(house, ada, told):
    page = house.browser().open(told)
    login = next(one for one in house.parts.links.of(ada.user.id) if one.subject == "evil")
    house.parts.repo.delete(type(login), login.id)
    assert "cannot be undone any more" in house.browser().open(told).text
    refused = page.submit("/undo/")
    assert refused.status == 409
    assert "cannot be undone any more" in refused.text


def test_the_token_stands_in_no_trace_and_no_log(house, ada, told, caplog):
    token = told.rpartition("/")[2]
    page = house.browser().open(told)
    login = next(one for one in house.parts.links.of(ada.user.id) if one.subject == "evil")
    house.parts.repo.delete(type(login), login.id)
    page.submit("/undo/")
    house.browser().post(told, {})
    from idp.domain.audit_event import Trace

    traces = house.parts.repo.find(Trace)
    assert traces
    assert all(token not in str(one) for one in traces)
    assert token not in caplog.text


# ---------------------------------------------------------------- on the account page


def test_the_account_page_shows_changes_of_ones_logins_and_undoes_them(house, ada, told):
    browser = house.sign_in(ada)
    page = browser.open("/account")
    assert "Changes of your logins" in page.text
    page.submit(f"/account/changes/{change_of(house, ada, 'evil').id}")
    assert logins(house, ada) == {"a1"}
    assert not browser.signed_in
    assert "undone" in house.sign_in(ada).open("/account").text


def test_nobody_undoes_the_change_of_somebody_else(house, ada, told):
    eve = house.sign_in(house.person("eve"))
    change = change_of(house, ada, "evil")
    assert eve.post_blindly(f"/account/changes/{change.id}/undo").status == 404
    assert eve.post_blindly("/account/changes/chg_none/undo").status == 404
    assert logins(house, ada) == {"a1", "evil"}


def test_undoing_on_the_account_page_wants_a_session_the_form_and_a_recent_proof(house, ada, told):
    change = change_of(house, ada, "evil")
    path = f"/account/changes/{change.id}/undo"
    assert house.browser().post_blindly(path).path.startswith("/flow/")
    browser = house.sign_in(ada)
    assert browser.post(path, {}).status == 403
    house.clock.advance(3600)
    assert browser.post_blindly(path).path.startswith("/flow/")
    assert logins(house, ada) == {"a1", "evil"}


# ---------------------------------------------------------------- joining two accounts of one's own


def _signed_in_to_both(house: House, first: Person, second: Person):
    browser = house.sign_in(first)
    flow = browser.open("/account/merge").submit("/account/merge/begin")
    assert flow.path.startswith("/flow/")
    return house.sign_in(second, browser, flow.path)


def test_two_accounts_of_ones_own_are_joined_after_proving_both(house, ada):
    other = house.person("ada2")
    linked(house, other, "b1")
    browser = _signed_in_to_both(house, ada, other)
    page = browser.open("/account/merge")
    assert "ada" in page.text
    assert ada.user.id in page.form("/account/merge").values.values()  # the older one is offered first
    page.submit("/account/merge", stays=ada.user.id)
    assert logins(house, ada) == {"a1", "b1"}
    assert house.parts.users.get(other.user.id).merged_into == ada.user.id
    assert not browser.signed_in
    change = next(one for one in house.parts.changes.of(ada.user.id) if one.what == "merged")
    assert (change.what, change.actor) == ("merged", other.user.id)


def test_the_account_that_one_is_signed_in_to_may_stay_as_well(house, ada):
    other = house.person("ada2")
    browser = _signed_in_to_both(house, ada, other)
    browser.open("/account/merge").submit("/account/merge", stays=other.user.id)
    assert logins(house, other) == {"a1"}
    assert browser.signed_in


def test_one_proof_is_not_enough(house, ada):
    eve = house.person("eve")
    browser = house.sign_in(eve)
    assert "stays" not in browser.open("/account/merge").html
    assert browser.post_blindly("/account/merge", stays=ada.user.id).status == 409
    page = browser.open("/account/merge").submit("/account/merge/begin")
    assert page.path.startswith("/flow/")
    assert browser.post_blindly("/account/merge", stays=ada.user.id).status == 409
    assert logins(house, ada) == {"a1"}


def test_an_account_that_was_proved_neither_stays_nor_goes(house, ada):
    other, third = house.person("ada2"), house.person("third")
    browser = _signed_in_to_both(house, ada, other)
    assert browser.post_blindly("/account/merge", stays=third.user.id).status == 400
    assert not house.parts.users.get(other.user.id).disabled


def test_the_first_proof_is_good_for_ten_minutes_once_and_in_that_browser(house, ada):
    other = house.person("ada2")
    browser = _signed_in_to_both(house, ada, other)
    assert house.sign_in(other).post_blindly("/account/merge", stays=ada.user.id).status == 409
    house.clock.advance(601)
    assert "stays" not in browser.open("/account/merge").html
    assert browser.post_blindly("/account/merge", stays=ada.user.id).status in (200, 409)  # or is asked to prove anew
    assert not house.parts.users.get(other.user.id).disabled


def test_leaving_them_apart_forgets_the_first_proof(house, ada):
    other = house.person("ada2")
    browser = _signed_in_to_both(house, ada, other)
    browser.open("/account/merge").submit("/cancel")
    assert browser.post_blindly("/account/merge", stays=ada.user.id).status == 409


# ---------------------------------------------------------------- invitations


def test_an_invitation_shows_itself_and_begins_a_sign_in(house):
    from idp.services.invitations import Asked

    made = house.parts.invitations.make(Asked(email="new@example.org"), actor="test")
    page = house.browser().open(f"/invitation/{made.token}")
    assert "You are invited" in page.text
    assert house.parts.invitations.live(made.invitation.id)
    flow = page.submit("/invitation/")
    assert flow.path.startswith("/flow/")
    attempt = house.parts.sign_in.load(flow.path.split("/")[2], _digest(page.browser))
    assert attempt.invitation == made.invitation.id
    assert attempt.wants.ignore_session


def test_a_sign_in_begun_by_an_invitation_is_of_no_use_in_another_browser(house):
    """Sent on, it would join a stranger to the account that was invited, on a page that says nothing of it."""
    from idp.services.invitations import Asked

    made = house.parts.invitations.make(Asked(email="new@example.org"), actor="test")
    eve = house.browser()
    form = eve.open(f"/invitation/{made.token}").form("/invitation/")
    flow = eve.client.post(form.action, data=form.values).headers["Location"]
    assert flow.startswith("/flow/")
    assert house.browser().open(flow).status == 403
    assert eve.open(flow).status == 200


def _digest(browser) -> str:
    from idp.base import ids

    cookie = browser.client.get_cookie("sheaf_browser")
    return ids.digest(cookie.value)


@pytest.mark.parametrize("token", ["x", "x" * 43, "x" * 5000], ids=["short", "unknown", "long"])
def test_an_invitation_that_is_not_good_says_so(house, token):
    assert house.browser().open(f"/invitation/{token}").status == 410
    assert house.browser().post_blindly(f"/invitation/{token}").status == 410


def test_an_invitation_wants_its_form(house):
    from idp.services.invitations import Asked

    made = house.parts.invitations.make(Asked(), actor="test")
    assert house.browser().post(f"/invitation/{made.token}", {}).status == 403
    house.clock.advance(8 * 86_400)
    assert house.browser().open(f"/invitation/{made.token}").status == 410


def test_pages_of_mine_are_whole_in_german(house, ada, told):
    html = house.browser().open(told, **{"Accept-Language": "de"}).html
    assert "zurücknehmen" in parse(html).text

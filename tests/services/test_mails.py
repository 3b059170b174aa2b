"""Owns the claims about the queue of mails: sealed, tried with patience and within bounds, and never in anybody's way.

Leaves the mail server to test_smtp.
"""

import threading

import pytest

from idp.domain.audit_event import AuditEvent
from idp.domain.link_change import QueuedMail
from idp.domain.upstream import UpstreamIdentity
from idp.ports import MailFailed, StoreUnavailable
from idp.services import mails as module
from idp.services.mail_words import language_of, mail
from idp.services.mails import Mails


class Postman:
    """A mailer of the test: fails with `problem` as long as it is set."""

    def __init__(self) -> None:
        self.problem: Exception | None = None
        self.delivered: list[tuple[str, str, str]] = []
        self.tries = 0

    def deliver(self, to: str, subject: str, text: str) -> None:
        self.tries += 1
        if self.problem is not None:
            raise self.problem
        self.delivered.append((to, subject, text))


@pytest.fixture
def postman() -> Postman:
    return Postman()


@pytest.fixture
def mails(services, postman) -> Mails:
    """Those of the installation, with a mail server."""
    services.mails._mailer = postman
    return services.mails


def queued(services) -> list[QueuedMail]:
    return services.repo.find(QueuedMail, slice="waiting")


def test_a_mail_waits_sealed_and_goes_once_it_is_delivered(services, mails, postman):
    assert mails.send("ada@example.org", "Hello", "with a token")
    [waiting] = queued(services)
    assert "token" not in waiting.sealed
    assert "ada@example.org" not in repr(waiting)
    assert mails.deliver_due() == 1
    assert postman.delivered == [("ada@example.org", "Hello", "with a token")]
    assert queued(services) == []
    assert mails.deliver_due() == 0


def test_without_a_mail_server_nothing_is_queued(services):
    assert not services.mails.works
    assert not services.mails.send("ada@example.org", "S", "T")
    assert queued(services) == []


def test_a_mail_that_fails_is_tried_again_later_and_given_up_in_the_end(services, mails, postman, clock):
    postman.problem = MailFailed("no connection")
    mails.send("ada@example.org", "S", "T")
    for delay in module.DELAYS:
        assert mails.deliver_due() == 0
        assert mails.waiting()[0].problem == "no connection"
        assert mails.deliver_due() == 0  # not yet due
        clock.advance(delay + 1)
    assert postman.tries == len(module.DELAYS)
    mails.deliver_due()
    assert postman.tries == len(module.DELAYS) + 1
    assert queued(services) == mails.waiting() == []


def test_a_mail_that_can_never_be_delivered_is_given_up_at_once(services, mails, postman):
    postman.problem = MailFailed("550 no such mailbox", for_good=True)
    mails.send("ada@example.org", "S", "T")
    mails.deliver_due()
    assert queued(services) == []


def test_it_is_delivered_when_the_server_is_back(mails, postman, clock):
    postman.problem = MailFailed("no connection")
    mails.send("ada@example.org", "S", "T")
    mails.deliver_due()
    postman.problem = None
    clock.advance(61)
    assert mails.deliver_due() == 1


def test_a_fault_at_one_mail_does_not_keep_the_others(services, mails, postman):
    mails.send("ada@example.org", "S", "T")
    [broken] = queued(services)
    services.repo.replace_if(module.replace(broken, sealed="s1.other.x"))
    mails.send("eve@example.org", "S", "T")
    assert mails.deliver_due() == 1
    assert [to for to, _, _ in postman.delivered] == ["eve@example.org"]
    postman.problem = RuntimeError("a fault")
    mails.send("bob@example.org", "S", "T")
    assert mails.deliver_due() == 0
    assert mails.waiting()[0].problem == "a fault of ours (RuntimeError)"


def test_of_several_processes_one_delivers_a_mail(services, mails, postman):
    for number in range(5):
        mails.send(f"ada{number}@example.org", "S", "T")
    threads = [threading.Thread(target=mails.deliver_due) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(20)
    assert sorted(to for to, _, _ in postman.delivered) == [f"ada{number}@example.org" for number in range(5)]


def test_a_mail_whose_process_died_at_it_is_taken_up_by_another(services, mails, postman, clock):
    mails.send("ada@example.org", "S", "T")
    postman.problem = KeyboardInterrupt()
    with pytest.raises(KeyboardInterrupt):
        mails.deliver_due()
    postman.problem = None
    assert mails.deliver_due() == 0  # it may still be at it
    clock.advance(61)
    assert mails.deliver_due() == 1


def test_the_queue_is_bounded(services, mails, monkeypatch):
    monkeypatch.setattr(module, "MOST_WAITING", 3)
    assert [mails.send("ada@example.org", "S", "T") for _ in range(5)] == [True, True, True, False, False]
    mails.deliver_due()
    mails.deliver_due()
    assert mails.send("ada@example.org", "S", "T")


def test_a_store_that_is_away_does_not_fail_who_sends(mails, monkeypatch):
    def away(_):
        raise StoreUnavailable("away")

    monkeypatch.setattr(type(mails._repo), "insert", lambda _, record: away(record))
    assert not mails.send("ada@example.org", "S", "T")


def test_an_old_mail_is_no_news_and_is_not_sent(services, mails, postman, clock):
    mails.send("ada@example.org", "S", "T")
    clock.advance(3 * 86_400)
    assert mails.deliver_due() == 0
    assert postman.delivered == []


# ---------------------------------------------------------------- what the owner hears


@pytest.fixture
def ada_with_two(services, ada):
    for subject, address in (("a1", "ada@corp.example"), ("a2", "ada@example.org")):
        identity = UpstreamIdentity("corp", "https://corp.example", subject, address, name="x")
        services.links.link(ada, identity, actor="test")
    return ada


def login(services, user, subject):
    return next(one for one in services.links.of(user.id) if one.subject == subject)


def heard(mails, postman) -> list[tuple[str, str, str]]:
    postman.delivered.clear()
    mails.deliver_due()
    return postman.delivered


def the_link(text: str) -> str:
    return next(line.strip() for line in text.splitlines() if "/undo/" in line)


def test_the_owner_hears_of_a_link_and_can_undo_it_by_the_link_in_the_mail(services, mails, postman, ada_with_two):
    mails.deliver_due()
    services.changes.record("linked", ada_with_two, login(services, ada_with_two, "a1"), actor=ada_with_two.id)
    [(to, subject, text)] = heard(mails, postman)
    assert to == "ada@example.org"
    assert "A login was added" in subject
    assert "corp (ada@corp.example)" in text
    change = services.changes.by_token(the_link(text).rpartition("/")[2])
    assert (change.what, change.user_id) == ("linked", ada_with_two.id)
    assert the_link(text).rpartition("/")[2] not in repr(change)


def test_nobody_is_told_at_an_address_that_does_not_count_as_verified(services, mails, postman):
    eve = services.users.add("eve", email="victim@example.org", actor="test")
    services.links.link(eve, UpstreamIdentity("corp", "https://corp.example", "e1"), actor="test")
    services.changes.record("linked", eve, services.links.of(eve.id)[0], actor=eve.id)
    assert heard(mails, postman) == []
    assert services.changes.of(eve.id)[0].undo_digest is None


def test_the_mailbox_of_the_login_that_was_taken_off_gets_no_link_that_brings_it_back(
    services, mails, postman, ada_with_two
):
    mails.deliver_due()
    services.changes.record("unlinked", ada_with_two, login(services, ada_with_two, "a2"), actor=ada_with_two.id)
    [(_, _, text)] = heard(mails, postman)
    assert "/undo/" not in text
    assert "/account" in text
    services.changes.record("unlinked", ada_with_two, login(services, ada_with_two, "a1"), actor=ada_with_two.id)
    [(_, _, other)] = heard(mails, postman)
    assert "/undo/" in other


def test_both_owners_hear_of_a_merge(services, mails, postman, ada_with_two):
    other = services.users.add("ada2", email="ada2@example.org", email_verified=True, actor="test")
    mails.deliver_due()
    services.changes.merge(services.users.get(ada_with_two.id), other, actor="root")
    found = heard(mails, postman)
    assert {to for to, _, _ in found} == {"ada@example.org", "ada2@example.org"}
    assert all("the account ada2" in text and "the account ada." in text for _, _, text in found)
    assert len({the_link(text) for _, _, text in found}) == 1


def test_of_a_split_and_of_undoing_it_the_owner_hears(services, mails, postman, ada_with_two):
    mails.deliver_due()
    change, _ = services.changes.split(ada_with_two, (login(services, ada_with_two, "a1").id,), actor="root")
    [(_, subject, text)] = heard(mails, postman)
    assert "split off" in subject
    services.changes.undo(services.changes.by_token(the_link(text).rpartition("/")[2]), actor="by mail")
    [(_, subject, text)] = heard(mails, postman)
    assert "undone" in subject
    assert "/undo/" not in text
    assert services.changes.get(change.id).undone_by == "by mail"


def test_mails_are_in_the_language_that_their_reader_is_known_to_read(services, mails, postman, ada_with_two):
    mails.deliver_due()
    german = services.users.edit(services.users.get(ada_with_two.id), claims={"locale": "de-CH"}, actor="test")
    services.changes.record("linked", german, login(services, german, "a1"), actor="test")
    [(_, subject, text)] = heard(mails, postman)
    assert "hinzugefügt" in subject
    assert "Hallo " in text
    assert language_of(None) == "en"


def test_what_others_say_is_one_line_of_a_mail():
    values = {"organisation": "X", "username": "a\r\nBcc: eve@example.org", "login": "{link} \x1b[31m"}
    subject, text = mail("en", "linked", values)
    assert "\nBcc" not in text
    assert "\x1b" not in text
    assert "{link}" in text
    assert "\n" not in subject


def test_no_token_stands_in_the_audit(services, mails, postman, ada_with_two):
    mails.deliver_due()
    services.changes.record("linked", ada_with_two, login(services, ada_with_two, "a1"), actor=ada_with_two.id)
    token = the_link(heard(mails, postman)[0][2]).rpartition("/")[2]
    services.changes.undo(services.changes.by_token(token), actor="by mail")
    events = services.repo.find(AuditEvent)
    assert "login.undone" in {event.name for event in events}
    assert all(token not in str(event) for event in events)

"""Owns the same promises on MongoDB, where no two writes are one: merges in both directions, many who undo, mails once."""

import threading
from collections.abc import Iterator

import pytest

from idp.base.errors import Refused
from idp.domain.audit_event import AuditEvent
from idp.domain.link_change import LinkChange, QueuedMail
from idp.domain.upstream import FederatedLogin, UpstreamIdentity
from idp.domain.user import User
from idp.storage.mongo import MongoRepository


@pytest.fixture
def repo(mongo_uri, clock) -> Iterator[MongoRepository]:
    repository = MongoRepository(f"{mongo_uri}/change_links", clock)
    for kind in (User, FederatedLogin, LinkChange, AuditEvent, QueuedMail):
        for record in repository.find(kind, limit=100_000):
            repository.delete(kind, record.id)
    yield repository
    repository.close()


def together(*acts) -> list[str]:
    """All at once; gives the codes of those that were refused."""
    start, refused = threading.Barrier(len(acts)), []

    def run(act):
        start.wait()
        try:
            act()
        except Refused as error:
            refused.append(error.code)

    threads = [threading.Thread(target=run, args=(act,)) for act in acts]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    return refused


@pytest.fixture
def make(services):
    def make(name: str, subject: str) -> User:
        user = services.users.add(name, email=f"{name}@example.org", email_verified=True, actor="test")
        services.links.link(user, UpstreamIdentity("corp", "https://corp.example", subject), actor="test")
        return user

    return make


def subjects(services, user: User) -> set[str]:
    return {login.subject for login in services.links.of(user.id)}


def test_merges_in_both_directions_at_once_lose_no_login_and_nobody(services, make):
    merge = services.changes.merge
    for turn in range(5):
        one, two = make(f"one{turn}", f"o{turn}"), make(f"two{turn}", f"t{turn}")
        refused = together(
            lambda one=one, two=two: merge(one, two, actor="root"),
            lambda one=one, two=two: merge(two, one, actor="root"),
        )
        now = [services.users.get(user.id) for user in (one, two)]
        assert refused
        assert any(not user.disabled for user in now)
        assert subjects(services, one) | subjects(services, two) == {f"o{turn}", f"t{turn}"}
        assert services.repo.find(LinkChange, pending="yes") == []


def test_many_who_merge_the_same_and_many_who_undo_it_do_so_once(services, make):
    ada, other = make("ada", "a1"), make("ada2", "b1")
    refused = together(*[lambda: services.changes.merge(ada, other, actor="root") for _ in range(5)])
    assert len(refused) == 4
    assert subjects(services, ada) == {"a1", "b1"}
    [change] = [one for one in services.changes.of(ada.id) if one.what == "merged"]
    assert together(*[lambda: services.changes.undo(change, actor="root") for _ in range(5)]) == []
    assert (subjects(services, ada), subjects(services, other)) == ({"a1"}, {"b1"})
    assert len(services.repo.find(AuditEvent, name="login.undone")) == 1


def test_administrators_are_found_by_what_follows_from_their_roles(services, make):
    ada = make("ada", "a1")
    assert services.users.administrators() == []
    root = services.users.make_administrator(ada, actor="test")
    make("bob", "b1")
    assert [one.id for one in services.users.administrators()] == [root.id]
    services.users.add("root", email=None, administrator=True, actor="test")
    services.users.set_administrator(services.users.get(ada.id), False, actor="test")
    assert [one.username for one in services.users.administrators()] == ["root"]


def test_a_mail_is_delivered_once_although_many_look(services):
    delivered = []

    class Postman:
        def deliver(self, to: str, subject: str, text: str) -> None:
            delivered.append(to)

    services.mails._mailer = Postman()
    for number in range(4):
        services.mails.send(f"ada{number}@example.org", "S", "T")
    together(*[services.mails.deliver_due for _ in range(4)])
    assert sorted(delivered) == [f"ada{number}@example.org" for number in range(4)]

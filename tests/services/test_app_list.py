"""The list of apps is as fresh as the audit, whoever changes an app, and is not read again without a reason."""

import pytest

from idp.base.errors import Refused
from idp.crypto.seal import Seal
from idp.domain.relying import Client
from idp.services.app_list import KEPT_SECONDS, AppList
from idp.services.manage_apps import Apps
from idp.services.record_audit import Audit
from idp.storage.sqlite import SqliteRepository
from tests.support.clock import FakeClock
from tests.support.quick import SEAL_KEY


class Node:
    """One process of an installation."""

    def __init__(self, repo: SqliteRepository, clock: FakeClock) -> None:
        self.repo = repo
        self.clock = clock
        self.apps = Apps(repo, clock, Audit(repo, clock), Seal(SEAL_KEY))
        self.list = AppList(repo, clock, self.apps)

    def add(self, id: str, name: str = "") -> Client:
        client = Client(id, name or id.title(), self.clock(), redirect_uris=(f"https://{id}.example/cb",))
        return self.apps.add_client(client, actor="test", with_secret=True)[0]

    def names(self, words: str = "") -> list[str]:
        return [line.name for line in self.list.page(words).lines]


@pytest.fixture
def node(repo: SqliteRepository, clock: FakeClock) -> Node:
    return Node(repo, clock)


def test_own_changes_are_seen_at_once(node: Node) -> None:
    assert node.names() == []
    node.add("wiki")
    assert node.names() == ["Wiki"]
    node.add("Blog")
    node.add("zoo", "a zoo")
    assert node.names() == ["a zoo", "Blog", "Wiki"]
    node.apps.remove_client("wiki", actor="test")
    assert node.names() == ["a zoo", "Blog"]


def test_changes_of_another_process_are_seen_by_the_audit(node: Node, repo: SqliteRepository, clock: FakeClock) -> None:
    other = Node(repo, clock)
    assert node.names() == []
    clock.advance(1)
    made = other.add("wiki")
    assert node.names() == ["Wiki"]
    clock.advance(1)
    other.apps.rotate_secret(made.id, 0, "test")
    other.apps.remove_client(made.id, actor="test")
    assert node.names() == []


def test_what_no_audit_tells_of_is_seen_after_a_while(node: Node, clock: FakeClock) -> None:
    node.add("wiki")
    assert node.names() == ["Wiki"]
    node.repo.delete(Client, "wiki")
    assert node.names() == ["Wiki"]  # kept, not read again
    clock.advance(KEPT_SECONDS)
    assert node.names() == []


def test_every_word_must_be_found_in_name_id_or_address(node: Node) -> None:
    node.add("wiki", "Team Wiki")
    node.add("blog", "Team Blog")
    for words, found in (
        ("", ["Team Blog", "Team Wiki"]),
        ("TEAM", ["Team Blog", "Team Wiki"]),
        ("team wiki", ["Team Wiki"]),
        ("wiki.example", ["Team Wiki"]),
        ("team nothing", []),
    ):
        assert node.names(words) == found


def test_pages_follow_one_another_whatever_is_removed_between_them(node: Node) -> None:
    for n in range(5):
        node.add(f"app-{n}", "Same name")
    first = node.list.page(limit=2)
    assert ([line.id for line in first.lines], first.total) == (["app-0", "app-1"], 5)
    node.apps.remove_client("app-1", actor="test")
    second = node.list.page(after=first.next or "", limit=2)
    assert ([line.id for line in second.lines], second.total) == (["app-2", "app-3"], 4)
    third = node.list.page(after=second.next or "", limit=2)
    assert ([line.id for line in third.lines], third.next) == (["app-4"], None)


@pytest.mark.parametrize("cursor", ["!", "a", "=", "x" * 5000, "_w", "ä"])
def test_a_cursor_that_is_none_is_refused(node: Node, cursor: str) -> None:
    with pytest.raises(Refused, match="bad_cursor"):
        node.list.page(after=cursor)

"""What administrators are told of upstreams that fail, and what that may cost a sign-in."""

import pytest

from idp.domain.upstream import UpstreamHealth, UpstreamProvider
from idp.ports import StoreUnavailable
from idp.services.upstream_health import LATELY, LOOK_SECONDS, WRITE_SECONDS, UpstreamHealthBook
from tests.support.counting import Counting


@pytest.fixture
def provider(clock):
    return UpstreamProvider("google", "google", "Google", created_at=clock())


@pytest.fixture
def book(repo, clock):
    return UpstreamHealthBook(repo, clock)


def test_an_upstream_that_fails_is_told_with_the_reason(book, provider):
    book.failed("google", "no answer within 5 s")

    (trouble,) = book.lately([provider])

    assert (trouble.health.failures, trouble.health.reason, trouble.over) == (1, "no answer within 5 s", False)


def test_one_that_answers_again_is_told_as_over(book, provider, clock):
    book.failed("google", "gone")
    clock.advance(10)
    book.worked("google")

    (trouble,) = book.lately([provider])

    assert trouble.over
    assert trouble.health.worked_at == clock()


def test_a_failure_right_after_a_success_counts_at_once(book, provider, clock):
    book.failed("google", "gone")
    book.worked("google")
    clock.advance(1)
    book.failed("google", "gone again")

    (trouble,) = book.lately([provider])

    assert not trouble.over
    assert (trouble.health.failures, trouble.health.reason) == (2, "gone again")


def test_after_an_hour_without_failure_nothing_is_told(book, provider, clock):
    book.failed("google", "gone")
    clock.advance(LATELY)

    assert book.lately([provider]) == []


def test_failures_of_another_day_are_not_counted_together(book, provider, clock):
    book.failed("google", "gone")
    clock.advance(LATELY + 1)
    book.failed("google", "gone")

    (trouble,) = book.lately([provider])

    assert (trouble.health.failures, trouble.health.since) == (1, clock())


def test_what_lasts_stands_before_what_is_over(book, provider, clock):
    other = UpstreamProvider("adfs", "adfs", "ADFS", created_at=clock())
    book.failed("adfs", "gone")
    clock.advance(1)
    book.failed("google", "gone")
    book.worked("google")

    assert [one.provider.id for one in book.lately([provider, other])] == ["adfs", "google"]


def test_one_added_anew_under_the_same_id_has_nothing_of_the_other(book, clock):
    book.failed("google", "gone")
    clock.advance(1)

    assert book.lately([UpstreamProvider("google", "google", "Google", created_at=clock())]) == []


def test_hundreds_who_try_in_vain_cost_one_write_in_five_seconds(repo, provider, clock):
    counting = Counting(repo)
    book = UpstreamHealthBook(counting, clock)
    for _ in range(200):
        book.failed("google", "gone")
    assert len(counting.writes) == 1

    clock.advance(WRITE_SECONDS)
    book.failed("google", "gone")

    (trouble,) = book.lately([provider])
    assert len(counting.writes) == 2
    assert trouble.health.failures == 201


def test_a_success_costs_nothing_unless_there_was_a_failure(clock):
    class Store:
        looked = 0

        def get(self, *_):
            self.looked += 1

    store = Store()
    book = UpstreamHealthBook(store, clock)
    for _ in range(100):
        book.worked("google")

    assert store.looked == 1


def test_a_failure_that_another_node_saw_is_over_with_a_success_here(repo, book, provider, clock):
    here = UpstreamHealthBook(repo, clock)
    here.worked("google")
    book.failed("google", "gone")
    clock.advance(LOOK_SECONDS)
    here.worked("google")

    assert book.lately([provider])[0].over


def test_the_reason_is_bounded_and_printable(book, provider):
    book.failed("google", "a\x1b[31m\nb" + "c" * 10_000)

    reason = book.lately([provider])[0].health.reason
    assert reason.startswith("a?[31m?b")
    assert len(reason) == 300


def test_a_store_that_is_away_disturbs_no_sign_in(clock):
    class Away:
        def get(self, *_):
            raise StoreUnavailable("away")

    book = UpstreamHealthBook(Away(), clock)
    book.failed("google", "gone")
    book.worked("google")


def test_two_nodes_that_fail_for_the_first_time_at_once_are_both_counted(repo, clock, provider):
    class Slow:
        """Gives what was there a moment ago, once."""

        def __init__(self):
            self.stale = True

        def get(self, kind, id):
            if self.stale:
                self.stale = False
                repo.insert(UpstreamHealth("google", clock(), 1, clock(), "gone"))
                return None
            return repo.get(kind, id)

        def __getattr__(self, name):
            return getattr(repo, name)

    UpstreamHealthBook(Slow(), clock).failed("google", "gone")

    assert repo.get(UpstreamHealth, "google").failures == 2

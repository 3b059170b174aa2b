"""Keeping SAML messages: the newest of each peer, bounded whatever strangers send, and never in the way of a sign-in."""

from collections import Counter

import pytest

from idp.domain.message_ring import Allowance, Kept, Pace, share_of, surplus
from idp.domain.relying import ServiceProvider
from idp.domain.saml import MessageCheck, SamlMessage
from idp.ports import StoreUnavailable
from idp.services import saml_messages
from idp.services.saml_messages import UNKNOWN, SamlMessages
from idp.storage.sqlite import SqliteRepository
from tests.support.clock import FakeClock

WIKI = "sp:https://wiki.example/metadata"
SIGNED = MessageCheck("signature", True)
REQUEST = b'<samlp:AuthnRequest xmlns:samlp="urn:oasis:names:tc:SAML:2.0:protocol" ID="_%d"/>'


def failed(code: str) -> tuple[MessageCheck, ...]:
    return (MessageCheck("schema", True), MessageCheck(code, False, "why"))


@pytest.fixture
def messages(repo: SqliteRepository, clock: FakeClock) -> SamlMessages:
    for name in ("wiki", "blog"):
        entity = f"https://{name}.example/metadata"
        repo.insert(ServiceProvider(id=entity, name=name, metadata="<x/>", created_at=clock()))
    return SamlMessages(repo, clock, kept=10, hours=24)


def _send(messages: SamlMessages, n: int = 1, peer: str = WIKI, **how: object) -> None:
    for number in range(n):
        messages.keep(peer, "in", "AuthnRequest", "redirect", REQUEST % number, **how)  # type: ignore[arg-type]


def _flood(messages: SamlMessages, clock: FakeClock, n: int, peer: str = WIKI, **how: object) -> None:
    """Many, over hours, so that the pace is no bound."""
    for number in range(n):
        clock.advance(11)
        messages.keep(peer, "in", "AuthnRequest", "redirect", REQUEST % number, **how)  # type: ignore[arg-type]
        messages.flush()


def test_what_came_and_went_is_kept_with_its_checks_the_newest_first(messages: SamlMessages, clock: FakeClock) -> None:
    messages.keep(WIKI, "in", "AuthnRequest", "redirect", REQUEST % 1, checks=(SIGNED,))
    messages.keep(WIKI, "out", "Response", "post", REQUEST % 2, checks=failed("acs"), ok=False, trace="ABCDEFGH")
    messages.flush()
    out, came = messages.of(WIKI)
    assert (came.direction, came.kind, came.binding, came.checks, came.ok) == (
        "in",
        "AuthnRequest",
        "redirect",
        (SIGNED,),
        True,
    )
    assert (out.direction, out.ok, out.trace, out.checks[1].code) == ("out", False, "ABCDEFGH", "acs")
    assert 'ID="_1"' in came.xml
    assert messages.get(out.id) == out
    assert messages.of_trace("abcdefgh ") == out
    assert messages.of_trace("") is None
    assert messages.newest() == [out, came]


def test_it_is_written_by_a_thread_of_its_own(messages: SamlMessages, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(saml_messages, "TOGETHER_SECONDS", 0.0)
    monkeypatch.setattr(saml_messages, "IDLE_SECONDS", 0.0)
    _send(messages)
    thread = messages._thread
    assert thread is not None
    thread.join(20)
    assert len(messages.of(WIKI)) == 1
    _send(messages)  # the thread has ended; the next message has another
    again = messages._thread
    assert again is not None
    again.join(20)
    assert len(messages.of(WIKI)) == 2


def test_a_question_that_is_kept_after_its_answer_stands_before_it(messages: SamlMessages, clock: FakeClock) -> None:
    came = clock()
    clock.advance(0.003)
    messages.keep(WIKI, "out", "Response", "post", REQUEST % 2)
    messages.keep(WIKI, "in", "AuthnRequest", "redirect", REQUEST % 1, at=came)
    messages.flush()
    assert [one.direction for one in messages.of(WIKI)] == ["out", "in"]


def test_only_so_many_of_a_peer_are_kept_and_only_so_long(messages: SamlMessages, clock: FakeClock) -> None:
    _flood(messages, clock, 15)
    kept = messages.of(WIKI)
    assert [f"_{n}" in one.xml for one, n in zip(kept, range(14, 4, -1), strict=True)] == [True] * 10
    clock.advance(24 * 3600 + 1)
    assert messages.of(WIKI) == []


def test_many_at_once_are_thinned_out_before_they_are_written(
    messages: SamlMessages, repo: SqliteRepository, clock: FakeClock
) -> None:
    _send(messages, 5_000)
    messages.flush()
    assert len(repo.find(SamlMessage)) == 10
    clock.advance(0.5)
    _send(messages, 5_000)
    messages.flush()
    assert len(repo.find(SamlMessage)) == 10


def test_none_are_kept_when_none_are_wanted(repo: SqliteRepository, clock: FakeClock) -> None:
    none = SamlMessages(repo, clock, kept=0, hours=24)
    _send(none)
    none.flush()
    assert none.of(WIKI) == []
    assert none._thread is None


# ---------------------------------------------------------------- strangers


def test_bad_messages_in_the_name_of_a_peer_push_out_no_good_ones(messages: SamlMessages, clock: FakeClock) -> None:
    _send(messages, 5)
    messages.flush()
    _flood(messages, clock, 200, ok=False, checks=failed("signature"))
    kept = messages.of(WIKI)
    assert Counter(one.ok for one in kept) == {True: 5, False: 5}


def test_bad_messages_of_one_kind_push_out_no_bad_ones_of_another(messages: SamlMessages, clock: FakeClock) -> None:
    _send(messages, ok=False, checks=failed("acs"), trace="ACSACSAC")
    _send(messages, ok=False, checks=(SIGNED, *failed("destination")), trace="DESTDEST")
    messages.flush()
    _flood(messages, clock, 100, ok=False, checks=failed("signature"))
    _flood(messages, clock, 100, ok=False, checks=failed("destination"))
    traces = {one.trace for one in messages.of(WIKI)}
    assert {"ACSACSAC", "DESTDEST"} <= traces


def test_good_messages_may_fill_the_whole_ring_and_make_room_for_bad_ones(
    messages: SamlMessages, clock: FakeClock
) -> None:
    _flood(messages, clock, 12)
    assert Counter(one.ok for one in messages.of(WIKI)) == {True: 10}
    _flood(messages, clock, 8, ok=False, checks=failed("acs"))
    assert Counter(one.ok for one in messages.of(WIKI)) == {True: 5, False: 5}


def test_good_requests_that_anybody_can_send_push_out_no_answers(messages: SamlMessages, clock: FakeClock) -> None:
    for _ in range(4):
        messages.keep(WIKI, "out", "Response", "post", REQUEST % 1)
    messages.flush()
    _flood(messages, clock, 100)
    assert Counter(one.kind for one in messages.of(WIKI)) == {"Response": 4, "AuthnRequest": 6}


def test_names_that_anybody_can_make_up_share_one_ring(
    messages: SamlMessages, repo: SqliteRepository, clock: FakeClock
) -> None:
    for n in range(3_000):
        _send(messages, peer=f"sp:https://made-up-{n}.example", ok=False, checks=failed("issuer_known"))
    messages.flush()
    assert {one.peer for one in repo.find(SamlMessage)} == {UNKNOWN}
    assert 0 < len(messages.of(UNKNOWN)) <= 10
    for peer in ("", "upstream:nobody", "sp:", "x:y"):
        clock.advance(60)
        _send(messages, peer=peer, ok=False, checks=failed("schema"))
        messages.flush()
        assert messages.newest(1)[0].peer == UNKNOWN


def test_a_flood_in_one_name_leaves_room_for_another(messages: SamlMessages, clock: FakeClock) -> None:
    _send(messages, peer="sp:https://blog.example/metadata")
    messages.flush()
    _send(messages, 3_000, ok=False, checks=failed("signature"))
    _send(messages, peer="sp:https://blog.example/metadata", ok=False, checks=failed("acs"), trace="SEEN")
    messages.flush()
    assert messages.of("sp:https://blog.example/metadata")[0].trace == "SEEN"


def test_strangers_use_up_nothing_of_those_whose_signature_held(messages: SamlMessages, clock: FakeClock) -> None:
    for n in range(400):
        clock.advance(0.01)
        _send(messages, ok=False, checks=failed(f"code_{n}"))
        messages.flush()
    _send(messages, ok=False, checks=(SIGNED, *failed("acs")), trace="OWN")
    messages.flush()
    assert messages.of(WIKI)[0].trace == "OWN"


def test_memory_is_bounded_while_nothing_is_written(messages: SamlMessages, clock: FakeClock) -> None:
    for _ in range(2_000):
        clock.advance(20)
        messages.keep(WIKI, "in", "AuthnRequest", "post", b"x" * 100_000)
    assert messages._bytes <= saml_messages.MOST_WAITING_BYTES
    assert len(messages._waiting) <= saml_messages.MOST_WAITING
    allowance: Allowance[int] = Allowance()
    for n in range(10_000):
        allowance.take(n, Pace(1, 1), clock())
    assert len(allowance._left) < 5_000


def test_a_store_that_is_away_loses_messages_and_nothing_else(clock: FakeClock) -> None:
    class Away:
        def __getattr__(self, name: str) -> object:
            raise StoreUnavailable("away")

    messages = SamlMessages(Away(), clock, kept=10, hours=1)  # type: ignore[arg-type]
    _send(messages, 3)
    messages.flush()
    assert messages._waiting == []


# ---------------------------------------------------------------- the rules alone


def test_a_pace_allows_a_burst_and_then_one_every_so_often() -> None:
    allowance: Allowance[str] = Allowance()
    pace = Pace(2, 10)
    assert [allowance.take("a", pace, 0.0) for _ in range(3)] == [True, True, False]
    assert allowance.take("b", pace, 0.0)
    assert [allowance.take("a", pace, at) for at in (9.0, 10.0, 10.5)] == [False, True, False]
    assert not allowance.take("a", pace, 1.0)  # a clock that was turned back gives nothing away


def test_the_share_of_a_message_is_the_check_that_failed() -> None:
    assert share_of(True, "Response", failed("acs")) == "ok Response"
    assert share_of(False, "Response", failed("acs")) == "acs"
    assert share_of(False, "Response", (SIGNED, *failed("acs"))) == "acs signed"
    assert share_of(False, "Response", ()) == "other"


@pytest.mark.parametrize("kept", [1, 2, 5])
def test_a_ring_of_any_size_ends_with_that_many(kept: int) -> None:
    found = [Kept(f"sm_{n}", share_of(n % 3 == 0, "Response", failed("acs"))) for n in range(12)]
    gone = surplus(found, kept)
    assert len(found) - len(gone) == kept
    assert surplus(found[:kept], kept) == set()


def test_what_another_process_has_kept_counts_after_a_while(
    messages: SamlMessages, repo: SqliteRepository, clock: FakeClock
) -> None:
    other = SamlMessages(repo, clock, kept=10, hours=24)
    for _ in range(2):
        _flood(messages, clock, 8)
        _flood(other, clock, 8)
    assert len(repo.find(SamlMessage)) <= 20
    clock.advance(3600)
    _send(messages)
    messages.flush()
    assert len(repo.find(SamlMessage)) == 10

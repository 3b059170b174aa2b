"""Owns the claims about the life of keys in time: every algorithm, several nodes, the schedule, and above all that no token is
ever signed by a key that another node does not publish. One fake clock; each node reads the store once a second.
"""

import random
import threading
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from idp.base.errors import Refused
from idp.base.waiting import WouldWait, hurried
from idp.crypto import tokens
from idp.crypto.algs import ALG_NAMES, ID_TOKEN_ALGS
from idp.crypto.keys import PUBLISH_SECONDS, RETIRING_SECONDS, KeyRing
from idp.crypto.seal import Seal
from idp.domain.signing_key import SigningKey
from idp.ports import Repository
from idp.services.record_audit import Audit
from idp.services.rotate_keys import CHECK_SECONDS, DAY, RECORD_SECONDS, RotateKeys
from idp.storage.sqlite import SqliteRepository
from tests.storage.conftest import mongo_database
from tests.storage.engines import Engine
from tests.support.clock import FakeClock

SEAL = Seal(bytes(range(32)))
OTHERS = [name for name in ALG_NAMES if name != "RS256"]
LIFE = 86_400  # seconds; no token of ours lives longer


class Node:
    """A process of its own over a shared store. Waiting takes no time here: whoever would wait is refused."""

    def __init__(self, repo: Repository, clock: FakeClock, days: int = 90) -> None:
        self.ring = KeyRing(repo, SEAL, clock, wait=lambda seconds: None)
        self.rotation = RotateKeys(repo, self.ring, clock, Audit(repo, clock), days)

    def kids(self) -> set[str]:
        return {key["kid"] for key in self.ring.jwks()["keys"]}


@pytest.fixture
def node(repo: SqliteRepository, clock: FakeClock) -> Node:
    node = Node(repo, clock)
    node.ring.ensure()
    return node


@pytest.fixture(params=["sqlite", pytest.param("mongo", marks=pytest.mark.slow)])
def engine(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Engine]:
    if request.param == "sqlite":
        yield Engine("sqlite", str(tmp_path / "life.db"))
        return
    with mongo_database(request.getfixturevalue("mongo_uri")) as engine:
        yield engine


# ---------------------------------------------------------------- published before use


def test_across_a_whole_life_no_token_is_signed_by_a_key_that_another_node_does_not_publish(engine: Engine) -> None:
    clock, chance = FakeClock(), random.Random(3)
    with engine.opened(clock) as one, engine.opened(clock) as two:
        nodes = [Node(one, clock), Node(two, clock), Node(two, clock)]
        for node in nodes:
            node.ring.ensure()
        signed: set[str] = set()
        refused: list[str] = []
        for step in range(300):
            clock.advance(60 * DAY if step % 100 == 99 else chance.choice([0.0, 0.1, 0.2, 0.3, 0.6, 1.0, 3.0]))
            if step % 4 == 0:  # making RSA keys is slow: RS256 and PS256 are left to the schedule
                chance.choice(nodes).rotation.rotate_tokens(actor="cli", algs=["ES256"])
            if step % 50 == 0:
                chance.choice(nodes).rotation.keep()
            for node in chance.sample(nodes, 2):
                for use, name in (("access_token", "ES256"), ("id_token", chance.choice(("ES256", *ALG_NAMES)))):
                    try:
                        kid = node.ring.signer(use, name).kid  # type: ignore[arg-type]
                    except Refused as error:
                        refused.append(error.code)
                        continue
                    signed.add(kid)
                    assert all(kid in other.kids() for other in nodes), (step, use, name)
        assert len(signed) > 50
        assert set(refused) == {"temporarily_unavailable"}
        assert len(refused) < 40, "only the very first key of an algorithm makes anybody wait"


def test_a_key_stays_published_as_long_as_anything_that_it_signed(node: Node, clock: FakeClock) -> None:
    last: dict[str, float] = {}
    for _ in range(200):
        last[node.ring.signer("access_token").kid] = clock()
        clock.advance(DAY / 8)
        node.rotation.keep()
        if len(last) % 2:
            node.rotation.rotate("access_token", actor="cli")
        published = node.kids()
        assert all(kid in published for kid, at in last.items() if clock() < at + LIFE)


@pytest.mark.parametrize("name", OTHERS)
def test_the_first_key_of_an_algorithm_waits_until_every_node_publishes_it(
    node: Node, repo: SqliteRepository, clock: FakeClock, name: str
) -> None:
    other = Node(repo, clock)
    before = other.kids()
    for _ in range(3):
        with pytest.raises(Refused) as refused:
            node.ring.signer("id_token", name)
        assert (refused.value.status, refused.value.headers["Retry-After"]) == (503, "3")
        clock.advance(0.9)
    clock.advance(PUBLISH_SECONDS)
    signer = node.ring.signer("id_token", name)
    assert signer.alg == name
    assert signer.kid not in before
    assert signer.kid in other.kids()
    assert other.ring.signer("id_token", name).kid == signer.kid


def test_a_thread_waits_for_the_first_key_and_an_answer_that_must_be_short_goes_to_a_thread(
    repo: SqliteRepository, clock: FakeClock
) -> None:
    waited: list[float] = []

    def wait(seconds: float) -> None:
        waited.append(seconds)
        clock.advance(seconds)

    ring = KeyRing(repo, SEAL, clock, wait=wait)
    ring.ensure()
    with pytest.raises(WouldWait):
        hurried(ring.prepare, "ES384")
    with pytest.raises(WouldWait):
        hurried(ring.signer, "id_token", "ES384")
    assert waited == []
    ring.prepare("ES384", None, "RS256")
    assert waited == [PUBLISH_SECONDS]
    hurried(ring.prepare, "ES384", "RS256")
    assert hurried(ring.signer, "id_token", "ES384").alg == "ES384"
    assert waited == [PUBLISH_SECONDS]


@pytest.mark.parametrize("name", ["HS256", "none", "", "ES512", "x" * 1000])
def test_an_algorithm_that_is_none_of_ours_is_refused_by_name(node: Node, name: str) -> None:
    with pytest.raises(Refused) as refused:
        node.ring.prepare(name)
    assert refused.value.code == "invalid_client_metadata"
    with pytest.raises(Refused) as refused:
        node.ring.signer("id_token", name)
    assert (refused.value.code, refused.value.status) == ("unauthorized_client", 400)


def test_both_names_of_ed25519_are_one_key_and_each_token_bears_the_name_that_was_asked_for(
    node: Node, clock: FakeClock
) -> None:
    node.ring.prepare("EdDSA")
    clock.advance(PUBLISH_SECONDS)
    old, new = (node.ring.signer("id_token", name) for name in ("EdDSA", "Ed25519"))
    assert old.kid == new.kid
    assert (old.alg, new.alg) == ("EdDSA", "Ed25519")
    for signer in (old, new):
        assert tokens.read(node.ring, tokens.sign(signer, "JWT", {"a": 1}), use="id_token", typ="JWT") == {"a": 1}


def test_a_token_of_every_algorithm_is_read_as_its_own_kind_only(node: Node, clock: FakeClock) -> None:
    node.ring.prepare(*ID_TOKEN_ALGS)
    clock.advance(PUBLISH_SECONDS)
    for name in ID_TOKEN_ALGS:
        token = tokens.sign(node.ring.signer("id_token", name), "JWT", {"a": 1})
        assert tokens.read(node.ring, token, use="id_token", typ="JWT") == {"a": 1}
        assert tokens.read(node.ring, token, use="access_token", typ="JWT") is None
        assert tokens.read(node.ring, token, use="id_token", typ="at+jwt") is None
        assert tokens.read(node.ring, token[:-6] + "AAAAAA", use="id_token", typ="JWT") is None
        assert tokens.read(node.ring, token + "=", use="id_token", typ="JWT") is None
        assert tokens.read(node.ring, token + "\n", use="id_token", typ="JWT") is None


# ---------------------------------------------------------------- rotation


def test_every_algorithm_in_use_is_rotated_and_its_slots_are_its_own(
    node: Node, repo: SqliteRepository, clock: FakeClock
) -> None:
    node.ring.prepare("ES384", "Ed25519")
    clock.advance(60)
    before = {(key.use, key.alg): key.id for key in repo.find(SigningKey) if key.state == "current"}
    rotated = node.rotation.rotate_tokens(actor="cli")
    assert {(age.use, age.alg) for age in rotated} == set(before)
    assert not {age.kid for age in rotated} & set(before.values())
    slots = {key.slot for key in repo.find(SigningKey) if key.slot}
    assert {"id_token:current", "id_token:ES384:current", "id_token:Ed25519:next", "access_token:next"} <= slots
    only = node.rotation.rotate_tokens(actor="cli", uses=["id_token"], algs=["ES384"])
    assert [(age.use, age.alg) for age in only] == [("id_token", "ES384")]
    with pytest.raises(Refused) as refused:
        node.rotation.rotate_tokens(actor="cli", algs=["PS256"])
    assert refused.value.code == "no_such_key"


def test_keys_are_rotated_by_the_schedule_when_they_are_old_enough(node: Node, clock: FakeClock) -> None:
    before = {age.kid for age in node.rotation.listing() if age.state == "current"}
    clock.advance(90 * DAY - 10)
    assert node.rotation.keep() == []
    clock.advance(10)
    assert {age.use for age in node.rotation.keep()} == {"id_token", "access_token"}
    assert node.rotation.keep() == []
    listed = node.rotation.listing()
    assert {age.kid for age in listed if age.state == "retiring"} == before
    due = {age.rotation_due for age in listed if age.state == "current"}
    assert due == {clock() + 90 * DAY}
    assert {age.published_until for age in listed if age.state == "retiring"} == {clock() + RETIRING_SECONDS}


def test_rotations_that_were_missed_happen_once(node: Node, repo: SqliteRepository, clock: FakeClock) -> None:
    clock.advance(1000 * DAY)
    assert len(node.rotation.keep()) == 2
    assert node.rotation.keep() == []
    assert Node(repo, clock).rotation.keep() == []


def test_zero_days_means_by_command_only(repo: SqliteRepository, clock: FakeClock) -> None:
    node = Node(repo, clock, days=0)
    node.ring.ensure()
    clock.advance(5000 * DAY)
    assert node.rotation.keep() == []
    assert {age.rotation_due for age in node.rotation.listing()} == {None}


def test_saml_keys_are_never_rotated_by_the_schedule(node: Node, clock: FakeClock) -> None:
    node.ring.ensure_saml()
    before = node.ring.saml_current()[0]
    clock.advance(3000 * DAY)
    assert "saml" not in {age.use for age in node.rotation.keep()}
    assert node.ring.saml_current()[0] == before


def test_a_node_that_is_late_does_not_rotate_the_key_that_another_has_just_put_there(
    node: Node, repo: SqliteRepository, clock: FakeClock
) -> None:
    late = Node(repo, clock)
    clock.advance(91 * DAY)
    stale = late.rotation._slots()["id_token:current"]
    assert late.rotation._is_due(stale)
    node.rotation.keep()
    assert (
        late.rotation._rotate("id_token", "RS256", "schedule", late.rotation._is_due).kid
        == node.ring.ensure_current("id_token").id
    )
    assert [event for event in _rotated(repo) if event == "id_token"] == ["id_token"]


def test_of_many_nodes_exactly_one_rotates(engine: Engine) -> None:
    clock = FakeClock()
    with engine.opened(clock) as repo:
        Node(repo, clock).ring.ensure()
        clock.advance(91 * DAY)
        nodes = [Node(repo, clock) for _ in range(6)]
        gate = threading.Barrier(len(nodes))

        def keep(node: Node) -> None:
            gate.wait()
            node.rotation.keep()

        threads = [threading.Thread(target=keep, args=(node,)) for node in nodes]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert sorted(_rotated(repo)) == ["access_token", "id_token"]
        states = [(key.use, key.state) for key in repo.find(SigningKey)]
        for use in ("id_token", "access_token"):
            assert sorted(state for whose, state in states if whose == use) == ["current", "next", "retiring"]


def test_nodes_that_need_a_new_algorithm_together_agree_on_its_key(engine: Engine) -> None:
    clock = FakeClock()
    with engine.opened(clock) as repo:
        nodes = [Node(repo, clock) for _ in range(6)]
        nodes[0].ring.ensure()
        gate = threading.Barrier(len(nodes))

        def prepare(node: Node) -> None:
            gate.wait()
            node.ring.prepare("ES384", "PS256")
            node.ring.published()

        threads = [threading.Thread(target=prepare, args=(node,)) for node in nodes]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        clock.advance(PUBLISH_SECONDS)
        for alg in ("ES384", "PS256"):
            assert len({node.ring.signer("id_token", alg).kid for node in nodes}) == 1
            assert sum(key.alg == alg for key in repo.find(SigningKey)) == 2


def test_what_is_published_no_longer_is_cleared_away_and_forgotten_a_month_later(
    node: Node, repo: SqliteRepository, clock: FakeClock
) -> None:
    old = node.ring.ensure_current("access_token").id
    node.rotation.rotate("access_token", actor="cli")
    clock.advance(RETIRING_SECONDS + 10)
    node.rotation.keep()
    gone = repo.get(SigningKey, old)
    assert gone is not None
    assert (gone.state, gone.sealed_private) == ("gone", "")
    clock.advance(RECORD_SECONDS)
    node.rotation.keep()
    assert repo.get(SigningKey, old) is None


def test_a_rotation_of_another_algorithm_that_was_cut_off_is_finished_by_the_next_signature(
    node: Node, repo: SqliteRepository, clock: FakeClock
) -> None:
    node.ring.prepare("ES384")
    clock.advance(60)
    waiting = node.ring.ensure_next("id_token", "ES384")
    assert waiting is not None
    clock.advance(60)
    current = node.ring.ensure_current("id_token", "ES384")
    repo.replace_if(replace(current, state="retiring", slot=None, retired_at=clock()))
    clock.advance(1)
    assert node.ring.signer("id_token", "ES384").kid == waiting.id


def test_the_schedule_looks_soon_after_the_start_then_about_once_an_hour(node: Node, clock: FakeClock) -> None:
    class Enough(Exception): ...  # noqa: N818

    waited: list[float] = []

    def wait(seconds: float) -> None:
        waited.append(seconds)
        clock.advance(91 * DAY)
        if len(waited) == 4:
            raise Enough

    with pytest.raises(Enough):
        node.rotation.keep_for_ever(wait, random.Random(1).random)
    assert 20 < waited[0] < 100
    assert all(0.9 * CHECK_SECONDS <= one <= 1.1 * CHECK_SECONDS for one in waited[1:])
    assert len(set(waited)) == 4
    assert sum(age.state == "current" for age in node.rotation.listing()) == 2


def test_a_key_that_has_leaked_is_replaced_and_nothing_that_it_signed_is_good(node: Node, clock: FakeClock) -> None:
    leaked = node.ring.signer("access_token")
    node.kids()
    clock.advance(60)
    token = tokens.sign(leaked, "at+jwt", {"a": 1})
    assert tokens.read(node.ring, token, use="access_token", typ="at+jwt") == {"a": 1}
    assert node.rotation.revoke(leaked.kid, actor="cli", wait=clock.advance).state == "gone"
    assert leaked.kid not in node.kids()
    assert tokens.read(node.ring, token, use="access_token", typ="at+jwt") is None
    assert node.ring.signer("access_token").kid in node.kids()
    for kid in (leaked.kid, "nobody", ""):
        with pytest.raises(Refused) as refused:
            node.rotation.revoke(kid, actor="cli")
        assert refused.value.code == "no_such_key"


def test_a_key_that_has_leaked_before_it_signed_is_replaced_too(node: Node, clock: FakeClock) -> None:
    waiting = node.ring.ensure_next("id_token")
    assert waiting is not None
    signs = node.ring.signer("id_token").kid
    node.rotation.revoke(waiting.id, actor="cli", wait=clock.advance)
    assert node.ring.signer("id_token").kid == signs
    after = node.ring.ensure_next("id_token")
    assert after is not None
    assert after.id != waiting.id
    assert waiting.id not in node.kids()


def test_slots_of_the_usual_algorithms_are_named_as_ever() -> None:
    """A store of an earlier version goes on working."""
    from idp.domain.signing_key import slot_name

    assert slot_name("id_token", "RS256", "current") == "id_token:current"
    assert slot_name("access_token", "ES256", "next") == "access_token:next"
    assert slot_name("saml", "RS256", "current") == "saml:current"
    assert slot_name("id_token", "ES384", "current") == "id_token:ES384:current"
    assert slot_name("access_token", "RS256", "next") == "access_token:RS256:next"


def _rotated(repo: Repository) -> list[str]:
    from idp.domain.audit_event import AuditEvent

    return [event.subject for event in repo.find(AuditEvent) if event.name == "keys.rotated"]

"""Owns the claims about requests that make no sense, thousands of them, at every address of the OIDC door: no fault, an answer
in the form that its reader expects, quickly, in bounded memory, and with no secret in a refusal or in the log.

What a request that is wrong in one way gets to hear is left to the tests of each endpoint.
"""

import base64
import gc
import json
import logging
import os
import re
import shutil
import tempfile
import time
import tracemalloc
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, unquote_plus

import pytest
from hypothesis import HealthCheck, Phase, given, seed, settings
from hypothesis import strategies as st

from idp.app import create_app
from idp.base.config import Settings
from idp.services import check_token
from idp.services.record_audit import ORDINARY
from idp.storage import rows
from idp.storage.sqlite import SqliteRepository
from tests.oidc.assertions import TYPE as ASSERTION_TYPE
from tests.oidc.certificates import SERVER
from tests.oidc.fuzzing.changes import change, changes
from tests.oidc.fuzzing.recipes import RECIPES
from tests.oidc.fuzzing.wire import Answer, Ask, Wire
from tests.oidc.fuzzing.world import World
from tests.oidc.house import BYE, CALLBACK, ISSUER, House
from tests.support.clock import FakeClock
from tests.support.quick import SEAL_KEY_TEXT, quick

REQUESTS = 10_000
EACH = REQUESTS // len(RECIPES) + 1
SLOW_SECONDS = 1.0
GROWTH_BYTES = 250_000
ROUND = 250
STRANGERS = 20
# Where a secret belongs. One that was sent as a scope, say, may be named in the log as a scope that nobody has.
SECRET_PARAMS = frozenset(
    {
        *("client_secret", "client_assertion", "assertion", "code", "code_verifier", "refresh_token", "access_token"),
        *("token", "subject_token", "actor_token", "device_code", "id_token_hint", "request", "request_uri", "csrf"),
        "attempt",
    }
)
SECRET_HEADERS = ("authorization", "dpop", "cookie", "x-client-cert")
FORM_TOKEN = re.compile(r'name="csrf" value="\w+"')  # the same browser gets the same one again
# RFC 6749 5.2
DESCRIPTION = re.compile(r"[\x20-\x21\x23-\x5B\x5D-\x7E]+\Z")
HEADER = re.compile(r"[\x20-\x7E]*\Z")
SECRET = re.compile(r"(?!(.)\1{9})[A-Za-z0-9_-]{20,}\Z")  # what is random; not AAAAAAAAAA…

derandomised = settings(
    max_examples=EACH,
    derandomize=True,
    database=None,
    deadline=None,
    phases=[Phase.explicit, Phase.generate, Phase.shrink],
    suppress_health_check=list(HealthCheck),
)


@pytest.fixture(scope="module")
def world(store_with_keys: Path) -> Iterator[World]:
    """In memory, where there is a file system for that: thousands of commits, each of them synced."""
    memory = "/dev/shm" if os.access("/dev/shm", os.W_OK) else None
    with tempfile.TemporaryDirectory(dir=memory) as name:
        folder, clock = Path(name), FakeClock()
        repo = SqliteRepository(Path(shutil.copy(store_with_keys, folder / "idp.db")), clock)
        tree = {
            "issuer": ISSUER,
            "data": str(folder / "data"),
            "seal_key": SEAL_KEY_TEXT,
            "server": SERVER,
            "registration": {"mode": "open", "burst": 1_000_000},
            "second_factor": "administrators",
            "net": {"timeout_seconds": 0.7},
        }
        made = World(House(quick(create_app(Settings.model_validate(tree), repo=repo, clock=clock)), clock))
        with made.watched():
            yield made
        made.close()
        repo.close()


# ------------------------------------------------------------------ what holds for every answer


def judge(world: World, wire: Wire, answer: Answer, lines: list[str]) -> None:
    shown = f"{wire}\n-> {answer.status} {answer.headers} {answer.body[:2000]!r}\n" + "\n".join(lines)
    assert answer.status < 500, shown
    assert not [line for line in lines if line.startswith(("ERROR", "CRITICAL"))], shown
    for name, value in answer.headers:
        assert HEADER.match(name) and HEADER.match(value), shown  # noqa: PT018
    if answer.status >= 400 and wire.method != "HEAD":
        if world.lane.find(wire.path) is not None:
            refused_to_program(answer, shown)
        else:
            assert answer.header("content-type").startswith(("text/html", "application/json")), shown
    if 300 <= answer.status < 400:
        assert goes_where_it_may(answer.header("location")) or answer.status == 304, shown
    for secret in secrets_of(wire):
        if answer.status >= 400:
            body = FORM_TOKEN.sub("", answer.body.decode(errors="replace"))
            assert secret not in body, f"{secret} in {shown}"
        assert not any(secret in line for line in lines), f"{secret} in the log: {shown}"


def refused_to_program(answer: Answer, shown: str) -> None:
    assert answer.header("content-type") == "application/json", shown
    assert answer.header("cache-control") == "no-store", shown
    said = json.loads(answer.body)
    assert isinstance(said["error"], str), shown
    assert DESCRIPTION.match(said["error_description"]), shown
    assert said.get("trace") or said["error"] in ORDINARY, shown


def goes_where_it_may(location: str) -> bool:
    if location.startswith("/"):
        return not location.startswith(("//", "/\\"))
    return location.partition("?")[0] in (CALLBACK, BYE)


def secrets_of(wire: Wire) -> set[str]:
    """Those of the request that stand where they belong, and nowhere else in it."""
    try:
        pairs = parse_qsl(wire.query, keep_blank_values=True) + parse_qsl(
            wire.body.decode("latin-1"), max_num_fields=200
        )
    except ValueError:
        pairs = []
    right = {value for name, value in pairs if name in SECRET_PARAMS}
    right |= {value.rpartition(".")[2] for name, value in pairs if name in SECRET_PARAMS and value.count(".") == 2}
    for name in SECRET_HEADERS:
        value = wire.headers.get(name, "")
        right |= set(re.split(r"[ =;,]+", value)) | {value.rpartition(".")[2]} | basic_secret(value)
    others = [wire.path, *(value for name, value in wire.headers.items() if name not in SECRET_HEADERS)]
    others += [name for name, _ in pairs] + [value for name, value in pairs if name not in SECRET_PARAMS]
    elsewhere = "\n".join(others) + ("" if pairs else unquote_plus(wire.body.decode("latin-1")))
    return {one for one in right if SECRET.match(one) and one not in elsewhere}


def basic_secret(header: str) -> set[str]:
    scheme, _, value = header.partition(" ")
    if scheme.lower() != "basic":
        return set()
    try:
        return {unquote_plus(base64.b64decode(value).decode().partition(":")[2])}
    except ValueError:
        return set()


def ask_once(world: World, wire: Wire, *, wsgi: bool) -> tuple[Answer, float, list[str]]:
    world.log.take()
    begun = time.perf_counter()
    answer = world.send(wire, wsgi=wsgi)
    return answer, time.perf_counter() - begun, world.log.take()


def made(world: World, name: str, what: list[tuple[Any, ...]]) -> Wire:
    world.mend()
    ask: Ask = RECIPES[name](world)
    for one in what:
        change(world, ask, one)
    return ask.wire(next(world.serial))


# ------------------------------------------------------------------ the claims


@pytest.mark.parametrize("name", RECIPES)
def test_what_is_changed_is_a_good_request_to_begin_with(world: World, name: str) -> None:
    for wsgi in (False, True):
        wire = made(world, name, [])
        answer, _, lines = ask_once(world, wire, wsgi=wsgi)
        assert answer.status < 400, answer
        assert "error=" not in answer.header("location"), answer
        judge(world, wire, answer, lines)


def test_every_address_of_this_door_is_fuzzed(world: World) -> None:
    ours = ("oidc.", "oidc_signed_out.", "device.")
    rules = {
        rule.rule.partition("<")[0] for rule in world.house.app.url_map.iter_rules() if rule.endpoint.startswith(ours)
    }
    apis = ("users", "invitations", "upstreams", "upstream-kinds", "local-login", "traces", "attention")
    others = (
        "/healthz",
        "/saml/",
        *(f"/admin/api/{name}" for name in ("service-providers", "federations", "saml-messages", *apis)),
    )
    lane = {endpoint.path for endpoint in world.lane.endpoints if not endpoint.path.startswith(others)}
    asked = [RECIPES[name](world).path for name in RECIPES]
    for path in rules | lane:
        assert any(one == path or (path.endswith("/") and one.startswith(path)) for one in asked), path


@pytest.mark.parametrize("path", ["/register//x", "/admin//api/clients", "/authorize//resume"])
def test_an_address_with_two_slashes_leads_nowhere(world: World, path: str) -> None:
    """A redirect would take what was sent to wherever the Host header says."""
    for method in ("GET", "POST"):
        answer = world.send(Wire(method, path, "a=b", {"host": "evil.example"}, b"c=d"), wsgi=True)
        assert (answer.status, answer.header("location")) == (404, "")


@pytest.mark.parametrize("name", RECIPES)
def test_no_request_is_a_fault_or_slow_or_tells_a_secret(world: World, name: str) -> None:
    @seed(zlib.crc32(name.encode()))
    @derandomised
    @given(what=st.lists(changes, min_size=1, max_size=3), wsgi=st.integers(0, 7))
    def fuzzed(what: list[tuple[Any, ...]], wsgi: int) -> None:
        wire = made(world, name, what)
        answer, seconds, lines = ask_once(world, wire, wsgi=wsgi == 7)
        judge(world, wire, answer, lines)
        for _ in range(3):  # others use this machine, too: only what is slow again and again is slow
            if seconds <= SLOW_SECONDS:
                break
            _, seconds, _ = ask_once(world, wire, wsgi=wsgi == 7)
        assert seconds <= SLOW_SECONDS, f"{seconds:.2f} s: {wire}"

    fuzzed()


def test_memory_stays_flat(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """What is remembered has its bounds; they are lowered here, so that they are reached."""
    monkeypatch.setattr(rows, "REMEMBERED", 32)
    monkeypatch.setattr(check_token, "VERIFIED_AT_MOST", 32)
    asked: list[tuple[str, list[tuple[Any, ...]]]] = []
    # Without those that leave an app behind: the list of all apps is kept in memory.
    chosen = [name for name in sorted(RECIPES) if not name.startswith(("register", "manage", "admin"))]

    @seed(1)
    @settings(derandomised, max_examples=ROUND)
    @given(st.sampled_from(chosen), st.lists(changes, min_size=1, max_size=3))
    def collect(name: str, what: list[tuple[Any, ...]]) -> None:
        asked.append((name, what))

    collect()

    def run() -> int:
        for name, what in asked:
            world.send(made(world, name, what))
        for wire in strangers(world):
            world.send(wire)
        gc.collect()
        return tracemalloc.get_traced_memory()[0]

    logging.disable()  # pytest keeps what is written
    tracemalloc.start()
    try:
        run()
        run()
        sizes = [run() for _ in range(3)]
    finally:
        tracemalloc.stop()
        logging.disable(logging.NOTSET)
    assert sizes[-1] - sizes[0] < GROWTH_BYTES, sizes


def strangers(world: World) -> Iterator[Wire]:
    """Every name in them is new: whatever is remembered by name would grow."""
    for number in range(STRANGERS):
        name = f"nobody-{number}-{next(world.serial)}"
        token = world.strange.sign({"sub": name, "iss": name, "jti": name}, kid=name)
        form = {"content-type": "application/x-www-form-urlencoded"}
        yield Wire("GET", "/authorize", f"client_id={name}", {"cookie": f"sheaf_session={name * 2}"})
        yield Wire("POST", "/token", "", form, f"grant_type={name}&client_id={name}&client_secret={name}".encode())
        yield Wire(
            "POST", "/token", "", form, f"client_assertion_type={ASSERTION_TYPE}&client_assertion={token}".encode()
        )
        yield Wire("GET", "/userinfo", "", {"authorization": f"Bearer {token}", "dpop": token})
        yield Wire("GET", f"/register/{name}", "", {"authorization": f"Bearer {name}"})
        yield Wire("GET", f"/signed-out/{name * 2}", "", {"cookie": f"sheaf_browser={name * 2}"})

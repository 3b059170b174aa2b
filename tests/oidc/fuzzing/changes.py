"""Owns the changes that make a good request a bad one: one function each, in the table at the end.

What is put in is left to values.
"""

from collections.abc import Callable
from typing import Any

from hypothesis import strategies as st
from joserfc.errors import JoseError

from tests.oidc.fuzzing.values import (
    HEADERS,
    METADATA,
    ODD_BODIES,
    Value,
    bodies,
    filled,
    header_values,
    heads,
    jsons,
    keys,
    names,
    shaped,
    shapes,
    spots,
    values,
)
from tests.oidc.fuzzing.wire import FORM, JSON, Ask
from tests.oidc.fuzzing.world import World
from tests.support.proofs import readable

changes = st.one_of(
    st.tuples(st.just("set"), spots, values),
    st.tuples(st.just("set"), spots, values),
    st.tuples(st.just("set"), spots, values),
    st.tuples(st.just("jwt"), spots, heads, bodies, keys, shapes),
    st.tuples(st.just("jwt"), spots, st.just({}), bodies, st.just("right"), st.just("whole")),
    st.tuples(st.just("drop"), spots),
    st.tuples(st.just("again"), spots, values),
    st.tuples(st.just("add"), names, values),
    st.tuples(st.just("add"), names, values),
    st.tuples(st.just("rename"), spots, names),
    st.tuples(st.just("header"), st.sampled_from(HEADERS), header_values),
    st.tuples(st.just("header"), st.sampled_from(HEADERS[:4]), header_values),
    st.tuples(st.just("scheme"), st.sampled_from(("Basic", "Bearer", "DPoP", "bearer", "dpop")), header_values),
    st.tuples(st.just("without"), st.sampled_from(HEADERS[:4])),
    st.tuples(
        st.just("method"), st.sampled_from(("GET", "POST", "PUT", "DELETE", "HEAD", "OPTIONS", "PATCH", "TRACE", "X"))
    ),
    st.tuples(st.just("body"), st.one_of(st.sampled_from(ODD_BODIES), st.binary(max_size=30))),
    st.tuples(
        st.just("broken"), spots, st.sampled_from((b"%", b"%f", b"%ff", b"\xff", b"\x00", b"&", b"=", b";", b"%00"))
    ),
    st.tuples(st.just("address"), st.sampled_from(("%", "%ff", "é", "?", "&&=", "a=1&a=2", "x" * 9000))),
    st.tuples(
        st.just("path"), st.sampled_from(("/", "/x", "/\x00", "/é", "//", "/..", "/" + "x" * 3000, "%2f", ";x=1"))
    ),
    st.tuples(st.just("metadata"), st.sampled_from(METADATA), jsons),
    st.tuples(st.just("metadata"), st.sampled_from(METADATA), jsons),
)


def change(world: World, ask: Ask, what: tuple[Any, ...]) -> None:
    """One change to a request."""
    kind, *how = what
    _CHANGES[kind](world, ask, *how)


def _pairs(ask: Ask) -> list[tuple[str, str]]:
    return ask.form or ask.query


def _set(world: World, ask: Ask, spot: int, value: Value) -> None:
    pairs = _pairs(ask)
    if pairs:
        name = pairs[spot % len(pairs)][0]
        pairs[spot % len(pairs)] = (name, filled(world, value))


def _jwt(world: World, ask: Ask, spot: int, head: dict[str, Any], said: dict[str, Any], key: str, shape: str) -> None:
    """One of those that the request has, changed inside and signed once more."""
    pairs = _pairs(ask)
    places = [
        (pairs, number)
        for number, (name, _) in enumerate(pairs)
        if name in ("client_assertion", "request", "assertion")
    ]
    places += [(ask.headers, "dpop")] * ("dpop" in ask.headers)
    if not places:
        return
    where, at = places[spot % len(places)]
    old = where[at][1] if where is pairs else where[at]
    try:
        header, claims = readable(old)
        made = shaped(world.signed({**header, **head}, {**claims, **said}, key), shape)
    except (ValueError, UnicodeError, JoseError, RecursionError):
        return
    where[at] = (where[at][0], made) if where is pairs else "".join(c for c in made if c.isascii() and c.isprintable())


def _drop(_world: World, ask: Ask, spot: int) -> None:
    pairs = _pairs(ask)
    if pairs:
        del pairs[spot % len(pairs)]


def _again(world: World, ask: Ask, spot: int, value: Value) -> None:
    pairs = _pairs(ask)
    if pairs:
        pairs.append((pairs[spot % len(pairs)][0], filled(world, value)))


def _add(world: World, ask: Ask, name: str, value: Value) -> None:
    (ask.query if ask.method == "GET" else ask.form).append((name, filled(world, value)))


def _rename(_world: World, ask: Ask, spot: int, name: str) -> None:
    pairs = _pairs(ask)
    if pairs:
        pairs[spot % len(pairs)] = (name, pairs[spot % len(pairs)][1])


def _header(world: World, ask: Ask, name: str, value: Value) -> None:
    # What a connection cannot carry in a header never arrives.
    text = filled(world, value).encode("latin-1", "ignore").decode("latin-1")
    ask.headers[name] = "".join(c for c in text if c.isprintable())


def _scheme(world: World, ask: Ask, scheme: str, value: Value) -> None:
    _header(world, ask, "authorization", value)
    ask.headers["authorization"] = f"{scheme} {ask.headers['authorization']}"


def _without(_world: World, ask: Ask, name: str) -> None:
    ask.headers.pop(name, None)


def _method(_world: World, ask: Ask, method: str) -> None:
    ask.method = method


def _body(_world: World, ask: Ask, body: bytes) -> None:
    ask.raw = body
    ask.headers.setdefault("content-type", JSON if ask.path.startswith("/register") else FORM)


def _broken(world: World, ask: Ask, spot: int, what: bytes) -> None:
    wire = ask.wire(0)
    cut = spot * 7 % (len(wire.body) + 1)
    _body(world, ask, wire.body[:cut] + what + wire.body[cut:])


def _address(_world: World, ask: Ask, what: str) -> None:
    ask.query_raw = (ask.wire(0).query + "&" if ask.query else "") + what


def _path(_world: World, ask: Ask, what: str) -> None:
    ask.path += what


def _metadata(_world: World, ask: Ask, name: str, value: Any) -> None:
    if isinstance(ask.document, dict):
        ask.document[name] = value


_CHANGES: dict[str, Callable[..., None]] = {
    name: globals()[f"_{name}"]
    for name in (
        *("set", "jwt", "drop", "again", "add", "rename", "header", "scheme", "without", "method"),
        *("body", "broken", "address", "path", "metadata"),
    )
}

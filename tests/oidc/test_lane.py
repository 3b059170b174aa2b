"""Owns the claims about the lane for programs: the same answer by both ways, and every failure in the words of OAuth."""

import logging
from collections.abc import Callable
from dataclasses import replace

import pytest

from idp.base.errors import Refused
from idp.base.net import NetPolicy, fetch
from idp.base.waiting import WouldWait, hurried
from idp.http.machine import MAX_BODY_BYTES, Asked, Endpoint, Lane, Told, told_json, told_published
from idp.ports import StoreUnavailable
from idp.protocols.oidc.errors import told_refused
from tests.oidc.house import House, basic

FORM = {"content-type": "application/x-www-form-urlencoded"}


def lane_of(house: House, run: Callable[[Asked], Told], **how: bool) -> Lane:
    table = [Endpoint("/thing", frozenset({"GET", "POST"}), run, **how), Endpoint("/things/", frozenset({"PUT"}), run)]
    return Lane(table, house.parts, told_refused)


def answer(lane: Lane, method: str = "GET", path: str = "/thing", **more: object) -> Told:
    told = lane.answer(Asked(method, path, **more))  # type: ignore[arg-type]
    assert told is not None
    return told


def fine(_asked: Asked) -> Told:
    return told_json({"a": 1})


def test_the_server_and_flask_give_the_same_answer(house: House) -> None:
    app = house.client()
    lane: Lane = house.app.extensions["sheaf_lane"]
    headers = {"authorization": basic(app.id, app.secret), **FORM}
    for method, path, body in (
        ("POST", "/introspect", b"token=a.b.c"),
        ("GET", "/introspect", b""),
        ("OPTIONS", "/token", b""),
        ("HEAD", "/jwks", b""),
        ("GET", "/.well-known/openid-configuration", b""),
        ("DELETE", "/jwks", b""),
    ):
        direct = answer(lane, method, path, headers=headers, body=body)
        flask = house.app.test_client().open(path, method=method, data=body, headers=headers)
        assert (direct.status, dict(direct.headers)) == (flask.status_code, dict(flask.headers)), path
        if direct.status == 200:
            assert direct.body == flask.data


def test_a_path_that_is_not_in_the_table_is_left_to_others(house: House) -> None:
    lane = lane_of(house, fine)
    for path in ("/thing/", "/thing/x", "/things", "/things/", "/Thing", ""):
        assert lane.answer(Asked("GET", path)) is None


def test_a_method_that_is_not_meant_is_405_with_those_that_are(house: House) -> None:
    told = answer(lane_of(house, fine), "PUT")
    assert told.status == 405
    assert dict(told.headers)["Allow"] == "GET, HEAD, OPTIONS, POST"
    assert b'"error":"invalid_request"' in told.body


def test_head_has_the_headers_of_get_and_no_body(house: House) -> None:
    lane = lane_of(house, fine)
    head, get = answer(lane, "HEAD"), answer(lane)
    assert head.headers == get.headers
    assert (head.body, get.body) == (b"", b'{"a":1}')


def test_what_is_too_large_is_413_by_its_length_or_by_its_size(house: House) -> None:
    lane = lane_of(house, fine)
    for more in ({"body": b"x" * (MAX_BODY_BYTES + 1)}, {"headers": {"content-length": str(MAX_BODY_BYTES + 1)}}):
        told = answer(lane, "POST", **more)
        assert told.status == 413
        assert b'"error":"invalid_request"' in told.body
    assert answer(lane, "POST", headers={"content-length": "9" * 5000}).status == 200  # no server lets that through


@pytest.mark.parametrize(
    ("error", "status", "code"),
    [
        (Refused("invalid_grant", "No."), 400, "invalid_grant"),
        (StoreUnavailable("away"), 503, "temporarily_unavailable"),
        (ZeroDivisionError("secret detail"), 500, "server_error"),
    ],
)
def test_every_failure_is_json_with_a_trace_and_without_a_word_of_the_cause(
    house: House, caplog: pytest.LogCaptureFixture, error: Exception, status: int, code: str
) -> None:
    def broken(_asked: Asked) -> Told:
        raise error

    with caplog.at_level(logging.CRITICAL):
        told = answer(lane_of(house, broken, cross_origin=True), "POST", "/thing")
    body = told.body.decode()
    headers = dict(told.headers)
    assert (told.status, f'"error":"{code}"' in body) == (status, True)
    assert "secret detail" not in body
    assert house.parts.traces.explain(body.partition('"trace":"')[2].partition('"')[0]) is not None
    assert headers["Cache-Control"] == "no-store"
    assert headers["Access-Control-Allow-Origin"] == "*"  # an app in a browser must be able to read why
    assert headers["X-Content-Type-Options"] == "nosniff"


def test_headers_of_a_refusal_are_kept(house: House) -> None:
    def refuse(_asked: Asked) -> Told:
        raise Refused("invalid_token", "No.", status=401, headers={"WWW-Authenticate": "Bearer"})

    assert dict(answer(lane_of(house, refuse)).headers)["WWW-Authenticate"] == "Bearer"


def test_a_long_word_of_the_path_is_not_kept(house: House) -> None:
    def refuse(_asked: Asked) -> Told:
        raise Refused("no", "No.")

    told = answer(lane_of(house, refuse), "PUT", f"/things/{'s' * 43}")
    trace = house.parts.traces.explain(told.body.decode().partition('"trace":"')[2].partition('"')[0])
    assert trace is not None
    assert "s" * 43 not in repr(trace)


@pytest.mark.parametrize("known", ['"v1"', 'W/"v1"', '"v0", "v1"', "*"])
def test_whoever_has_it_already_gets_304(known: str) -> None:
    asked = Asked("GET", "/thing", headers={"if-none-match": known})
    assert told_published(asked, b"{}", "v1", 60).status == 304
    assert told_published(replace(asked, headers={"if-none-match": '"v2"'}), b"{}", "v1", 60).status == 200


def test_who_must_not_wait_is_told_so_whatever_is_caught_on_the_way() -> None:
    def asks() -> str:
        try:
            fetch("GET", "https://keys.example/", NetPolicy())
        except Exception:
            return "swallowed"
        return "asked"

    with pytest.raises(WouldWait):
        hurried(asks)
    assert asks() == "swallowed"  # anywhere else it asks, and hears that there is nobody

"""From the server to the application: what gets a thread, and what the application is told."""

import asyncio
import threading
from types import SimpleNamespace

from idp.cli.bridge import Bridge, environ


class Headers(dict):
    pass


class Proto:
    """The server's side of one request: gives the body in parts, takes the answer."""

    def __init__(self, *parts):
        self.parts = list(parts)
        self.answer = None

    def __aiter__(self):
        return self

    async def __anext__(self):
        if not self.parts:
            raise StopAsyncIteration
        return self.parts.pop(0)

    def response_bytes(self, status, headers, body):
        self.answer = (status, headers, body)


def scope(path="/", method="GET", **headers):
    found = Headers({name.replace("_", "-"): value for name, value in headers.items()})
    return SimpleNamespace(
        method=method,
        path=path,
        query_string="",
        scheme="http",
        http_version="1.1",
        server="127.0.0.1:8000",
        client="127.0.0.9:4000",
        headers=found,
    )


def where(environment, start_response):
    start_response("200 OK", [("Content-Type", "text/plain")])
    return [threading.current_thread().name.encode(), b" ", environment["wsgi.input"].read()]


def ask(bridge, asked, *body):
    proto = Proto(*body)
    asyncio.run(bridge.__rsgi__(asked, proto))
    return proto.answer


def test_a_short_path_is_answered_at_once_and_any_other_in_a_thread():
    bridge = Bridge(where, 2, frozenset({"/token"}))

    assert ask(bridge, scope("/token"))[2].startswith(b"MainThread")
    assert ask(bridge, scope("/token/"))[2].startswith(b"request")
    assert ask(bridge, scope("/flow/x/password"))[2].startswith(b"request")


def test_a_body_arrives_whole_on_both_ways():
    bridge = Bridge(where, 2, frozenset({"/token"}))
    for path in ("/token", "/other"):
        answer = ask(bridge, scope(path, "POST", content_length="6"), b"abc", b"def")
        assert answer[2].endswith(b"abcdef")


def test_nothing_that_may_wait_is_on_the_short_paths():
    from idp.app import SHORT_PATHS

    assert not [path for path in SHORT_PATHS if path.startswith(("/flow", "/setup", "/upstream", "/account", "/saml"))]


def test_a_header_with_an_underscore_does_not_pass_for_another():
    found = environ(scope(), {"x_forwarded_for": "1.2.3.4", "x-request-id": "7"}, b"")

    assert "HTTP_X_FORWARDED_FOR" not in found
    assert found["HTTP_X_REQUEST_ID"] == "7"

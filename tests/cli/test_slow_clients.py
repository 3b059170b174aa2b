"""Clients that never finish, or never begin: nobody else may wait for them. On a real server, for both halves."""

import socket
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager

import pytest
import requests

from idp.cli import bridge
from tests.support.running import until
from tests.support.sheaf import Sheaf

pytestmark = pytest.mark.slow
MANY = 80


@contextmanager
def connections(url: str, sent: bytes) -> Iterator[list[socket.socket]]:
    """MANY connections on which `sent` was sent and nothing more."""
    host, _, port = url.removeprefix("http://").partition(":")
    with ExitStack() as stack:
        opened = [stack.enter_context(socket.create_connection((host, int(port)), 5)) for _ in range(MANY)]
        for one in opened:
            one.sendall(sent)
        yield opened


def head(method: str, path: str, *lines: str) -> bytes:
    return "\r\n".join([f"{method} {path} HTTP/1.1", "Host: x", *lines, "", ""]).encode()


FORM = "Content-Type: application/x-www-form-urlencoded"


@pytest.mark.parametrize(
    "sent",
    [
        pytest.param(head("POST", "/token", FORM, "Content-Length: 1000") + b"a", id="half a body"),
        pytest.param(
            head("POST", "/saml/sso", FORM, "Transfer-Encoding: chunked") + b"3\r\nabc\r\n", id="half a stream"
        ),
        pytest.param(b"GET /heal", id="half a request"),
        pytest.param(b"", id="nothing"),
    ],
)
def test_clients_that_never_finish_keep_nobody_else_waiting(sheaf_with_api: Sheaf, sent: bytes) -> None:
    for url in (sheaf_with_api.url(""), sheaf_with_api.api_url):
        with connections(url, sent):
            assert requests.get(f"{url}/healthz", timeout=5).status_code == 200


def test_clients_that_keep_their_connection_keep_nobody_else_waiting(sheaf: Sheaf) -> None:
    with connections(sheaf.url(""), head("GET", "/healthz")) as opened:
        for one in opened:
            assert one.recv(12) == b"HTTP/1.1 200"
        assert requests.get(sheaf.url("/healthz"), timeout=5).status_code == 200


def test_a_body_that_ends_early_is_not_worked_on(sheaf: Sheaf) -> None:
    host, _, port = sheaf.url("").removeprefix("http://").partition(":")
    with socket.create_connection((host, int(port)), 5) as one:
        one.sendall(head("POST", "/token", FORM, "Content-Length: 1000") + b"grant_type=client_credentials")
        one.shutdown(socket.SHUT_WR)
        answer = one.recv(65_536)
    assert answer == b"" or answer.split()[1] == b"400"


def test_a_body_that_does_not_come_is_waited_for_only_so_long(sheaf: Sheaf) -> None:
    host, _, port = sheaf.url("").removeprefix("http://").partition(":")
    with socket.create_connection((host, int(port)), bridge.BODY_SECONDS + 5) as one:
        one.sendall(head("POST", "/token", FORM, "Content-Length: 1000"))
        assert until(lambda: one.recv(65_536), "an answer").split()[1] == b"408"


def test_two_headers_of_one_name_are_joined_and_an_unreadable_one_is_not_absent() -> None:
    class Headers:
        def items(self) -> list[tuple[str, str]]:
            return [("accept", "a"), ("cookie", "x=1"), ("accept", "b"), ("cookie", "y=2"), ("x_forwarded_for", "z")]

        def keys(self) -> list[str]:
            return ["accept", "cookie", "if-match", "x_forwarded_for"]

    class Scope:
        method, path, query_string, http_version, scheme = "GET", "/ü", "a=%2f+ü", "1.1", "http"
        server, client, headers, authority = "[::1]:8000", "[::1]:9", Headers(), None

    scope = Scope()
    found = bridge.environ(scope, bridge._headers(scope), b"")
    assert (found["HTTP_ACCEPT"], found["HTTP_COOKIE"], found["HTTP_IF_MATCH"]) == ("a,b", "x=1; y=2", "")
    assert (found["REMOTE_ADDR"], found["SERVER_NAME"], found["SERVER_PORT"]) == ("::1", "::1", "8000")
    assert found["PATH_INFO"].encode("latin-1") == "/ü".encode()
    assert found["QUERY_STRING"].encode("latin-1") == "a=%2f+ü".encode()
    assert not any("X_FORWARDED_FOR" in name for name in found)

"""Runs a WSGI application on granian's RSGI: a request gets a thread when its body is whole, and not before.

granian's own WSGI interface gives the thread first and waits for the body then, so that a handful of clients who never
finish theirs stop everything. Leaves limits for each half to its application, and the server to idp.cli.listen.
"""

import asyncio
import io
import sys
from collections.abc import Callable, Container, Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from typing import Any

BODY_SECONDS = 15.0  # from the end of the headers to the end of the body
# More than any half accepts (the companion 1 MiB), so that it sees what is too large and refuses that in its own words.
MAX_BODY_BYTES = 1_048_576 + 1024

Application = Callable[[dict[str, Any], Callable[..., Any]], Iterable[bytes]]


class Bridge:
    """threads: how many requests are worked on at once. short: paths whose answer takes less than changing to a thread
    and back is worth; they are worked on right here, one after the other, between the threads."""

    def __init__(self, application: Application, threads: int, short: Container[str] = ()) -> None:
        self._application = application
        self._pool = ThreadPoolExecutor(threads, thread_name_prefix="request")
        self._short = short

    async def __rsgi__(self, scope: Any, proto: Any) -> None:
        headers = _headers(scope)
        try:
            body = await asyncio.wait_for(_body(headers, proto), BODY_SECONDS)
        except (TimeoutError, EOFError) as error:
            proto.response_bytes(408 if isinstance(error, TimeoutError) else 400, [("connection", "close")], b"")
            return
        environment = environ(scope, headers, body)
        if scope.path in self._short:
            status, answered, content = self._run(environment)
        else:
            loop = asyncio.get_running_loop()
            status, answered, content = await loop.run_in_executor(self._pool, self._run, environment)
        proto.response_bytes(status, answered, content)

    def _run(self, environment: dict[str, Any]) -> tuple[int, list[tuple[str, str]], bytes]:
        started: list[tuple[int, list[tuple[str, str]]]] = []

        def start_response(status: str, headers: list[tuple[str, str]], exc_info: Any = None) -> None:
            started[:] = [(int(status.split(" ", 1)[0]), headers)]

        parts = self._application(environment, start_response)
        try:
            content = b"".join(parts)
        finally:
            close = getattr(parts, "close", None)
            if close:
                close()
        return *started[0], content


def _headers(scope: Any) -> dict[str, str]:
    """Those of one name joined, as RFC 9110 section 5.3 and RFC 6265 section 5.4 have it; names in lower case."""
    found: dict[str, str] = {}
    for name, value in scope.headers.items():
        found[name] = f"{found[name]}{'; ' if name == 'cookie' else ','}{value}" if name in found else value
    # One that is not ASCII has no value here; without it a condition or a credential would seem not to have been sent.
    return {**dict.fromkeys(scope.headers.keys(), ""), **found}


async def _body(headers: Mapping[str, str], proto: Any) -> bytes:
    """Raises EOFError when it is shorter than was said."""
    length = headers.get("content-length", "")
    if "transfer-encoding" in headers:
        length = "0"
    elif not length.isdigit() or not 0 < int(length) <= MAX_BODY_BYTES:
        return b""  # none, or one that is refused by its length
    body = bytearray()
    async for part in proto:  # it ends silently, too, when the client has gone half-way
        body += part
        if len(body) > MAX_BODY_BYTES:
            break
    if len(body) < int(length):
        raise EOFError
    return bytes(body[:MAX_BODY_BYTES])


def environ(scope: Any, headers: Mapping[str, str], body: bytes) -> dict[str, Any]:
    """PEP 3333. Text is bytes spelled in Latin-1 there."""
    host, _, port = scope.server.rpartition(":")
    client, _, client_port = scope.client.rpartition(":")
    found: dict[str, Any] = {
        "REQUEST_METHOD": scope.method,
        "SCRIPT_NAME": "",
        "PATH_INFO": scope.path.encode().decode("latin-1"),
        "QUERY_STRING": scope.query_string.encode().decode("latin-1"),
        "SERVER_NAME": host.strip("[]"),
        "SERVER_PORT": port,
        "SERVER_PROTOCOL": f"HTTP/{scope.http_version}",
        "REMOTE_ADDR": client.strip("[]"),
        "REMOTE_PORT": client_port,
        "wsgi.version": (1, 0),
        "wsgi.url_scheme": scope.scheme,
        "wsgi.input": io.BytesIO(body),
        "wsgi.errors": sys.stderr,
        "wsgi.multithread": True,
        "wsgi.multiprocess": True,
        "wsgi.run_once": False,
    }
    for name, value in headers.items():
        if "_" not in name:  # X_Forwarded_For would else pass for X-Forwarded-For
            found["HTTP_" + name.upper().replace("-", "_")] = value
    found["CONTENT_TYPE"] = found.pop("HTTP_CONTENT_TYPE", "")
    length = found.pop("HTTP_CONTENT_LENGTH", "")
    if found.pop("HTTP_TRANSFER_ENCODING", None) is not None:
        length = str(len(body))
    found["CONTENT_LENGTH"] = length
    return found

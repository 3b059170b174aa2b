"""Files on the real server: large ones pass through without being held, slow and lost clients cost nothing."""

import hashlib
import http.client
import json
import os
import random
import re
import socket
import sqlite3
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tests.api.issuer import Issuer
from tests.support.clock import FakeClock
from tests.support.ports import free_port
from tests.support.running import Running, until

pytestmark = pytest.mark.slow
MEGABYTE = 1_000_000
LARGE = random.Random(7).randbytes(MEGABYTE) * 100


@dataclass
class Served:
    port: int
    issuer: Issuer
    data: Path
    pid: int

    def send(
        self, method: str, path: str, body: bytes | None = None, token: str | None = None, **headers: str
    ) -> tuple[http.client.HTTPResponse, bytes]:
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=60)
        sent = {"Authorization": f"Bearer {token or self.issuer.mint()}", **headers}
        connection.request(method, path, body, sent)
        answer = connection.getresponse()
        content = answer.read()
        connection.close()
        return answer, content

    def half(self, *head: str, body: bytes = b"") -> socket.socket:
        """A connection on which that much was sent, and more is to come."""
        connection = socket.create_connection(("127.0.0.1", self.port), 10)
        lines = (*head, "Host: x", f"Authorization: Bearer {self.issuer.mint()}", "", "")
        connection.sendall("\r\n".join(lines).encode() + body)
        return connection

    def memory(self) -> float:
        """Megabytes of the worker process."""
        children = Path(f"/proc/{self.pid}/task/{self.pid}/children").read_text().split()
        sizes = [Path(f"/proc/{child}/status").read_text() for child in children]
        return max(int(re.search(r"VmRSS:\s+(\d+)", size)[1]) for size in sizes) / 1000  # type: ignore[index]

    def contents(self) -> int:
        with sqlite3.connect(self.data / "api" / "files.db") as file:
            return int(file.execute("SELECT count(*) FROM content").fetchone()[0])


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    folder, port, issuer = tmp_path_factory.mktemp("served"), free_port(), Issuer()
    issuer.clock = FakeClock(time.time())
    env = {name: value for name, value in os.environ.items() if not name.startswith("IDP_")}
    env |= {"IDP_API__ISSUER": issuer.url, "IDP_DATA": str(folder / "data")}
    command = [sys.executable, "-m", "idp.cli.listen", "idp.api.app:app", "127.0.0.1", str(port), "1", "4"]
    with Running("companion", command, log=folder / "api.log", env=env) as server:
        server.wait_http(f"http://127.0.0.1:{port}/readyz", seconds=60)
        yield Served(port, issuer, folder / "data", server.pid)
    issuer.close()


@pytest.fixture(scope="module")
def large(served: Served) -> str:
    """The path of a file of 100 MB."""
    answer, content = served.send("POST", "/files/notes", LARGE)
    assert answer.status == 201, content
    return answer.headers["Location"]


def test_a_large_file_goes_in_and_out_and_is_never_held_as_a_whole(served: Served, large: str) -> None:
    before = served.memory()
    answer, content = served.send("GET", large)
    assert (answer.status, len(content)) == (200, len(LARGE))
    assert hashlib.sha256(content).digest() == hashlib.sha256(LARGE).digest()
    assert before < 120
    assert served.memory() < before + 20
    answer, content = served.send("GET", large, Range=f"bytes={50 * MEGABYTE}-{50 * MEGABYTE + 999_999}")
    assert (answer.status, content) == (206, LARGE[50 * MEGABYTE : 51 * MEGABYTE])


def test_a_client_that_reads_slowly_costs_no_memory(served: Served, large: str) -> None:
    before = served.memory()
    waiting = [served.half(f"GET {large} HTTP/1.1") for _ in range(8)]
    for one in waiting:
        assert one.recv(12) == b"HTTP/1.1 200"
    assert served.send("GET", large, Range="bytes=0-9")[1] == LARGE[:10]  # and nobody waits for it
    assert served.memory() < before + 40
    for one in waiting:
        one.close()


def test_an_upload_that_is_cut_off_leaves_nothing(served: Served, large: str) -> None:
    kept = served.contents()
    upload = served.half("POST /files/notes HTTP/1.1", "Content-Length: 50000000", body=LARGE[: 2 * MEGABYTE])
    until(lambda: served.contents() == kept + 1, "the upload has begun")
    upload.close()
    until(lambda: served.contents() == kept, "the content is gone")
    _, content = served.send("POST", "/files/notes/query", b"{}", **{"Content-Type": "application/json"})
    assert len(json.loads(content)["files"]) == kept


def test_who_may_not_upload_is_told_so_before_sending_it(served: Served) -> None:
    for path, token, expected in (
        ("/files/notes", served.issuer.mint(scope="documents.read"), "insufficient_scope"),
        ("/files/notes", "x.y.z", "malformed_token"),
        ("/files/notes/file_x", served.issuer.mint(), "length_required"),
    ):
        method = "PUT" if path.endswith("x") else "POST"
        with socket.create_connection(("127.0.0.1", served.port), 10) as connection:
            length = "Transfer-Encoding: chunked" if method == "PUT" else "Content-Length: 100000000"
            head = (f"{method} {path} HTTP/1.1", "Host: x", f"Authorization: Bearer {token}", length, "", "")
            connection.sendall("\r\n".join(head).encode())
            answer = http.client.HTTPResponse(connection)
            answer.begin()
            assert json.loads(answer.read())["code"] == expected


def test_a_file_that_changes_while_it_is_read_ends_the_answer_short(served: Served) -> None:
    path = served.send("POST", "/files/notes", LARGE[: 20 * MEGABYTE])[0].headers["Location"]
    with served.half(f"GET {path} HTTP/1.1", "Connection: close") as connection:
        answer = http.client.HTTPResponse(connection)
        answer.begin()
        answer.read(1000)
        assert served.send("DELETE", path)[0].status == 204
        with pytest.raises((http.client.IncompleteRead, ConnectionError)):
            answer.read()


def test_an_empty_file_and_a_small_one(served: Served) -> None:
    for content in (b"", b"x", LARGE[:300_000]):
        answer, _ = served.send("POST", "/files/notes", content, **{"Content-Length": str(len(content))})
        got: Any = served.send("GET", answer.headers["Location"])
        assert (got[0].status, got[1]) == (200, content)
        assert got[0].headers["Content-Length"] == str(len(content))
        head: Any = served.send("HEAD", answer.headers["Location"])
        assert (head[0].status, head[0].headers["Content-Length"], head[1]) == (200, str(len(content)), b"")

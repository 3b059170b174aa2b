"""The companion as processes of its own, cut out of the project: it imports, serves REST and streams, and loads nothing foreign."""

import http.client
import json
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

import idp
from tests.api.issuer import Issuer
from tests.api.transports.talking import Lines, WebSocket
from tests.api.transports.test_watch import watch
from tests.support.clock import FakeClock
from tests.support.ports import free_port
from tests.support.running import Running

pytestmark = pytest.mark.slow
SOURCE = Path(idp.__file__).parent
FOREIGN = ("saml2", "flask_login", "pyotp", "passlib", "lxml", "authlib")
UNUSED = ("pymongo", "pika", "grpc", "google", "uvicorn", "websockets")


@pytest.fixture
def cut_out(tmp_path: Path) -> Path:
    """Only idp/__init__.py, idp/base and idp/api, elsewhere."""
    target = tmp_path / "elsewhere" / "idp"
    target.mkdir(parents=True)
    shutil.copy(SOURCE / "__init__.py", target)
    for part in ("base", "api"):
        shutil.copytree(SOURCE / part, target / part, ignore=shutil.ignore_patterns("__pycache__"))
    return target.parent


@dataclass
class Served:
    """env, folder: with which another process serves the same store."""

    port: int
    issuer: Issuer
    env: dict[str, str]
    folder: Path

    def send(self, raw: bytes) -> tuple[int, bytes]:
        """Exact bytes of a request, so that duplicate headers and chunks arrive as written."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=10)
        connection.connect()
        connection.sock.sendall(raw)
        answer = http.client.HTTPResponse(connection.sock)
        answer.begin()
        body = answer.read()
        connection.close()
        return answer.status, body

    def call(self, method: str, path: str, token: str | None, body: Any = None) -> tuple[int, Any]:
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=10)
        headers = {"Content-Type": "application/json"}
        if token:
            headers["Authorization"] = f"Bearer {token}"
        connection.request(method, path, None if body is None else json.dumps(body), headers)
        answer = connection.getresponse()
        raw = answer.read()
        connection.close()
        return answer.status, json.loads(raw) if raw else None


@pytest.fixture
def served(cut_out: Path, issuer: Issuer, tmp_path: Path) -> Iterator[Served]:
    issuer.clock = FakeClock(time.time())
    port = free_port()
    command = [
        sys.executable,
        "-m",
        "granian",
        "--interface",
        "wsgi",
        "--factory",
        "--workers",
        "2",
        "--port",
        str(port),
    ]
    env = {name: value for name, value in os.environ.items() if not name.startswith("IDP_")}
    env |= {"PYTHONPATH": str(cut_out), "IDP_API__ISSUER": issuer.url, "IDP_DATA": str(tmp_path / "data")}
    with Running("companion", [*command, "idp.api.app:app"], log=tmp_path / "api.log", env=env, cwd=cut_out) as server:
        server.wait_http(f"http://127.0.0.1:{port}/readyz", seconds=60)
        yield Served(port, issuer, env, cut_out)


def test_cut_out_of_the_project_it_imports_and_loads_nothing_foreign(cut_out: Path, tmp_path: Path) -> None:
    program = f"""
import sys
from idp.api.app import create_app
from idp.base.config import Settings
import idp
app = create_app(Settings.model_validate({{"data": {str(tmp_path / "data")!r}}}))
assert app.test_client().get("/healthz").status_code == 200
assert app.test_client().get("/documents/notes/x").status_code == 401
assert idp.__file__.startswith({str(cut_out)!r}), idp.__file__
app.extensions["sheaf"].close()
loaded = {{name.partition(".")[0] for name in sys.modules}}
print(sorted(loaded & set({FOREIGN + UNUSED!r})))
print(sorted(name for name in sys.modules if name.startswith("idp.") and name.split(".")[1] not in ("base", "api")))
"""
    env = {**os.environ, "PYTHONPATH": str(cut_out)}
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, cwd=cut_out, env=env, timeout=60
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines() == ["[]", "[]"]


def test_cut_out_of_the_project_it_serves_documents_and_queues_on_several_workers(served: Served) -> None:
    token = served.issuer.mint()
    status, stamp = served.call("POST", "/documents/notes", token, {"data": {"n": 0}})
    assert status == 201
    for _ in range(10):
        assert served.call("PATCH", f"/documents/notes/{stamp['id']}", token, {"update": {"$inc": {"n": 1}}})[0] == 200
    assert served.call("GET", f"/documents/notes/{stamp['id']}", token)[1]["data"] == {"n": 10}
    assert served.call("PUT", "/queues/jobs", token, {})[0] == 200
    assert served.call("POST", "/queues/jobs/messages", token, {"body": "hello", "priority": 9})[0] == 201
    message = served.call("POST", "/queues/jobs/take", token, {})[1]["message"]
    assert message["body"] == "hello"
    assert served.call("POST", f"/queues/jobs/messages/{message['receipt']}/ack", token)[0] == 204
    assert served.call("GET", "/documents/notes/x", None)[1]["code"] == "missing_token"


STREAMS = f"""
import atexit, sys
def tell():
    loaded = {{name.partition(".")[0] for name in sys.modules}}
    others = {{name for name in sys.modules if name.startswith("idp.") and name.split(".")[1] not in ("base", "api")}}
    print("foreign:", sorted(loaded & set({(*FOREIGN, "pymongo", "pika", "grpc")!r}) | others), flush=True)
atexit.register(tell)
from idp.api.streams import main
main([])
"""


def test_cut_out_of_the_project_streams_tell_what_another_process_wrote(served: Served, tmp_path: Path) -> None:
    port, path, token = free_port(), tmp_path / "api.sock", served.issuer.mint()
    env = served.env | {"IDP_API__STREAMS_PORT": str(port), "IDP_API__UNIX_SOCKET": str(path)}
    command, log = [sys.executable, "-c", STREAMS], tmp_path / "streams.log"
    with Running("streams", command, log=log, env=env, cwd=served.folder) as streams:
        streams.wait_http(f"http://127.0.0.1:{port}/readyz", seconds=60)
        told = []
        for talk in (WebSocket(f"ws://127.0.0.1:{port}/frames"), Lines(str(path))):
            id, _ = watch(talk, "notes", token)
            status, stamp = served.call("POST", "/documents/notes", token, {"data": {"n": 1}})
            assert status == 201
            told.append(next(talk.changes(id))["id"] == stamp["id"])
            assert talk.ask("documents.get", {"collection": "notes", "id": stamp["id"]}, token).body["data"] == {"n": 1}
            assert talk.ask("documents.get", {"collection": "notes", "id": stamp["id"]}, None).status == 401
            talk.close()
        assert told == [True, True]
        assert streams.stop() == 0
    assert "foreign: []" in streams.log_text()


def test_on_a_real_server_two_tokens_are_refused_and_bodies_are_limited_however_they_are_sent(served: Served) -> None:
    good, bad = served.issuer.mint(), served.issuer.mint(aud="urn:x")
    head = b"POST /documents/notes/query HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n"

    def bearer(token: str) -> bytes:
        return f"Authorization: Bearer {token}\r\n".encode()

    end = b"Content-Length: 2\r\n\r\n{}"
    assert served.send(head + bearer(good) + end)[0] == 200
    for two in (bearer(good) + bearer(bad), bearer(bad) + bearer(good), bearer(good) + bearer(good)):
        status, body = served.send(head + two + end)
        assert (status, json.loads(body)["code"]) == (400, "several_tokens")
    chunked = head + bearer(good) + b"Transfer-Encoding: chunked\r\n\r\n"
    assert served.send(chunked + b'e\r\n{"filter": {}}\r\n0\r\n\r\n')[0] == 200
    status, body = served.send(chunked + b'5\r\n{"no":\r\n0\r\n\r\n'.replace(b"5", b"6"))
    assert json.loads(body)["code"] == "malformed_json"
    big = b'{"filter": {"a": "' + b"x" * 2_000_000 + b'"}}'
    status, body = served.send(chunked + f"{len(big):x}\r\n".encode() + big + b"\r\n0\r\n\r\n")
    assert (status, json.loads(body)["code"]) == (413, "body_too_large")
    status, body = served.send(b"GET //documents HTTP/1.1\r\nHost: x\r\n\r\n")
    assert (status, json.loads(body)["code"]) == (404, "not_found")

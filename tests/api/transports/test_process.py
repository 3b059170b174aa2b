"""The process for streams as it is run: cut out of the project, killed, and stopped by a signal."""

import contextlib
import os
import shutil
import signal
import sys
import time
from contextlib import ExitStack
from pathlib import Path

import pytest

import idp
from tests.api.issuer import Issuer
from tests.api.transports.talking import Lines, WebSocket
from tests.api.transports.test_watch import watch
from tests.support.clock import FakeClock
from tests.support.ports import free_port
from tests.support.running import Running

pytestmark = pytest.mark.slow


@pytest.fixture
def cut_out(tmp_path: Path) -> Path:
    """Only idp/__init__.py, idp/base and idp/api, elsewhere."""
    source, target = Path(idp.__file__).parent, tmp_path / "elsewhere" / "idp"
    target.mkdir(parents=True)
    shutil.copy(source / "__init__.py", target)
    for part in ("base", "api"):
        shutil.copytree(source / part, target / part, ignore=shutil.ignore_patterns("__pycache__"))
    return target.parent


def test_cut_out_of_the_project_streams_are_served_and_end_loudly_on_a_signal(cut_out: Path, tmp_path: Path) -> None:
    issuer, port = Issuer(), free_port()
    issuer.clock = FakeClock(time.time())
    path = str(tmp_path / "api.sock")
    env = {name: value for name, value in os.environ.items() if not name.startswith("IDP_")}
    env |= {"PYTHONPATH": str(cut_out), "IDP_API__ISSUER": issuer.url, "IDP_DATA": str(tmp_path / "data")}
    env |= {"IDP_API__STREAMS_PORT": str(port), "IDP_API__UNIX_SOCKET": path}
    command = [sys.executable, "-m", "idp.api.streams"]
    token = issuer.mint()
    with (
        ExitStack() as opened,
        Running("streams", command, log=tmp_path / "streams.log", env=env, cwd=cut_out) as server,
    ):
        server.wait_http(f"http://127.0.0.1:{port}/readyz", seconds=60)
        talk = opened.enter_context(contextlib.closing(WebSocket(f"ws://127.0.0.1:{port}/frames")))
        other = opened.enter_context(contextlib.closing(Lines(path)))
        id, first = watch(talk, "notes", token)
        made = other.ask("documents.insert", {"collection": "notes", "data": {}}, token).body["id"]
        assert next(talk.changes(id))["id"] == made
        server.kill()  # as a power cut would
        server.start().wait_http(f"http://127.0.0.1:{port}/readyz", seconds=60)
        talk = opened.enter_context(contextlib.closing(WebSocket(f"ws://127.0.0.1:{port}/frames")))
        id, _ = watch(talk, "notes", token, after=first)
        assert next(talk.changes(id))["id"] == made
        os.kill(server.pid, signal.SIGTERM)
        assert talk.read(id)["problem"]["code"] == "closing"
        with pytest.raises(EOFError):
            talk.read()
        assert server.process is not None
        assert server.process.wait(20) == 0
        assert "Traceback" not in server.log_text()
    issuer.close()

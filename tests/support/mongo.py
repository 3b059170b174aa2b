"""Owns a server that speaks the MongoDB wire protocol, as a process of its own, for tests of the MongoDB engine.

It is SecantusDB: a stand-in, never imported. A real server is used as well when $IDP_TEST_MONGO_URI names one.
"""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.support.needs import SECANTUS, need
from tests.support.ports import free_port
from tests.support.running import Running


@contextmanager
def secantus(folder: Path) -> Iterator[str]:
    """A fresh server; gives its URI without a database."""
    program, port = need(SECANTUS), free_port()
    storage = folder / "storage"
    storage.mkdir(parents=True, exist_ok=True)
    # Without --sync-on-commit it loses acknowledged writes of transactions at kill -9.
    command = [program, "--host", "127.0.0.1", "--port", str(port), "--storage-path", str(storage), "--sync-on-commit"]
    command += ["--enable-test-commands", "--cache-size", "256M"]
    with Running("secantusdb", command, log=folder / "secantus.log", cwd=folder) as server:
        server.wait_port(port)
        yield f"mongodb://127.0.0.1:{port}"


def real_server() -> str | None:
    """The URI of a real MongoDB replica set that the environment lends to tests, without a database."""
    uri = os.environ.get("IDP_TEST_MONGO_URI", "").rstrip("/")
    return uri or None

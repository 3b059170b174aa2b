"""Owns nodes as they are run: processes of the companion that share a folder (and a broker) and can be killed one by one."""

import http.client
import json
import os
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.api.issuer import Issuer
from tests.support.clock import FakeClock
from tests.support.ports import free_port
from tests.support.running import Running

UNLIMITED = {f"IDP_API__LIMIT_{kind}": "0" for kind in ("USER", "CLIENT", "ADDRESS")}


@dataclass
class Node:
    process: Running
    port: int

    def up(self) -> None:
        self.process.wait_http(f"http://127.0.0.1:{self.port}/readyz", seconds=60)


@dataclass
class Cluster:
    issuer: Issuer
    nodes: list[Node]

    def token(self, name: str = "ada", **changes: Any) -> str:
        return self.issuer.mint(**{"sub": f"usr_{name}", **changes})


class Client:
    """One connection, kept open. Give each thread its own."""

    def __init__(self, port: int, token: str) -> None:
        self._port = port
        self._headers = {"Authorization": f"Bearer {token}", "Content-Type": "application/json"}
        self._connection: http.client.HTTPConnection | None = None

    def ask(self, operation: str, request: dict[str, Any], priority: str | None = None) -> tuple[int, Any]:
        """Raises OSError or http.client.HTTPException when the node is gone."""
        headers = self._headers | ({"Sheaf-Priority": priority} if priority else {})
        self._connection = self._connection or http.client.HTTPConnection("127.0.0.1", self._port, timeout=60)
        try:
            self._connection.request("POST", f"/commands/{operation}", json.dumps(request), headers)
            answer = self._connection.getresponse()
            return answer.status, json.loads(answer.read() or b"{}")
        except (OSError, http.client.HTTPException):
            self.close()
            raise

    def close(self) -> None:
        if self._connection:
            self._connection.close()
            self._connection = None


@contextmanager
def cluster(folder: Path, many: int, **settings: str) -> Iterator[Cluster]:
    """settings: of the section api, as in the environment."""
    issuer = Issuer()
    issuer.clock = FakeClock(time.time())
    env = {name: value for name, value in os.environ.items() if not name.startswith("IDP_")}
    env |= {"IDP_API__ISSUER": issuer.url, "IDP_DATA": str(folder / "data"), **UNLIMITED}
    env |= {f"IDP_API__{name.upper()}": value for name, value in settings.items()}
    with ExitStack() as running:
        running.callback(issuer.close)
        nodes = []
        for n in range(many):
            port = free_port()
            words = ["idp.api.app:app", "127.0.0.1", str(port), "1", settings.get("threads", "4")]
            command = [sys.executable, "-m", "idp.cli.listen", *words]
            node = Node(Running(f"node {n}", command, log=folder / f"node{n}.log", env=env), port)
            running.enter_context(node.process)
            node.up()  # the first one makes the files
            nodes.append(node)
        yield Cluster(issuer, nodes)

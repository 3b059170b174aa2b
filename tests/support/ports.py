"""Owns the choice of free TCP ports on loopback for servers that tests start.

The servers themselves are started by support/running.
"""

import os
import random
import socket

# Below 32768: the system hands out ports from there on to outgoing connections. A test that polls a still unused
# port of that range can connect to itself, and the server then cannot bind.
LOWEST, HIGHEST = 18_000, 32_767
# Test processes that run side by side (pytest-xdist) must not choose the same one between looking and listening.
WORKERS = 8
_given: set[int] = set()


def free_port() -> int:
    """A TCP port on 127.0.0.1 that nobody listens on; never the same one twice in this process."""
    for _ in range(1000):
        port = random.randrange(LOWEST + _worker(), HIGHEST, WORKERS)
        if port not in _given and _is_free(port):
            _given.add(port)
            return port
    raise RuntimeError("no free port between 18000 and 32767")


def _worker() -> int:
    return int(os.environ.get("PYTEST_XDIST_WORKER", "gw0").removeprefix("gw")) % WORKERS


def _is_free(port: int) -> bool:
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as listener:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            listener.bind(("127.0.0.1", port))
        except OSError:
            return False
    return True

"""Owns a RabbitMQ node for tests: its own ports, folder and port mapper, gone when the tests are.

It never touches a broker that is installed as a service.
"""

import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import pika
from pika.exceptions import AMQPError

from tests.support.needs import RABBITMQ, need
from tests.support.ports import free_port
from tests.support.running import Running, until

CONFIG = """\
listeners.tcp.local = 127.0.0.1:{port}
loopback_users.guest = true
disk_free_limit.absolute = 50MB
vm_memory_high_watermark.absolute = 512MB
heartbeat = 30
"""


@contextmanager
def rabbitmq(folder: Path) -> Iterator[str]:
    """A fresh node; gives its amqp:// URL (user guest, virtual host /)."""
    with node(folder) as (_, url):
        yield url


@contextmanager
def node(folder: Path, port: int | None = None) -> Iterator[tuple[Running, str]]:
    """A node with its process, for tests that take it away and bring it back on the same folder and port."""
    program, port, mapper_port = need(RABBITMQ), port or free_port(), free_port()
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "rabbitmq.conf").write_text(CONFIG.format(port=port))
    (folder / "enabled_plugins").write_text("[].\n")
    env = _environment(folder, port, mapper_port)
    # Our own port mapper: a node would otherwise start a shared one that outlives the tests.
    mapper_command = ["epmd", "-port", str(mapper_port), "-address", "127.0.0.1"]
    with Running("epmd", mapper_command, log=folder / "epmd.log", env=env) as mapper:
        mapper.wait_port(mapper_port)
        with Running("rabbitmq", [program], log=folder / "rabbitmq.log", env=env, cwd=folder) as server:
            server.wait_port(port, seconds=90)
            url = f"amqp://guest:guest@127.0.0.1:{port}/%2F"
            until(lambda: _answers(url), "RabbitMQ lets somebody in", seconds=60)
            yield server, url


def _answers(url: str) -> bool:
    """The port is open before the node is ready for anybody."""
    with suppress(AMQPError, OSError):
        pika.BlockingConnection(pika.URLParameters(url)).close()
        return True
    return False


def _environment(folder: Path, port: int, mapper_port: int) -> dict[str, str]:
    inherited = {name: value for name, value in os.environ.items() if not name.startswith(("RABBITMQ_", "ERL_"))}
    return {
        **inherited,
        "HOME": str(folder),  # the Erlang cookie is made here
        "ERL_EPMD_PORT": str(mapper_port),
        "ERL_EPMD_ADDRESS": "127.0.0.1",
        "RABBITMQ_NODENAME": f"sheaf{port}@localhost",
        "RABBITMQ_NODE_PORT": str(port),
        "RABBITMQ_NODE_IP_ADDRESS": "127.0.0.1",
        "RABBITMQ_DIST_PORT": str(free_port()),
        "RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS": "+S 1:1 +sbwt none -kernel inet_dist_use_interface {127,0,0,1}",
        "RABBITMQ_CONFIG_FILE": str(folder / "rabbitmq"),
        "RABBITMQ_CONF_ENV_FILE": str(folder / "no-environment"),
        "RABBITMQ_ADVANCED_CONFIG_FILE": str(folder / "no-advanced.config"),
        "RABBITMQ_MNESIA_BASE": str(folder / "mnesia"),
        "RABBITMQ_LOG_BASE": str(folder / "log"),
        "RABBITMQ_PID_FILE": str(folder / "rabbitmq.pid"),
        "RABBITMQ_ENABLED_PLUGINS_FILE": str(folder / "enabled_plugins"),
        "RABBITMQ_FEATURE_FLAGS_FILE": str(folder / "feature_flags"),
        "RABBITMQ_GENERATED_CONFIG_DIR": str(folder / "config"),
        "RABBITMQ_SCHEMA_DIR": str(folder / "schema"),
    }

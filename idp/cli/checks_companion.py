"""What `idp doctor` looks at in the companion: does it answer, do its streams, its stores and its broker, is its keyring there.

Leaves printing to idp.cli.doctor. Makes nothing: what is not there yet is made at the first start.
"""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from idp.base.errors import Misconfigured, Refused
from idp.cli.checks import Finding, mode

if TYPE_CHECKING:
    from idp.api.documents.keyring import Keyring
    from idp.base.config import Settings
    from idp.http.parts import Parts


def companion(parts: "Parts") -> Iterator[Finding]:
    yield _answering("companion API", parts.settings, parts.settings.api_url, "idp serve api")


def streams(parts: "Parts") -> Iterator[Finding]:
    where = parts.settings.streams_url
    if where:
        yield _answering("companion streams", parts.settings, where, "idp serve streams")
    else:
        yield Finding("companion streams", "ok", "none (api.streams_port is 0)")


def _answering(name: str, settings: "Settings", url: str, command: str) -> Finding:
    """Its own word on store and broker, too."""
    from idp.base.net import NetPolicy, Unreachable, fetch

    try:
        answer = fetch("GET", f"{url}/readyz", NetPolicy(allow_private=True, trusted=settings.tls_certificate))
    except Unreachable as why:
        cure = f"Is it running? Start it: idp run, or {command}"
        return Finding(name, "hint", f"{url} does not answer ({why.reason})", cure)
    if answer.status == 200:
        return Finding(name, "ok", f"{url} answers")
    try:
        said = json.loads(answer.body)
        detail = f"{url} is not ready: {said['code']} (trace {said['trace']})"
    except (ValueError, KeyError, TypeError):
        cure = "Something else answers there: check api.url, api.port, api.streams_url and the reverse proxy."
        return Finding(name, "wrong", f"{url} answers {answer.status} and is not the companion", cure)
    return Finding(name, "wrong", detail, "Its log has the reason under this trace code.")


def servers(parts: "Parts") -> Iterator[Finding]:
    """Those that the companion needs and that are not files: asked from here."""
    api = parts.settings.api
    try:
        if api.store.startswith("mongodb"):
            from idp.api.document_store.mongo_link import MongoLink

            link = MongoLink(api.store)
            try:
                link.ready()
            finally:
                link.client.close()
            yield Finding("companion store", "ok", "MongoDB answers and is a replica set")
    except (Misconfigured, Refused) as problem:
        yield _problem("companion store", problem, "Check api.store and the server behind it.")
    try:
        if api.broker.startswith("amqp"):
            from idp.api.brokers.rabbitmq import RabbitBroker

            broker = RabbitBroker(api.broker, parts.clock)
            try:
                broker.ready()
            finally:
                broker.close()
            yield Finding("companion broker", "ok", "RabbitMQ answers")
    except (Misconfigured, Refused) as problem:
        yield _problem("companion broker", problem, "Check api.broker and the server behind it.")


def keyring(parts: "Parts") -> Iterator[Finding]:
    """Without it nothing that was sealed opens again."""
    from idp.api.documents.keyring import open_keyring

    api, made = parts.settings.api, parts.settings.data_dir / "api" / "keyring"
    source = "api.keyring" if api.keyring.get_secret_value() else "api.keyring_command" if api.keyring_command else ""
    file = None if source else Path(api.keyring_file) if api.keyring_file else made
    if file == made and api.store.startswith("mongodb"):
        cure = "Give every node the same one (api.keyring_file, docs/documents.md) before you seal fields."
        yield Finding("keyring", "hint", "none: fields of documents cannot be sealed", cure)
        return
    if file == made and not file.exists():
        yield Finding("keyring", "hint", "none yet", "It is made at the first start of the companion.")
        return
    try:
        found = open_keyring(parts.settings, parts.clock)
    except Misconfigured as problem:
        yield _problem("keyring", problem, problem.cure)
        return
    if file is not None:
        yield mode("keyring file", file, 0o600)
    yield Finding("keyring", "ok", f"{_keys(found)}, from {source or file}. Keep a copy apart from the data")


def _keys(found: "Keyring") -> str:
    number = len(found.ids())
    return f"{number} key{'s' if number > 1 else ''}, current {found.current()}"


def _problem(name: str, problem: Misconfigured | Refused, cure: str) -> Finding:
    if isinstance(problem, Misconfigured):
        return Finding(name, "wrong", problem.problem, problem.cure)
    return Finding(name, "wrong", problem.reason, cure)


CHECKS = (companion, streams, servers, keyring)

"""`idp doctor` on the companion: does it answer, are its servers there, is its keyring in place; nothing is made by asking."""

import base64
import json

import pytest

from tests.cli.conftest import Shell
from tests.cli.test_doctor import findings, report_of
from tests.support.ports import free_port
from tests.support.sheaf import Sheaf


def test_a_companion_that_is_stopped_is_a_hint_and_nothing_is_made(shell: Shell) -> None:
    shell.json("user", "list")
    ports = {"IDP_API__PORT": str(free_port()), "IDP_API__STREAMS_PORT": str(free_port())}
    found = findings(report_of(shell, 0, **ports))
    assert found["companion API"]["state"] == "hint"
    assert found["companion API"]["cure"] == "Is it running? Start it: idp run, or idp serve api"
    assert found["companion streams"]["cure"] == "Is it running? Start it: idp run, or idp serve streams"
    assert (found["keyring"]["state"], found["keyring"]["detail"]) == ("hint", "none yet")
    assert not (shell.data / "api").exists()


def test_the_keyring_is_found_with_its_current_key_and_never_shown(shell: Shell) -> None:
    shell.json("user", "list")
    secret = base64.b64encode(b"0123456789abcdef" * 2).decode()
    file = shell.data.parent / "keyring"
    file.write_text(json.dumps({"current": "b", "keys": {"a": secret, "b": secret}}))
    file.chmod(0o640)
    done = shell("doctor", "--json", env={"IDP_API__KEYRING_FILE": str(file)})
    found = findings(json.loads(done.stdout))
    assert found["keyring"]["detail"].startswith(f"2 keys, current b, from {file}")
    assert found["keyring file"]["cure"] == f"chmod 600 {file}"
    assert secret not in done.stdout


@pytest.mark.parametrize("content", ["", '{"current": "a", "keys": {}}'], ids=["empty", "without its current key"])
def test_a_keyring_that_cannot_be_read_is_wrong(shell: Shell, content: str) -> None:
    shell.json("user", "list")
    file = shell.data.parent / "keyring"
    file.write_text(content)
    found = findings(report_of(shell, 1, IDP_API__KEYRING_FILE=str(file)))
    assert found["keyring"]["state"] == "wrong"
    assert "opens with nothing else" in found["keyring"]["cure"]


def test_a_broker_that_is_away_is_wrong_and_its_password_is_not_told(shell: Shell) -> None:
    shell.json("user", "list")
    broker = f"amqp://user:hide-me@127.0.0.1:{free_port()}/"
    done = shell("doctor", "--json", env={"IDP_API__BROKER": broker})
    found = findings(json.loads(done.stdout))
    assert found["companion broker"]["state"] == "wrong"
    assert found["companion broker"]["cure"] == "Check api.broker and the server behind it."
    assert "hide-me" not in done.stdout + done.stderr


def test_mongodb_without_a_keyring_is_a_hint(shell: Shell, mongo_uri: str) -> None:
    shell.json("user", "list")
    found = findings(report_of(shell, 0, IDP_API__STORE=mongo_uri))
    assert found["companion store"]["detail"] == "MongoDB answers and is a replica set"
    assert found["keyring"]["detail"] == "none: fields of documents cannot be sealed"


def test_a_companion_that_runs_answers(sheaf_with_api: Sheaf) -> None:
    found = findings(sheaf_with_api.cli("doctor"))
    assert (found["companion API"]["state"], found["keyring"]["state"]) == ("ok", "ok")
    assert found["companion streams"]["detail"] == "none (api.streams_port is 0)"

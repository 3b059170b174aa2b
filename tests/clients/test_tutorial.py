"""Owns the claim that every line of docs/companion-tutorial.md runs as it stands, against a fresh `idp run`."""

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.needs import CURL, OPENSSL, need
from tests.support.ports import free_port
from tests.support.running import Running
from tests.support.sheaf import IDP, QUICK

pytestmark = pytest.mark.slow

ROOT = Path(__file__).parents[2]
TUTORIAL = ROOT / "docs" / "companion-tutorial.md"
INSTALLED = "pip install --quiet ./clients/python"  # from a registry; the tests have it on their path


@pytest.fixture(scope="module")
def printed(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """What each section of the tutorial printed."""
    for program in (CURL, OPENSSL):
        need(program)
    folder = tmp_path_factory.mktemp("tutorial")
    for name in ("README.md", "LICENSE", "ARCHITECTURE.md"):
        shutil.copy(ROOT / name, folder)
    shutil.copytree(ROOT / "examples", folder / "examples")
    ports = {"8000": free_port(), "8001": free_port(), "8002": free_port()}
    named = dict(zip(("SERVER__PORT", "API__PORT", "API__STREAMS_PORT"), map(str, ports.values()), strict=True))
    env = {name: value for name, value in os.environ.items() if not name.startswith("IDP_")} | QUICK
    env |= {f"IDP_{name}": port for name, port in named.items()} | {"PYTHONPATH": str(ROOT / "clients" / "python")}
    env |= {"PATH": f"{Path(sys.executable).parent}:{env['PATH']}"}
    env |= {"SHEAF_ISSUER": f"http://127.0.0.1:{ports['8000']}", "SHEAF_API": f"http://127.0.0.1:{ports['8001']}"}
    script = "set -eu\n" + re.sub(r"127\.0\.0\.1:(800[012])", lambda found: f"127.0.0.1:{ports[found[1]]}", lines())
    with Running("idp", [IDP, "run"], log=folder / "idp.log", env=env, cwd=folder) as running:
        running.wait_log("Stop with Ctrl-C.")
        done = subprocess.run(
            ["bash", "-c", script], cwd=folder, env=env, capture_output=True, text=True, timeout=120, check=False
        )
        assert done.returncode == 0, done.stdout + done.stderr + running.tail()
        assert not done.stderr, done.stderr
        assert "Traceback" not in running.log_text()
    return dict(re.findall(r"^=== (\d+)\n(.*?)(?=^=== |\Z)", done.stdout, re.DOTALL | re.MULTILINE))


def lines() -> str:
    """All blocks of `sh` as one script that says before each section which one it is."""
    sections = TUTORIAL.read_text().split("\n## ")[1:]
    script = ""
    for section in sections:
        script += f"echo; echo '=== {section.partition('.')[0]}'\n"
        script += "".join(re.findall(r"```sh\n(.*?)```", section, re.DOTALL))
    assert INSTALLED in script
    return script.replace(INSTALLED, ":")


def answers(text: str) -> list[dict]:
    return [json.loads(line) for line in text.splitlines() if line.startswith("{")]


def test_documents_are_stored_found_and_changed_and_a_late_change_is_refused(printed: dict[str, str]) -> None:
    made, found, changed, refused, history = answers(printed["3"])
    assert [document["id"] for document in found["documents"]] == [made["id"]]
    assert changed["version"] == 2
    assert refused["code"] == "version_conflict"
    assert [line["action"] for line in history["versions"]] == ["update", "insert"]


def test_ada_sees_what_is_shared_with_her_and_bob_nothing(printed: dict[str, str]) -> None:
    told = answers(printed["4"])
    seen = [document for document in told if document.get("version") == 3 and "data" in document]
    assert len(seen) == 2  # by ada, and with the narrowed token
    assert told[-1]["code"] == "narrowed_token"


def test_the_watcher_is_told(printed: dict[str, str]) -> None:
    assert '"title":"Second"' in printed["5"]


def test_what_is_sent_twice_with_one_key_is_one_message(printed: dict[str, str]) -> None:
    *_, first, second, taken, empty = answers(printed["6"])
    assert first == second
    assert taken["message"]["id"] == first["id"]
    assert empty == {"message": None}


def test_each_file_is_counted_once_and_bob_may_read_the_result(printed: dict[str, str]) -> None:
    counts = [document["data"] for document in answers(printed["7"]) if "data" in document]
    words = {one["name"]: one["words"] for one in counts}
    assert words == {name: len((ROOT / name).read_text().split()) for name in ("README.md", "LICENSE")}
    assert len(counts) == 2
    assert "ARCHITECTURE.md" in printed["8"]

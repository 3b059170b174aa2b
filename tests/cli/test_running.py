"""`idp run` and `idp serve`: start, what they print, what a change from the command line does, and their end."""

import json
import os
import re
import signal
import socket
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
import requests

from tests.cli.conftest import Shell
from tests.support.http_browser import PlainBrowser
from tests.support.ports import free_port
from tests.support.running import Running, answers, listens, until
from tests.support.sheaf import IDP, QUICK, Sheaf

pytestmark = pytest.mark.slow


class Run:
    """An `idp run` (or `idp serve …`) of its own."""

    def __init__(self, folder: Path, *words: str, env: dict[str, str] | None = None) -> None:
        self.data = folder / "data"
        self.port, self.api_port = free_port(), free_port()
        self.issuer, self.api = f"http://127.0.0.1:{self.port}", f"http://127.0.0.1:{self.api_port}"
        own = {name: value for name, value in os.environ.items() if not name.startswith("IDP_")} | QUICK
        words = words or ("run", "--port", str(self.port), "--api-port", str(self.api_port))
        self.process = Running(
            "idp", [IDP, *words, "--data", self.data], log=folder / "idp.log", env=own | (env or {}), cwd=folder
        )

    def family(self) -> list[int]:
        """All processes below it, and itself."""
        listed = subprocess.run(
            ["ps", "-eo", "pid=,ppid="], capture_output=True, text=True, check=True, timeout=30
        ).stdout
        parents = {int(pid): int(parent) for pid, parent in (line.split() for line in listed.splitlines())}
        found = [self.process.pid]
        for pid in found:
            found += [child for child, parent in parents.items() if parent == pid]
        return found

    def setup_link(self) -> str:
        found = re.findall(r"http://\S+/setup/\S+", self.process.log_text())
        assert found, self.process.log_text()
        return str(found[-1])


@pytest.fixture
def run(tmp_path: Path) -> Iterator[Run]:
    run = Run(tmp_path)
    yield run
    run.process.stop()


def gone(pids: list[int]) -> bool:
    return not any(
        Path(f"/proc/{pid}").exists() and "Z" not in Path(f"/proc/{pid}/stat").read_text().split()[2] for pid in pids
    )


def test_the_first_run_makes_everything_says_where_to_go_and_leaves_nothing_behind(run: Run) -> None:
    run.process.start().wait_log("Stop with Ctrl-C.")
    assert answers(f"{run.issuer}/healthz")
    assert answers(f"{run.api}/healthz")
    said = run.process.log_text()
    assert run.issuer in said
    assert run.api in said
    assert PlainBrowser().open(run.setup_link()).status == 200
    for path in (run.data, *run.data.rglob("*")):
        assert path.stat().st_mode & 0o077 == 0, path
    assert (run.data / "secrets" / "api-client.secret").stat().st_mode & 0o777 == 0o600
    family = run.family()
    assert len(family) >= 3
    assert run.process.stop(30) == 0
    until(lambda: gone(family), "all processes have ended")
    assert not listens(run.port)
    assert not listens(run.api_port)
    assert "Traceback" not in run.process.log_text()


def test_streams_are_a_process_of_its_own_beside_the_companion(tmp_path: Path) -> None:
    port = free_port()
    run = Run(tmp_path, env={"IDP_API__STREAMS_PORT": str(port)})
    with run.process as process:
        process.wait_log("Stop with Ctrl-C.")
        assert answers(f"http://127.0.0.1:{port}/readyz")
        assert f"http://127.0.0.1:{port}" in process.log_text()
        family = run.family()
        assert process.stop(30) == 0
    until(lambda: gone(family), "all processes have ended")
    assert "Traceback" not in process.log_text()


def test_the_set_up_link_is_shown_to_nobody_else_on_the_machine(run: Run) -> None:
    run.process.start().wait_log("Stop with Ctrl-C.")
    token = run.setup_link().rpartition("/")[2]
    for pid in run.family():
        for file in ("cmdline", "environ"):
            assert token.encode() not in Path(f"/proc/{pid}/{file}").read_bytes()


def test_setup_link_prints_a_fresh_link_and_the_old_one_dies(run: Run, tmp_path: Path) -> None:
    run.process.start().wait_log("Stop with Ctrl-C.")
    first = run.setup_link()
    fresh = Shell(tmp_path).json("setup-link", env={"IDP_SERVER__PORT": str(run.port)})["setup_link"]
    assert PlainBrowser().open(fresh).status == 200
    assert PlainBrowser().open(first).status == 410


def test_once_there_is_an_administrator_no_link_is_printed(run: Run, tmp_path: Path) -> None:
    Shell(tmp_path).json("user", "add", "root", "--email", "root@example.org", "--admin")
    run.process.start().wait_log("Stop with Ctrl-C.")
    assert "/setup/" not in run.process.log_text()


def test_for_scripts_the_greeting_is_one_line_of_json(tmp_path: Path) -> None:
    port, api_port = free_port(), free_port()
    run = Run(tmp_path, "run", "--port", str(port), "--api-port", str(api_port), "--json")
    with run.process as process:
        process.wait_log('"setup_link"')
        said = json.loads(process.log_text().splitlines()[-1])
    assert (said["issuer"], said["api"]) == (f"http://127.0.0.1:{port}", f"http://127.0.0.1:{api_port}")
    assert said["setup_link"].startswith(f"{said['issuer']}/setup/")
    assert said["data"] == str(run.data)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_it_ends_cleanly_when_the_whole_terminal_is_signalled(run: Run, number: signal.Signals) -> None:
    run.process.start().wait_log("Stop with Ctrl-C.")
    family = run.family()
    os.killpg(run.process.pid, number)
    assert run.process.process is not None
    assert run.process.process.wait(30) == 0
    until(lambda: gone(family), "all processes have ended")
    assert "Traceback" not in run.process.log_text()
    assert "starts again" not in run.process.log_text()


def test_a_half_that_dies_starts_again(run: Run) -> None:
    run.process.start().wait_log("Stop with Ctrl-C.")
    children = [pid for pid in run.family() if "idp.api.app" in Path(f"/proc/{pid}/cmdline").read_text()]
    os.kill(children[0], signal.SIGKILL)
    run.process.wait_log("The companion API ended (exit code -9); it starts again in 1 s")
    until(lambda: answers(f"{run.api}/healthz"), "the companion answers again", seconds=15)
    assert answers(f"{run.issuer}/healthz")
    assert gone(children)


def test_a_worker_that_dies_is_replaced(run: Run) -> None:
    run.process.start().wait_log("Stop with Ctrl-C.")
    servers = [pid for pid in run.family() if "idp.app:serve" in Path(f"/proc/{pid}/cmdline").read_text()]
    os.kill(servers[-1], signal.SIGKILL)
    until(lambda: gone([servers[-1]]) and answers(f"{run.issuer}/healthz"), "another worker answers", seconds=15)


def test_when_it_is_killed_outright_no_child_stays(run: Run) -> None:
    run.process.start().wait_log("Stop with Ctrl-C.")
    family = run.family()
    os.kill(run.process.pid, signal.SIGKILL)
    until(lambda: gone(family[1:]), "every child has ended by itself", seconds=20)
    assert not listens(run.port)


@pytest.mark.parametrize("half", ["port", "api_port"])
def test_a_port_that_is_taken_is_said_plainly(run: Run, half: str) -> None:
    with socket.socket() as other:
        other.bind(("127.0.0.1", getattr(run, half)))
        other.listen()
        process = run.process.start().process
        assert process is not None
        assert process.wait(30) == 2
    said = run.process.log_text().strip()
    assert said.count("\n") == 0
    assert str(getattr(run, half)) in said
    assert "choose another port" in said


def test_two_runs_on_one_port_are_refused(run: Run, tmp_path: Path) -> None:
    run.process.start().wait_log("Stop with Ctrl-C.")
    done = Shell(tmp_path)("serve", "idp", "--port", run.port)
    assert done.returncode == 2
    assert f"port {run.port}" in done.stderr


def test_two_of_them_on_one_port_are_refused(tmp_path: Path) -> None:
    code, line = Shell(tmp_path).refused("run", "--port", "18000", "--api-port", "18000")
    assert code == 2
    assert "cannot use the same port" in line


def test_a_base_url_that_the_set_up_stores_reaches_the_companion(run: Run) -> None:
    from idp.base.clock import system_clock
    from idp.base.config import Settings
    from idp.services.installation import Installation
    from idp.storage.sqlite import SqliteRepository

    run.process.start().wait_log("Stop with Ctrl-C.")
    assert requests.get(f"{run.api}/", timeout=10).json()["issuer"] == run.issuer
    repo = SqliteRepository(run.data / "idp.db", system_clock)
    Installation(Settings(), repo, system_clock).store("base_url", f"http://localhost:{run.port}")
    repo.close()

    def told() -> bool:
        try:
            return bool(requests.get(f"{run.api}/", timeout=2).json()["issuer"] == f"http://localhost:{run.port}")
        except requests.RequestException:
            return False

    until(told, "the companion trusts the new issuer", seconds=20)
    assert "starts again" not in run.process.log_text()


def test_serve_starts_one_half_and_ends_cleanly(tmp_path: Path) -> None:
    port = free_port()
    run = Run(tmp_path, "serve", "idp", "--port", str(port), "--host", "127.0.0.1")
    with run.process as process:
        process.wait_http(f"http://127.0.0.1:{port}/.well-known/openid-configuration")
        assert (
            requests.get(f"http://127.0.0.1:{port}/.well-known/openid-configuration", timeout=10).json()["issuer"]
            == f"http://127.0.0.1:{port}"
        )
        family = run.family()
        assert process.stop(20) == 0
    until(lambda: gone(family), "all processes have ended")
    assert process.log_text() == "" or "Traceback" not in process.log_text()


def test_it_listens_at_a_name_too(tmp_path: Path) -> None:
    port = free_port()
    run = Run(tmp_path, "serve", "idp", "--port", str(port), "--host", "localhost")
    with run.process as process:
        process.wait_http(f"http://localhost:{port}/.well-known/openid-configuration")
        assert process.stop(20) == 0


def test_what_cannot_start_says_so_in_one_line(tmp_path: Path) -> None:
    done = Shell(tmp_path)("serve", "idp", "--port", free_port(), env={"IDP_STORE__URL": "mysql://x"})
    assert done.returncode != 0
    assert (
        done.stderr.strip()
        == "error: store.url: There is no store of this kind. Use `sqlite`, `sqlite:/absolute/path.db` or `mongodb://host/database`."
    )


def test_a_running_installation_sees_a_new_client_and_its_removal_within_a_second(sheaf: Sheaf) -> None:
    app = sheaf.add_client("http://127.0.0.1:9/cb")

    def status(client_id: str) -> int:
        query = f"client_id={client_id}&redirect_uri=http://127.0.0.1:9/cb&response_type=code&scope=openid"
        query += "&code_challenge=E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM&code_challenge_method=S256"
        return requests.get(f"{sheaf.url('/authorize')}?{query}", allow_redirects=False, timeout=10).status_code

    sheaf.soon(lambda: status(app.client_id) in (302, 303), "the client is known", seconds=1.5)
    sheaf.cli("client", "remove", app.client_id)
    sheaf.soon(lambda: status(app.client_id) == 400, "the client is unknown", seconds=1.5)


def test_a_running_installation_shuts_out_a_disabled_user_within_a_second(sheaf: Sheaf) -> None:
    ada = sheaf.add_user(totp=True)
    browser = sheaf.browser()
    sheaf.sign_in(browser, ada)
    assert ada.username in browser.open(sheaf.url("/account")).text
    sheaf.cli("user", "disable", ada.username)
    sheaf.soon(lambda: ada.username not in browser.open(sheaf.url("/account")).text, "signed out", seconds=1.5)


def test_a_running_installation_publishes_rotated_keys_within_a_second(sheaf: Sheaf) -> None:
    def published() -> set[str]:
        return {key["kid"] for key in requests.get(sheaf.url("/jwks"), timeout=10).json()["keys"]}

    before = published()
    sheaf.cli("keys", "rotate")
    alive = {key["kid"] for key in sheaf.cli("keys", "list") if key["use"] != "saml" and key["state"] != "gone"}
    assert before < alive  # the fresh next keys, which nobody has published yet
    sheaf.soon(lambda: published() == alive, "the fresh keys are published beside the others", seconds=1.5)


def test_doctor_finds_a_running_installation_in_order(sheaf_with_api: Sheaf) -> None:
    report = sheaf_with_api.cli("doctor")
    states = {finding["check"]: finding["state"] for finding in report["checks"]}
    assert (states["issuer"], states["companion API"]) == ("ok", "ok")


def test_the_companion_asks_about_tokens_with_the_client_that_idp_run_made(sheaf_with_api: Sheaf) -> None:
    sheaf = sheaf_with_api
    app = sheaf.add_client(grants=["client_credentials"], scopes=["documents.read"], audiences=["urn:sheaf:api"])
    form = {"grant_type": "client_credentials", "scope": "documents.read"}
    token = requests.post(sheaf.url("/token"), form, auth=(app.client_id, app.client_secret or ""), timeout=10).json()

    def status() -> int:
        header = {"Authorization": f"Bearer {token['access_token']}"}
        return requests.post(f"{sheaf.api_url}/documents/notes/query", json={}, headers=header, timeout=10).status_code

    assert status() == 200
    sheaf.cli("client", "remove", app.client_id)  # the token itself is good for ten minutes more
    sheaf.soon(lambda: status() == 401, "the companion has learned that the token is no longer good", seconds=6)


def test_explain_says_why_a_request_was_refused(sheaf: Sheaf) -> None:
    page = requests.get(sheaf.url("/authorize?client_id=nobody"), headers={"Accept": "text/html"}, timeout=10)
    assert page.status_code == 400
    code = re.search(r"\b[0-9A-HJKMNP-TV-Z]{8}\b", page.text)
    assert code, page.text
    assert sheaf.cli("explain", code.group())["door"] == "authorize"

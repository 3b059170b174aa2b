"""`idp run --tls`: HTTP/2 and TLS 1.2 clients, every page and token over https, and the two halves trusting each other."""

import json
import os
import re
import socket
import ssl
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
import requests

from tests.cli.test_certificate import write_pair
from tests.peers.features import Library, RefusalError
from tests.support.http_browser import PlainBrowser
from tests.support.ports import free_port
from tests.support.running import Running
from tests.support.sheaf import IDP, PASSWORD, QUICK, Person
from tests.support.totp import Authenticator
from tests.support.visitor import Visitor

CALLBACK = "https://app.example.org/callback"
pytestmark = pytest.mark.slow


class Installation:
    def __init__(self, folder: Path, *, fixed_issuer: str = "", **env: str) -> None:
        self.folder, self.data = folder, folder / "data"
        self.port, self.api_port = free_port(), free_port()
        self.env = {name: value for name, value in os.environ.items() if not name.startswith("IDP_")} | QUICK | env
        self.env |= {"IDP_SERVER__PORT": str(self.port), "IDP_API__PORT": str(self.api_port)}
        self.issuer = f"https://127.0.0.1:{self.port}"
        if fixed_issuer:
            self.issuer = self.env["IDP_ISSUER"] = f"{fixed_issuer}:{self.port}"
        words = [IDP, "run", "--tls", "--json", "--data", self.data]
        self.process = Running("idp", words, log=folder / "idp.log", env=self.env, cwd=folder)

    def start(self) -> dict[str, str]:
        self.process.start().wait_log('"setup_link"')
        said: dict[str, str] = json.loads(self.process.log_text().splitlines()[-1])
        return said

    def cli(self, *words: str, stdin: str = "") -> subprocess.CompletedProcess[str]:
        command = [IDP, *words, "--json", "--data", str(self.data)]
        return subprocess.run(
            command, input=stdin, env=self.env, cwd=self.folder, capture_output=True, text=True, check=False
        )

    @property
    def trust(self) -> str:
        return str(self.data / "secrets" / "tls.crt")


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Installation]:
    installation = Installation(tmp_path_factory.mktemp("tls"))
    try:
        said = installation.start()
        assert said["issuer"] == installation.issuer
        assert said["api"] == f"https://127.0.0.1:{installation.api_port}"
        assert said["certificate"] == installation.trust
        yield installation
    finally:
        installation.process.stop()


def shake_hands(
    installation: Installation, *, newest: ssl.TLSVersion | None = None, alpn: tuple[str, ...] = ()
) -> ssl.SSLSocket:
    context = ssl.create_default_context(cafile=installation.trust)
    if newest is not None:
        context.maximum_version = newest
    if alpn:
        context.set_alpn_protocols(list(alpn))
    plain = socket.create_connection(("127.0.0.1", installation.port), 5)
    try:
        return context.wrap_socket(plain, server_hostname="localhost")
    except ssl.SSLError:
        plain.close()
        raise


def test_http_2_is_spoken_with_who_can(running: Installation) -> None:
    with shake_hands(running, alpn=("h2", "http/1.1")) as modern, shake_hands(running, alpn=("http/1.1",)) as old:
        assert (modern.selected_alpn_protocol(), modern.version()) == ("h2", "TLSv1.3")
        assert old.selected_alpn_protocol() == "http/1.1"


def test_tls_1_2_is_enough_and_less_is_not(running: Installation) -> None:
    with shake_hands(running, newest=ssl.TLSVersion.TLSv1_2) as connection:
        assert connection.version() == "TLSv1.2"
    with pytest.raises(ssl.SSLError), pytest.warns(DeprecationWarning, match="TLSv1_1 is deprecated"):
        shake_hands(running, newest=ssl.TLSVersion.TLSv1_1)


def test_whoever_does_not_trust_the_certificate_gets_nowhere(running: Installation) -> None:
    with pytest.raises(requests.exceptions.SSLError):
        requests.get(f"{running.issuer}/healthz", timeout=10)


def test_people_sign_in_over_https_with_cookies_that_stay_there(running: Installation) -> None:
    link = re.findall(r"https://[^\"\s]+/setup/[^\"\s]+", running.process.log_text())[0]
    assert requests.get(link, verify=running.trust, timeout=10).status_code == 200
    page = requests.get(f"{running.issuer}/sign-in", verify=running.trust, timeout=10)
    assert page.status_code == 200
    assert "__Host-sheaf_browser" in page.cookies
    assert all(cookie.secure for cookie in page.cookies)


@pytest.mark.peer
def test_openid_client_signs_somebody_in_over_https(running: Installation) -> None:
    words = ("--email", "ada@example.org", "--totp", "--password-stdin")
    user = json.loads(running.cli("user", "add", "ada", *words, stdin=f"{PASSWORD}\n").stdout)
    app = json.loads(running.cli("client", "add", "--name", "App", "--redirect-uri", CALLBACK).stdout)
    ada = Person(user["id"], "ada", "ada@example.org", PASSWORD, Authenticator(user["totp_secret"]))
    asked = {"issuer": running.issuer, "client_id": app["client_id"]}
    auth = {"method": "client_secret_basic", "secret": app["client_secret"]}
    visitor = Visitor(PlainBrowser([CALLBACK]), ada, trust=running.trust)

    with Library(env={"NODE_EXTRA_CA_CERTS": running.trust}) as library:
        told = library.do("configure", **asked, auth=auth)["metadata"]
        params = {"redirect_uri": CALLBACK, "scope": "openid profile email"}
        came = visitor.visit(library.do("authorize", params=params)["url"], "allow")
        assert library.do("callback", **came)["claims"]["sub"] == ada.id
        assert library.do("userinfo")["userinfo"]["email"] == ada.email
    visitor.close()
    endpoints = {value for name, value in told.items() if name.endswith(("_endpoint", "_uri", "_iframe"))}
    assert len(endpoints) > 8
    assert all(url.startswith(running.issuer) for url in endpoints), endpoints
    with Library() as library, pytest.raises(RefusalError, match="fetch failed"):  # no trust, no sign-in
        library.do("configure", **asked, auth=auth)


def test_the_companion_takes_a_token_that_was_issued_over_https(running: Installation) -> None:
    """The companion asks for our keys and for the token's state: it must trust our own certificate for that."""
    words = ("client", "add", "--name", "Robot", "--grant", "client_credentials", "--scope", "documents.read")
    made = json.loads(running.cli(*words, "--audience", "urn:sheaf:api").stdout)
    pair = (made["client_id"], made["client_secret"])
    asked = {"grant_type": "client_credentials", "resource": "urn:sheaf:api"}
    answer = requests.post(f"{running.issuer}/token", data=asked, auth=pair, verify=running.trust, timeout=10)
    assert answer.status_code == 200, answer.text
    headers = {"Authorization": f"Bearer {answer.json()['access_token']}"}
    companion = f"https://127.0.0.1:{running.api_port}"
    asked = {"url": f"{companion}/documents/notes/query", "json": {}, "verify": running.trust, "timeout": 10}
    assert requests.post(**asked).status_code == 401
    assert requests.post(**asked, headers=headers).status_code == 200
    with pytest.raises(requests.exceptions.ConnectionError):  # no token ever travels in clear
        requests.get(f"http://127.0.0.1:{running.api_port}/healthz", timeout=10)


@pytest.mark.parametrize("version", ["--http2", "--http1.1"])
def test_forms_arrive_by_either_version(running: Installation, version: str) -> None:
    command = ["curl", "-sS", version, "--cacert", running.trust, f"{running.issuer}/token", "-d", "grant_type=none"]
    spoken = [*command, "-w", "\n%{http_version}"]
    body, used = subprocess.run(spoken, capture_output=True, text=True, check=True, timeout=20).stdout.rsplit("\n", 1)
    assert json.loads(body)["error"] == "invalid_client"
    assert used == version.removeprefix("--http")
    chunked = subprocess.run(
        [*command, "-H", "Transfer-Encoding: chunked"], capture_output=True, text=True, check=True, timeout=20
    )
    assert json.loads(chunked.stdout)["error"] == "invalid_client"


def test_the_doctor_reaches_both_halves_and_knows_the_certificate(running: Installation) -> None:
    running.env["IDP_SERVER__TLS"] = "true"
    report = json.loads(running.cli("doctor").stdout)
    states = {check["check"]: check["state"] for check in report["checks"]}
    assert (states["issuer"], states["companion API"], states["certificate"]) == ("ok", "ok", "ok"), report["checks"]


def test_a_given_certificate_is_served_and_the_companion_trusts_it(tmp_path: Path) -> None:
    given = write_pair(tmp_path, "localhost", days=40)
    env = {f"IDP_SERVER__{name.upper()}": value for name, value in given.items()}
    installation = Installation(tmp_path, **env, fixed_issuer="https://localhost")
    try:
        said = installation.start()
        assert said["issuer"] == installation.issuer
        assert "certificate" not in said
        answer = requests.get(f"{installation.issuer}/healthz", verify=given["tls_certificate"], timeout=10)
        assert answer.json() == {"status": "ok"}
        assert not (installation.data / "secrets" / "tls.key").exists()
    finally:
        installation.process.stop()


def test_a_wrong_key_is_named_and_nothing_starts(tmp_path: Path) -> None:
    given = write_pair(tmp_path, "localhost")
    Path(given["tls_key"]).unlink()
    env = {f"IDP_SERVER__{name.upper()}": value for name, value in given.items()}
    done = Installation(tmp_path, **env).cli("run", "--tls")
    assert done.returncode != 0
    assert "server.tls_key" in done.stderr
    assert "Traceback" not in done.stderr

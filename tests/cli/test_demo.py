"""The demo as somebody sees it who reads nothing but its landing page. What Sheaf itself does is tested elsewhere."""

import re
import signal
import socket
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.peers.simplesamlphp import through
from tests.support.http_browser import Page, PlainBrowser
from tests.support.ports import free_port
from tests.support.running import Running, listens

ROOT = Path(__file__).resolve().parents[2]
PARTS = ("port", "api-port", "corporate-port", "oidc-app-port", "saml-app-port", "landing-port")
pytestmark = pytest.mark.slow


class Demo:
    def __init__(self, folder: Path) -> None:
        self.ports = {part: free_port() for part in PARTS}
        options = [word for part, port in self.ports.items() for word in (f"--{part}", str(port))]
        command = [sys.executable, ROOT / "demo" / "run.py", *options, "--data", folder / "demo-data"]
        self.process = Running("demo", command, log=folder / "demo.log", cwd=folder)

    @property
    def landing(self) -> str:
        return f"http://127.0.0.1:{self.ports['landing-port']}/"

    def shown(self, browser: PlainBrowser, name: str) -> str:
        """What stands on the landing page, as a person would copy it."""
        found = re.search(rf'id="{name}"[^>]*>([^<]+)<', browser.open(self.landing).body)
        assert found, f"{name} is not on the landing page"
        return found.group(1).strip()

    def link(self, browser: PlainBrowser, text: str) -> Page:
        page = browser.open(self.landing)
        return browser.open(next(url for words, url in page.document.links if words == text))

    def sign_in(self, browser: PlainBrowser, page: Page, who: str) -> Page:
        """From Sheaf's sign-in page to the app, consent included."""
        page = page.submit(username=self.shown(browser, f"{who}-name"), password=self.shown(browser, f"{who}-password"))
        page = page.submit(code=self.shown(browser, f"{who}-code"))
        return page.submit("Allow") if "/consent" in page.url else page


@pytest.fixture(scope="module")
def demo(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Demo]:
    demo = Demo(tmp_path_factory.mktemp("demo"))
    with demo.process:
        demo.process.wait_http(demo.landing, seconds=60)
        yield demo


@pytest.fixture
def browser() -> Iterator[PlainBrowser]:
    with PlainBrowser() as browser:
        yield browser


def test_the_landing_page_alone_leads_into_both_apps(demo: Demo, browser: PlainBrowser) -> None:
    page = demo.link(browser, "Open the OIDC app").follow("Sign in with Sheaf")
    page = demo.sign_in(browser, page, "ada")
    assert page.url.startswith(f"http://127.0.0.1:{demo.ports['oidc-app-port']}/")
    assert "You are signed in as Ada Lovelace" in page.text
    assert '"urn:sheaf:api"' in page.body.replace("&#34;", '"')

    for button, path, status in (
        ("Store a document", "POST /documents/notes", "201"),
        ("Read it back", "GET /documents/notes/", "200"),
        ("Send a message", "/messages", "201"),
        ("Take the message", "/ack", "204"),
    ):
        page = page.submit(button)
        assert path in page.text, button
        assert status in page.text, button

    page = demo.link(browser, "Open the SAML app").follow("Sign in with Sheaf")
    page = page.submit()  # the browser's script posts the answer; here it is the button under it
    assert "You are signed in as ada@sheaf.example" in page.text
    assert "https://refeds.org/profile/mfa" in page.text


def test_a_login_at_the_upstream_that_is_linked_needs_a_code_of_sheaf_only(demo: Demo, browser: PlainBrowser) -> None:
    page = demo.link(browser, "Open the OIDC app").follow("Sign in with Sheaf")
    page = page.submit("Corporate login")
    assert page.url.startswith("http://localhost:")
    name, password = (demo.shown(browser, f"grace-{what}") for what in ("name", "password"))
    page = page.submit(username=name, password=password)
    page = page.submit(code=demo.shown(browser, "grace-code"))
    page = page.submit("Allow") if "/consent" in page.url else page
    assert "You are signed in as Grace Hopper" in page.text
    assert "Sign in with Sheaf" in page.submit("Sign out").text


def test_the_same_e_mail_at_the_upstream_joins_nothing_without_proof(demo: Demo, browser: PlainBrowser) -> None:
    page = demo.link(browser, "Open the OIDC app").follow("Sign in with Sheaf").submit("Corporate login")
    name, password = (demo.shown(browser, f"twin-{what}") for what in ("name", "password"))
    page = page.submit(username=name, password=password)
    assert "/flow/" in page.url
    assert "a…@sheaf.example" in page.text


def test_two_upstreams_that_may_vouch_for_an_address_open_the_same_account(demo: Demo, browser: PlainBrowser) -> None:
    name, password = (demo.shown(browser, f"lin-{what}") for what in ("name", "password"))
    page = demo.link(browser, "Open the OIDC app").follow("Sign in with Sheaf").submit("Corporate login")
    page = page.submit(username=name, password=password).submit(code=demo.shown(browser, "lin-code"))
    page = page.submit("Allow") if "/consent" in page.url else page
    assert "You are signed in as Lin Clark" in page.text

    account = f"http://127.0.0.1:{demo.ports['port']}/account"
    assert browser.open(account).text.count("lin@corporate.example") >= 2
    page = demo.link(browser, "account page").submit("Link Campus")
    page = through(page)  # signed in there already; the button is what the browser's script presses
    assert "Campus" in page.text, page.url
    assert "Unlink Campus" in browser.open(account).body


def test_the_passwords_are_not_shown_to_a_foreign_host_name(demo: Demo, browser: PlainBrowser) -> None:
    browser.session.headers["Host"] = "rebound.example"
    assert browser.open(demo.landing).status == 404


def test_ctrl_c_ends_every_part_and_a_second_run_has_other_passwords(tmp_path: Path, browser: PlainBrowser) -> None:
    demo = Demo(tmp_path)
    passwords = []
    for _ in range(2):
        with demo.process as process:
            process.wait_http(demo.landing, seconds=60)
            passwords.append(demo.shown(browser, "ada-password"))
            assert process.process is not None
            process.process.send_signal(signal.SIGINT)
            assert process.process.wait(30) == 0
            assert not [port for port in demo.ports.values() if listens(port)]
    assert passwords[0] != passwords[1]
    assert "Traceback" not in demo.process.log_text()


def test_a_folder_that_is_not_of_the_demo_is_not_cleared(tmp_path: Path) -> None:
    folder = tmp_path / "demo-data"
    folder.mkdir()
    (folder / "precious.txt").write_text("keep me")
    with Demo(tmp_path).process as process:
        assert process.process is not None
        assert process.process.wait(30) == 1
    assert (folder / "precious.txt").read_text() == "keep me"
    assert "is not a folder of the demo" in process.log_text()


def test_a_port_that_is_taken_is_named_before_anything_starts(tmp_path: Path) -> None:
    demo = Demo(tmp_path)
    with socket.socket() as other:
        other.bind(("127.0.0.1", demo.ports["port"]))
        other.listen(1)
        with demo.process as process:
            assert process.process is not None
            assert process.process.wait(30) == 1
    assert f"Port {demo.ports['port']} is taken" in process.log_text()
    assert not (tmp_path / "demo-data" / "sheaf").exists()

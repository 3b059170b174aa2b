"""Owns proofs that the tools of the tests themselves work: processes, ports, browsers, peers.

A journey that fails should fail for the product's reason, not for its tools'.
"""

import subprocess
import sys
import time
from pathlib import Path

import pyotp
import pytest
from pymongo import MongoClient

from tests.peers.oidc_provider import OidcProvider
from tests.support import needs
from tests.support.chromium import Windows
from tests.support.clock import FakeClock
from tests.support.html import parse
from tests.support.http_browser import PlainBrowser
from tests.support.ports import free_port
from tests.support.running import Running, listens
from tests.support.totp import Authenticator

FORM = """<!doctype html><title> A form </title><p>Hello <b>you</b></p><script>ignored()</script>
<form action="/go" method="post"><input type="hidden" name="csrf" value="x"><input name="who">
<input type="checkbox" name="agree" value="yes">
<select name="size"><option value="s"><option value="m" selected></select>
<textarea name="note">n</textarea><button name="answer" value="allow">Allow access</button><button>Deny</button></form>
<a href="/next">Go <i>on</i></a><noscript><p>No script</p></noscript>"""

SCRIPTED = """<!doctype html><html lang="en"><title>t</title><link rel="icon" href="data:,"><main><h1>Hi</h1>
<script>document.title = "scripted"</script></main>"""

NEEDY = """
from tests.support import needs

def test_needy():
    needs.must_have_everything = lambda: False
    needs.need(needs.Need("Oracle", ("no-such-program",), "the Debian package oracle"))
"""


def serve(folder: Path, port: int) -> Running:
    command = [sys.executable, "-m", "http.server", str(port), "--bind", "127.0.0.1", "--directory", str(folder)]
    return Running("file server", command, log=folder / "server.log")


def test_free_ports_are_below_the_range_of_outgoing_connections_and_never_repeat() -> None:
    ports = [free_port() for _ in range(50)]

    assert len(set(ports)) == 50
    assert all(18_000 <= port < 32_768 for port in ports)


def test_a_program_is_waited_for_and_ends_with_all_its_children(tmp_path: Path) -> None:
    port = free_port()

    with serve(tmp_path, port) as server:
        server.wait_http(f"http://127.0.0.1:{port}/")

    assert not server.alive
    assert not listens(port)


def test_a_program_that_ends_early_is_reported_with_its_own_words(tmp_path: Path) -> None:
    words = [sys.executable, "-c", "print('no such setting'); raise SystemExit(3)"]

    with Running("broken", words, log=tmp_path / "log") as broken, pytest.raises(AssertionError) as failure:
        broken.wait_port(free_port())

    assert "ended with 3" in str(failure.value)
    assert "no such setting" in str(failure.value)


def test_a_page_is_read_into_forms_links_and_visible_text() -> None:
    page = parse(FORM)

    assert page.title == "A form"
    assert page.text == "Hello you n Allow access Deny Go on No script"
    assert page.links == [("Go on", "/next")]
    form = page.forms[0]
    assert form.values == {"csrf": "x", "who": "", "size": "m", "note": "n"}
    assert form.names == {"csrf", "who", "agree", "size", "note"}
    allow = form.button("allow access")
    assert allow
    assert (allow.name, allow.value) == ("answer", "allow")


def test_a_phone_never_shows_a_server_the_same_step_twice() -> None:
    clock = FakeClock(1_800_000_010.0)
    phone = Authenticator(pyotp.random_base32(), clock)
    totp = pyotp.TOTP(phone.secret)

    codes = [phone.code() for _ in range(3)]

    assert codes == [totp.at(int(clock()) + offset) for offset in (-30, 0, 30)]
    assert phone.wrong_code() not in codes


def test_the_stand_in_for_mongodb_answers_a_real_driver(mongo_uri: str) -> None:
    client: MongoClient[dict[str, str]] = MongoClient(mongo_uri)
    with client:
        things = client["support"]["things"]
        things.insert_one({"_id": "a"})

        assert things.find_one({"_id": "a"}) == {"_id": "a"}
        client.drop_database("support")


def test_rabbitmq_takes_and_gives_a_message(rabbitmq_url: str) -> None:
    import pika

    connection = pika.BlockingConnection(pika.URLParameters(rabbitmq_url))
    channel = connection.channel()
    channel.queue_declare("support", auto_delete=True)
    channel.confirm_delivery()
    channel.basic_publish("", "support", b"hello")

    assert channel.basic_get("support", auto_ack=True)[2] == b"hello"
    connection.close()


def test_chromium_shows_a_page_with_and_without_javascript(windows: Windows, tmp_path: Path) -> None:
    (tmp_path / "index.html").write_text(SCRIPTED)
    port = free_port()

    with serve(tmp_path, port) as server:
        server.wait_http(url := f"http://127.0.0.1:{port}/index.html")
        scripted, plain = windows.open(url), windows.open(url, js=False, phone=True, dark=True)

        assert scripted.title() == "scripted"
        assert plain.title() == "t"
        assert windows.violations(scripted) == []
    assert windows.complaints == []


def test_the_upstream_signs_a_user_in_for_a_registered_client(oidc_upstream: OidcProvider) -> None:
    ada = oidc_upstream.add_user("ada", email="ada@example.org", email_verified=True, name="Ada")
    client = oidc_upstream.register("https://app.test/callback")
    challenge = "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM"
    url = (
        f"{oidc_upstream.issuer}/auth?client_id={client.client_id}&response_type=code&scope=openid+email&state=s&nonce=n"
        f"&redirect_uri=https://app.test/callback&code_challenge={challenge}&code_challenge_method=S256&login_hint=ada"
    )

    with PlainBrowser(["https://app.test/callback"]) as browser:
        back = oidc_upstream.sign_in(browser.open(url), ada)
        refused = browser.open(f"{url}&prompt=login").submit("Cancel")

    assert back.params["state"] == "s"
    assert back.params["code"]
    assert back.params["iss"] == oidc_upstream.issuer
    assert refused.params["error"] == "access_denied"


def test_waiting_has_an_end(tmp_path: Path) -> None:
    begun = time.monotonic()
    sleeper = Running("sleeper", [sys.executable, "-c", "import time; time.sleep(60)"], log=tmp_path / "log")

    with sleeper, pytest.raises(AssertionError, match=r"not within 0.3 s"):
        sleeper.wait_port(free_port(), seconds=0.3)

    assert time.monotonic() - begun < 15


def test_a_missing_program_fails_a_test_where_it_could_have_been_installed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CI", "true")

    with pytest.raises(pytest.fail.Exception, match="needs Oracle: install the Debian package oracle"):
        needs.need(needs.Need("Oracle", ("no-such-program",), "the Debian package oracle"))


def test_a_missing_program_is_named_at_the_end_with_the_tests_that_did_not_run(tmp_path: Path) -> None:
    (tmp_path / "test_needy.py").write_text(NEEDY)
    words = [
        sys.executable,
        "-m",
        "pytest",
        "-c",
        "/dev/null",
        "--rootdir",
        str(tmp_path),
        "-p",
        "tests.conftest",
        str(tmp_path),
    ]

    done = subprocess.run(words, capture_output=True, text=True, cwd=Path(__file__).parent.parent, check=False)

    closing = [line for line in done.stdout.splitlines() if line][-4:]
    assert "1 not run" in closing[0]
    assert closing[1] == "not run: needs Oracle: install the Debian package oracle"
    assert closing[2].strip().startswith("test_needy.py")
    assert "1 skipped" in closing[3]

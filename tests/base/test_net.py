"""Outbound requests: time, size and address limits, against real sockets."""

import socket
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from idp.base.net import NetPolicy, Unreachable, fetch, is_loopback_url

HERE = NetPolicy(allow_private=True, timeout=2.0, max_bytes=10_000)


class Handler(BaseHTTPRequestHandler):
    def do_GET(self):
        if self.path == "/slow":
            self.send_response(200)
            self.send_header("Content-Length", "100")
            self.end_headers()
            for _ in range(100):
                try:
                    self.wfile.write(b"x")
                    self.wfile.flush()
                except OSError:
                    return
                time.sleep(0.1)
            return
        if self.path == "/away":
            self.send_response(302)
            self.send_header("Location", "http://169.254.169.254/latest")
            self.send_header("Content-Length", "0")
            self.end_headers()
            return
        body = b"y" * (20_000 if self.path == "/big" else 10) + self.headers["Host"].encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *args):
        pass


@pytest.fixture(scope="module")
def base():
    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    server.server_close()


def test_an_answer_comes_with_status_headers_and_body(base):
    answer = fetch("GET", base + "/a?b=c", HERE)

    assert answer.status == 200
    assert answer.body.startswith(b"y" * 10 + b"127.0.0.1:")
    assert answer.headers["content-length"]


def test_a_name_keeps_its_host_header(base):
    answer = fetch("GET", base.replace("127.0.0.1", "localhost"), HERE)

    assert b"localhost:" in answer.body


def test_redirects_are_shown_not_followed(base):
    assert fetch("GET", base + "/away", HERE).status == 302


def test_private_addresses_are_refused_unless_allowed(base):
    with pytest.raises(Unreachable, match="private"):
        fetch("GET", base, NetPolicy(allow_private=False))


@pytest.mark.parametrize(
    "url",
    [
        "http://169.254.169.254/latest/meta-data",
        "http://[fe80::1]/",
        "http://0.0.0.0/",
        "http://[::ffff:169.254.169.254]/",
        "http://224.0.0.1/",
        "http://[fd00:ec2::254]/latest/meta-data",
        "http://100.100.100.200/latest/meta-data",
        "http://[2002:a9fe:a9fe::1]/",
        "http://[64:ff9b::a9fe:a9fe]/",
    ],
)
def test_cloud_metadata_and_other_special_addresses_are_always_refused(url):
    with pytest.raises(Unreachable, match="private"):
        fetch("GET", url, HERE)


@pytest.mark.parametrize(
    "url",
    [
        "http://[fec0::1]/",
        "http://[2002:7f00:1::1]/",
        "http://[2002:a00:1::1]/",
        "http://[fd00::1]/",
        "http://[::ffff:10.0.0.1]/",
        "http://[::127.0.0.1]/",
        "http://[2001:0:4136:e378:8000:63bf:3fff:fdd2]/",
        "http://100.64.0.1/",
        "http://2130706433/",
        "http://0x7f.1/",
    ],
)
def test_no_spelling_of_a_private_address_passes_for_a_public_one(url):
    with pytest.raises(Unreachable, match="private"):
        fetch("GET", url, NetPolicy(allow_private=False))


@pytest.mark.parametrize(
    "url",
    ["ftp://x/", "file:///etc/passwd", "http://", "http://u:p@h/", "http://h:99999/", "//h", "", "http://h/\r\nX: y"],
)
def test_only_plain_http_urls_are_fetched(url):
    with pytest.raises(Unreachable):
        fetch("GET", url, HERE)


def test_an_answer_that_drips_ends_at_the_deadline(base):
    began = time.monotonic()
    with pytest.raises(Unreachable):
        fetch("GET", base + "/slow", HERE)
    assert time.monotonic() - began < 8


def test_an_answer_that_is_too_large_is_refused(base):
    with pytest.raises(Unreachable, match="larger"):
        fetch("GET", base + "/big", HERE)


def test_a_closed_port_is_named_as_no_connection():
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    with pytest.raises(Unreachable, match="no connection"):
        fetch("GET", f"http://127.0.0.1:{port}/", HERE)


@pytest.mark.parametrize(
    ("url", "loopback"),
    [
        ("http://127.0.0.1:1", True),
        ("http://localhost", True),
        ("http://[::1]:5", True),
        ("https://x.example", False),
        ("http://127.0.0.1.example", False),
        ("http://[", False),
        ("http://[::1", False),
    ],
)
def test_loopback_is_told_apart(url, loopback):
    assert is_loopback_url(url) is loopback


@pytest.mark.parametrize("url", ["http://127.0.0.1:{}/", "http://[::1]:{}/"])
def test_both_loopback_addresses_follow_the_setting(url):
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    with pytest.raises(Unreachable, match="no connection"):
        fetch("GET", url.format(port), HERE)
    with pytest.raises(Unreachable, match="private"):
        fetch("GET", url.format(port), NetPolicy())

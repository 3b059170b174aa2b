"""Owns one Sheaf of the demo: its folder, its process, and what is set up in it through the command line.

Knows Sheaf from outside only: the `idp` command and HTTP.
"""

import json
import os
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

START_SECONDS = 60
STOP_SECONDS = 20
IDP = [sys.executable, "-P", "-m", "idp.cli.main"]


class DemoBroken(Exception):  # noqa: N818
    """The demo cannot go on; the text says why, for the person who started it."""


@dataclass
class Person:
    """Made for this run only."""

    username: str
    password: str = field(repr=False)
    totp_secret: str | None = field(repr=False, default=None)
    id: str = ""


class Installation:
    """words: the command that starts it, for example ("run",). issuer: where browsers find it."""

    def __init__(
        self, name: str, folder: Path, words: tuple[str, ...], issuer: str, settings: Mapping[str, str]
    ) -> None:
        self.name = name
        self.folder = folder
        self.words = words
        self.issuer = issuer
        kept = {key: value for key, value in os.environ.items() if not key.startswith("IDP_")}
        self.environment = {**kept, "IDP_DATA": str(folder), "IDP_ISSUER": issuer, **settings}
        self.process: subprocess.Popen[bytes] | None = None

    def cli(self, *words: str, stdin: str = "") -> Any:
        """What `idp WORDS --json` prints. Raises DemoBroken with its error."""
        done = subprocess.run(
            [*IDP, *words, "--json"],
            input=stdin,
            env=self.environment,
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
        if done.returncode:
            raise DemoBroken(f"`idp {' '.join(words[:2])}` failed for {self.name}: {done.stderr.strip()}")
        return json.loads(done.stdout)

    def add_person(
        self, username: str, name: str, email: str, password: str, *, totp: bool = False, admin: bool = False
    ) -> Person:
        words = ["user", "add", username, "--name", name, "--email", email, "--password-stdin"]
        made = self.cli(*words, *["--totp"] * totp, *["--admin"] * admin, stdin=f"{password}\n")
        return Person(username, password, made["totp_secret"], made["id"])

    def start(self) -> None:
        self.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        with (self.folder.parent / f"{self.folder.name}.log").open("ab") as log:
            self.process = subprocess.Popen(
                [*IDP, *self.words],
                env=self.environment,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
            )

    def wait(self, *urls: str) -> None:
        """Until all of these answer. Raises DemoBroken."""
        deadline = time.monotonic() + START_SECONDS
        for url in urls:
            while not _answers(url):
                if self.process is None or self.process.poll() is not None or time.monotonic() > deadline:
                    log = self.folder.parent / f"{self.folder.name}.log"
                    last = log.read_text(errors="replace").strip().splitlines()[-3:]
                    raise DemoBroken(f"{self.name} did not start. The end of {log}:\n" + "\n".join(last))
                time.sleep(0.05)

    @property
    def alive(self) -> bool:
        return self.process is not None and self.process.poll() is None

    def stop(self) -> None:
        if self.process is None:
            return
        if self.process.poll() is None:
            self.process.terminate()
        try:
            self.process.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()


def _answers(url: str) -> bool:
    try:
        with urllib.request.build_opener(urllib.request.ProxyHandler({})).open(url, timeout=2) as answer:
            return bool(answer.status == 200)
    except (urllib.error.URLError, OSError):
        return False

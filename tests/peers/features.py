"""Owns the apps on npm libraries that tests drive by commands: js/features.mjs (openid-client, every feature), js/webapi.mjs
(oauth4webapi, the low level), js/logout.mjs (receives logout tokens, with jose).

Unlike relying_parties.py nothing of it takes browsers in: the test's own browser brings the answers back.
"""

import json
import os
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Self

from tests.support.needs import NODE, need
from tests.support.sheaf import Sheaf

JS = Path(__file__).parent / "js"


class RefusalError(Exception):
    """The library gave up. error: the OAuth error code, when there was one."""

    def __init__(self, said: dict[str, Any]) -> None:
        super().__init__(json.dumps(said))
        self.said = said
        self.error = said.get("error")


class Library:
    """`with Library() as app: app.do("configure", issuer=…)` gives what the command gives. Raises RefusalError.

    env: further environment, for example {"NODE_EXTRA_CA_CERTS": file}. command: another program than that script, which
    talks in the same way.
    """

    def __init__(
        self, script: str = "features.mjs", env: Mapping[str, str] | None = None, command: Sequence[str] = ()
    ) -> None:
        self.script = script
        self.command = list(command)
        self.env = {**os.environ, **(env or {})}

    def __enter__(self) -> Self:
        words = self.command or [need(NODE), "--no-warnings", str(JS / self.script)]
        self.process = subprocess.Popen(words, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=self.env)
        return self

    def __exit__(self, *_: object) -> None:
        assert self.process.stdin
        assert self.process.stdout
        self.process.stdin.close()
        try:
            self.process.wait(timeout=10)
        except subprocess.TimeoutExpired:  # it still waits for something that did not come
            self.process.kill()
            self.process.wait()
        self.process.stdout.close()

    def do(self, name: str, **asked: Any) -> Any:
        assert self.process.stdin
        assert self.process.stdout
        self.process.stdin.write(json.dumps({"do": name, **asked}) + "\n")
        self.process.stdin.flush()
        line = self.process.stdout.readline()
        assert line, f"{self.command or self.script} ended during {name}"
        answer = json.loads(line)
        if "error" in answer:
            raise RefusalError(answer["error"])
        return answer["ok"]


def add_app(
    sheaf: Sheaf, redirect_uri: str = "", *, public_keys: list[dict[str, Any]] | None = None, **settings: str
) -> dict[str, Any]:
    """A client that needs no consent, with its id and secret. Settings are fields of Client."""
    chosen = {"consent": "skip", "redirect_uris": redirect_uri, **settings}
    words = [word for name, value in chosen.items() for word in ("--set", f"{name}={value}")]
    if public_keys:
        words += ["--set", f"jwks={json.dumps({'keys': public_keys})}"]
    made: dict[str, Any] = sheaf.cli("client", "add", "--name", "Every feature", *words)
    return made

"""Owns the relying party of js/features.mjs: npm openid-client with every feature, driven by commands.

Unlike relying_parties.py nothing listens: the test's own browser brings the answers back.
"""

import json
import subprocess
from pathlib import Path
from typing import Any, Self

from tests.support.needs import NODE, need

SCRIPT = Path(__file__).parent / "js" / "features.mjs"


class RefusalError(Exception):
    """The library gave up. error: the OAuth error code, when there was one."""

    def __init__(self, said: dict[str, Any]) -> None:
        super().__init__(json.dumps(said))
        self.said = said
        self.error = said.get("error")


class Library:
    """`with Library() as app: app.do("configure", issuer=…)` gives what the command gives. Raises RefusalError."""

    def __enter__(self) -> Self:
        self.process = subprocess.Popen(
            [need(NODE), "--no-warnings", str(SCRIPT)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
        return self

    def __exit__(self, *_: object) -> None:
        assert self.process.stdin
        assert self.process.stdout
        self.process.stdin.close()
        self.process.wait(timeout=10)
        self.process.stdout.close()

    def do(self, name: str, **asked: Any) -> Any:
        assert self.process.stdin
        assert self.process.stdout
        self.process.stdin.write(json.dumps({"do": name, **asked}) + "\n")
        self.process.stdin.flush()
        line = self.process.stdout.readline()
        assert line, f"openid-client ended during {name}"
        answer = json.loads(line)
        if "error" in answer:
            raise RefusalError(answer["error"])
        return answer["ok"]

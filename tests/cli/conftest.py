"""Owns a shell for tests of the command line: the installed `idp` on a data folder of its own, nothing running."""

import json
import os
import subprocess
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from tests.support import warm
from tests.support.sheaf import IDP, QUICK


class Shell:
    """`shell("user", "list")` runs `idp user list` as a person would; `shell.json(...)` gives what --json prints."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.data = folder / "data"
        self.env = {name: value for name, value in os.environ.items() if not name.startswith("IDP_")} | QUICK

    def __call__(
        self, *words: str | Path, stdin: str = "", env: Mapping[str, str] | None = None, data: bool = True
    ) -> subprocess.CompletedProcess[str]:
        command = [IDP, *map(str, words), *(["--data", str(self.data)] if data else [])]
        return warm.run(command, stdin=stdin, env={**self.env, **(env or {})}, cwd=self.folder)

    def json(self, *words: str | Path, stdin: str = "", env: Mapping[str, str] | None = None) -> Any:
        done = self(*words, "--json", stdin=stdin, env=env)
        assert done.returncode == 0, done.stderr
        return json.loads(done.stdout)

    def refused(self, *words: str | Path, stdin: str = "", env: Mapping[str, str] | None = None) -> tuple[int, str]:
        """Exit code and the one line of an error: nothing on standard output, no stack trace."""
        done = self(*words, stdin=stdin, env=env)
        assert done.returncode != 0, done.stdout
        assert done.stdout == ""
        assert "Traceback" not in done.stderr
        lines = done.stderr.strip().splitlines()
        assert len(lines) == 1, lines
        assert lines[0].startswith("error: ")
        return done.returncode, lines[0].removeprefix("error: ")


@pytest.fixture
def shell(tmp_path: Path) -> Shell:
    return Shell(tmp_path)

"""Owns registering several service providers at once, and other commands in a row: by the
command line, but in one process, for starting it takes longest."""

import json
import subprocess
import sys
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

from tests.support.sheaf import Sheaf

COMMANDS = """
import json, sys
from idp.cli.main import cli
for words in json.load(sys.stdin):
    cli.main(words, standalone_mode=False)
"""


def add_sps(sheaf: Sheaf, wanted: Mapping[Path, Mapping[str, str]]) -> None:
    """Each file of metadata with its settings, as Sheaf.add_sp does for one."""
    run_all(
        sheaf,
        [
            ["sp", "add", str(file), *(word for key, value in settings.items() for word in ("--set", f"{key}={value}"))]
            for file, settings in wanted.items()
        ],
    )


def run_all(sheaf: Sheaf, commands: Iterable[Sequence[str]]) -> None:
    """`idp …` commands, one after the other, in one process."""
    done = subprocess.run(
        [sys.executable, "-c", COMMANDS],
        input=json.dumps([[*words, "--data", str(sheaf.data), "--json"] for words in commands]),
        env=sheaf.env,
        cwd=sheaf.folder,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, f"{done.stderr}{done.stdout}"

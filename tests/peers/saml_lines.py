"""Owns how tests talk to the Python programs here: a command as a JSON line on stdin, its answer as one on stdout.

What went wrong is an answer, too. The same as js/lines.mjs; standard library only, for it runs in other environments.
"""

import json
import sys
from collections.abc import Callable, Mapping
from typing import Any


def serve(commands: Mapping[str, Callable[..., Any]]) -> None:
    out, sys.stdout = sys.stdout, sys.stderr  # a library that prints must not be taken for an answer
    for line in sys.stdin:
        asked = json.loads(line)
        try:
            answer = {"ok": commands[asked.pop("do")](**asked) or {}}
        except Exception as error:
            answer = {"error": {"message": f"{type(error).__name__}: {error}"}}
        out.write(json.dumps(answer) + "\n")
        out.flush()

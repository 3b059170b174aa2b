"""What a form about a service provider does, as a command line. Pure; API calls are those of as_words.

Leaves what the commands mean to idp.services.sp_settings, which must understand everything that is said here (a test reads it
with that).
"""

import shlex
from collections.abc import Iterable, Mapping
from typing import Any

from idp.services.sp_settings import as_texts


def command(words: Iterable[str], fields: Mapping[str, Any]) -> str:
    """`idp sp …` with these settings."""
    lines = [_joined(["idp", "sp", *words])]
    lines += [_joined(["--set", f"{name}={text}"]) for name, text in as_texts(fields)]
    return " \\\n  ".join(lines)


def _joined(words: Iterable[str]) -> str:
    return " ".join(shlex.quote(word) for word in words)

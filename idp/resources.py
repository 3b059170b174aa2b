"""Where templates/ and static/ are: in a checkout beside the package, in a wheel inside it. And the text catalogue in them."""

import tomllib
from collections.abc import Mapping
from functools import cache
from pathlib import Path

_PACKAGE = Path(__file__).resolve().parent


def resource_dir(name: str) -> Path:
    """`templates` or `static`."""
    shipped = _PACKAGE / "_resources" / name
    return shipped if shipped.is_dir() else _PACKAGE.parent / name


@cache
def catalogue(code: str) -> Mapping[str, str]:
    """Of a language, flat: `page.title` -> sentence."""
    tree = tomllib.loads((resource_dir("templates") / "text" / f"{code}.toml").read_text(encoding="utf-8"))
    return {f"{section}.{name}": sentence for section, group in tree.items() for name, sentence in group.items()}

"""What every command shares: --config, --data, --json, opening the installation, and how results are printed.

Leaves turning errors into one line to idp.cli.main. Heavy imports happen inside the functions: `idp --help` must be quick.
"""

import json
import os
import re
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, TypeVar

import click

if TYPE_CHECKING:
    from idp.base.config import Settings
    from idp.http.parts import Parts

Shown = Mapping[str, Any]
Decorated = TypeVar("Decorated", bound=Callable[..., Any])
ACTOR = "cli"  # who did it, in the audit
_DASHED_ID = re.compile(r"-[A-Za-z0-9_-]{42}")


@dataclass
class Shared:
    """What was given anywhere on the command line, before or after the name of the command."""

    config: str | None = None
    data: str | None = None
    json: bool = False
    overrides: dict[str, Any] = field(default_factory=dict)

    def settings(self) -> "Settings":
        """Raises Misconfigured."""
        from idp.base import config

        return config.load(self.config, {"data": self.data, **self.overrides})

    def environment(self) -> dict[str, str]:
        """The same choices for child processes."""
        given = {
            "IDP_CONFIG": self.config and os.path.abspath(self.config),
            "IDP_DATA": self.data and os.path.abspath(self.data),
        }
        given |= {"IDP_" + name.replace(".", "__").upper(): value for name, value in self.overrides.items()}
        return {**os.environ, **{name: str(value) for name, value in given.items() if value is not None}}


def shared() -> Shared:
    found: Shared = click.get_current_context().find_root().ensure_object(Shared)
    return found


def _keep(context: click.Context, option: click.Parameter, value: object) -> None:
    if value:
        setattr(context.find_root().ensure_object(Shared), option.name or "", value)


def common_options() -> list[click.Parameter]:
    """--config, --data and --json, for every command and group."""
    return [
        click.Option(
            ["--config"], metavar="FILE", expose_value=False, callback=_keep, help="YAML file with the settings."
        ),
        click.Option(
            ["--data"], metavar="FOLDER", expose_value=False, callback=_keep, help="Data folder (store, keys, secrets)."
        ),
        click.Option(["--json"], is_flag=True, expose_value=False, callback=_keep, help="Print JSON, also for errors."),
    ]


class Command(click.Command):
    """A command that also takes the common options."""

    def __init__(self, *args: Any, **more: Any) -> None:
        super().__init__(*args, **more)
        self.params = [*self.params, *common_options()]

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Ids of keys are random and may begin with a dash: no option of ours is that long."""
        options = [one for one in self.params if isinstance(one, click.Option)]
        flags = {name for one in options if one.is_flag for name in one.opts}
        ids = [
            arg
            for before, arg in zip(["", *args], args, strict=False)
            if _DASHED_ID.fullmatch(arg) and (not before.startswith("-") or before in flags)
        ]
        if ids and "--" not in args:
            args = [*(arg for arg in args if arg not in ids), "--", *ids]
        return super().parse_args(ctx, args)


class Group(click.Group):
    """A group of such commands; lists them in the order in which they were declared."""

    command_class = Command

    def __init__(self, *args: Any, **more: Any) -> None:
        super().__init__(*args, **more)
        self.params = [*self.params, *common_options()]

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(self.commands)


Group.group_class = Group


def group(name: str) -> Callable[[Callable[..., Any]], Group]:
    return click.group(name, cls=Group)


def options(*decorators: Callable[[Any], Any]) -> Callable[[Decorated], Decorated]:
    """Several click options as one decorator, in reading order."""

    def apply(function: Decorated) -> Decorated:
        for decorator in reversed(decorators):
            function = decorator(function)
        return function

    return apply


# ---------------------------------------------------------------------- the installation


@contextmanager
def installation() -> Iterator["Parts"]:
    """Every service, on the store of a stopped or running installation. Raises Misconfigured, StoreUnavailable."""
    from idp.assemble import build_parts
    from idp.base import log
    from idp.services.installation import check_production

    settings = shared().settings()
    log.set_up("WARNING")
    check_production(settings)
    if sys.stderr.isatty() and not settings.data_dir.exists():
        note(f"There was no data folder here; making {settings.data_dir.resolve()}")
    parts = build_parts(settings)
    try:
        yield parts
    finally:
        parts.repo.close()


def read_stdin_line(what: str) -> str:
    """One line of standard input, without its end; at a terminal it is asked for, unseen. Raises UsageError when it is empty."""
    if sys.stdin.isatty():
        return str(click.prompt(what.capitalize(), hide_input=True, confirmation_prompt=True, err=True))
    line = sys.stdin.readline().rstrip("\r\n")
    if not line:
        raise click.UsageError(f"There is no {what} on standard input.")
    return line


# ---------------------------------------------------------------------- printing


def show(result: Shown | Sequence[Shown], text: str | None = None) -> None:
    """JSON when asked for, else `text`, else a table (many) or `name: value` lines (one)."""
    if shared().json:
        click.echo(json.dumps(result, ensure_ascii=False, default=str))
    elif text is not None:
        click.echo(text)
    elif isinstance(result, Mapping):
        click.echo(_lines(result))
    else:
        click.echo(_table(result))


def note(text: str) -> None:
    """A word for people that is no part of the result."""
    click.echo(text, err=True)


def when(seconds: float | None) -> str | None:
    """Epoch seconds as ISO 8601 in UTC."""
    return None if seconds is None else datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def _cell(value: object) -> str:
    if value is None or value == "":
        return "-"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, Mapping):
        return ", ".join(f"{key}={_cell(one)}" for key, one in value.items()) or "-"
    if isinstance(value, Iterable) and not isinstance(value, str):
        return ", ".join(_cell(one) for one in value) or "-"
    return printable(str(value))


def printable(text: str) -> str:
    """Foreign text must not steer the terminal."""
    return "".join(c if c.isprintable() else "\N{REPLACEMENT CHARACTER}" for c in text)


def _lines(result: Shown) -> str:
    width = max((len(name) for name in result), default=0) + 1
    rows = []
    for name, value in result.items():
        many = isinstance(value, Sequence) and not isinstance(value, str) and len(value) > 1
        cells = [_cell(one) for one in value] if many else [_cell(value)]
        rows += [f"{(name + ':') if not n else '':<{width}} {cell}" for n, cell in enumerate(cells)]
    return "\n".join(rows)


def _table(results: Sequence[Shown]) -> str:
    if not results:
        return "(none)"
    names = list(results[0])
    cells = [[name.replace("_", " ") for name in names], *([_cell(row[name]) for name in names] for row in results)]
    widths = [max(len(row[n]) for row in cells) for n in range(len(names))]
    return "\n".join(
        "  ".join(f"{cell:<{width}}" for cell, width in zip(row, widths, strict=True)).rstrip() for row in cells
    )

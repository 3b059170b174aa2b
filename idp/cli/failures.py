"""What an exception means for the person at the shell: exit code, stable name, one line with its cure."""

import json
from dataclasses import dataclass

import click


@dataclass(frozen=True, slots=True)
class Failure:
    """exit: 1 refused or broken, 2 wrong use or wrong settings. error: stable machine name. message: one line."""

    exit: int
    error: str
    message: str


def explained(error: BaseException) -> Failure:
    if isinstance(error, click.exceptions.Abort):
        return Failure(1, "aborted", "Stopped.")
    if isinstance(error, click.ClickException):
        return Failure(2, "usage", _usage(error))
    return _ours(error) or _system(error)


def say(failure: Failure, *, as_json: bool = False) -> None:
    """On standard error; standard output holds results only."""
    message = " ".join(failure.message.split())
    if as_json:
        click.echo(json.dumps({"error": failure.error, "message": message}, ensure_ascii=False), err=True)
    else:
        click.echo(f"error: {message}", err=True)


def _usage(error: click.ClickException) -> str:
    context = getattr(error, "ctx", None)
    hint = f" Try: {context.command_path} --help" if context else ""
    return error.format_message().rstrip(".") + "." + hint


def _ours(error: BaseException) -> Failure | None:
    from idp.base.errors import Misconfigured, Refused
    from idp.ports import Duplicate, StoreUnavailable

    if isinstance(error, Misconfigured):
        return Failure(2, "misconfigured", str(error))
    if isinstance(error, Refused):
        return Failure(1, error.code, error.message)
    if isinstance(error, StoreUnavailable):
        return Failure(1, "store_unavailable", f"The store does not answer ({error}). Check store.url, then try again.")
    if isinstance(error, Duplicate):
        return Failure(1, "taken", f"{error}. Choose another value.")
    return None


def _system(error: BaseException) -> Failure:
    if isinstance(error, OSError):
        where = f"{error.filename}: " if error.filename else ""
        return Failure(1, "system", f"{where}{error.strerror or error}. Check the path and its permissions.")
    if type(error).__name__ == "SealBroken":
        return Failure(
            1,
            "seal_broken",
            f"A stored secret does not open: {error}. Restore the seal key that belongs to this store.",
        )
    # The text of an unknown exception may hold anything, a secret too: only its kind is shown.
    return Failure(
        1, "fault", f"Something broke inside ({type(error).__name__}). Set IDP_DEBUG=1 to see where, and report it."
    )

"""The data folder: makes it and the secrets in it at first start, private to the owner (0700 and 0600)."""

import base64
import contextlib
import os
import secrets
from pathlib import Path

from idp.base.errors import Misconfigured


def ensure_folder(path: Path) -> Path:
    """The folder with mode 0700. Raises Misconfigured when it cannot be made or others may look into it."""
    try:
        path.mkdir(mode=0o700, parents=True, exist_ok=True)
        if path.stat().st_mode & 0o077:
            path.chmod(0o700)
    except OSError as error:
        raise Misconfigured(
            "data", f"The folder {path} cannot be used ({error.strerror}).", "Choose another with --data."
        ) from None
    return path


def ensure_secret(path: Path, fresh: bytes | None = None) -> bytes:
    """The secret in `path` (base64), made once; several processes that start together agree on one.

    fresh: what a new one shall be; without it 32 random bytes."""
    ensure_folder(path.parent)
    if not path.exists():
        write_new(path, base64.b64encode(fresh or secrets.token_bytes(32)) + b"\n")
    return read_secret(path)


def read_secret(path: Path, setting: str = "") -> bytes:
    """setting: what named the file, for the message. Raises Misconfigured when it is missing or not base64."""
    try:
        return base64.b64decode(path.read_bytes().strip(), validate=True)
    except OSError as error:
        raise Misconfigured(
            setting or str(path), f"The secret in {path} cannot be read ({error.strerror}).", "Give a readable file."
        ) from None
    except ValueError:
        raise Misconfigured(
            setting or str(path), f"The file {path} does not hold base64.", "Restore it from your backup."
        ) from None


def write_new(path: Path, content: bytes) -> None:
    # A whole file appears under its name at once, and never over an existing one.
    draft = path.with_name(f".{path.name}.{os.getpid()}.{secrets.token_hex(4)}")
    handle = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        with contextlib.suppress(FileExistsError):  # another process was first: its secret counts
            os.link(draft, path)
    finally:
        draft.unlink()

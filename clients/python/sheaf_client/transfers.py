"""Owns what files need on their way, the same for both clients: headers of an upload, checks of a download.

The bytes pass in parts: no whole file is held. Sending is left to client.py.
"""

import base64
import hashlib
import io
import os
from collections.abc import Iterator
from typing import BinaryIO
from urllib.parse import quote

import httpx

from sheaf_client.problems import NoAnswer, Problem

PART_BYTES = 262_144


class Upload:
    """content: bytes, or a binary file that can be read twice: first for its checksum, which the companion compares."""

    def __init__(
        self, content: bytes | BinaryIO, name: str | None, type: str | None, version: int | None, key: str | None
    ) -> None:
        self._file = io.BytesIO(content) if isinstance(content, bytes) else content
        self._start = self._file.tell()
        digest = hashlib.sha256()
        for part in self.parts():
            digest.update(part)
        self.safe = key is not None
        self.headers = {
            "Content-Length": str(self._file.tell() - self._start),
            "Content-Type": type or "application/octet-stream",
            "Repr-Digest": f"sha-256=:{base64.b64encode(digest.digest()).decode()}:",
        }
        name = name or os.path.basename(str(getattr(self._file, "name", "")))
        if name:
            self.headers["Content-Disposition"] = f"attachment; filename*=UTF-8''{quote(name, safe='')}"
        if version is not None:
            self.headers["If-Match"] = f'"{version}"'
        if key is not None:
            self.headers["Idempotency-Key"] = key

    def parts(self) -> Iterator[bytes]:
        self._file.seek(self._start)
        while part := self._file.read(PART_BYTES):
            yield part


class Download:
    """into: a binary file to write to. A download that breaks goes on where it was, if the file is still the same."""

    def __init__(self, into: BinaryIO) -> None:
        self._into = into
        self._digest = hashlib.sha256()
        self._have = 0
        self._etag = ""

    def headers(self) -> dict[str, str]:
        return {"Range": f"bytes={self._have}-", "If-Range": self._etag} if self._have else {}

    def begins(self, response: httpx.Response) -> None:
        """Raises Problem when what follows is of another content."""
        if self._have and response.status_code != 206:
            said = "The file got another content while it was read. Read it anew."
            raise Problem({"code": "file_changed", "detail": said}, 409)
        self._etag = response.headers.get("etag", "")

    def write(self, part: bytes) -> None:
        self._into.write(part)
        self._digest.update(part)
        self._have += len(part)

    def check(self, response: httpx.Response) -> None:
        """Raises NoAnswer when what was written is not what the companion has."""
        if response.headers.get("repr-digest") != f"sha-256=:{base64.b64encode(self._digest.digest()).decode()}:":
            raise NoAnswer("files.download: what arrived has another checksum")


def path_of(collection: str, id: str | None = None) -> str:
    return f"/files/{quote(collection, safe='')}" + (f"/{quote(id, safe='')}" if id is not None else "")

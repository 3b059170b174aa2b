"""Owns the commands on files. Over REST their bytes are streamed (transports/rest_files.py); in a request of JSON they are base64."""

import re
from typing import Annotated, Any, Final, Literal

from pydantic import AfterValidator, Field

from idp.api.commands.common import CollectionName, DocumentAcl, Effect, Id, Message, Nothing, Operation, Version
from idp.api.commands.documents import AclReply, DocumentStamp
from idp.base import claims

MAX_PART_BYTES: Final = 524_288  # with base64 and the rest it fits into one request, and one frame
_WORD: Final = "[A-Za-z0-9_.+-]{1,100}"
MEDIA_TYPE: Final = f"{_WORD}/{_WORD}(; ?{_WORD}={_WORD}){{0,3}}"


def _file_name(value: str) -> str:
    if not value.isprintable() or re.search(r"[/\\]", value) or value in (".", ".."):
        raise ValueError("must be printable, and be no path")
    return value


FileName = Annotated[str, Field(min_length=1, max_length=255), AfterValidator(_file_name)]
MediaType = Annotated[str, Field(pattern=f"^{MEDIA_TYPE}$")]
Sha256 = Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]
Base64 = Annotated[str, Field(max_length=-(-MAX_PART_BYTES // 3) * 4)]


class GetFile(Message):
    collection: CollectionName
    id: Id


class NewFile(Effect):
    """What is said of a file beside its bytes. sha256: what they must have, in hex; else nothing is stored."""

    collection: CollectionName
    name: FileName = "unnamed"
    type: MediaType = "application/octet-stream"
    sha256: Sha256 | None = None


class NewContent(NewFile):
    """The same for a file that is there already and gets another content."""

    id: Id
    version: Version | None = None


class UploadFile(NewFile):
    content: Base64


class ReplaceFile(NewContent):
    content: Base64


class DownloadFile(GetFile):
    """A part of the content: `length` bytes from `start` on, or up to the end."""

    start: int = Field(0, ge=0)
    length: int = Field(MAX_PART_BYTES, ge=1, le=MAX_PART_BYTES)


class QueryFiles(Message):
    """Fields: name, type, size, sha256, and the system fields of documents."""

    collection: CollectionName
    filter: dict[str, Any] = Field({})
    sort: dict[str, Literal[1, -1]] = Field({})
    limit: int = Field(100, ge=1, le=1000)
    cursor: str | None = Field(None, max_length=1000)


class DeleteFile(GetFile, Effect):
    version: Version | None = None


class GetFileAcl(GetFile): ...


class SetFileAcl(GetFile, Effect):
    acl: DocumentAcl | None
    version: Version | None = None


class FileReply(DocumentStamp):
    name: str
    type: str
    size: int
    sha256: str


class FilePart(FileReply):
    start: int
    content: str


class FilePage(Message):
    """cursor: null on the last page."""

    files: list[FileReply]
    cursor: str | None


READ, WRITE = claims.DOCUMENTS_READ, claims.DOCUMENTS_WRITE
OPERATIONS: Final = (
    Operation("files.upload", UploadFile, FileReply, WRITE, "Store a file"),
    Operation("files.replace", ReplaceFile, FileReply, WRITE, "Exchange the content of a file"),
    Operation("files.download", DownloadFile, FilePart, READ, "Read the content of a file, or a part of it"),
    Operation("files.get", GetFile, FileReply, READ, "Read what is known of a file"),
    Operation("files.query", QueryFiles, FilePage, READ, "Find files"),
    Operation("files.delete", DeleteFile, Nothing, WRITE, "Delete a file"),
    Operation("files.get_acl", GetFileAcl, AclReply, READ, "Read who may do what with a file"),
    Operation("files.set_acl", SetFileAcl, AclReply, WRITE, "Change who may do what with a file"),
)

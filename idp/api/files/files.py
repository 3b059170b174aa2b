"""Owns what callers do with files: upload, download, find, delete, under the rights of documents.

What is known of a file is a document in a collection of the system, `files.` and the name of the client's collection, so rights,
queries, versions and "once" are those of documents/. Its bytes are a content of the FileStore, stored before the document
names them and deleted after: what is cut off in between is an orphan, which nobody can reach and `sweep` deletes.
"""

import base64
import hashlib
import threading
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import replace
from typing import Any, Final, TypeVar, cast

from idp.api.caller import Caller
from idp.api.commands import documents as of_documents
from idp.api.commands import files as commands
from idp.api.commands.common import Message, Nothing
from idp.api.document_store.contract import Document, DocumentStore, Write
from idp.api.documents import history
from idp.api.documents.collections import FILES, Collection, Collections
from idp.api.documents.drafts import Drafts, Pen
from idp.api.documents.reading import Reading
from idp.api.documents.rights import permitted, stamp
from idp.api.documents.writing import Writing
from idp.api.files.contract import CHUNK_BYTES, Content, FileStore
from idp.api.once import Once
from idp.api.problems import bad_request
from idp.api.times import timestamp
from idp.base import ids
from idp.base.clock import Clock
from idp.base.errors import Refused

UPLOAD_SECONDS: Final = 6 * 3600.0
ORPHAN_SECONDS: Final = (
    24 * 3600.0
)  # far longer than an upload may take: no content is swept before its document is there
SWEPT_AT_ONCE: Final = 500
UPLOADS_AT_ONCE: Final = 8  # of one caller in a process: each has a thread for as long as it takes

M = TypeVar("M", bound=Message)
Asking = Callable[[], Caller]  # who is asking, and what the token is worth, at the moment of the call


class Files:
    def __init__(
        self, contents: FileStore, store: DocumentStore, once: Once, collections: Collections, drafts: Drafts,
        reading: Reading, writing: Writing, clock: Clock, max_bytes: int,
    ) -> None:  # fmt: skip
        self._contents = contents
        self._store = store
        self._once = once
        self._collections = collections
        self._drafts = drafts
        self._reading = reading
        self._writing = writing
        self._clock = clock
        self.max_bytes = max_bytes
        self._swept = ""
        self._uploading: Counter[str] = Counter()
        self._lock = threading.Lock()

    # --- content ---------------------------------------------------------------------------------------------------

    def upload(self, caller: Caller, asked: commands.UploadFile) -> commands.FileReply:
        head = commands.NewFile.model_construct(**_given(asked, "content"))
        return self.receive(lambda: caller, head, [_decoded(asked.content)])

    def replace(self, caller: Caller, asked: commands.ReplaceFile) -> commands.FileReply:
        head = commands.NewContent.model_construct(**_given(asked, "content"))
        return self.receive(lambda: caller, head, [_decoded(asked.content)])

    def receive(self, asking: Asking, head: commands.NewFile, parts: Iterable[bytes]) -> commands.FileReply:
        """Rights before the first byte is read, and again when all are stored. Whatever goes wrong, nothing is left of it."""
        now, first = self._clock(), asking()
        self._check_may_receive(first, head, now)
        with self._one_of_few(first.name):
            return self._received(asking, head, parts, now)

    def _received(
        self, asking: Asking, head: commands.NewFile, parts: Iterable[bytes], now: float
    ) -> commands.FileReply:
        id = head.id if isinstance(head, commands.NewContent) else ids.ordered_id("file", now)
        content = Content(ids.ordered_id("content", now), FILES + head.collection, id, now)
        self._contents.begin(content)
        try:
            size, sha256 = self._stored(content, parts)
            if head.sha256 not in (None, sha256):
                raise bad_request("wrong_checksum", "What arrived has another SHA-256 than was said.", sha256=sha256)
            caller = asking()
        except BaseException:  # also when the sender has gone
            self._forget(content.id)
            raise
        return self._named(caller, head.model_copy(update={"sha256": sha256}), content, size)

    def download(self, caller: Caller, asked: commands.DownloadFile) -> commands.FilePart:
        reply, read = self.opened(lambda: caller, asked)
        if asked.start > reply.size:
            raise bad_request("bad_range", f"The file ends at {reply.size}.", size=reply.size)
        content = b"".join(read(asked.start, min(reply.size, asked.start + asked.length)))
        told = base64.b64encode(content).decode()
        return commands.FilePart(**reply.model_dump(), start=asked.start, content=told)

    def opened(
        self, asking: Asking, asked: commands.GetFile
    ) -> tuple[commands.FileReply, Callable[[int, int], Iterator[bytes]]]:
        """What is known of the file, and its bytes from one position to another. Rights are asked for each chunk anew."""
        document = self._readable(asking(), asked)

        def read(start: int, stop: int) -> Iterator[bytes]:
            for number in range(start // CHUNK_BYTES, -(-stop // CHUNK_BYTES)):
                now = self._readable(asking(), asked)
                chunk = self._contents.chunk(document.data["content"], number)
                if chunk is None or now.data["content"] != document.data["content"]:
                    raise Refused("file_changed", "The file got another content meanwhile.", status=409)
                first = number * CHUNK_BYTES
                yield chunk[max(0, start - first) : stop - first]

        return _reply(document), read

    # --- what is known of it ---------------------------------------------------------------------------------------

    def get(self, caller: Caller, asked: commands.GetFile) -> commands.FileReply:
        return _reply(self._readable(caller, asked))

    def query(self, caller: Caller, asked: commands.QueryFiles) -> commands.FilePage:
        within = _within(caller, asked.collection, "read")
        found = self._reading.query(within, _document(of_documents.QueryDocuments, asked))
        files = [commands.FileReply(**d.model_dump(exclude={"data"}), **_shown(d.data)) for d in found.documents]
        return commands.FilePage(files=files, cursor=found.cursor)

    def delete(self, caller: Caller, asked: commands.DeleteFile) -> Nothing:
        within = _within(caller, asked.collection, "delete")
        old = self._store.get(FILES + asked.collection, asked.id, self._clock())
        done = self._writing.delete(within, _document(of_documents.DeleteDocument, asked))
        if old:
            self._forget(old.data["content"])
        return done

    def get_acl(self, caller: Caller, asked: commands.GetFileAcl) -> of_documents.AclReply:
        within = _within(caller, asked.collection, "share")
        return self._reading.get_acl(within, _document(of_documents.GetAcl, asked))

    def set_acl(self, caller: Caller, asked: commands.SetFileAcl) -> of_documents.AclReply:
        within = _within(caller, asked.collection, "share")
        return self._writing.set_acl(within, _document(of_documents.SetAcl, asked))

    # --- orphans ---------------------------------------------------------------------------------------------------

    def sweep(self, now: float) -> int:
        """Looks at some contents, the next ones each time, and deletes those that no document names; how many."""
        page = self._contents.walk(self._swept, SWEPT_AT_ONCE)
        self._swept = page[-1].id if len(page) == SWEPT_AT_ONCE else ""
        orphans = [c for c in page if c.began_at < now - ORPHAN_SECONDS and not self._is_named(c, now)]
        for content in orphans:
            self._contents.delete(content.id)
        return len(orphans)

    def close(self) -> None:
        self._contents.close()

    def _is_named(self, content: Content, now: float) -> bool:
        document = self._store.get(content.space, content.file, now)
        return document is not None and document.data["content"] == content.id

    # --- steps -----------------------------------------------------------------------------------------------------

    @contextmanager
    def _one_of_few(self, caller: str) -> Iterator[None]:
        with self._lock:
            if self._uploading[caller] >= UPLOADS_AT_ONCE:
                message = f"You have {UPLOADS_AT_ONCE} uploads under way here. Wait for one of them."
                raise Refused("too_many_uploads", message, status=429, headers={"Retry-After": "5"})
            self._uploading[caller] += 1
        try:
            yield
        finally:
            with self._lock:
                self._uploading[caller] -= 1
                self._uploading += Counter()  # forgets who has none

    def _check_may_receive(self, caller: Caller, head: commands.NewFile, now: float) -> None:
        collection = self._collections.of(head.collection, now)
        if isinstance(head, commands.NewContent):
            caller.require_on_collection(head.collection, "update")
            permitted(caller, "update", self._store.get(FILES + head.collection, head.id, now))
        else:
            caller.require_on_collection(head.collection, "insert")
            collection.check_may_insert(caller)
        if collection.sealing == "all":
            raise bad_request("sealed_field", "Everything in this collection is sealed, and files cannot be.")

    def _stored(self, content: Content, parts: Iterable[bytes]) -> tuple[int, str]:
        """(size, SHA-256)."""
        size, digest, number, waiting = 0, hashlib.sha256(), 0, bytearray()
        for part in parts:
            size += len(part)
            digest.update(part)
            waiting += part
            self._check_limits(content, size)
            while len(waiting) >= CHUNK_BYTES:
                self._contents.append(content.id, number, bytes(waiting[:CHUNK_BYTES]))
                del waiting[:CHUNK_BYTES]
                number += 1
        if waiting:
            self._contents.append(content.id, number, bytes(waiting))
        return size, digest.hexdigest()

    def _check_limits(self, content: Content, size: int) -> None:
        if size > self.max_bytes:
            raise self.too_large()
        if self._clock() - content.began_at > UPLOAD_SECONDS:
            raise Refused("upload_too_slow", "The upload took longer than six hours.", status=408)

    def too_large(self) -> Refused:
        message = f"A file holds at most {self.max_bytes} bytes."
        return Refused("file_too_large", message, status=413, detail={"limit": self.max_bytes})

    def _named(self, caller: Caller, head: commands.NewFile, content: Content, size: int) -> commands.FileReply:
        """The document that names the content; before it there is no file."""
        data = {"name": head.name, "type": head.type, "size": size, "sha256": head.sha256, "content": content.id}
        answers: list[commands.FileReply] = []
        replaced: list[str] = []

        def plan(now: float) -> tuple[list[Write], commands.FileReply]:
            self._check_may_receive(caller, head, now)
            old = self._store.get(content.space, content.file, now)
            write = self._draft(caller, head, content, data, now)
            replaced[:] = [old.data["content"]] if old else []
            answers[:] = [_reply(write.document)]
            return [write], answers[0]

        verb = "replace" if isinstance(head, commands.NewContent) else "upload"
        try:
            answer = self._once.commit(caller, f"files.{verb}", head, plan)
        except Refused as refused:
            if refused.status < 500:  # otherwise it may have been written, and its bytes must stay
                self._forget(content.id)
            raise
        if (
            not answers or answer is not answers[0]
        ):  # the same request was carried out before: these bytes are a second copy
            replaced = [content.id]
        for id in replaced:
            self._forget(id)
        return answer

    def _draft(
        self, caller: Caller, head: commands.NewFile, content: Content, data: dict[str, Any], now: float
    ) -> Write:
        if isinstance(head, commands.NewContent):
            asked = of_documents.ReplaceIn.model_construct(id=head.id, data=data, version=head.version)
            return self._drafts.replace(Pen(caller, Collection(name=content.space), now), asked)
        at, by = timestamp(now), caller.name
        rules = self._collections.of(head.collection, now).acl_of_new(caller)
        new = Document(content.space, content.file, 1, at, by, at, by, rules, data)
        return Write("insert", new, 0, history.line("insert", None, new, at=at, by=by))

    def _readable(self, caller: Caller, asked: commands.GetFile) -> Document:
        caller.require_on_collection(asked.collection, "read")
        return permitted(caller, "read", self._store.get(FILES + asked.collection, asked.id, self._clock()))

    def _forget(self, content: str) -> None:
        """If the store does not answer now, `sweep` finds it."""
        with suppress(Refused):
            self._contents.delete(content)


def _within(caller: Caller, collection: str, right: str) -> Caller:
    """Narrowings speak of the client's collections: asked here, and not again under the name in the store."""
    caller.require_on_collection(collection, right)
    return replace(caller, narrowing=None)


def _document(request: type[M], asked: Any) -> M:
    """The request on documents that does it."""
    given = {name: getattr(asked, name) for name in asked.model_fields_set}
    return cast("M", request.model_construct(**given | {"collection": FILES + asked.collection}))


def _given(asked: Message, *without: str) -> dict[str, Any]:
    return asked.model_dump(exclude=set(without), exclude_unset=True)


def _decoded(content: str) -> bytes:
    try:
        return base64.b64decode(content, validate=True)
    except ValueError:
        raise bad_request("invalid_request", "The request is not valid: content: must be base64.") from None


def _reply(document: Document) -> commands.FileReply:
    return commands.FileReply(**stamp(document).model_dump(), **_shown(document.data))


def _shown(data: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in data.items() if name != "content"}

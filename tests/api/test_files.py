"""Files over REST: what goes in comes out, whole or in part, for those who may; what is cut off or refused leaves nothing."""

import base64
import hashlib
import io
import secrets
import sqlite3
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from werkzeug.test import TestResponse

from idp.api.document_store.contract import Write
from idp.api.files.contract import CHUNK_BYTES
from idp.api.files.files import ORPHAN_SECONDS, UPLOADS_AT_ONCE
from tests.api.conftest import Companion, refusal

THREE = bytes(range(256)) * 2550  # two whole chunks and a half
READ = {"kind": "user", "id": "usr_bob", "rights": ["read"]}


def upload(companion: Companion, token: str, content: bytes = b"hello", **headers: str) -> TestResponse:
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    length = {"CONTENT_LENGTH": str(len(content))}  # the test client says none of an empty body
    return companion.call("POST", "/files/notes", token, data=content, headers=named, environ_overrides=length)


def stored(companion: Companion, token: str, content: bytes = b"hello", **headers: str) -> str:
    answer = upload(companion, token, content, **headers)
    assert answer.status_code == 201, answer.text
    return str(answer.json["id"])


def digest(content: bytes) -> str:
    return f"sha-256=:{base64.b64encode(hashlib.sha256(content).digest()).decode()}:"


@pytest.fixture
def rows(tmp_path: Path) -> Any:
    """(contents, chunks) in the file of the store."""

    def count() -> tuple[int, int]:
        with sqlite3.connect(tmp_path / "data" / "api" / "files.db") as file:
            return tuple(file.execute(f"SELECT count(*) FROM {t}").fetchone()[0] for t in ("content", "chunk"))  # type: ignore[return-value]

    return count


@pytest.mark.parametrize("size", [0, 1, CHUNK_BYTES - 1, CHUNK_BYTES, CHUNK_BYTES + 1, len(THREE)])
def test_what_goes_in_comes_out(companion: Companion, size: int) -> None:
    ada, content = companion.as_user("ada"), THREE[:size]
    answer = upload(companion, ada, content, Content_Type="text/x-notes; charset=utf-8",
                    Content_Disposition="attachment; filename*=UTF-8''Gr%C3%BC%C3%9Fe.txt", Repr_Digest=digest(content))  # fmt: skip
    assert answer.status_code == 201
    about = answer.json
    sha256 = hashlib.sha256(content).hexdigest()
    assert {"name": "Grüße.txt", "size": size, "sha256": sha256, "version": 1}.items() <= about.items()
    assert "content" not in about
    assert answer.headers["Location"] == f"/files/notes/{about['id']}"
    got = companion.call("GET", answer.headers["Location"], ada)
    assert (got.status_code, got.data, got.content_length) == (200, content, size)
    assert got.headers["Content-Type"] == "text/x-notes; charset=utf-8"
    assert got.headers["Repr-Digest"] == digest(content)
    assert got.headers["ETag"] == '"1"'
    assert got.headers["Content-Disposition"] == "attachment; filename*=UTF-8''Gr%C3%BC%C3%9Fe.txt"
    assert companion.call("GET", answer.headers["Location"] + "/about", ada).json == about
    head = companion.call("HEAD", answer.headers["Location"], ada)
    assert (head.status_code, head.data, head.content_length) == (200, b"", size)


RANGES = [
    ("bytes=0-0", 0, 1),
    ("bytes=5-", 5, None),
    ("bytes=-5", len(THREE) - 5, None),
    (f"bytes=-{len(THREE) + 99}", 0, None),
    (f"bytes={CHUNK_BYTES - 1}-{CHUNK_BYTES}", CHUNK_BYTES - 1, CHUNK_BYTES + 1),
    (f"bytes=10-{len(THREE) + 99}", 10, None),
    (f"bytes={CHUNK_BYTES}-{2 * CHUNK_BYTES - 1}", CHUNK_BYTES, 2 * CHUNK_BYTES),
]


@pytest.mark.parametrize(("asked", "first", "stop"), RANGES, ids=[r[0] for r in RANGES])
def test_a_range_is_exactly_that_part(companion: Companion, asked: str, first: int, stop: int | None) -> None:
    ada = companion.as_user("ada")
    id = stored(companion, ada, THREE)
    got = companion.call("GET", f"/files/notes/{id}", ada, headers={"Range": asked})
    end = len(THREE) if stop is None else stop
    assert (got.status_code, got.data) == (206, THREE[first:end])
    assert got.headers["Content-Range"] == f"bytes {first}-{end - 1}/{len(THREE)}"
    assert got.content_length == end - first


def test_a_range_beyond_the_end_is_refused_and_what_is_no_single_range_is_as_if_not_asked(companion: Companion) -> None:
    ada = companion.as_user("ada")
    path = f"/files/notes/{stored(companion, ada, b'0123456789')}"
    answer = companion.call("GET", path, ada, headers={"Range": "bytes=10-"})
    assert refusal(answer) == (416, "range_not_satisfiable")
    assert answer.headers["Content-Range"] == "bytes */10"
    for asked in ("bytes=0-1,3-4", "bytes=x", "lines=0-1", "bytes=5-2", "bytes", ""):
        got = companion.call("GET", path, ada, headers={"Range": asked})
        assert (got.status_code, got.data) == (200, b"0123456789"), asked


def test_a_download_is_continued_only_of_the_same_version(companion: Companion) -> None:
    ada = companion.as_user("ada")
    path = f"/files/notes/{stored(companion, ada)}"
    for validator, status in (('"1"', 206), ('"2"', 200), ('W/"1"', 200), ("Sun, 22 Nov 2026 10:00:00 GMT", 200)):
        got = companion.call("GET", path, ada, headers={"Range": "bytes=1-2", "If-Range": validator})
        assert got.status_code == status, validator


def test_only_who_may_gets_there_and_what_may_not_be_read_is_not_there(companion: Companion) -> None:
    ada, bob, eve = (companion.as_user(name) for name in ("ada", "bob", "eve"))
    path = f"/files/notes/{stored(companion, ada)}"
    assert companion.call("PUT", path + "/acl", ada, {"acl": [*mine("usr_ada"), READ]}).status_code == 200
    assert companion.call("GET", path, bob).data == b"hello"
    for method, tail, body in (("PUT", "", b"x"), ("DELETE", "", None), ("GET", "/acl", None)):
        assert refusal(companion.call(method, path + tail, bob, data=body)) == (403, "not_permitted")
    for method, tail in (("GET", ""), ("GET", "/about"), ("PUT", ""), ("DELETE", ""), ("GET", "/acl")):
        body = b"x" if method == "PUT" else None
        unknown = companion.call(method, "/files/notes/file_x" + tail, eve, data=body)
        assert refusal(unknown) == (404, "unknown_document")
        answer = companion.call(method, path + tail, eve, data=body)
        assert {**answer.json, "trace": ""} == {**unknown.json, "trace": ""}
    assert companion.call("POST", "/files/notes/query", eve, {}).json == {"files": [], "cursor": None}
    assert [f["size"] for f in companion.call("POST", "/files/notes/query", bob, {}).json["files"]] == [5]


def mine(user: str) -> list[dict[str, Any]]:
    return [{"kind": "user", "id": user, "rights": ["read", "update", "delete", "share"]}]


def test_files_are_found_by_what_is_known_of_them_page_by_page(companion: Companion) -> None:
    ada = companion.as_user("ada")
    for size in range(5):
        stored(companion, ada, b"x" * size, Content_Disposition=f"attachment; filename={size}.txt")
    asked = {"filter": {"size": {"$gte": 1}}, "sort": {"size": -1}, "limit": 3}
    first = companion.call("POST", "/files/notes/query", ada, asked).json
    rest = companion.call("POST", "/files/notes/query", ada, asked | {"cursor": first["cursor"]}).json
    assert [f["name"] for f in first["files"] + rest["files"]] == ["4.txt", "3.txt", "2.txt", "1.txt"]
    assert rest["cursor"] is None
    assert "content" not in first["files"][0]


def test_files_are_no_documents_and_documents_are_no_files(companion: Companion) -> None:
    ada = companion.as_user("ada")
    file, document = stored(companion, ada), companion.insert(ada, {"a": 1})
    assert [found["id"] for found in companion.find(ada)] == [document]
    assert refusal(companion.call("GET", f"/documents/notes/{file}", ada)) == (404, "unknown_document")
    assert refusal(companion.call("GET", f"/files/notes/{document}", ada)) == (404, "unknown_document")
    for collection in ("files.notes", "sys.keys", "Notes", "..", "a b"):
        assert companion.call("POST", f"/files/{collection}", ada, data=b"x").status_code in (400, 404)


def test_a_new_content_replaces_the_old_one_which_is_gone(companion: Companion, rows: Any) -> None:
    ada = companion.as_user("ada")
    path = f"/files/notes/{stored(companion, ada, THREE)}"
    answer = companion.call("PUT", path, ada, data=b"new", headers={"If-Match": '"1"'})
    assert (answer.status_code, answer.json["version"], answer.headers["ETag"]) == (200, 2, '"2"')
    assert companion.call("GET", path, ada).data == b"new"
    assert rows() == (1, 1)
    answer = companion.call("PUT", path, ada, data=THREE, headers={"If-Match": '"1"'})
    assert refusal(answer) == (412, "version_conflict")
    assert companion.call("GET", path, ada).data == b"new"
    assert rows() == (1, 1)


def test_a_deleted_file_leaves_nothing(companion: Companion, rows: Any) -> None:
    ada = companion.as_user("ada")
    path = f"/files/notes/{stored(companion, ada, THREE)}"
    assert rows() == (1, 3)
    assert companion.call("DELETE", path, ada).status_code == 204
    assert refusal(companion.call("GET", path, ada)) == (404, "unknown_document")
    assert rows() == (0, 0)


def body_of(stream: object, length: int | None) -> dict[str, Any]:
    return {"wsgi.input": stream, "CONTENT_LENGTH": "" if length is None else str(length)}


class Broken:
    """A body that ends before its end, by an error or by silence."""

    def __init__(self, content: bytes, fails: bool) -> None:
        self._content, self._fails = io.BytesIO(content), fails

    def read(self, size: int = -1) -> bytes:
        found = self._content.read(size)
        if not found and self._fails:
            raise ConnectionResetError
        return found


@pytest.mark.parametrize("fails", [True, False])
def test_an_upload_that_is_cut_off_leaves_nothing(companion: Companion, rows: Any, fails: bool) -> None:
    ada = companion.as_user("ada")
    answer = companion.call(
        "POST", "/files/notes", ada, environ_overrides=body_of(Broken(THREE, fails), len(THREE) + 1)
    )
    assert refusal(answer) == (400, "upload_cut_off")
    assert rows() == (0, 0)
    assert companion.call("POST", "/files/notes/query", ada, {}).json["files"] == []


def test_what_arrives_with_another_checksum_than_was_said_is_not_stored(companion: Companion, rows: Any) -> None:
    ada = companion.as_user("ada")
    assert refusal(upload(companion, ada, Repr_Digest=digest(b"other"))) == (400, "wrong_checksum")
    assert refusal(upload(companion, ada, Repr_Digest="md5=:AAAA:")) == (400, "bad_digest")
    assert rows() == (0, 0)


def test_what_is_too_large_is_refused_before_it_is_read_and_while_it_is(start: Any, rows: Any) -> None:
    companion = start(file_max_bytes=10)
    ada = companion.as_user("ada")
    assert stored(companion, ada, b"0123456789")
    answer = upload(companion, ada, b"0123456789x")
    assert refusal(answer) == (413, "file_too_large")
    assert answer.json["limit"] == 10
    api = companion.client.application.extensions["sheaf"]
    content = base64.b64encode(b"0123456789x").decode()
    answer = companion.call("POST", "/commands/files.upload", ada, {"collection": "notes", "content": content})
    assert refusal(answer) == (413, "file_too_large")
    assert api.files.max_bytes == 10
    assert rows() == (1, 1)


def test_without_a_token_a_scope_a_right_or_a_length_no_byte_is_read(companion: Companion, rows: Any) -> None:
    class Untouched:
        def read(self, size: int = -1) -> bytes:
            raise AssertionError("the body was read")

    def send(token: str | None, length: int | None = 5) -> TestResponse:
        return companion.call("POST", "/files/notes", token, environ_overrides=body_of(Untouched(), length))

    assert refusal(send(None)) == (401, "missing_token")
    assert refusal(send(companion.as_user(scope="documents.read"))) == (403, "insufficient_scope")
    narrowed = [{"type": "sheaf_documents", "collections": ["notes"], "rights": ["read"]}]
    assert refusal(send(companion.as_user(authorization_details=narrowed))) == (403, "narrowed_token")
    assert refusal(send(companion.as_user(), length=None)) == (411, "length_required")
    assert rows() == (0, 0)


def test_a_narrowed_token_reaches_the_files_of_its_collections_only(companion: Companion) -> None:
    ada = companion.as_user("ada")
    path = f"/files/notes/{stored(companion, ada)}"
    for names, status in ((["notes"], 200), (["others"], 403), (["files"], 403)):
        details = [{"type": "sheaf_documents", "collections": names, "rights": ["read"]}]
        token = companion.as_user("ada", authorization_details=details)
        for method, tail in (("GET", ""), ("GET", "/about")):
            assert companion.call(method, path + tail, token).status_code == status
        assert companion.call("POST", "/files/notes/query", token, {}).status_code == status
        assert companion.call("DELETE", path, token).status_code == 403


def test_a_right_that_ends_ends_a_download_that_runs(companion: Companion) -> None:
    ada, bob = companion.as_user("ada"), companion.as_user("bob")
    path = f"/files/notes/{stored(companion, ada, THREE)}"
    for end in ("acl", "token", "content"):
        companion.call("PUT", path + "/acl", ada, {"acl": [*mine("usr_ada"), READ]})
        answer = companion.call("GET", path, bob, buffered=False)
        parts: Iterator[bytes] = answer.iter_encoded()
        assert len(next(parts)) == CHUNK_BYTES
        if end == "acl":
            companion.call("PUT", path + "/acl", ada, {"acl": mine("usr_ada")})
        elif end == "token":
            companion.clock.advance(601)
        else:
            bob, ada = companion.as_user("bob"), companion.as_user("ada")
            companion.call("PUT", path, ada, data=THREE)
        with pytest.raises(Exception, match=r"unknown_document|expired_token|file_changed"):
            list(parts)
        if end == "token":
            ada, bob = companion.as_user("ada"), companion.as_user("bob")


def test_the_same_upload_with_the_same_key_is_one_file(companion: Companion, rows: Any) -> None:
    ada = companion.as_user("ada")
    first = upload(companion, ada, Idempotency_Key="k1")
    again = upload(companion, ada, Idempotency_Key="k1")
    assert (again.status_code, again.json) == (201, first.json)
    assert rows() == (1, 1)
    assert refusal(upload(companion, ada, b"other", Idempotency_Key="k1")) == (422, "idempotency_key_reused")
    assert rows() == (1, 1)


def test_a_content_that_no_document_names_is_swept_after_a_day(companion: Companion, rows: Any) -> None:
    ada = companion.as_user("ada")
    kept = stored(companion, ada, THREE)
    lost = stored(companion, ada)
    api = companion.client.application.extensions["sheaf"]
    document = api.store.get("files.notes", lost, companion.clock())
    api.store.commit([Write("delete", document, document.version)])
    companion.clock.advance(ORPHAN_SECONDS - 1)
    assert (api.files.sweep(companion.clock()), rows()) == (0, (2, 4))
    companion.clock.advance(2)
    assert (api.files.sweep(companion.clock()), rows()) == (1, (1, 3))
    assert companion.call("GET", f"/files/notes/{kept}", companion.as_user("ada")).data == THREE


def test_the_same_operations_in_requests_of_json(companion: Companion) -> None:
    ada = companion.as_user("ada")

    def run(operation: str, **asked: Any) -> Any:
        return companion.call("POST", f"/commands/files.{operation}", ada, {"collection": "notes", **asked})

    id = run("upload", content=base64.b64encode(THREE[:400_000]).decode(), name="a.bin").json["id"]
    assert companion.call("GET", f"/files/notes/{id}", ada).data == THREE[:400_000]
    part = run("download", id=id, start=CHUNK_BYTES - 5, length=10).json
    assert base64.b64decode(part["content"]) == THREE[CHUNK_BYTES - 5 : CHUNK_BYTES + 5]
    assert (part["size"], part["start"], part["name"]) == (400_000, CHUNK_BYTES - 5, "a.bin")
    assert run("download", id=id, start=400_000).json["content"] == ""
    assert refusal(run("download", id=id, start=400_001)) == (400, "bad_range")
    assert refusal(run("upload", content="not base64!")) == (400, "invalid_request")
    assert run("replace", id=id, content="bmV3").json["version"] == 2
    assert base64.b64decode(run("download", id=id).json["content"]) == b"new"


WRONG = [
    {"Content-Type": "no type"},
    {"Content-Type": "a/b\x7f"},
    {"Content-Disposition": "attachment"},
    {"Content-Disposition": 'attachment; filename="../../etc/passwd"'},
    {"Content-Disposition": "attachment; filename*=UTF-8''a%0D%0Ab"},
    {"Idempotency-Key": ""},
    {"If-Match": "x"},
    {"If-Match": '"1"'},
]


@pytest.mark.parametrize("headers", WRONG, ids=str)
def test_what_headers_say_wrongly_is_refused(companion: Companion, rows: Any, headers: dict[str, str]) -> None:
    answer = companion.call("POST", "/files/notes", companion.as_user(), data=b"x", headers=headers)
    assert refusal(answer)[0] == 400
    assert rows() == (0, 0)
    assert companion.call("POST", "/files/notes?x=1", companion.as_user(), data=b"x").status_code == 400


def test_a_collection_that_is_sealed_as_a_whole_takes_no_files(companion: Companion, rows: Any) -> None:
    admin = companion.as_user("root", roles=["administrator"], scope="documents.manage documents.write")
    assert companion.call("PUT", "/collections/notes", admin, {"sealed": "all"}).status_code == 200
    assert refusal(upload(companion, admin)) == (400, "sealed_field")
    assert rows() == (0, 0)


def test_who_may_not_insert_documents_may_not_upload(companion: Companion) -> None:
    admin = companion.as_user("root", roles=["administrator"], scope="documents.manage documents.write")
    acl = [{"kind": "user", "id": "usr_ada", "rights": ["insert"]}]
    companion.call("PUT", "/collections/notes", admin, {"acl": acl, "default_acl": [READ]})
    assert refusal(upload(companion, companion.as_user("eve"))) == (403, "not_permitted")
    id = stored(companion, companion.as_user("ada"))
    assert companion.call("GET", f"/files/notes/{id}", companion.as_user("bob")).data == b"hello"


def test_one_caller_has_few_uploads_at_a_time_and_keeps_nobody_else_from_theirs(companion: Companion) -> None:
    ada, told = companion.as_user("ada"), []

    class Nested:
        """A body that sends one more upload while it is read."""

        def read(self, size: int) -> bytes:
            told.append(companion.call("POST", "/files/notes", ada, environ_overrides=body_of(Nested(), 1)))
            assert stored(companion, companion.as_user("bob"))
            return b"x"

    outermost = companion.call("POST", "/files/notes", ada, environ_overrides=body_of(Nested(), 1))
    assert outermost.status_code == 201
    assert refusal(told[0]) == (429, "too_many_uploads")
    assert [answer.status_code for answer in told[1:]] == [201] * (UPLOADS_AT_ONCE - 1)
    assert stored(companion, ada)


@pytest.mark.slow
def test_on_mongodb_files_are_the_same(start: Any, mongo_uri: str) -> None:
    companion = start(store=f"{mongo_uri}/files_{secrets.token_hex(4)}")
    ada = companion.as_user("ada")
    path = f"/files/notes/{stored(companion, ada, THREE)}"
    assert companion.call("GET", path, ada).data == THREE
    middle = {"Range": f"bytes={CHUNK_BYTES - 1}-{CHUNK_BYTES}"}
    assert companion.call("GET", path, ada, headers=middle).data == THREE[CHUNK_BYTES - 1 : CHUNK_BYTES + 1]
    assert companion.call("POST", "/files/notes/query", ada, {"filter": {"size": len(THREE)}}).json["files"]
    assert companion.call("PUT", path, ada, data=b"new").json["version"] == 2
    assert refusal(companion.call("GET", path, companion.as_user("eve"))) == (404, "unknown_document")
    assert companion.call("DELETE", path, ada).status_code == 204
    assert companion.client.application.extensions["sheaf"].files._contents.walk("", 10) == []

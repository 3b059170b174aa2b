"""What a store of files promises, on both engines."""

import secrets
from collections.abc import Iterator
from pathlib import Path

import pytest

from idp.api.files.contract import CHUNK_BYTES, Content, FileStore
from idp.api.files.sqlite import SqliteFileStore
from idp.base.errors import Refused

ENGINES = ["sqlite", pytest.param("mongo", marks=pytest.mark.slow)]
CHUNK = b"\0\xff" * (CHUNK_BYTES // 2)


@pytest.fixture(params=ENGINES)
def files(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[FileStore]:
    store: FileStore = SqliteFileStore(tmp_path / "files.db")
    if request.param == "mongo":
        from idp.api.document_store.mongo_link import MongoLink
        from idp.api.files.mongo import MongoFileStore

        store.close()
        store = MongoFileStore(MongoLink(f"{request.getfixturevalue('mongo_uri')}/files_{secrets.token_hex(4)}"))
    yield store
    store.close()


def begun(files: FileStore, id: str) -> Content:
    content = Content(id, "files.notes", f"file_{id}", 1_800_000_000.5)
    files.begin(content)
    return content


def test_chunks_come_back_as_they_went_in(files: FileStore) -> None:
    begun(files, "c1")
    files.append("c1", 0, CHUNK)
    files.append("c1", 1, b"end")
    assert [files.chunk("c1", number) for number in range(3)] == [CHUNK, b"end", None]
    assert files.chunk("c2", 0) is None


def test_a_chunk_is_written_once(files: FileStore) -> None:
    begun(files, "c1")
    files.append("c1", 0, b"a")
    with pytest.raises(Refused):
        files.append("c1", 0, b"b")
    assert files.chunk("c1", 0) == b"a"


def test_a_deleted_content_is_gone_with_all_its_chunks_and_no_others(files: FileStore) -> None:
    for id in ("c1", "c2"):
        begun(files, id)
        for number in range(70):
            files.append(id, number, b"x")
    files.delete("c1")
    files.delete("c1")
    assert not any(files.chunk("c1", number) for number in range(70))
    assert all(files.chunk("c2", number) for number in range(70))
    assert [content.id for content in files.walk("", 10)] == ["c2"]


def test_contents_are_walked_in_the_order_of_their_ids(files: FileStore) -> None:
    made = [begun(files, id) for id in ("c3", "c1", "c2")]
    assert list(files.walk("", 2)) == [made[1], made[2]]
    assert list(files.walk("c2", 2)) == [made[0]]
    assert list(files.walk("c3", 2)) == []


@pytest.mark.slow
def test_on_mongodb_the_tools_of_gridfs_read_them(mongo_uri: str) -> None:
    import gridfs

    from idp.api.document_store.mongo_link import MongoLink
    from idp.api.files.mongo import MongoFileStore

    link = MongoLink(f"{mongo_uri}/files_{secrets.token_hex(4)}")
    files = MongoFileStore(link)
    begun(files, "c1")
    for number, chunk in enumerate((CHUNK, b"end")):
        files.append("c1", number, chunk)
    with gridfs.GridFSBucket(link.database, "sheaf.files").open_download_stream("c1") as stream:
        assert stream.read() == CHUNK + b"end"
    files.close()

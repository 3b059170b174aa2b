"""Owns both clients: `Client` blocks, `AsyncClient` is awaited. The operations are made from the companion's commands."""

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Mapping
from itertools import count
from typing import Any, BinaryIO, Self, TypeVar, cast

import httpx

from sheaf_client.attempts import answer_of, body_of, problem_of, repeatable, wait_after
from sheaf_client.operations import AsyncOperations, FileReply, Operations
from sheaf_client.problems import Problem
from sheaf_client.tokens import Tokens, current
from sheaf_client.transfers import PART_BYTES, Download, Upload, path_of
from sheaf_client.watching import SILENT_SECONDS, Change, Events, Place

TIMEOUT_SECONDS = 30.0
RETRIES = 4
FAILED = (httpx.HTTPError, Problem)
_SILENT = httpx.Timeout(TIMEOUT_SECONDS, read=SILENT_SECONDS)

Headers = dict[str, str]
T = TypeVar("T")


class Client(Operations):
    """url: of the companion. tokens: an access token, or a function that gives the present one, asked for each request.

    Requests that may be repeated (reads, and effects with an idempotency_key) are, up to `retries` times, when the companion
    does not answer or asks to wait. Raises Problem for refusals, NoAnswer when there is none. Safe to share between threads.
    """

    def __init__(
        self, url: str, tokens: Tokens, *, timeout: float = TIMEOUT_SECONDS, retries: int = RETRIES, verify: Any = True
    ) -> None:
        super().__init__(self.call)
        self._tokens = tokens
        self._retries = retries
        self._http = httpx.Client(base_url=url, timeout=timeout, verify=verify)
        self._events = ""

    def call(self, operation: str, members: Mapping[str, Any]) -> Any:
        """Any operation by its name, for those that have no method here."""
        body = body_of(members)

        def ask(headers: Headers) -> Any:
            return answer_of(self._http.post(f"/commands/{operation}", json=body, headers=headers))

        return self._repeated(operation, repeatable(operation, body), ask)

    def watch(
        self,
        *,
        collection: str,
        filter: Mapping[str, Any] | None = None,
        after: str | None = None,
        alive: bool = False,
    ) -> Iterator[Change]:
        """Every change of the documents that may be read and match, as it happens; goes on by itself, without gaps, when the
        connection breaks or the token ends. after: the token of a change, to go on behind it. alive: also those that tell
        nothing but a token; the first one comes when nothing is missed any more. Raises Problem, NoAnswer."""
        place = Place(collection, filter, after, self._tokens)
        while True:
            try:
                where, asked, events = self._events_url(), place.request(), Events()
                with self._http.stream("POST", where, json=asked, headers=self._headers(), timeout=_SILENT) as response:
                    if not response.is_success:
                        response.read()
                        raise problem_of(response)
                    for part in response.iter_bytes():
                        for kind, data in events.read(part):
                            change = place.arrived(kind, data)
                            if alive or change["action"] != "alive":
                                yield change
                raise httpx.RemoteProtocolError("the stream ended")
            except FAILED as error:
                seconds = place.wait_after(error, self._retries)
            time.sleep(seconds)

    def upload_file(
        self,
        content: bytes | BinaryIO,
        *,
        collection: str,
        id: str | None = None,
        name: str | None = None,
        type: str | None = None,
        version: int | None = None,
        idempotency_key: str | None = None,
    ) -> FileReply:
        """Store a file of any size that the companion takes, in parts; with an `id`, as the new content of that one."""
        upload = Upload(content, name, type, version, idempotency_key)
        method, path = ("POST" if id is None else "PUT"), path_of(collection, id)

        def ask(headers: Headers) -> Any:
            return answer_of(self._http.request(method, path, content=upload.parts(), headers=headers | upload.headers))

        return cast(FileReply, self._repeated("files.upload", upload.safe, ask))

    def download_file(self, into: BinaryIO, *, collection: str, id: str) -> None:
        """Write the content of a file to `into`, in parts; goes on where it was when the connection breaks."""
        download = Download(into)

        def ask(headers: Headers) -> None:
            with self._http.stream("GET", path_of(collection, id), headers=headers | download.headers()) as response:
                if not response.is_success:
                    response.read()
                    raise problem_of(response)
                download.begins(response)
                for part in response.iter_bytes(PART_BYTES):
                    download.write(part)
                download.check(response)

        self._repeated("files.download", True, ask)

    def _repeated(self, what: str, safe: bool, ask: Callable[[Headers], T]) -> T:
        for attempt in count():
            try:
                return ask(self._headers())
            except FAILED as error:
                seconds = wait_after(error, what, attempt, self._retries if safe else 0)
            time.sleep(seconds)
        raise AssertionError("count does not end")

    def _headers(self) -> Headers:
        return {"Authorization": f"Bearer {current(self._tokens)}"}

    def _events_url(self) -> str:
        """The companion says where it is."""
        if not self._events:
            self._events = _events_of(answer_of(self._http.get("/")), self._http.base_url)
        return self._events

    def close(self) -> None:
        self._http.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


class AsyncClient(AsyncOperations):
    """As Client, with methods that are awaited. A function for tokens is called in a thread."""

    def __init__(
        self, url: str, tokens: Tokens, *, timeout: float = TIMEOUT_SECONDS, retries: int = RETRIES, verify: Any = True
    ) -> None:
        super().__init__(self.call)
        self._tokens = tokens
        self._retries = retries
        self._http = httpx.AsyncClient(base_url=url, timeout=timeout, verify=verify)
        self._events = ""

    async def call(self, operation: str, members: Mapping[str, Any]) -> Any:
        """Any operation by its name, for those that have no method here."""
        body = body_of(members)

        async def ask(headers: Headers) -> Any:
            return answer_of(await self._http.post(f"/commands/{operation}", json=body, headers=headers))

        return await self._repeated(operation, repeatable(operation, body), ask)

    async def watch(
        self,
        *,
        collection: str,
        filter: Mapping[str, Any] | None = None,
        after: str | None = None,
        alive: bool = False,
    ) -> AsyncIterator[Change]:
        """As Client.watch: `async for change in sheaf.watch(…)`."""
        place = Place(collection, filter, after, self._tokens)
        while True:
            try:
                where, asked, events = await self._events_url(), place.request(), Events()
                headers = await self._headers()
                async with self._http.stream("POST", where, json=asked, headers=headers, timeout=_SILENT) as response:
                    if not response.is_success:
                        await response.aread()
                        raise problem_of(response)
                    async for part in response.aiter_bytes():
                        for kind, data in events.read(part):
                            change = place.arrived(kind, data)
                            if alive or change["action"] != "alive":
                                yield change
                raise httpx.RemoteProtocolError("the stream ended")
            except FAILED as error:
                seconds = place.wait_after(error, self._retries)
            await asyncio.sleep(seconds)

    async def upload_file(
        self,
        content: bytes | BinaryIO,
        *,
        collection: str,
        id: str | None = None,
        name: str | None = None,
        type: str | None = None,
        version: int | None = None,
        idempotency_key: str | None = None,
    ) -> FileReply:
        """As Client.upload_file. The file is read in threads."""
        upload = await asyncio.to_thread(Upload, content, name, type, version, idempotency_key)
        method, path = ("POST" if id is None else "PUT"), path_of(collection, id)

        async def parts() -> AsyncIterator[bytes]:
            given = upload.parts()
            while part := await asyncio.to_thread(next, given, b""):
                yield part

        async def ask(headers: Headers) -> Any:
            return answer_of(await self._http.request(method, path, content=parts(), headers=headers | upload.headers))

        return cast(FileReply, await self._repeated("files.upload", upload.safe, ask))

    async def download_file(self, into: BinaryIO, *, collection: str, id: str) -> None:
        """As Client.download_file. The file is written in threads."""
        download, path = Download(into), path_of(collection, id)

        async def ask(headers: Headers) -> None:
            async with self._http.stream("GET", path, headers=headers | download.headers()) as response:
                if not response.is_success:
                    await response.aread()
                    raise problem_of(response)
                download.begins(response)
                async for part in response.aiter_bytes(PART_BYTES):
                    await asyncio.to_thread(download.write, part)
                download.check(response)

        await self._repeated("files.download", True, ask)

    async def _repeated(self, what: str, safe: bool, ask: Callable[[Headers], Awaitable[T]]) -> T:
        for attempt in count():
            try:
                return await ask(await self._headers())
            except FAILED as error:
                seconds = wait_after(error, what, attempt, self._retries if safe else 0)
            await asyncio.sleep(seconds)
        raise AssertionError("count does not end")

    async def _headers(self) -> Headers:
        return {"Authorization": f"Bearer {await asyncio.to_thread(current, self._tokens)}"}

    async def _events_url(self) -> str:
        if not self._events:
            self._events = _events_of(answer_of(await self._http.get("/")), self._http.base_url)
        return self._events

    async def aclose(self) -> None:
        await self._http.aclose()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.aclose()


def _events_of(about: Mapping[str, Any], asked: httpx.URL) -> str:
    """Raises Problem."""
    found = about.get("transports", {}).get("server_sent_events")
    if not found:
        raise Problem({"code": "no_streams", "detail": "This companion serves no streams (api.streams_port)."}, 404)
    if asked.scheme == "https" and httpx.URL(str(found)).scheme != "https":
        said = f"The token is not sent to {found}, which is not encrypted (api.streams_url)."
        raise Problem({"code": "insecure_streams", "detail": said}, 502)
    return str(found)

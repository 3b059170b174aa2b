"""One connection to a directory, within one time budget: TLS before anything else, then one request after the other.

Leaves what is asked to idp.upstream.kinds.ldap, and addresses that may not be reached to idp.base.net.
"""

import socket
import ssl
import time
from collections.abc import Callable, Iterable
from contextlib import suppress
from dataclasses import dataclass
from types import TracebackType
from typing import Self, TypeVar

from idp.base.net import NetPolicy, Unreachable, address_of
from idp.base.waiting import about_to_wait
from idp.upstream.ldap import ber, messages
from idp.upstream.ldap.ber import BadBer
from idp.upstream.ldap.messages import Entry, Message, Result
from idp.upstream.refusals import answer_invalid, misconfigured, said, unreachable

MAX_MESSAGES = 5000
T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Place:
    """One server. over_tls: from the first byte; start_tls: by RFC 4511 4.14, before anything else."""

    host: str
    port: int
    over_tls: bool
    start_tls: bool


class Connection:
    """To be used as a context. Every method raises Refused(upstream_unreachable | upstream_answer_invalid |
    upstream_misconfigured) besides what it says itself."""

    def __init__(
        self, place: Place, trust: ssl.SSLContext, policy: NetPolicy, *, until: float, open_until: float
    ) -> None:
        """until: by time.monotonic(), the end of everything. open_until: of opening it."""
        self._place = place
        self._policy = policy
        self._until = open_until
        self._number = 0
        self._read = 0
        self._buffer = b""
        self._socket = self._open(trust)
        self._until = until

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        with suppress(OSError):
            self._socket.settimeout(0.2)
            self._socket.sendall(messages.unbind(self._number + 1))
        with suppress(OSError):
            self._socket.close()

    # ---------------------------------------------------------------- requests

    def bind(self, name: str, password: str) -> Result:
        """An empty password would be a bind as nobody, which succeeds (RFC 4513 5.1.2)."""
        if name and not password:
            raise AssertionError("a bind with a name and no password proves nothing")
        return self._result(messages.bind(self._next(), name, password), messages.BIND_ANSWER)

    def search(
        self, base: str, scope: int, filter: bytes, attributes: Iterable[str], *, most: int
    ) -> tuple[list[Entry], Result]:
        """At most `most` entries, and how it ended; what the directory has elsewhere (referrals) is left out."""
        seconds = max(1, int(self._left()))
        number = self._next()
        self._send(messages.search(number, base, scope, filter, attributes, most=most, seconds=seconds))
        found: list[Entry] = []
        for _ in range(MAX_MESSAGES):
            answer = self._receive(number)
            if answer.kind == messages.DONE:
                return found, self._parsed(messages.result, answer.content)
            if answer.kind == messages.ENTRY and len(found) < most:
                found.append(self._parsed(messages.entry, answer.content))
            elif answer.kind not in (messages.ENTRY, messages.REFERENCE):
                raise answer_invalid(f"the directory sent {answer.kind:#04x} in the middle of a search")
        raise answer_invalid("the directory did not come to an end")

    # ---------------------------------------------------------------- the way there

    def _open(self, trust: ssl.SSLContext) -> socket.socket:
        about_to_wait()
        place = self._place
        plain = None
        try:
            address = address_of(place.host, place.port, self._policy)
            plain = socket.create_connection((address, place.port), timeout=self._left())
            plain.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            if place.over_tls:
                return self._in_tls(plain, trust)
            self._socket = plain
            if place.start_tls:
                self._begin_tls()
                return self._in_tls(plain, trust)
            return plain
        except Unreachable as error:
            raise unreachable(str(error)) from None
        except (OSError, ValueError) as error:
            if plain is not None:
                plain.close()
            raise self._lost(error) from None
        except BaseException:
            if plain is not None:
                plain.close()
            raise

    def _in_tls(self, plain: socket.socket, trust: ssl.SSLContext) -> socket.socket:
        plain.settimeout(self._left())
        return trust.wrap_socket(plain, server_hostname=self._place.host)

    def _begin_tls(self) -> None:
        done = self._result(messages.start_tls(self._next()), messages.EXTENDED_ANSWER)
        if done.code != messages.SUCCESS:
            raise misconfigured(f"the directory refuses StartTLS: {done.code} {said(done.told)}")
        if self._buffer:  # written by somebody in between, to be read as if it had come inside
            raise answer_invalid("the directory went on in clear after StartTLS")

    # ---------------------------------------------------------------- bytes

    def _next(self) -> int:
        self._number += 1
        return self._number

    def _left(self) -> float:
        left = self._until - time.monotonic()
        if left <= 0:
            raise unreachable(f"no time left: everything together took {self._policy.timeout:g} s")
        return left

    def _send(self, data: bytes) -> None:
        try:
            self._socket.settimeout(self._left())
            self._socket.sendall(data)
        except OSError as error:
            raise self._lost(error) from None

    def _result(self, request: bytes, kind: int) -> Result:
        self._send(request)
        answer = self._receive(self._number)
        if answer.kind != kind:
            raise answer_invalid(f"the directory sent {answer.kind:#04x} where {kind:#04x} is due")
        return self._parsed(messages.result, answer.content)

    def _receive(self, number: int) -> Message:
        try:
            while (size := self._size()) is None or size[1] > len(self._buffer):
                self._more()
            content, self._buffer = self._buffer[size[0] : size[1]], self._buffer[size[1] :]
            answer = messages.message(content)
        except BadBer as error:
            raise answer_invalid(f"the directory's answer cannot be read: {error}") from None
        if answer.number == 0:  # notice of disconnection (RFC 4511 4.4.1)
            raise unreachable("the directory ended the connection")
        if answer.number != number:
            raise answer_invalid("the directory answered another request than the last one")
        return answer

    def _size(self) -> tuple[int, int] | None:
        """(where its content begins, where it ends) of the next message; None while too little of it is there."""
        if self._buffer and self._buffer[0] != ber.SEQUENCE:
            raise BadBer("it is no LDAP message")
        found = ber.header(self._buffer)
        if found is not None and sum(found) > self._policy.max_bytes:
            raise BadBer("it is too large")
        return None if found is None else (found[0], sum(found))

    def _more(self) -> None:
        try:
            self._socket.settimeout(self._left())  # anew for each piece: a byte at a time must not take for ever
            data = self._socket.recv(65_536)
        except OSError as error:
            raise self._lost(error) from None
        self._read += len(data)
        if not data:
            raise unreachable("the directory closed the connection")
        if self._read > self._policy.max_bytes:
            raise answer_invalid(f"the answers are larger than {self._policy.max_bytes} bytes")
        self._buffer += data

    @staticmethod
    def _parsed(read: Callable[[bytes], T], content: bytes) -> T:
        try:
            return read(content)
        except BadBer as error:
            raise answer_invalid(f"the directory's answer cannot be read: {error}") from None

    def _lost(self, error: Exception) -> Exception:
        where = f"{self._place.host}:{self._place.port}"
        if isinstance(error, ssl.SSLCertVerificationError):
            return unreachable(f"{where}: its certificate is not accepted: {said(error.verify_message)}")
        if isinstance(error, TimeoutError):
            return unreachable(f"{where}: time-out")
        return unreachable(
            f"{where}: {'the TLS handshake failed' if isinstance(error, ssl.SSLError) else 'no connection'}"
        )

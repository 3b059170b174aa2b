"""Owns a small directory on loopback that speaks LDAP without TLS and can misbehave. What is true is tried with OpenLDAP.

It does not read filters: it finds whoever is named by the value `login` anywhere in the search.
"""

import contextlib
import socket
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field

from idp.upstream.ldap import ber
from idp.upstream.ldap.ber import Reader
from tests.support.ports import free_port

BIND, UNBIND, SEARCH, EXTENDED = 0x60, 0x42, 0x63, 0x77


@dataclass
class Entry:
    dn: str
    password: str
    attributes: dict[str, list[bytes]]


@dataclass
class DirectoryDouble:
    """people: login -> Entry. groups: names that every search with `{group_mark}` gives. instead: operation -> what is sent
    in place of the answer, by message id; None closes the connection. wait: seconds before each answer."""

    people: dict[str, Entry] = field(default_factory=dict)
    groups: list[str] = field(default_factory=list)
    instead: dict[int, Callable[[int], bytes | None]] = field(default_factory=dict)
    wait: float = 0.0
    drip: bool = False

    def __post_init__(self) -> None:
        self.port = free_port()
        self.url = f"ldap://127.0.0.1:{self.port}"
        self.asked: list[tuple[int, bytes]] = []
        self._listener = socket.create_server(("127.0.0.1", self.port))
        self._closed = False
        threading.Thread(target=self._listen, daemon=True).start()

    def close(self) -> None:
        self._closed = True
        with contextlib.suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)  # wakes accept(), which would take one more otherwise
        self._listener.close()

    def add(self, login: str, password: str, **attributes: str | bytes | list[str]) -> Entry:
        given = {
            name: [
                one if isinstance(one, bytes) else one.encode()
                for one in (value if isinstance(value, list) else [value])
            ]
            for name, value in attributes.items()
        }
        self.people[login] = Entry(f"uid={login},dc=corp,dc=example", password, {"uid": [login.encode()], **given})
        return self.people[login]

    def _listen(self) -> None:
        while not self._closed:
            try:
                connection, _ = self._listener.accept()
            except OSError:
                return
            threading.Thread(target=self._serve, args=(connection,), daemon=True).start()

    def _serve(self, connection: socket.socket) -> None:
        buffer = b""
        with connection:
            while True:
                try:
                    data = connection.recv(65_536)
                except OSError:
                    return
                if not data:
                    return
                buffer += data
                while (size := ber.header(buffer)) is not None and sum(size) <= len(buffer):
                    content, buffer = buffer[size[0] : sum(size)], buffer[sum(size) :]
                    if not self._answered(connection, content):
                        return

    def _answered(self, connection: socket.socket, content: bytes) -> bool:
        reader = Reader(content)
        number = reader.number()
        operation, inner = reader.next()
        self.asked.append((operation, inner))
        time.sleep(self.wait)
        if operation == UNBIND:
            return False
        scripted = self.instead.get(operation)
        answer = scripted(number) if scripted else self._answer(number, operation, inner)
        if answer is None:
            return False
        try:
            for piece in [bytes((one,)) for one in answer] if self.drip else [answer]:
                connection.sendall(piece)
                if self.drip:
                    time.sleep(0.1)
        except OSError:
            return False
        return True

    def _answer(self, number: int, operation: int, inner: bytes) -> bytes:
        if operation == BIND:
            reader = Reader(inner)
            reader.number()
            name, (_, password) = reader.take(ber.OCTETS).decode(), reader.next()
            known = {entry.dn: entry.password for entry in self.people.values()}
            right = name == "" or known.get(name, "").encode() == password
            return done(number, 0x61, 0 if right and (name == "" or password) else 49)
        if operation == SEARCH:
            if b"group-mark" in inner:
                listed = [entry(number, f"cn={name}", {"cn": [name.encode()]}) for name in self.groups]
                return b"".join(listed) + done(number, 0x65, 0)
            found = [one for login, one in self.people.items() if ber.octets(login) in inner]
            return b"".join(entry(number, one.dn, one.attributes) for one in found) + done(number, 0x65, 0)
        return done(number, 0x78, 2)


def envelope(number: int, operation: bytes) -> bytes:
    return ber.element(ber.SEQUENCE, ber.integer(number), operation)


def done(number: int, kind: int, code: int, told: str = "") -> bytes:
    return envelope(number, ber.element(kind, ber.integer(code, ber.ENUMERATED), ber.octets(""), ber.octets(told)))


def entry(number: int, dn: str, attributes: dict[str, list[bytes]]) -> bytes:
    listed = [
        ber.element(ber.SEQUENCE, ber.octets(name), ber.element(ber.SET, *(ber.octets(one) for one in values)))
        for name, values in attributes.items()
    ]
    return envelope(number, ber.element(0x64, ber.octets(dn), ber.element(ber.SEQUENCE, *listed)))

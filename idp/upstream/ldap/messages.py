"""LDAP messages that we send and read (RFC 4511): bind, search, StartTLS, unbind. Referrals are read and never followed.

Everything is bounded by what the connection reads. Leaves the order of messages to connection.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from idp.upstream.ldap import ber
from idp.upstream.ldap.ber import BadBer, Reader

BASE, SUBTREE = 0, 2
START_TLS = "1.3.6.1.4.1.1466.20037"
BIND_ANSWER, ENTRY, DONE, REFERENCE, EXTENDED_ANSWER = 0x61, 0x64, 0x65, 0x73, 0x78
_BIND, _UNBIND, _SEARCH, _EXTENDED = 0x60, 0x42, 0x63, 0x77
MAX_ATTRIBUTES, MAX_VALUES = 200, 2000

SUCCESS, SIZE_LIMIT, REFERRAL, NO_SUCH_OBJECT, INVALID_CREDENTIALS = 0, 4, 10, 32, 49
# Locked out, expired, not allowed to bind: nobody comes in, and which of them it is stands in the trace only.
NO_ENTRY = (INVALID_CREDENTIALS, NO_SUCH_OBJECT, 19, 34, 48, 50, 53)
BUSY = (3, 51, 52)


@dataclass(frozen=True, slots=True)
class Result:
    """code: resultCode; told: what the server says about it, for the trace."""

    code: int
    told: str = ""


@dataclass(frozen=True, slots=True)
class Entry:
    """attributes: names in lower case, values as they are."""

    dn: str
    attributes: Mapping[str, tuple[bytes, ...]] = field(repr=False)


@dataclass(frozen=True, slots=True)
class Message:
    number: int
    kind: int
    content: bytes = field(repr=False)


def bind(number: int, name: str, password: str) -> bytes:
    operation = ber.element(_BIND, ber.integer(3), ber.octets(name), ber.octets(password, 0x80))
    return ber.element(ber.SEQUENCE, ber.integer(number), operation)


def unbind(number: int) -> bytes:
    return ber.element(ber.SEQUENCE, ber.integer(number), ber.element(_UNBIND))


def start_tls(number: int) -> bytes:
    return ber.element(ber.SEQUENCE, ber.integer(number), ber.element(_EXTENDED, ber.octets(START_TLS, 0x80)))


def search(
    number: int, base: str, scope: int, filter: bytes, attributes: Iterable[str], *, most: int, seconds: int
) -> bytes:
    """Aliases are not followed. most, seconds: what we ask the server not to exceed."""
    operation = ber.element(
        _SEARCH,
        ber.octets(base),
        ber.integer(scope, ber.ENUMERATED),
        ber.integer(0, ber.ENUMERATED),
        ber.integer(most),
        ber.integer(seconds),
        ber.boolean(False),
        filter,
        ber.element(ber.SEQUENCE, *(ber.octets(one) for one in attributes)),
    )
    return ber.element(ber.SEQUENCE, ber.integer(number), operation)


def message(content: bytes) -> Message:
    """What is in the envelope. Controls of the server say nothing that we act on. Raises BadBer."""
    reader = Reader(content)
    number = reader.number()
    kind, inner = reader.next()
    return Message(number, kind, inner)


def result(content: bytes) -> Result:
    """LDAPResult, as it begins every answer. Raises BadBer."""
    reader = Reader(content)
    code = reader.number(ber.ENUMERATED)
    reader.take(ber.OCTETS)
    return Result(code, reader.take(ber.OCTETS).decode("utf-8", "replace"))


def entry(content: bytes) -> Entry:
    """SearchResultEntry. Raises BadBer."""
    reader = Reader(content)
    dn = _text(reader.take(ber.OCTETS))
    listed = Reader(reader.take(ber.SEQUENCE))
    attributes: dict[str, tuple[bytes, ...]] = {}
    while listed:
        if len(attributes) == MAX_ATTRIBUTES:
            raise BadBer("an entry with too many attributes")
        one = Reader(listed.take(ber.SEQUENCE))
        # Options (`cn;lang-de`, `member;range=0-1499`) make it another attribute.
        name, values = _text(one.take(ber.OCTETS)).lower(), Reader(one.take(ber.SET))
        found: list[bytes] = []
        while values and len(found) < MAX_VALUES:
            found.append(values.take(ber.OCTETS))
        attributes[name] = tuple(found)
    return Entry(dn, attributes)


def _text(raw: bytes) -> str:
    try:
        return raw.decode()
    except UnicodeDecodeError:
        raise BadBer("a name that is not UTF-8") from None

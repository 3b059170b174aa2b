"""The part of BER that LDAP allows (RFC 4511 5.1): definite lengths, tags of one byte. Leaves what the elements mean to messages."""

INTEGER, BOOLEAN, OCTETS, ENUMERATED, SEQUENCE, SET = 0x02, 0x01, 0x04, 0x0A, 0x30, 0x31
MAX_INTEGER_BYTES = 5


class BadBer(ValueError):  # noqa: N818  (said of an answer)
    """Not what LDAP may send."""


def element(tag: int, *parts: bytes) -> bytes:
    body = b"".join(parts)
    size = len(body)
    if size < 0x80:
        return bytes((tag, size)) + body
    length = size.to_bytes((size.bit_length() + 7) // 8, "big")
    return bytes((tag, 0x80 | len(length))) + length + body


def integer(value: int, tag: int = INTEGER) -> bytes:
    return element(tag, value.to_bytes(value.bit_length() // 8 + 1, "big", signed=True))


def octets(value: bytes | str, tag: int = OCTETS) -> bytes:
    return element(tag, value.encode() if isinstance(value, str) else value)


def boolean(value: bool, tag: int = BOOLEAN) -> bytes:
    return element(tag, b"\xff" if value else b"\x00")


def header(data: bytes) -> tuple[int, int] | None:
    """(bytes of the header, bytes of the content) of the element that begins here; None while too little is there."""
    if len(data) < 2:
        return None
    if data[0] & 0x1F == 0x1F:
        raise BadBer("a tag of several bytes")
    first = data[1]
    if first < 0x80:
        return 2, first
    count = first & 0x7F
    if not 1 <= count <= 4:
        raise BadBer("a length that is indefinite or too long")
    if len(data) < 2 + count:
        return None
    return 2 + count, int.from_bytes(data[2 : 2 + count], "big")


class Reader:
    """Elements one after the other."""

    def __init__(self, data: bytes) -> None:
        self._data = data
        self._at = 0

    def __bool__(self) -> bool:
        """Is there more?"""
        return self._at < len(self._data)

    def next(self) -> tuple[int, bytes]:
        """(tag, content). Raises BadBer."""
        found = header(self._data[self._at : self._at + 6])
        if found is None:
            raise BadBer("it ends in the middle")
        start = self._at + found[0]
        end = start + found[1]
        if end > len(self._data):
            raise BadBer("an element is longer than what is there")
        tag, self._at = self._data[self._at], end
        return tag, self._data[start:end]

    def take(self, tag: int) -> bytes:
        """The content of the next element, which must be this one."""
        found, content = self.next()
        if found != tag:
            raise BadBer(f"tag {found:#04x} where {tag:#04x} is due")
        return content

    def number(self, tag: int = INTEGER) -> int:
        content = self.take(tag)
        if not 0 < len(content) <= MAX_INTEGER_BYTES:
            raise BadBer("a number of no usable size")
        return int.from_bytes(content, "big", signed=True)

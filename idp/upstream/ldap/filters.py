"""Search filters that administrators write (RFC 4515), with places for what people type, and names with such places (RFC 4514).

The filter is read first and the values are put in afterwards, as bytes: no value can change what a filter asks. Leaves which
filters there are to the settings.
"""

import re
from collections.abc import Mapping

from idp.upstream.ldap import ber

MAX_FILTER, MAX_DEPTH = 2000, 10
PLACE = re.compile(r"\{([a-z]+)\}")
_ATTRIBUTE = re.compile(r"[A-Za-z0-9.;-]{1,100}\Z")
_ITEM = re.compile(r"([A-Za-z0-9.;-]*)((?::dn)?)(?::([A-Za-z0-9.-]+))?(:=|>=|<=|~=|=)(.*)", re.DOTALL)
_COMPARE = {"=": 0xA3, ">=": 0xA5, "<=": 0xA6, "~=": 0xA8}
_PRESENT, _SUBSTRINGS, _EXTENSIBLE = 0x87, 0xA4, 0xA9
_SETS = {"&": 0xA0, "|": 0xA1}
_NOT = 0xA2
_ESCAPED = re.compile(rb"\\([0-9A-Fa-f]{2})")


def encoded(template: str, values: Mapping[str, str]) -> bytes:
    """The filter as it is sent. Raises ValueError: it cannot be read, or names a place that is not in `values`."""
    if len(template) > MAX_FILTER:
        raise ValueError("The filter is too long")
    found, rest = _filter(template.strip(), values, 1)
    if rest:
        raise ValueError(f"The filter goes on after its end: {rest[:20]!r}")
    return found


def name(template: str, values: Mapping[str, str]) -> str:
    """A distinguished name with values in it, which cannot add parts to it (RFC 4514 2.4)."""
    return PLACE.sub(lambda place: escaped(values[place[1]]), template)


def escaped(value: str) -> str:
    inner = "".join(f"\\{c}" if c in '"+,;<>\\=#' else f"\\{ord(c):02x}" if c < " " else c for c in value)
    if inner.startswith(" "):
        inner = "\\" + inner
    return inner[:-1] + "\\ " if inner.endswith(" ") and len(value) > 1 else inner


def domain(dn: str) -> str:
    """`ou=people,dc=corp,dc=example` -> `corp.example`; empty for a name without dc."""
    found = [part.partition("=") for part in dn.split(",")]
    return ".".join(value.strip().lower() for name, _, value in found if name.strip().lower() == "dc")


def _filter(text: str, values: Mapping[str, str], depth: int) -> tuple[bytes, str]:
    if depth > MAX_DEPTH:
        raise ValueError("The filter is nested too deep")
    if not text.startswith("("):
        raise ValueError("A filter begins with (")
    if text[1:2] in _SETS:
        return _set(text, values, depth)
    if text[1:2] == "!":
        inner, rest = _filter(text[2:].lstrip(), values, depth + 1)
        return ber.element(_NOT, inner), _closed(rest)
    end = text.find(")")
    if end < 0:
        raise ValueError("The filter has a ( without )")
    return _item(text[1:end], values), text[end + 1 :].lstrip()


def _set(text: str, values: Mapping[str, str], depth: int) -> tuple[bytes, str]:
    inner, rest = [], text[2:].lstrip()
    while rest.startswith("("):
        one, rest = _filter(rest, values, depth + 1)
        inner.append(one)
    if not inner:
        raise ValueError(f"The filter has a {text[1]} of nothing")
    return ber.element(_SETS[text[1]], *inner), _closed(rest)


def _closed(rest: str) -> str:
    if not rest.startswith(")"):
        raise ValueError("The filter has a ( without )")
    return rest[1:].lstrip()


def _item(text: str, values: Mapping[str, str]) -> bytes:
    found = _ITEM.fullmatch(text)
    if found is None or "(" in text:
        raise ValueError(f"The filter has no comparison in ({text[:40]})")
    attribute, dn, rule, mark, wanted = found.groups()
    if mark == ":=":
        return _extensible(attribute, dn, rule, _value(wanted, values))
    if rule or dn or not _ATTRIBUTE.match(attribute):
        raise ValueError(f"The filter has no attribute in ({text[:40]})")
    if mark == "=" and wanted == "*":
        return ber.octets(attribute, _PRESENT)
    if mark == "=" and "*" in wanted:
        return _substrings(attribute, wanted.split("*"), values)
    return ber.element(_COMPARE[mark], ber.octets(attribute), ber.octets(_value(wanted, values)))


def _extensible(attribute: str, dn: str, rule: str | None, value: bytes) -> bytes:
    if not attribute and not rule:
        raise ValueError("The filter has a := without attribute and rule")
    return ber.element(
        _EXTENSIBLE,
        ber.octets(rule, 0x81) if rule else b"",
        ber.octets(attribute, 0x82) if attribute else b"",
        ber.octets(value, 0x83),
        ber.boolean(True, 0x84) if dn else b"",
    )


def _substrings(attribute: str, pieces: list[str], values: Mapping[str, str]) -> bytes:
    last = len(pieces) - 1
    tags = [0x80 if at == 0 else 0x82 if at == last else 0x81 for at in range(len(pieces))]
    inner = [ber.octets(_value(piece, values), tag) for piece, tag in zip(pieces, tags, strict=True) if piece]
    if not inner:
        raise ValueError("The filter has * only")
    return ber.element(_SUBSTRINGS, ber.octets(attribute), ber.element(ber.SEQUENCE, *inner))


def _value(text: str, values: Mapping[str, str]) -> bytes:
    """Escapes of the template are taken out of the template only."""
    pieces = PLACE.split(text)
    found = b""
    for at, piece in enumerate(pieces):
        if at % 2:
            if piece not in values:
                raise ValueError(f"The filter has {{{piece}}}; there are {', '.join(f'{{{one}}}' for one in values)}")
            found += values[piece].encode()
        else:
            found += _ESCAPED.sub(lambda match: bytes.fromhex(match[1].decode()), piece.encode())
    return found

"""Owns regular expressions: a small language that a backtracking engine answers in linear time, refused by name beyond it.

What is accepted is written anew in one spelling that Python and PCRE (MongoDB) read alike: no flags, no classes that
depend on a locale, no anchors with exceptions.
"""

import re
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Final, NoReturn

from idp.api.problems import bad_request, quoted

MAX_PATTERN = 200
MAX_SIZE = 5000  # written out; below what PCRE can compile
# How many ways there may be to match at one position: what a backtracking engine tries at most, so that (a?){30} is none.
MAX_WAYS = 1000
STRIDE = 2_000
_END: Final = r"(?![\s\S])"  # $ would also stand before a line break at the end
_CLASSES: Final = {"d": "0-9", "w": "0-9A-Za-z_", "s": r"\t\n\x0b\x0c\r "}
_CONTROLS: Final = {"n": "\n", "t": "\t", "r": "\r"}
_QUANTIFIER: Final = re.compile(r"\{([0-9]{1,4})(?:,([0-9]{1,4}))?\}")


@dataclass(frozen=True, slots=True)
class Regex:
    """source: for Python and MongoDB. longest: characters of the longest match."""

    source: str
    longest: int
    at_start: bool
    at_end: bool
    compiled: re.Pattern[str] = field(compare=False, repr=False)

    def found_in(self, text: str, tick: Callable[[], None]) -> bool:
        """In strides: while Python searches, no other thread runs."""
        if self.at_start:
            return self.compiled.match(text) is not None
        if self.at_end:
            return self.compiled.search(text, max(0, len(text) - self.longest)) is not None
        for begin in range(0, len(text) + 1, STRIDE):
            tick()
            if self.compiled.search(text, begin, begin + STRIDE + self.longest):
                return True
        return False


def parse_regex(pattern: object, options: object) -> Regex:
    """Raises Refused 400: bad_operand, bad_pattern."""
    if not isinstance(pattern, str) or len(pattern) > MAX_PATTERN:
        raise bad_request("bad_operand", f"$regex takes text of at most {MAX_PATTERN} characters.", operator="$regex")
    if options not in ("", "i"):
        raise bad_request("bad_operand", 'Of $options there is "i" only.', operator="$options")
    at_start = pattern.startswith("^")
    at_end = pattern.endswith("$") and not _escaped(pattern, len(pattern) - 1)
    reader = _Reader(pattern[at_start : len(pattern) - at_end], fold=options == "i")
    whole = reader.alternatives()
    if reader.rest:
        _refuse(")", "this bracket closes nothing")
    if whole.branches > 1 and (at_start or at_end):
        _refuse("|", "put alternatives beside ^ or $ into brackets: ^(a|b)$")
    source = "^" * at_start + whole.text + _END * at_end
    return Regex(source, whole.longest, at_start, at_end, re.compile(source))


def _escaped(pattern: str, at: int) -> bool:
    before = pattern[:at]
    return (len(before) - len(before.rstrip("\\"))) % 2 == 1


def _refuse(construct: str, why: str) -> NoReturn:
    message = f"{quoted(construct)} cannot be used in a $regex: {why}."
    raise bad_request("bad_pattern", message, operator="$regex", construct=construct[:20])


@dataclass(frozen=True, slots=True)
class _Part:
    """size: length when all repetitions are written out; ways: in how many ways it can match at most."""

    text: str
    longest: int
    size: int
    ways: int = 1
    branches: int = 1


class _Reader:
    def __init__(self, pattern: str, *, fold: bool) -> None:
        self.rest = pattern
        self._fold = fold

    def alternatives(self) -> _Part:
        parts = [self._sequence()]
        while self.rest.startswith("|"):
            self._take(1)
            parts.append(self._sequence())
        longest, ways = max(part.longest for part in parts), sum(part.ways for part in parts)
        size = sum(part.size for part in parts)
        return _bounded(_Part("|".join(part.text for part in parts), longest, size, ways, len(parts)))

    def _sequence(self) -> _Part:
        whole = _Part("", 0, 0)
        while self.rest and self.rest[0] not in "|)":
            part = self._repeated(self._atom())
            ways, size = whole.ways * part.ways, whole.size + part.size
            whole = _bounded(_Part(whole.text + part.text, whole.longest + part.longest, size, ways))
        return whole

    def _take(self, length: int) -> str:
        taken, self.rest = self.rest[:length], self.rest[length:]
        return taken

    def _atom(self) -> _Part:
        char = self._take(1)
        if char == "(":
            return self._group()
        if char == "[":
            return self._class()
        if char == "\\":
            return self._escape()
        if char in "*+?{":
            _refuse(char, "there is nothing before it to repeat")
        if char in "^$":
            _refuse(char, "it may stand at the very beginning (^) or end ($) only")
        return _Part(r"[^\n]", 1, 5) if char == "." else self._literal(char)

    def _group(self) -> _Part:
        if self.rest.startswith("?"):
            if not self.rest.startswith("?:"):
                _refuse(
                    "(" + self.rest[:3], "groups with ? look around, are named or carry options; only (…) and (?:…)"
                )
            self._take(2)
        inner = self.alternatives()
        if self._take(1) != ")":
            _refuse("(", "this bracket is not closed")
        return _Part(f"(?:{inner.text})", inner.longest, inner.size + 4, inner.ways)

    def _repeated(self, part: _Part) -> _Part:
        least, most, text = self._quantifier()
        if not text:
            return part
        if self.rest[:1] in ("*", "+", "?", "{"):
            _refuse(text + self.rest[0], "a repetition is not repeated, nor made lazy or possessive")
        ways = 0
        for times in range(least, most + 1):
            if ways <= MAX_WAYS:  # else it is too many already, and the powers grow
                ways += part.ways**times
        return _bounded(_Part(part.text + text, part.longest * most, part.size * max(most, 1), ways))

    def _quantifier(self) -> tuple[int, int, str]:
        char = self.rest[:1]
        if char in ("*", "+"):
            _refuse(char, "repetitions need an end; write {0,50} or {1,50}")
        if char == "?":
            self._take(1)
            return 0, 1, "?"
        if char != "{":
            return 1, 1, ""
        found = _QUANTIFIER.match(self.rest)
        if not found:
            _refuse(self.rest[:8], "repetitions are written {3} or {0,50}, and need an end")
        least, most = int(found[1]), int(found[2] or found[1])
        if least > most or most > MAX_WAYS:
            _refuse(found[0], f"repetitions go from the smaller to the larger number, at most {MAX_WAYS}")
        self._take(found.end())
        return least, most, f"{{{least},{most}}}"

    def _literal(self, char: str) -> _Part:
        forms = _forms(char) if self._fold else [char]
        text = _written(char) if len(forms) == 1 else "[" + "".join(map(_written, forms)) + "]"
        return _Part(text, 1, len(text))

    def _escape(self) -> _Part:
        char = self._take(1)
        if char.lower() in _CLASSES:
            text = f"[{'^' if char.isupper() else ''}{_CLASSES[char.lower()]}]"
            return _Part(text, 1, len(text))
        return self._literal(_unescaped(char))

    def _class(self) -> _Part:
        negated = self.rest.startswith("^")
        self._take(negated)
        text = ""
        while not self.rest.startswith("]"):
            text += self._class_item()
        self._take(1)
        if not text:
            _refuse("[]", "a class is not empty")
        text = f"[{'^' * negated}{text}]"
        return _Part(text, 1, len(text))

    def _class_item(self) -> str:
        if self.rest[:1] == "\\" and self.rest[1:2] in _CLASSES:
            return _CLASSES[self._take(2)[1]]
        low = self._class_char()
        if not self.rest.startswith("-") or self.rest.startswith("-]"):
            return "".join(map(_written, _forms(low) if self._fold else [low]))
        self._take(1)
        high = self._class_char()
        if low > high:
            _refuse(f"{low}-{high}", "a range goes from the smaller to the larger character")
        if self._fold and not high.isascii():
            _refuse(f"{low}-{high}", "with the option i, ranges are of ASCII")
        return _range(low, high) + (_folded_range(low, high) if self._fold else "")

    def _class_char(self) -> str:
        char = self._take(1)
        if not char or char == "[":
            _refuse("[", "a class is not closed, or holds [ that is not written \\[")
        return _unescaped(self._take(1)) if char == "\\" else char


def _bounded(part: _Part) -> _Part:
    if part.ways > MAX_WAYS:
        _refuse(
            part.text, f"it can match in more than {MAX_WAYS} ways; repeat less, and no repetitions within repetitions"
        )
    if part.size > MAX_SIZE:
        _refuse(part.text, f"with its repetitions it is longer than {MAX_SIZE} characters")
    return part


def _unescaped(char: str) -> str:
    if char in _CONTROLS:
        return _CONTROLS[char]
    if not char or char.isalnum() or not char.isascii():
        _refuse(
            "\\" + char, "there are \\d \\w \\s \\D \\W \\S \\n \\t \\r and escaped punctuation (no back-references)"
        )
    return char


def _forms(char: str) -> list[str]:
    """The character in both cases, as far as each is one character."""
    return sorted({form for form in (char, char.lower(), char.upper()) if len(form) == 1})


def _range(low: str, high: str) -> str:
    return f"{_written(low)}-{_written(high)}"


def _folded_range(low: str, high: str) -> str:
    """The other case of the ASCII letters in it."""
    result = ""
    for first, last in (("a", "z"), ("A", "Z")):
        begin, end = max(low, first), min(high, last)
        if begin <= end:
            result += _range(begin.swapcase(), end.swapcase())
    return result


def _written(char: str) -> str:
    if char == "\0":
        _refuse("\\0", "MongoDB cannot look for NUL")
    if not char.isascii() or char.isalnum() or char == "_":
        return char
    return "\\" + char if char.isprintable() else f"\\x{ord(char):02x}"

"""Owns what $group makes of the values of a group, in Python; each as MongoDB does it."""

import math
from collections.abc import Callable, Mapping
from typing import Any, Final, Protocol

from idp.api.language.data import MAX_INTEGER
from idp.api.language.order import NUMBER, bracket, key_of
from idp.api.language.paths import MISSING

Hold = Callable[[Any], object]


class Accumulator(Protocol):
    def add(self, value: Any) -> None: ...

    def result(self) -> Any: ...


class _Sum:
    """Of numbers only. Integers stay exact; of floats the rounding errors are carried along (Neumaier)."""

    def __init__(self, _hold: Hold) -> None:
        self.count = 0
        self._whole = 0
        self._float: float | None = None
        self._lost = 0.0

    def add(self, value: Any) -> None:
        if value is MISSING or bracket(value) != NUMBER:
            return
        self.count += 1
        if isinstance(value, int):
            self._whole += value
            return
        before = self._float or 0.0
        self._float = before + value
        larger, smaller = (before, value) if abs(before) >= abs(value) else (value, before)
        self._lost += (larger - self._float) + smaller

    def result(self) -> float:
        if self._float is None:
            return self._whole if abs(self._whole) <= MAX_INTEGER else float(self._whole)
        if not math.isfinite(self._float):
            return self._float
        return float(self._whole) + self._lost + self._float


class _Average(_Sum):
    def result(self) -> Any:
        return float(super().result()) / self.count if self.count else None


class _Extreme:
    """null and what is not there do not count."""

    def __init__(self, hold: Hold, better: Callable[[bytes, bytes], bool]) -> None:
        self._hold, self._better = hold, better
        self._key: bytes | None = None
        self._value: Any = None

    def add(self, value: Any) -> None:
        if value is None or value is MISSING:
            return
        key = key_of(value)
        if self._key is None or self._better(key, self._key):
            self._key, self._value = key, value

    def result(self) -> Any:
        return self._value


class _Push:
    def __init__(self, hold: Hold) -> None:
        self._hold = hold
        self._values: list[Any] = []

    def add(self, value: Any) -> None:
        if value is not MISSING:
            self._hold(value)
            self._values.append(value)

    def result(self) -> list[Any]:
        return self._values


class _Set:
    """In the order of the values: MongoDB's sets have none."""

    def __init__(self, hold: Hold) -> None:
        self._hold = hold
        self._values: dict[bytes, Any] = {}

    def add(self, value: Any) -> None:
        if value is MISSING:
            return
        key = key_of(value)
        if key not in self._values:
            self._hold(value)
            self._values[key] = value

    def result(self) -> list[Any]:
        return [self._values[key] for key in sorted(self._values)]


class _First:
    def __init__(self, _hold: Hold) -> None:
        self._value: Any = MISSING
        self._seen = False

    def add(self, value: Any) -> None:
        if not self._seen:
            self._value, self._seen = value, True

    def result(self) -> Any:
        return None if self._value is MISSING else self._value


class _Last(_First):
    def add(self, value: Any) -> None:
        self._value = value


ACCUMULATE: Final[Mapping[str, Callable[[Hold], Accumulator]]] = {
    "$sum": _Sum,
    "$avg": _Average,
    "$min": lambda hold: _Extreme(hold, lambda new, old: new < old),
    "$max": lambda hold: _Extreme(hold, lambda new, old: new > old),
    "$push": _Push,
    "$addToSet": _Set,
    "$first": _First,
    "$last": _Last,
}

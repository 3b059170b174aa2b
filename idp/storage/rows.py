"""A record as a row (id, version, expiry, keys, JSON body), the same for both engines, and the checks on what callers
ask for. Leaves SQL and BSON to the engines."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any, Generic, TypeVar

from idp.storage.codec import Codec, WrongShape, codec, dumps, loads
from idp.storage.collections import Collection
from idp.storage.migrations import Change

T = TypeVar("T")
MAX_BODY = 4_000_000  # characters; MongoDB takes 16 MB of UTF-8
REMEMBERED = 1024  # records of a collection that need not be decoded again while their text is the same
MAX_REMEMBERED_BODY = 4096
OWN_COLUMNS = ("id", "version", "expires_at", "consumed_at", "body", "_id", "gone_at")


class Unreadable(Exception):  # noqa: N818
    """A stored record is damaged. It is named instead of being left out, as a missing record could open a door."""

    def __init__(self, collection: str, id: str, why: str) -> None:
        super().__init__(f"{collection} {id!r} cannot be read: {why}")
        self.collection = collection
        self.id = id


@dataclass(frozen=True, slots=True)
class Row:
    """keys: one value for each of Collection.keys. body: the whole record; version and consumed_at beside it win."""

    id: str
    version: int
    expires_at: float | None
    consumed_at: float | None
    keys: tuple[str | None, ...]
    body: str


class Rows(Generic[T]):
    """One collection: its records as rows and back."""

    def __init__(self, collection: Collection) -> None:
        self.collection = collection
        self.name = collection.name
        self.keys = collection.keys
        self.expires = collection.expires
        self.versioned = collection.versioned
        self.consumable = collection.consumable
        self._allowed = frozenset(self.keys)
        self._derived = collection.derived
        self._codec: Codec[T] = codec(collection.kind)
        self._decoded: dict[str, tuple[str | bytes, int, float | None, T]] = {}
        self._just_read: tuple[str | bytes, T] | None = None
        for name in (self.name, *self.keys):
            if not name.isidentifier() or name in OWN_COLUMNS:  # these names are put into SQL
                raise ValueError(f"{name!r} cannot name a collection or a key")

    def dump(self, record: T) -> Row:
        """Raises WrongShape (a ValueError)."""
        plain = self._codec.encode(record)
        body = dumps(plain)
        if len(body) > MAX_BODY:
            raise WrongShape(f"{self.name}: the record is too large")
        return Row(
            plain["id"],
            plain.get("version", 0),
            plain.get("expires_at"),
            plain.get("consumed_at"),
            self.key_values(plain),
            body,
        )

    def key_values(self, plain: Mapping[str, Any]) -> tuple[str | None, ...]:
        """The values of the key columns. Raises WrongShape when one is neither text nor None."""
        values = tuple([plain.get(key) for key in self.keys])
        if self._derived:
            values = tuple(
                self._derived[key](plain) if key in self._derived else value
                for key, value in zip(self.keys, values, strict=True)
            )
        if not all(value is None or isinstance(value, str) for value in values):
            raise WrongShape(f"{self.name}: a key is not text")
        return values

    def load(self, id: str, body: str | bytes, version: int, consumed_at: float | None) -> T:
        """Raises Unreadable. The engine has just read this text: what it says is as fresh as if it were decoded anew."""
        known = self._decoded.get(id)
        if known is not None and known[0] == body and known[1] == version and known[2] == consumed_at:
            return known[3]
        if self.consumable:
            return self._read_or_consumed(id, body, version, consumed_at)
        record = self._read(id, body, version, consumed_at)
        if self._may_share(body):
            if len(self._decoded) >= REMEMBERED:
                for old in list(self._decoded)[: REMEMBERED // 4]:
                    self._decoded.pop(old, None)  # another thread may do the same
            self._decoded[id] = (body, version, consumed_at, record)
        return record

    def _read_or_consumed(self, id: str, body: str | bytes, version: int, consumed_at: float | None) -> T:
        """What is consumed was looked at right before, by the same caller: it is the same but for the mark."""
        before, self._just_read = self._just_read, None
        if consumed_at is None or before is None or before[0] != body:
            record = self._read(id, body, version, consumed_at)
            self._just_read = (body, record)
            return record
        marks: dict[str, Any] = {"consumed_at": consumed_at, **({"version": version} if self.versioned else {})}
        return replace(before[1], **marks)  # type: ignore[type-var]

    def _may_share(self, body: str | bytes) -> bool:
        """A frozen record may have many readers, one with a dict in it not: somebody could change that."""
        if len(body) > MAX_REMEMBERED_BODY or not isinstance(body, str):
            return False
        return body.count("{") - body.count("{}") == 1

    def _read(self, id: str, body: str | bytes, version: int, consumed_at: float | None) -> T:
        try:
            plain = loads(body)
            if not isinstance(plain, dict) or plain.get("id") != id:
                raise WrongShape("not the body of this record")
            if self.versioned:
                plain["version"] = version
            if self.consumable:
                plain["consumed_at"] = consumed_at
            return self._codec.decode(plain)
        except (ValueError, TypeError) as error:
            raise Unreadable(self.name, str(id), str(error)) from None

    def changed(self, id: str, body: str, changes: Iterable[Change]) -> dict[str, Any]:
        """A stored body after the changes of a migration. Raises Unreadable: a store is not brought up to date around a
        record that nobody can read."""
        try:
            plain = loads(body)
            for change in changes:
                plain = change(plain)
            self.key_values(plain)
        except Exception as error:  # a change is code that did not foresee this body
            raise Unreadable(self.name, id, f"{type(error).__name__} in a migration") from error
        return plain

    def version_of(self, record: T) -> int:
        """Raises TypeError for a kind that is written once."""
        if not self.versioned:
            raise TypeError(f"{self.name} have no version: they are written once")
        return record.version  # type: ignore[attr-defined]

    def must_be_consumable(self) -> None:
        """Raises TypeError."""
        if not self.consumable:
            raise TypeError(f"{self.name} cannot be consumed")

    def checked(self, where: Mapping[str, object], *, none: bool = True) -> dict[str, str | None]:
        """`where` in a stable order. Raises KeyError for an undeclared key, TypeError for a value that is not text (a
        dict would be an operator on MongoDB)."""
        for key, value in where.items():
            if key not in self._allowed:
                raise KeyError(f"{key} is not a declared key of {self.name}")
            if not (isinstance(value, str) or (none and value is None)):
                raise TypeError(f"{self.name}.{key}: text is needed, not {type(value).__name__}")
        return {key: where[key] for key in self.keys if key in where}  # type: ignore[misc]


class Table:
    """All collections of one repository, by the class of their records."""

    def __init__(self, collections: Iterable[Collection]) -> None:
        self._rows: dict[type[Any], Rows[Any]] = {c.kind: Rows(c) for c in collections}

    def __iter__(self) -> Iterator[Rows[Any]]:
        return iter(self._rows.values())

    def of(self, kind: type[T]) -> Rows[T]:
        """Raises TypeError for a class that is not stored."""
        try:
            return self._rows[kind]
        except (KeyError, TypeError):
            raise TypeError(f"{getattr(kind, '__name__', kind)!s} is not a stored kind") from None


def text(id: object) -> str:
    """An id as given by a caller. Raises TypeError when it is not text."""
    if not isinstance(id, str):
        raise TypeError(f"an id is text, not {type(id).__name__}")
    return id

"""Owns what a pipeline consists of. How it is read: aggregate.py; how it is carried out: running.py and mongo.py."""

from dataclasses import dataclass

from idp.api.language.filter import Node
from idp.api.language.order import Sort
from idp.api.language.paths import Path


@dataclass(frozen=True, slots=True)
class Match:
    where: Node


@dataclass(frozen=True, slots=True)
class Hide:
    """Take these fields out; () is all that the client wrote."""

    paths: tuple[Path, ...]


@dataclass(frozen=True, slots=True)
class Project:
    """kept: fields that stay; made: new name and the path of its value."""

    kept: tuple[Path, ...]
    made: tuple[tuple[str, Path], ...]


@dataclass(frozen=True, slots=True)
class Unwind:
    """position: the field that receives the place in the list: it breaks ties and is hidden at the end."""

    path: Path
    keep_empty: bool
    position: str


@dataclass(frozen=True, slots=True)
class Accumulate:
    """operand: a path, or a number ($sum only)."""

    name: str
    op: str
    operand: Path | float


@dataclass(frozen=True, slots=True)
class Group:
    """key: one path (the empty one: one group of all), or the names of a compound key with their paths."""

    key: Path | dict[str, Path]
    fields: tuple[Accumulate, ...]


@dataclass(frozen=True, slots=True)
class SortBy:
    sort: Sort


@dataclass(frozen=True, slots=True)
class Limit:
    count: int


@dataclass(frozen=True, slots=True)
class Skip:
    count: int


@dataclass(frozen=True, slots=True)
class Count:
    name: str


@dataclass(frozen=True, slots=True)
class Facet:
    pipelines: tuple[tuple[str, "Pipeline"], ...]


Stage = Match | Hide | Project | Unwind | Group | SortBy | Limit | Skip | Count | Facet
Pipeline = tuple[Stage, ...]


@dataclass(frozen=True, slots=True)
class Leading:
    """What a store can do by itself, with its indexes. sort None: any order will do."""

    where: Node
    sort: Sort | None
    rest: Pipeline

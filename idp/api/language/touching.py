"""Owns the question which fields somebody looks at by value: what is sealed may not be asked for."""

from idp.api.language.filter import Combine, Compare, ElemMatch, Node
from idp.api.language.order import Sort
from idp.api.language.paths import Path
from idp.api.language.stages import Count, Facet, Group, Match, Pipeline, Project, SortBy, Stage, Unwind
from idp.api.language.update import Step, read_by


def touched(what: Node | Sort | Pipeline | tuple[Step, ...]) -> frozenset[Path]:
    """Of a filter, a sort or a pipeline: all fields that decide over the result or come into it by name. Of an update: the
    fields whose stored value decides what it does."""
    if isinstance(what, Combine):
        return frozenset(path for part in what.parts for path in touched(part))
    if isinstance(what, (Compare, ElemMatch)):
        return frozenset([what.path])
    paths: set[Path] = set()
    for part in what:
        paths |= _in_tuple(part) if isinstance(part, tuple) else _in_stage(part)
        if isinstance(part, (Group, Count)):  # behind it there are only names that it made
            break
    return frozenset(paths)


def _in_tuple(part: tuple[Path, int] | Step) -> frozenset[Path]:
    return read_by((part,)) if len(part) == 3 else frozenset([part[0]])


def _in_stage(stage: Stage) -> frozenset[Path]:
    match stage:
        case Match():
            return touched(stage.where)
        case SortBy():
            return touched(stage.sort)
        case Project():
            return frozenset([*stage.kept, *(path for _, path in stage.made)])
        case Unwind():
            return frozenset([stage.path])
        case Group():
            return _in_group(stage)
        case Facet():
            return frozenset(path for _, inner in stage.pipelines for path in touched(inner))
    return frozenset()


def _in_group(stage: Group) -> frozenset[Path]:
    operands = [field.operand for field in stage.fields if isinstance(field.operand, tuple)]
    keys = stage.key.values() if isinstance(stage.key, dict) else [stage.key] if stage.key else []
    return frozenset([*operands, *keys])

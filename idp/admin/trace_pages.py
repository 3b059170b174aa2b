"""Why a sign-in ended as it did, as pages: looking a code up, its story step by step, and deciding it once more. Changes nothing.

Leaves what is kept to idp.services.tell_why and sign_in_records, and the decision to replay_sign_in.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from itertools import groupby

from flask import Blueprint, redirect, request
from markupsafe import Markup
from werkzeug.wrappers import Response

from idp.admin.common import shown
from idp.admin.trace_api import replays_of
from idp.base.errors import Refused
from idp.domain.decision import SignInRecord
from idp.domain.upstream import UpstreamProvider
from idp.http.forms import Problem, attempted
from idp.http.own_pages import administrator
from idp.http.parts import parts
from idp.http.render import has_text, text
from idp.http.security import check_csrf, form_field
from idp.services import tell_why
from idp.services.explain_sign_in import Names, Told, cure_of_check, cure_of_reason, key_of_cause, notes_of, told
from idp.services.replay_sign_in import Side, is_replayable
from idp.services.sign_in_records import canonical
from idp.upstream.edited_rules import MAX_TEXT, as_lines, edited, read_lines

bp = Blueprint("trace", __name__)

PATH = "/admin/trace"
SHOWN = 50
LONGEST = 400
MANY = 3  # checks that passed in a row are shown as one line
_CHECKS = ("check", "saml_check")


@dataclass(frozen=True, slots=True)
class Line:
    """One step. facts: (label, text)."""

    told: Told
    words: Markup
    facts: tuple[tuple[Markup, str], ...]


@dataclass(frozen=True, slots=True)
class Passed:
    """Many checks that passed, one after the other: nobody looks for a fault there."""

    lines: tuple[Line, ...]


@dataclass(frozen=True, slots=True)
class Row:
    """One line of the comparison. cells: the text of each side, and whether it differs from the side before it."""

    words: Markup
    cells: tuple[tuple[Markup, bool], ...]


# ---------------------------------------------------------------- the list, and looking up


@bp.get(PATH)
def every_sign_in() -> Response:
    """`code` holds a code or the name of a user: whoever calls support knows one or the other."""
    administrator(PATH)
    typed = request.args.get("code", "")[:LONGEST].strip()
    kept = _find(typed) if typed else None
    if kept is not None:
        return redirect(f"{PATH}/{kept.code}", 303)
    user = parts().users.by_login(typed) if typed else None
    failed = request.args.get("failed") == "1"
    records = parts().records
    if user is not None:
        found = [one for one in records.of_user(user.id, 4 * SHOWN) if not (failed and one.outcome != "refused")]
    else:
        found = [] if typed else records.newest(SHOWN, outcome="refused" if failed else None)
    return shown(
        "admin_traces.html",
        records=found[:SHOWN],
        names=_names(),
        typed=typed,
        user=user,
        failed=failed,
        missing=bool(typed) and user is None,
        days=parts().settings.log.trace_days,
    )


@bp.get("/trace/<code>")
def short_address(code: str) -> Response:
    """Short enough to be read out."""
    administrator(f"{PATH}/{canonical(code)}")
    return redirect(f"{PATH}/{canonical(code)}", 303)


# ---------------------------------------------------------------- one sign-in


@bp.get(f"{PATH}/<code>")
def one_sign_in(code: str) -> Response:
    administrator(f"{PATH}/{canonical(code)}")
    return _page(_known(code))


@bp.post(f"{PATH}/<code>/replay")
def replay(code: str) -> Response:
    """Decides with rules that are typed in. It stores nothing and tells nobody."""
    check_csrf()
    administrator(f"{PATH}/{canonical(code)}")
    kept = _known(code)
    typed = form_field("rules", limit=MAX_TEXT)
    outcome = attempted(lambda: _compared(kept.record, typed), "invalid_setting", "unknown_setting", "no_replay")
    if isinstance(outcome, Problem):
        return _page(kept, typed, problem=outcome)
    return _page(kept, typed, outcome)


def _page(
    kept: tell_why.Kept, typed: str = "", sides: Mapping[str, Side] | None = None, problem: Problem | None = None
) -> Response:
    record, trace, names = kept.record, kept.trace, _names()
    provider = _provider(record)
    roles = parts().settings.linking.never_auto_link_roles
    replayable = record is not None and is_replayable(record)
    if sides is None and replayable and provider is not None:
        sides = _compared(record)
    reason = trace.code if trace is not None else ""
    cure = (cure_of_check(record) if record is not None else "") or cure_of_reason(reason)
    return shown(
        "admin_trace.html",
        problem,
        kept=kept,
        record=record,
        trace=trace,
        names=names,
        told=text(f"error.{reason}", wait="…", minimum="…") if has_text(f"error.{reason}") else None,
        cure=text(cure) if cure else None,
        because=text(key_of_cause(record)) if record is not None and key_of_cause(record) else None,
        lines=_grouped([_line(told(note, names)) for note in notes_of(record)]) if record else [],
        said=_said(record),
        attributes=_attributes(record),
        replayable=replayable,
        provider=provider,
        sides=list(sides or ()),
        rows=_rows(sides) if sides else [],
        differs=_differs(sides) if sides else False,
        rules=typed or (as_lines(provider, roles) if provider is not None else ""),
    )


def _line(one: Told) -> Line:
    words = text(one.key, **one.values) if has_text(one.key) else Markup.escape(one.plain)
    facts = tuple((_label(key), _fact(key, value)) for key, value in one.facts)
    return Line(one, words, facts)


def _grouped(lines: list[Line]) -> list[Line | Passed]:
    found: list[Line | Passed] = []
    for passed, run in groupby(lines, lambda line: line.told.note.step in _CHECKS and line.told.good is True):
        some = tuple(run)
        found += [Passed(some)] if passed and len(some) >= MANY else some
    return found


def _fact(key: str, value: str) -> str:
    if key == "fact.action" and has_text(f"action.{value}"):
        return text(f"action.{value}")
    return text(f"trace.{value}") if value in ("yes", "no") else value


def _label(key: str) -> Markup:
    return text(key) if has_text(key) else Markup.escape(key.partition(".")[2].replace("_", " "))


def _said(record: SignInRecord | None) -> list[tuple[str, str]]:
    """(field, value) of what was made of it."""
    identity = {} if record is None else record.identity
    said = {name: value for name, value in identity.items() if name not in ("attributes", "provider_id")}
    return [(name, _value(value)) for name, value in said.items() if value not in (None, [], "")]


def _attributes(record: SignInRecord | None) -> list[tuple[str, str]]:
    """(name, value) as they came."""
    return (
        [(name, _value(value)) for name, value in dict(record.identity.get("attributes", {})).items()] if record else []
    )


def _value(value: object) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    return ", ".join(map(str, value)) if isinstance(value, list | tuple) else str(value)


# ---------------------------------------------------------------- the comparison


def _compared(record: SignInRecord | None, typed: str = "") -> dict[str, Side]:
    """Raises Refused(no_replay | invalid_setting | unknown_setting)."""
    replays = replays_of(parts())
    tried = edited(*replays.rules(record), read_lines(typed)) if typed else None
    return replays.compare(record, tried)


def _rows(sides: Mapping[str, Side]) -> list[Row]:
    columns = [_cells(side) for side in sides.values()]
    rows = []
    for name in columns[0]:
        values = [column[name] for column in columns]
        before = [values[0], *values]
        # What nobody knows of then is no difference.
        marked = [
            value is not None and old is not None and value != old for value, old in zip(values, before, strict=False)
        ]
        if any(values):
            cells = tuple(
                (Markup("–") if value is None else value, mark) for value, mark in zip(values, marked, strict=True)
            )
            rows.append(Row(text(f"trace.row_{name}"), cells))
    return rows


def _differs(sides: Mapping[str, Side]) -> bool:
    return any(mark for row in _rows(sides) for _, mark in row.cells)


def _cells(side: Side) -> dict[str, Markup | None]:
    """In words; None for what is not known."""
    names = _names()
    vouched = None if side.vouched is None else text("trace.vouched" if side.vouched else "trace.not_vouched")
    return {
        "rule": _label(f"rule.{side.rule}") if side.rule else None,
        "action": text(f"action.{side.action}") if side.action else None,
        "user": Markup.escape(names.of_user(side.user_id)) if side.user_id else None,
        "email": Markup("{}, {}").format(side.email, vouched) if side.email and vouched else None,
        "displaced": Markup.escape(names.of_user(side.displaced)) if side.displaced else None,
        "roles": _listed(side.roles),
        "groups": _listed(side.groups),
        "claims": None
        if side.claims is None
        else _listed([f"{name}={_value(one)}" for name, one in side.claims.items()]),
    }


def _listed(values: object) -> Markup | None:
    return None if not isinstance(values, list | tuple) else Markup.escape(", ".join(values))


# ---------------------------------------------------------------- finding


def _find(code: str) -> tell_why.Kept | None:
    return tell_why.find(code, parts().traces, parts().records, parts().saml_messages)


def _known(code: str) -> tell_why.Kept:
    kept = _find(code)
    if kept is None:
        raise Refused("unknown_trace", "There is no such code (any more).", status=404, reason="no trace, no record")
    return kept


def _provider(record: SignInRecord | None) -> UpstreamProvider | None:
    return parts().upstreams.get(record.provider_id) if record is not None and record.provider_id else None


def _names() -> Names:
    return Names(parts().users.get, parts().upstreams.get)

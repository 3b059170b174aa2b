"""The SAML message inspector as pages: the newest messages of all peers or of one, one message with its checks, and decoding a
copied one. Changes nothing.

Leaves what is kept to idp.services.saml_messages, and words for checks to the catalogue (`saml_check`, `saml_cure`).
"""

from dataclasses import dataclass

from flask import Blueprint, request
from markupsafe import Markup
from werkzeug.wrappers import Response

from idp.admin.common import shown
from idp.admin.names import client_id_of, sp_path_of
from idp.base.errors import Refused
from idp.domain.saml import MessageCheck, SamlMessage
from idp.http.forms import Problem, attempted
from idp.http.own_pages import administrator
from idp.http.parts import parts
from idp.http.render import has_text, text
from idp.http.security import check_csrf, form_field
from idp.services.decode_saml import Decoded
from idp.services.explain_messages import cause
from idp.services.saml_messages import UNKNOWN

bp = Blueprint("inspector", __name__)

LIST_PATH = "/admin/saml-messages"
MOST_SHOWN = 100
MAX_PASTED = 400_000


@dataclass(frozen=True, slots=True)
class Peer:
    """id: as messages name it. path: of the page about it, if there is one."""

    id: str
    name: str
    path: str = ""


@dataclass(frozen=True, slots=True)
class CheckLine:
    """cure: what is usually wrong and what to do, for a check that failed."""

    ok: bool
    words: Markup
    detail: str
    cure: Markup | None


@dataclass(frozen=True, slots=True)
class Line:
    message: SamlMessage
    path: str
    peer: Peer
    kind: str
    why: Markup | None


# ---------------------------------------------------------------- lists


@bp.get(LIST_PATH)
def every_message() -> Response:
    administrator(LIST_PATH)
    peer = request.args.get("peer", "")[:1100]
    return _list(peer, LIST_PATH)


@bp.get("/admin/saml/<name>/messages")
def of_service_provider(name: str) -> Response:
    administrator(request.path)
    entity_id = client_id_of(name)
    if entity_id is None:
        raise Refused("no_such_app", "There is no such app.", status=404)
    return _list(f"sp:{entity_id}", sp_path_of(entity_id, "messages"))


def _list(peer_id: str, path: str) -> Response:
    kept, failed = parts().saml_messages, request.args.get("failed") == "1"
    found = kept.of(peer_id) if peer_id else kept.newest(10 * MOST_SHOWN if failed else MOST_SHOWN)
    peers: dict[str, Peer] = {}
    lines = []
    for one in [one for one in found if not (failed and one.ok)][:MOST_SHOWN]:
        peer = peers.setdefault(one.peer, _peer(one.peer)) if one.peer not in peers else peers[one.peer]
        lines.append(_line(one, peer))
    return shown(
        "admin_messages.html",
        lines=lines,
        peer=_peer(peer_id) if peer_id else None,
        path=path,
        failed=failed,
        kept=kept.kept,
        hours=parts().settings.saml.message_hours,
    )


def _line(message: SamlMessage, peer: Peer) -> Line:
    failed = cause(message)
    return Line(
        message, f"{LIST_PATH}/{message.id}", peer, _kind(message.kind), _words(failed.code) if failed else None
    )


def _peer(id: str) -> Peer:
    kind, _, name = id.partition(":")
    if kind == "sp":
        sp = parts().apps.service_provider(name)
        return Peer(id, sp.name, sp_path_of(name)) if sp is not None else Peer(id, name)
    provider = parts().upstreams.get(name) if kind == "upstream" else None
    if provider is not None:
        return Peer(id, provider.label)
    return Peer(id, str(text("inspector.unknown")) if id == UNKNOWN else name or id)


def _kind(kind: str) -> str:
    return kind or str(text("inspector.unreadable"))


# ---------------------------------------------------------------- one message


@bp.get(f"{LIST_PATH}/<message_id>")
def one_message(message_id: str) -> Response:
    administrator(f"{LIST_PATH}/{message_id}")
    found = parts().saml_messages.get(message_id[:100])
    if found is None:
        raise Refused("unknown_message", "There is no such message (any more).", status=404)
    from idp.saml.redact import indented  # lxml: not before there is a message

    failed = cause(found)
    return shown(
        "admin_message.html",
        message=found,
        peer=_peer(found.peer),
        kind=_kind(found.kind),
        failed=_check_line(failed) if failed else None,
        checks=[_check_line(check, cured=check is not failed) for check in found.checks],
        reason=_reason(found.trace, failed),
        text=indented(found.xml),
    )


def _reason(code: str, failed: MessageCheck | None) -> str:
    """Why it was refused, unless the check says so already."""
    trace = parts().traces.explain(code) if code else None
    known = failed is not None and trace is not None and trace.reason[: len(failed.detail)] == failed.detail != ""
    return "" if trace is None or known else trace.reason


def _check_line(check: MessageCheck, *, cured: bool = True) -> CheckLine:
    """cured: with its cure, if it failed."""
    key = f"saml_cure.{check.code}"
    cure = text(key) if cured and not check.ok and has_text(key) else None
    return CheckLine(check.ok, _words(check.code), check.detail, cure)


def _words(code: str) -> Markup:
    key = f"saml_check.{code}"
    return text(key) if has_text(key) else Markup.escape(code.replace("_", " "))


# ---------------------------------------------------------------- decoding a copied one


@bp.get(f"{LIST_PATH}/decode")
def decode_page() -> Response:
    administrator(request.path)
    return _decode_page()


@bp.post(f"{LIST_PATH}/decode")
def decode() -> Response:
    check_csrf()
    administrator(request.path)
    typed = form_field("message", limit=MAX_PASTED)
    outcome = attempted(lambda: parts().decode_saml.decode(typed.encode("utf-8", "replace")), "not_saml")
    return _decode_page(typed, outcome)


def _decode_page(typed: str = "", outcome: Decoded | Problem | None = None) -> Response:
    problem = outcome if isinstance(outcome, Problem) else None
    decoded = outcome if isinstance(outcome, Decoded) else None
    return shown(
        "admin_message_decode.html",
        problem,
        typed=typed,
        decoded=decoded,
        peer=_peer(decoded.peer) if decoded and decoded.peer else None,
        checks=[_check_line(check) for check in decoded.checks] if decoded else [],
    )

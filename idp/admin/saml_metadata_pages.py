"""The metadata of a service provider: what it says, a new copy that waits for somebody's word, fresh metadata by hand, and where
it is fetched from.

Leaves fetching and comparing to idp.services.metadata.watch, and the rules to idp.services.manage_apps.
"""

from flask import Blueprint, make_response, redirect, request
from werkzeug.wrappers import Response

from idp.admin import as_words, sp_words
from idp.admin.common import BAD_SETTING, shown
from idp.admin.editing import version_field
from idp.admin.names import sp_api_path_of, sp_path_of
from idp.admin.saml_common import BAD_SOURCE, LIST_PATH, find_sp, given_source, watch_of
from idp.admin.sp_changes import said_by, summary_of, with_metadata
from idp.base.errors import Refused
from idp.domain.relying import ServiceProvider
from idp.http.forms import Problem, attempted
from idp.http.own_pages import administrator, recent_administrator
from idp.http.parts import parts
from idp.http.security import check_csrf, form_field

bp = Blueprint("admin_saml_metadata", __name__)

_ON_THE_PAGE = (*BAD_SETTING, *BAD_SOURCE, "changed_meanwhile", "nothing_pending", "unknown_watch", "unknown_peer")


@bp.get(f"{LIST_PATH}/<name>/metadata")
def metadata_page(name: str) -> Response:
    recent_administrator(request.path)
    return _page(find_sp(name), done=request.args.get("done", ""))


@bp.get(f"{LIST_PATH}/<name>/metadata/xml")
def xml(name: str) -> Response:
    """As it was registered, to be kept."""
    administrator(f"{LIST_PATH}/{name}/metadata")
    sp = find_sp(name)
    if not sp.metadata:
        raise Refused("no_such_app", "Its metadata is kept with its federation.", status=404)
    response = make_response(sp.metadata.encode())
    # Never shown: it is XML of somebody else's, and browsers do things with XML.
    response.headers["Content-Type"] = "application/samlmetadata+xml"
    response.headers["Content-Disposition"] = 'attachment; filename="metadata.xml"'
    response.headers["Content-Security-Policy"] = "sandbox; default-src 'none'"
    response.headers["Cache-Control"] = "no-store"
    return response


@bp.post(f"{LIST_PATH}/<name>/metadata")
def change(name: str) -> Response:
    """Fresh metadata by hand, or the address from which they are fetched from now on."""
    check_csrf()
    user = recent_administrator(request.path)
    sp = find_sp(name)
    outcome = attempted(lambda: _changed(sp, version_field(), user.id), *_ON_THE_PAGE)
    return _page(sp, outcome) if isinstance(outcome, Problem) else _done(sp, outcome)


def _changed(sp: ServiceProvider, version: int, who: str) -> str:
    source = given_source(request.form, request.files)
    if source.url:
        watches = parts().metadata_watch
        watches.watch(f"sp:{sp.id}", source.url, certificates=source.certificates, adopt=source.adopt, actor=who)
        watches.look(f"sp:{sp.id}", actor=who)
        return "looked"
    with_metadata(parts(), sp, source.metadata, who, version=version)
    return "changed"


@bp.post(f"{LIST_PATH}/<name>/metadata/look")
def look(name: str) -> Response:
    check_csrf()
    user = recent_administrator(request.path.removesuffix("/look"))
    sp = find_sp(name)
    outcome = attempted(lambda: parts().metadata_watch.look(f"sp:{sp.id}", actor=user.id), *_ON_THE_PAGE)
    return _page(sp, outcome) if isinstance(outcome, Problem) else _done(sp, "looked")


@bp.post(f"{LIST_PATH}/<name>/metadata/unwatch")
def unwatch(name: str) -> Response:
    check_csrf()
    user = recent_administrator(request.path.removesuffix("/unwatch"))
    sp = find_sp(name)
    outcome = attempted(lambda: parts().metadata_watch.unwatch(f"sp:{sp.id}", actor=user.id), *_ON_THE_PAGE)
    return _page(sp, outcome) if isinstance(outcome, Problem) else _done(sp, "unwatched")


@bp.post(f"{LIST_PATH}/<name>/metadata/pending")
def decide(name: str) -> Response:
    """Takes the waiting copy over, or not; the one that was shown, and no other."""
    check_csrf()
    user = recent_administrator(request.path.removesuffix("/pending"))
    sp = find_sp(name)
    outcome = attempted(lambda: _decided(sp, user.id), *_ON_THE_PAGE)
    return _page(sp, outcome) if isinstance(outcome, Problem) else _done(sp, outcome)


def _decided(sp: ServiceProvider, who: str) -> str:
    digest, watches = form_field("digest", limit=100), parts().metadata_watch
    if form_field("act", limit=20) == "adopt":
        watches.adopt(f"sp:{sp.id}", digest=digest, actor=who)
        return "adopted"
    watches.discard(f"sp:{sp.id}", digest=digest, actor=who)
    return "discarded"


def _done(sp: ServiceProvider, what: str) -> Response:
    return redirect(f"{sp_path_of(sp.id, 'metadata')}?done={what}", 303)


def _page(sp: ServiceProvider, problem: Problem | None = None, done: str = "") -> Response:
    fresh = parts().apps.service_provider(sp.id) or sp
    view, pending = said_by(parts(), fresh), parts().metadata_watch.pending(f"sp:{sp.id}")
    issuer, path = parts().installation.issuer, sp_api_path_of(sp.id, "pending")
    return shown(
        "admin_saml_metadata.html",
        problem,
        sp=fresh,
        base=sp_path_of(sp.id),
        version=request.form.get("version") or fresh.version,
        watch=watch_of(sp.id),
        pending=pending,
        view=view,
        summary=summary_of(view),
        url=request.form.get("url", "")[:2000],
        typed=request.form.get("metadata", ""),
        pem=request.form.get("certificates", ""),
        automatic=bool(request.form.get("adopt")),
        done=done if done in ("looked", "changed", "adopted", "discarded", "unwatched") else "",
        command=sp_words.command(("adopt" if pending else "refresh", sp.id), {}),
        api_call=as_words.api_call(issuer, "POST", path, {"digest": pending.digest})
        if pending
        else as_words.api_call(issuer, "POST", sp_api_path_of(sp.id, "refresh")),
    )

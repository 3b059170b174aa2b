"""The secret of an app: shown once when it is made, replaced with a time in which the old one works as well, ended.

Leaves making and keeping it to idp.services.manage_apps.
"""

from flask import Blueprint, redirect, request
from werkzeug.wrappers import Response

from idp.admin import as_words
from idp.admin.common import find, shown
from idp.admin.names import api_path_of, path_of
from idp.base.errors import Refused
from idp.base.secret import Secret
from idp.domain.metadata import has_secret
from idp.domain.relying import Client
from idp.http.forms import Problem, attempted
from idp.http.own_pages import recent_administrator
from idp.http.parts import parts
from idp.http.security import check_csrf, form_field

bp = Blueprint("admin_secret", __name__)

OVERLAPS = (3_600, 86_400, 604_800, 0)  # seconds
PROPOSED = 86_400
_ON_THE_FORM = ("changed_meanwhile", "no_secret", "bad_overlap")


@bp.get("/admin/clients/<name>/secret")
def rotate_page(name: str) -> Response:
    recent_administrator(request.path)
    return _rotate_page(find(name))


@bp.post("/admin/clients/<name>/secret")
def rotate(name: str) -> Response:
    """Sent twice, the second one is refused by its version: whoever sent it has the answer of the first."""
    check_csrf()
    user = recent_administrator(request.path)
    client = find(name)
    outcome = attempted(lambda: _rotate(client, user.id), *_ON_THE_FORM)
    if isinstance(outcome, Problem):
        return _rotate_page(client, outcome)
    return secret_page(*outcome, "admin.secret_new")


@bp.post("/admin/clients/<name>/secret/retire")
def retire(name: str) -> Response:
    check_csrf()
    user = recent_administrator(request.path.removesuffix("/retire"))
    client = parts().apps.retire_old_secret(find(name).id, user.id)
    return redirect(f"{path_of(client.id)}?saved=1", 303)


def _rotate(client: Client, who: str) -> tuple[Client, Secret]:
    chosen, version = form_field("overlap", limit=10), form_field("version", limit=15)
    if chosen not in map(str, OVERLAPS):
        raise Refused("bad_overlap", "Choose one of the times.")
    if version != str(client.version):
        raise Refused("changed_meanwhile", "Somebody else changed it at the same time. Look again.", status=409)
    return parts().apps.rotate_secret(client.id, int(chosen), who, version=client.version)


def _rotate_page(client: Client, problem: Problem | None = None) -> Response:
    if not has_secret(client) and problem is None:
        raise Refused("no_secret", "This app has no secret: it authenticates in another way.", status=404)
    issuer, path = parts().installation.issuer, f"{api_path_of(client.id)}/secret"
    return shown(
        "admin_secret.html",
        problem,
        client=client,
        base=path_of(client.id),
        overlaps=OVERLAPS,
        proposed=PROPOSED,
        overlap=client.old_secret_until is not None and client.old_secret_until > parts().clock(),
        command=as_words.command(("rotate-secret", client.id, "--overlap", str(PROPOSED)), {}),
        api_call=as_words.api_call(issuer, "POST", path, {"overlap_seconds": PROPOSED}),
    )


def secret_page(client: Client, secret: Secret | None, title: str) -> Response:
    """The only page that ever shows a secret. title: its key in the catalogue."""
    return shown(
        "admin_secret_shown.html",
        client=client,
        base=path_of(client.id),
        secret=secret.reveal() if secret is not None else None,
        title=title,
        issuer=parts().installation.issuer,
    )

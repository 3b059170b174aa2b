"""The federations whose service providers we know: where they come from, how the last load went, and a load at once.

Leaves setting them up to the command line, and loading them to idp.services.metadata.federations.
"""

from flask import Blueprint, redirect, request
from werkzeug.wrappers import Response

from idp.admin.common import shown
from idp.admin.names import client_id_of, name_of, sp_path_of
from idp.admin.saml_common import LIST_PATH
from idp.base.errors import Refused
from idp.domain.saml import MetadataSource
from idp.http.forms import Problem, attempted
from idp.http.own_pages import administrator, recent_administrator
from idp.http.parts import parts
from idp.http.security import check_csrf

bp = Blueprint("admin_saml_federations", __name__)

PATH = f"{LIST_PATH}/federations"
MAX_ENTITY_ID = 1024


@bp.get(PATH)
def every_federation() -> Response:
    administrator(PATH)
    return _page()


@bp.post(f"{PATH}/<name>/refresh")
def refresh(name: str) -> Response:
    check_csrf()
    user = recent_administrator(PATH)
    source = _find(name)
    outcome = attempted(
        lambda: parts().federations.refresh(source.id, actor=user.id),
        *("metadata_unreachable", "metadata_url", "metadata_unusable", "changed_meanwhile", "unknown_federation"),
    )
    return _page(outcome) if isinstance(outcome, Problem) else redirect(f"{PATH}?loaded=1", 303)


def _find(name: str) -> MetadataSource:
    id = client_id_of(name)
    source = parts().federations.get(id) if id is not None else None
    if source is None:
        raise Refused("no_such_federation", "There is no such federation.", status=404)
    return source


def _page(problem: Problem | None = None) -> Response:
    """`?entity=`: is an entityID known to one of them?"""
    wanted = request.args.get("entity", "")[:MAX_ENTITY_ID].strip()
    return shown(
        "admin_saml_federations.html",
        problem,
        sources=[(one, name_of(one.id)) for one in parts().federations.all()],
        wanted=wanted,
        path=sp_path_of(wanted),
        found=parts().federations.entity(wanted) if wanted else None,
        loaded=request.args.get("loaded") == "1",
    )

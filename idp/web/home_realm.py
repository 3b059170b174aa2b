"""The first question of a sign-in where some upstreams are homes of domains: which address? Then on to there, or to all ways.

Leaves whose home a domain is to idp.domain.home_realm, the page to flow, and the way there to upstream_pages.
"""

from flask import Blueprint, make_response
from werkzeug.wrappers import Response

from idp.base.errors import Refused
from idp.domain.attempt import Step
from idp.domain.home_realm import homes_of
from idp.http import seeing
from idp.http.browser import current_session
from idp.http.parts import parts
from idp.http.security import check_csrf, form_field
from idp.web.flow import load, way_page, ways
from idp.web.upstream_pages import leave

bp = Blueprint("home_realm", __name__)


@bp.post("/flow/<handle>/where")
def where(handle: str) -> Response:
    """What is answered hangs on the domain alone; nobody is looked up."""
    check_csrf()
    attempt = load(handle)
    step = parts().sign_in.decide(attempt, current_session()).step
    if step is not Step.CHOOSE:
        raise Refused("wrong_step", "This page is no longer the current step.", status=409, reason=f"{step} is due")
    try:
        typed = form_field("username", limit=320).strip()
    except Refused as refused:
        trace = seeing.kept("flow", refused)
        return make_response(way_page(handle, attempt, step, refused, trace), refused.status)
    found = homes_of(typed, ways(attempt))
    if len(found) == 1:
        return leave(handle, attempt, found[0], hint=typed)
    return make_response(way_page(handle, attempt, step, found=found))

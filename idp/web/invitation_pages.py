"""The page behind an invitation: says who invites, and begins the sign-in that it is for. Looking at it uses nothing up.

Leaves what the invited login leads to to idp.services.arrivals.
"""

from dataclasses import replace

from flask import Blueprint, make_response, redirect
from werkzeug.wrappers import Response

from idp.domain.attempt import Wants
from idp.http.browser import browser_digest
from idp.http.own_pages import DONE_PATH
from idp.http.parts import parts
from idp.http.render import page
from idp.http.security import check_csrf

bp = Blueprint("invitation_pages", __name__)


@bp.get("/invitation/<token>")
def invitation_page(token: str) -> Response:
    found = parts().invitations.by_token(token)
    only = parts().upstreams.get(found.provider_id) if found.provider_id is not None else None
    return make_response(
        page(
            "invitation.html",
            token=token,
            until=found.expires_at,
            label=only.label if only is not None else None,
            joins=found.user_id is not None,
        )
    )


@bp.post("/invitation/<token>")
def accept(token: str) -> Response:
    """A sign-in of its own: whoever is signed in here may well be somebody else."""
    check_csrf()
    found = parts().invitations.by_token(token)
    ways = (found.provider_id,) if found.provider_id is not None else None
    wants = Wants(ignore_session=True, upstreams=ways, login_hint=found.email)
    draft = parts().sign_in.draft("account", DONE_PATH, {"return_to": "/account"}, wants=wants)
    # In this browser: sent on as a mere sign-in, the link would join a stranger to the account that is invited.
    bound = replace(draft.attempt, invitation=found.id, browser=browser_digest(make=True))
    handle = parts().sign_in.save(replace(draft, attempt=bound))
    return redirect(f"/flow/{handle}", 303)

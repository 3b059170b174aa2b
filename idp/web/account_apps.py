"""Apps that I have allowed: what each may do, since when, and taking it back. A page of the account.

Leaves what taking back ends to idp.services.allowed_apps.
"""

from flask import Blueprint, make_response, redirect, request
from werkzeug.wrappers import Response

from idp.http.own_pages import signed_in
from idp.http.parts import parts
from idp.http.render import page
from idp.http.security import check_csrf, form_field
from idp.web.consent_pages import in_words

bp = Blueprint("account_apps", __name__)

PATH = "/account/apps"


@bp.get(PATH)
def apps() -> Response:
    _, user = signed_in(PATH)
    lines = [(app, [in_words(scope) for scope in app.scopes]) for app in parts().allowed.of(user)]
    return make_response(page("account_apps.html", lines=lines, done=request.args.get("done") == "1"))


@bp.post("/account/apps/revoke")
def revoke() -> Response:
    """Nothing to take back is no error: whoever sends it twice has what they wanted."""
    check_csrf()
    _, user = signed_in(PATH)
    taken = parts().allowed.take_back(user, form_field("app", limit=300))
    return redirect(f"{PATH}?done=1" if taken else PATH, 303)

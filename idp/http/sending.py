"""Sends a browser on its way to an upstream: by a page that moves on by itself, or by a form.

Leaves what is remembered of the departure to idp.services.depart_upstream, and who is sent to the pages.
"""

from urllib.parse import urlsplit

from flask import Response, make_response

from idp.http.render import page
from idp.http.security import allow_form_target
from idp.ports import Departure


def sent_away(departure: Departure, label: str) -> Response:
    """label: of the upstream."""
    if departure.form is not None:
        # Browsers hold form-action against every hop that follows, and upstreams send people on to hosts nobody here knows.
        allow_form_target(origin_of(departure.url))
        allow_form_target("https:")
        return make_response(page("form_post.html", action=departure.url, fields=departure.form, app_name=label))
    # Not a redirect: browsers hold the form's CSP form-action against every hop that follows it, and upstreams send people
    # on to hosts that nobody here knows. A page that moves on by itself begins a navigation of its own.
    response = make_response(page("leaving.html", url=departure.url, label=label))
    response.headers["Refresh"] = f"0;url={departure.url}"
    return response


def origin_of(url: str) -> str:
    found = urlsplit(url)
    return f"{found.scheme}://{found.netloc}"

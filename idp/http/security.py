"""CSRF tokens, Content-Security-Policy and the other headers, size limits. Leaves cookies to idp.http.browser."""

import hmac
import secrets
from collections.abc import Iterable
from hashlib import sha256

from flask import Flask, Response, g, request
from werkzeug.datastructures import MultiDict

from idp.base.errors import Refused
from idp.http.browser import browser_id
from idp.http.machine import MAX_BODY_BYTES
from idp.http.parts import parts

MAX_FORM_PARTS = 200
MAX_FIELD = 4096

PAGE_HEADERS = {
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Permissions-Policy": "camera=(), geolocation=(), microphone=(), payment=()",
}


def set_up_security(app: Flask) -> None:
    app.config["MAX_CONTENT_LENGTH"] = MAX_BODY_BYTES
    app.config["MAX_FORM_MEMORY_SIZE"] = MAX_BODY_BYTES
    app.config["MAX_FORM_PARTS"] = MAX_FORM_PARTS
    app.after_request(_add_headers)


def csrf_token() -> str:
    """Bound to this browser's cookie; gives the browser one if it has none."""
    return _token(browser_id(make=True) or "")


def check_csrf() -> None:
    """Every POST of a page calls this first. Raises Refused(cross_site | form_expired)."""
    site, origin = request.headers.get("Sec-Fetch-Site"), request.headers.get("Origin")
    if site in ("cross-site", "same-site"):
        raise Refused("cross_site", "This form was sent from another site. Nothing was done.", status=403)
    # A browser that says same-origin has compared the real addresses; ours may be wrong behind a proxy that is not set
    # up yet, and the set-up pages must still come far enough to say so.
    if site != "same-origin" and origin and origin != "null" and not _own_origin(origin):
        raise Refused(
            "cross_site",
            "This form was sent from another site. Nothing was done.",
            status=403,
            reason=f"Origin {origin!r}",
        )
    held, given = browser_id(), request.form.get("csrf", "")
    if not held or not hmac.compare_digest(_token(held).encode(), given.encode()):
        raise Refused(
            "form_expired",
            "This form is out of date. Open the page again and send it once more. Your browser must accept cookies.",
            status=403,
            reason="CSRF token or browser cookie missing or wrong",
        )


def _own_origin(origin: str) -> bool:
    return origin in (parts().installation.issuer, request.host_url.rstrip("/"))


def _token(browser: str) -> str:
    return hmac.new(parts().csrf_key, browser.encode(), sha256).hexdigest()[:40]


def form_field(
    name: str, *, required: bool = True, limit: int = MAX_FIELD, form: MultiDict[str, str] | None = None
) -> str:
    """One text field of the form. Raises Refused(missing_field | repeated_field | field_too_long)."""
    values = (request.form if form is None else form).getlist(name)
    if len(values) > 1:
        raise Refused("repeated_field", f"The field {name} was sent more than once.")
    value = values[0] if values else ""
    if required and not value.strip():
        raise Refused("missing_field", "Fill in all fields.", reason=f"field {name} is missing")
    if len(value) > limit or "\x00" in value:
        raise Refused("field_too_long", f"The field {name} is too long.")
    return value


def csp_nonce() -> str:
    """For the one script that posts a SAML answer; made once a request, only where a template asks for it."""
    if "sheaf_nonce" not in g:
        g.sheaf_nonce = secrets.token_urlsafe(16)
    nonce: str = g.sheaf_nonce
    return nonce


def allow_form_target(origin: str) -> None:
    """This page's form (or the redirect that follows it) may go to `origin`: browsers apply form-action to redirects too."""
    g.setdefault("sheaf_form_targets", []).append(origin)


def allow_frames(origins: Iterable[str]) -> None:
    """This page shows pages of these origins in iframes."""
    g.setdefault("sheaf_frames", []).extend(origins)


def _add_headers(response: Response) -> Response:
    response.headers.setdefault("X-Content-Type-Options", "nosniff")
    # Who brings a policy of its own (the session iframe, which stands in pages of others) has thought of the rest.
    if response.mimetype == "text/html" and "Content-Security-Policy" not in response.headers:
        for name, value in PAGE_HEADERS.items():
            response.headers.setdefault(name, value)
        response.headers["Content-Security-Policy"] = policy(
            g.get("sheaf_form_targets", []), g.get("sheaf_frames") or [], g.get("sheaf_nonce", "")
        )
        response.headers.setdefault("Cache-Control", "no-store")
    if parts().installation.https_only:
        response.headers.setdefault("Strict-Transport-Security", "max-age=31536000")
    return response


def policy(form_targets: Iterable[str], frames: Iterable[str] = (), nonce: str = "") -> str:
    """The Content-Security-Policy of a page. frames: origins that it shows in iframes; nonce: of its one script."""
    script = "'self'" + (f" 'nonce-{nonce}'" if nonce else "")
    targets, shown = " ".join(["'self'", *form_targets]), " ".join(frames) or "'none'"
    return (
        f"default-src 'none'; script-src {script}; style-src 'self'; img-src 'self' data:; font-src 'none'; "
        f"connect-src 'self'; frame-src {shown}; form-action {targets}; frame-ancestors 'none'; "
        "base-uri 'none'"
    )

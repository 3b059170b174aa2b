"""What an app shows of itself while somebody signs in to it: logo, privacy policy, terms (OpenID Connect Registration 2).

Leaves fetching logos to idp.services.logos.
"""

from dataclasses import dataclass

from flask import Blueprint, Response

from idp.domain.attempt import LoginAttempt
from idp.domain.relying import Client
from idp.http.browser import browser_digest
from idp.http.parts import parts

bp = Blueprint("app_marks", __name__)


@dataclass(frozen=True, slots=True)
class Marks:
    """Addresses, none where the app has none. logo: one of ours."""

    logo: str | None = None
    policy: str | None = None
    terms: str | None = None


def marks(handle: str, attempt: LoginAttempt) -> Marks:
    client = _client(attempt)
    if client is None:
        return Marks()
    return Marks(f"/flow/{handle}/logo" if client.logo_uri else None, client.policy_uri, client.tos_uri)


@bp.get("/flow/<handle>/logo")
def logo(handle: str) -> Response:
    """Only for the browser of the sign-in: this is no way to make us fetch something for others."""
    client = _client(parts().sign_in.load(handle, browser_digest()))
    found = parts().logos.at(client.logo_uri) if client is not None and client.logo_uri else None
    if found is None:
        return Response(status=404)  # nobody reads a page here
    return Response(found.body, mimetype=found.content_type, headers={"Cache-Control": "private, max-age=600"})


def _client(attempt: LoginAttempt) -> Client | None:
    if attempt.front_door not in ("oidc", "device") or not attempt.app_id:
        return None
    return parts().apps.client(attempt.app_id)

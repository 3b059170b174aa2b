"""What an app would get for a person: of one sign-in that took place, or in general. Nothing is issued, nothing signed.

Leaves which claims are released to idp.services.release.
"""

from collections.abc import Iterable, Mapping
from typing import Any

from idp.base.errors import Refused
from idp.domain.relying import Client
from idp.domain.session import Session
from idp.domain.user import User
from idp.http.parts import Parts

Claims = dict[str, Any]


def preview_for(parts: Parts, client: Client, login: str, scopes: Iterable[str]) -> dict[str, Claims]:
    """In ID token, userinfo and access token. login: user name or e-mail; scopes: empty for all of the app.

    Raises Refused(unknown_user | invalid_scope).
    """
    person = parts.users.by_login(login)
    if person is None:
        raise Refused("unknown_user", "There is no user of this name.", status=404)
    return parts.release.preview(person, client, chosen_scopes(client, scopes))


def chosen_scopes(client: Client, scopes: Iterable[str]) -> tuple[str, ...]:
    """Raises Refused(invalid_scope): more than the app may ask for."""
    asked = tuple(dict.fromkeys(scopes)) or client.scopes
    beyond = [scope for scope in asked if scope not in client.scopes and scope != "offline_access"]
    if beyond:
        raise Refused("invalid_scope", f"This app may not ask for {' '.join(beyond)[:200]}.")
    return asked


def of_sign_in(
    parts: Parts, client: Client, user: User, session: Session, scopes: tuple[str, ...]
) -> dict[str, Claims]:
    """As after this very sign-in: with its times, acr and amr."""
    now, settings = int(parts.clock()), parts.settings.oidc
    shown = parts.release.preview(user, client, scopes)
    done = {"auth_time": int(session.auth_time), "acr": session.acr, "amr": list(session.amr)}
    lives: Mapping[str, int] = {
        "id_token": client.id_token_seconds or settings.id_token_seconds,
        "access_token": client.access_token_seconds or settings.access_token_seconds,
    }
    for name, seconds in lives.items():
        if shown[name]:
            shown[name] = {"iss": parts.installation.issuer, **shown[name], "iat": now, "exp": now + seconds, **done}
    if shown["id_token"]:
        shown["id_token"]["sid"] = parts.subjects.sid(client, session.sid)
    return shown

"""A new app, and a changed one, from the fields that somebody gave: the same for pages and the JSON API.

Leaves the rules and the audit to idp.services.manage_apps, and reading fields to forms and client_json.
"""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from idp.base import ids
from idp.base.secret import Secret
from idp.domain.metadata import bad
from idp.domain.relying import Client
from idp.http.parts import Parts
from idp.services.draft_app import completed, lacks_secret, native_if_it_must_be
from idp.services.manage_apps import changed_meanwhile


def fresh_id() -> str:
    return ids.public_id("app")


def described(parts: Parts, client_id: str, given: Mapping[str, Any]) -> Client:
    """A client that is not stored, with what follows from the fields that were given.

    Raises Refused(invalid_client_metadata): it is for nothing.
    """
    if not any(given.get(name) for name in ("redirect_uris", "grant_types", "audiences")):
        raise bad("grant_types", "say what it is for: redirect_uris for people, client_credentials for a machine")
    return Client(id=client_id, created_at=parts.clock(), **completed(given))


def new_client(parts: Parts, client_id: str, given: Mapping[str, Any], who: str) -> tuple[Client, Secret | None]:
    """Raises Refused(invalid_client_metadata | invalid_redirect_uri | client_taken)."""
    return parts.apps.add_client(described(parts, client_id, given), actor=who, with_secret=True)


def changed_client(
    parts: Parts, before: Client, given: Mapping[str, Any], who: str, *, version: int | None, new_secret: bool = False
) -> tuple[Client, Secret | None]:
    """version: the one that was looked at, None for any. new_secret: the present one is no longer good.

    Raises Refused(invalid_client_metadata | invalid_redirect_uri | changed_meanwhile | no_secret).
    """
    if version is not None and before.version != version:
        raise changed_meanwhile()
    wanted = replace(before, **native_if_it_must_be(given, before))
    if new_secret:
        return parts.apps.change_client_with_new_secret(wanted, actor=who)
    if lacks_secret(before, wanted):
        raise bad("auth_method", f"{wanted.auth_method} needs a new secret; ask for one with this change (new_secret)")
    return parts.apps.change_client(wanted, actor=who), None

"""What an operator leaves out when an app is described: grants, scopes, how it authenticates. The same for every door.

Leaves which apps are accepted to idp.services.check_client. Apps that register themselves have defaults of their own
(idp.services.register_client).
"""

from collections.abc import Mapping
from typing import Any

from idp.base.net import is_loopback_url
from idp.domain.metadata import CODE, DEVICE, has_secret, is_private_use
from idp.domain.relying import Client


def completed(given: Mapping[str, Any]) -> dict[str, Any]:
    """Fields of a new Client: those given, and what follows from them."""
    found = dict(given)
    grants = found.setdefault("grant_types", (CODE, "refresh_token") if found.get("redirect_uris") else ())
    people = CODE in grants or DEVICE in grants
    offline = ("offline_access",) if "refresh_token" in grants else ()
    found.setdefault("scopes", ("openid", "profile", "email", *offline) if people else ())
    if found.get("profile") == "fapi2":
        found.setdefault("auth_method", "private_key_jwt")
    return native_if_it_must_be(found)


def native_if_it_must_be(given: Mapping[str, Any], before: Client | None = None) -> dict[str, Any]:
    """An app without a secret that people are sent back to on their own device (RFC 8252)."""
    found = dict(given)
    method = found.get("auth_method", before.auth_method if before else "")
    if method == "none" and any(is_private_use(uri) or is_loopback_url(uri) for uri in found.get("redirect_uris", ())):
        found.setdefault("application_type", "native")
    return found


def lacks_secret(before: Client, wanted: Client) -> bool:
    """Does it need a secret that is not there? For client_secret_jwt the secret itself is kept, not its digest alone."""
    sealed = wanted.auth_method == "client_secret_jwt"
    return has_secret(wanted) and (before.secret_digest is None or (sealed and before.sealed_secret is None))

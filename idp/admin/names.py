"""The name of an app in an address of ours: its client id or entityID where that is plain, else an encoded form. Pure.

Client ids may hold anything printable, `/` and `?` too: `https://app.example.org` is one that people like, and entityIDs are
hardly ever anything else.
"""

import base64
import re

_PLAIN = re.compile(r"[A-Za-z0-9_][A-Za-z0-9._-]{0,127}\Z")
_OURS = frozenset({"new", "federations"})  # addresses beside those of apps
_ENCODED = "~"


def name_of(client_id: str) -> str:
    if _PLAIN.match(client_id) and client_id not in _OURS:
        return client_id
    return _ENCODED + base64.urlsafe_b64encode(client_id.encode()).decode().rstrip("=")


def client_id_of(name: str) -> str | None:
    """None for what is the name of no app."""
    if not name.startswith(_ENCODED):
        return name if name_of(name) == name else None
    text = name.removeprefix(_ENCODED)
    try:
        found = base64.b64decode(text + "=" * (-len(text) % 4), altchars=b"-_", validate=True).decode()
    except ValueError:
        return None
    return found if found and name_of(found) == name else None  # one address for each app


def path_of(client_id: str, page: str = "") -> str:
    """Of its page, or of a page about it."""
    return f"/admin/clients/{name_of(client_id)}{page and '/'}{page}"


def api_path_of(client_id: str) -> str:
    return f"/admin/api/clients/{name_of(client_id)}"


def sp_path_of(entity_id: str, page: str = "") -> str:
    return f"/admin/saml/{name_of(entity_id)}{page and '/'}{page}"


def sp_api_path_of(entity_id: str, page: str = "") -> str:
    return f"/admin/api/service-providers/{name_of(entity_id)}{page and '/'}{page}"

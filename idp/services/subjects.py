"""The `sub` by which an app knows a person (OIDC Core 8): the user id, or for pairwise apps a name of its sector's own; and
the `sid` by which it knows a session, for the same reason.

From neither can two sectors find out that they speak of the same person. Leaves what else an app learns to services.release.
"""

import hashlib
import hmac
from urllib.parse import urlsplit

from idp.base.net import is_loopback_url
from idp.crypto.renaming import original, renamed
from idp.crypto.seal import Seal
from idp.domain.relying import Client

PURPOSE = "pairwise subjects"
SESSION_PURPOSE = "pairwise sessions"


class Subjects:
    def __init__(self, seal: Seal) -> None:
        self._key = seal.derive(PURPOSE)
        self._session_key = seal.derive(SESSION_PURPOSE)

    def of(self, client: Client, user_id: str) -> str:
        """64 hexadecimal digits for a pairwise client: no two of them differ only in case, which some apps overlook."""
        if client.subject_type != "pairwise":
            return user_id
        where = sector(client)
        said = f"{len(where)}:{where}|{user_id}".encode()  # the length, so that no two pairs read the same
        return hmac.new(self._key, said, hashlib.sha256).hexdigest()

    def sid(self, client: Client, sid: str) -> str:
        """How this app calls a session: a pairwise one as no other sector does."""
        if client.subject_type != "pairwise":
            return sid
        key = self._of_sector(client)
        return renamed(key, sid) or hmac.digest(key, sid.encode(), "sha256").hex()

    def session(self, client: Client, said: str) -> str | None:
        """The sid of the session that this app calls so, if there can be one."""
        return said if client.subject_type != "pairwise" else original(self._of_sector(client), said)

    def _of_sector(self, client: Client) -> bytes:
        return hmac.digest(self._session_key, sector(client).encode(), "sha256")

    def names(self, client: Client, subject: str, user_id: str) -> bool:
        """Is `subject`, as this client knows it, that user?"""
        return hmac.compare_digest(self.of(client, user_id).encode(), subject.encode("utf-8", "replace"))


def sector(client: Client) -> str:
    """The host that stands for this app's operator (OIDC Core 8.1): that of sector_identifier_uri, else that of all of its
    redirect URIs. The app stands for itself when it has no host of its own (loopback, private schemes) or several."""
    if client.sector_identifier_uri:
        return _host(client.sector_identifier_uri) or _alone(client)
    hosts = {_host(uri) for uri in client.redirect_uris}
    host = hosts.pop() if len(hosts) == 1 else ""
    return host or _alone(client)


def _alone(client: Client) -> str:
    return f"client {client.id}"  # with a blank, which no host has


def _host(uri: str) -> str:
    """Empty for what is no host of somebody's own."""
    parts = urlsplit(uri)
    if parts.scheme != "https" or is_loopback_url(uri):
        return ""
    return (parts.hostname or "").rstrip(".")

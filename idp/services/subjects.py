"""The `sub` by which an app knows a person (OIDC Core 8): the user id, or for pairwise apps a name of its sector's own.

Two sectors cannot find out that they speak of the same person. Leaves what else an app learns to services.release.
"""

import hashlib
import hmac
from urllib.parse import urlsplit

from idp.base.net import is_loopback_url
from idp.crypto.seal import Seal
from idp.domain.relying import Client

PURPOSE = "pairwise subjects"


class Subjects:
    def __init__(self, seal: Seal) -> None:
        self._key = seal.derive(PURPOSE)

    def of(self, client: Client, user_id: str) -> str:
        """64 hexadecimal digits for a pairwise client: no two of them differ only in case, which some apps overlook."""
        if client.subject_type != "pairwise":
            return user_id
        where = sector(client)
        said = f"{len(where)}:{where}|{user_id}".encode()  # the length, so that no two pairs read the same
        return hmac.new(self._key, said, hashlib.sha256).hexdigest()

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

"""Owns an upstream's SAML metadata: the stored copy, or the published one, kept for ten minutes.

Leaves reading it to idp.saml.idp_metadata, and looking after what was stored to idp.services.metadata.watch.
"""

import base64
from typing import TYPE_CHECKING

from idp.base.errors import Refused
from idp.domain.upstream import UpstreamProvider
from idp.ports import Tools
from idp.services.metadata.peers import split_pem
from idp.upstream.cache import Cached, Held
from idp.upstream.exchange import Exchange
from idp.upstream.refusals import misconfigured

if TYPE_CHECKING:
    from idp.saml.views import IdpView
    from idp.upstream.saml_settings import SamlSettings


class IdpMetadata:
    """stored: nothing is ever fetched then; a changed copy comes by a change of the settings."""

    def __init__(self, settings: "SamlSettings", tools: Tools) -> None:
        self._settings = settings
        self._tools = tools
        self._stored: IdpView | None = None
        self._cache: Cached[IdpView] = Cached(tools.clock)

    def view(self) -> "Held[IdpView]":
        """Raises Refused(upstream_unreachable | upstream_misconfigured)."""
        if not self._settings.metadata:
            return self._valid(self._cache.get(self._fetch))
        if self._stored is None:
            self._stored = self._read(self._settings.metadata.encode())
        return self._valid(Held(self._stored, 0.0))

    def newer(self, seen: "Held[IdpView]") -> "Held[IdpView]":
        """Perhaps the upstream has a new key. Gives `seen` itself when the copy is a stored one, or was fetched too often."""
        return seen if self._settings.metadata else self._valid(self._cache.newer_than(seen, self._fetch))

    def _valid(self, held: "Held[IdpView]") -> "Held[IdpView]":
        until = held.value.valid_until
        if until is not None and until <= self._tools.clock():
            raise misconfigured("the metadata of this upstream is past its validUntil; give us a newer copy")
        return held

    def _fetch(self) -> "IdpView":
        accept = {"Accept": "application/samlmetadata+xml, application/xml, text/xml"}
        answer = Exchange(self._tools.policy).send("GET", self._settings.metadata_url, headers=accept)
        if answer.status != 200:
            raise misconfigured(f"metadata_url answered {answer.status}")
        return self._read(self._verified(answer.body))

    def _verified(self, text: bytes) -> bytes:
        """What one of the pinned certificates has signed, where there are any."""
        pinned = split_pem(self._settings.metadata_certificates)
        if not pinned:
            return text
        from idp.saml.metadata_document import Problem
        from idp.saml.signed_metadata import verified

        try:
            return verified(text, pinned, self._settings.entity_id)
        except Problem as problem:
            raise misconfigured(f"metadata: {problem}") from None

    def _read(self, text: bytes) -> "IdpView":
        from idp.saml.idp_metadata import read

        try:
            return read(text, self._settings.entity_id)
        except Refused as refused:
            raise misconfigured(f"metadata: {refused.reason}") from None


def certificates_of(provider: UpstreamProvider) -> list[tuple[str, float]]:
    """(what it is, end in seconds since the epoch) of every signing certificate in the stored metadata, for who watches over
    them. An expired one still works, as metadata vouches for the key; but its owner will soon have another."""
    from cryptography import x509

    from idp.saml.idp_metadata import read

    stored = str(provider.settings.get("metadata") or "")
    try:
        view = read(stored.encode(), str(provider.settings.get("entity_id") or "")) if stored else None
    except Refused:
        view = None
    found = []
    for number, text in enumerate(view.certificates if view else (), 1):
        certificate = x509.load_der_x509_certificate(base64.b64decode(text))
        found.append((f"signing certificate {number}", certificate.not_valid_after_utc.timestamp()))
    return found

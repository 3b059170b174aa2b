"""Applications that rely on us: add, change, list, remove OIDC clients and SAML service providers.

Leaves reading SAML metadata to idp.protocols.saml.metadata, and tokens to idp.services.issue_grant.
"""

from dataclasses import replace
from urllib.parse import urlsplit

from idp.base import ids
from idp.base.clock import Clock
from idp.base.errors import Refused
from idp.base.net import is_loopback_url
from idp.base.secret import Secret
from idp.domain.grant import Consent, Grant
from idp.domain.relying import Client, ServiceProvider
from idp.ports import Duplicate, Repository
from idp.services.record_audit import Audit

GRANT_TYPES = ("authorization_code", "refresh_token", "client_credentials")
AUTH_METHODS = ("none", "client_secret_basic", "client_secret_post")


class Apps:
    def __init__(self, repo: Repository, clock: Clock, audit: Audit) -> None:
        self._repo = repo
        self._clock = clock
        self._audit = audit

    # ---------------------------------------------------------------- OIDC clients

    def client(self, client_id: str) -> Client | None:
        return self._repo.get(Client, client_id)

    def clients(self) -> list[Client]:
        return self._repo.find(Client)

    def add_client(
        self, client: Client, *, actor: str, with_secret: bool, secret: Secret | None = None
    ) -> tuple[Client, Secret | None]:
        """Store a checked client; a confidential one gets a fresh secret (or the given one), shown this once.

        Raises Refused(invalid_client_metadata | client_taken).
        """
        check_client(client)
        secret = secret or Secret(ids.secret()) if with_secret and not client.is_public else None
        stored = replace(client, secret_digest=ids.digest(secret.reveal()) if secret else None)
        try:
            self._repo.insert(stored)
        except Duplicate:
            raise Refused("client_taken", "A client with this id exists.", status=409) from None
        self._audit.record("client.added", actor=actor, subject=client.id, name=client.name)
        return stored, secret

    def change_client(self, client: Client, *, actor: str) -> Client:
        """Raises Refused(invalid_client_metadata | changed_meanwhile)."""
        check_client(client)
        stored = self._repo.replace_if(client)
        if stored is None:
            raise Refused("changed_meanwhile", "Somebody else changed it at the same time. Look again.", status=409)
        self._audit.record("client.changed", actor=actor, subject=client.id)
        return stored

    def remove_client(self, client_id: str, *, actor: str) -> None:
        """With all its grants and consents: a later client of the same id inherits nothing."""
        if not self._repo.delete(Client, client_id):
            raise Refused("unknown_client", "There is no such client.", status=404)
        self._repo.delete_where(Grant, client_id=client_id)
        self._repo.delete_where(Consent, client_id=client_id)
        self._audit.record("client.removed", actor=actor, subject=client_id)

    # ---------------------------------------------------------------- SAML service providers

    def service_provider(self, entity_id: str) -> ServiceProvider | None:
        return self._repo.get(ServiceProvider, entity_id)

    def service_providers(self) -> list[ServiceProvider]:
        return self._repo.find(ServiceProvider)

    def put_service_provider(self, sp: ServiceProvider, *, actor: str) -> ServiceProvider:
        """Add, or replace the one with the same entityID."""
        before = self.service_provider(sp.id)
        if before is None:
            try:
                self._repo.insert(sp)
            except Duplicate:
                raise Refused(
                    "changed_meanwhile", "Somebody else added it at the same time. Look again.", status=409
                ) from None
            self._audit.record("sp.added", actor=actor, subject=sp.id)
            return sp
        stored = self._repo.replace_if(replace(sp, version=before.version, created_at=before.created_at))
        if stored is None:
            raise Refused("changed_meanwhile", "Somebody else changed it at the same time. Look again.", status=409)
        self._audit.record("sp.changed", actor=actor, subject=sp.id)
        return stored

    def remove_service_provider(self, entity_id: str, *, actor: str) -> None:
        if not self._repo.delete(ServiceProvider, entity_id):
            raise Refused("unknown_service_provider", "There is no such service provider.", status=404)
        self._audit.record("sp.removed", actor=actor, subject=entity_id)


def check_client(client: Client) -> None:
    """Every field. Raises Refused(invalid_client_metadata), which names the field."""
    if client.auth_method not in AUTH_METHODS:
        raise _bad("auth_method", f"use one of {', '.join(AUTH_METHODS)}")
    for grant in client.grant_types:
        if grant not in GRANT_TYPES:
            raise _bad("grant_types", f"{grant!r} is not one of {', '.join(GRANT_TYPES)}")
    if client.is_public and "client_credentials" in client.grant_types:
        raise _bad("grant_types", "a public client has no credentials to use client_credentials with")
    if client.is_public and not client.pkce_required:
        raise _bad("pkce_required", "a public client always needs PKCE (RFC 9700 2.1.1)")
    if "authorization_code" in client.grant_types and not client.redirect_uris:
        raise _bad("redirect_uris", "a client for people needs at least one")
    for field in ("redirect_uris", "post_logout_redirect_uris"):
        for uri in getattr(client, field):
            _check_uri(uri, field)
    _check_scopes(client)


def _check_scopes(client: Client) -> None:
    for scope in client.scopes:
        if not scope or any(not ("!" <= c <= "~") or c in '"\\' for c in scope):
            raise _bad("scopes", f"{scope!r} is not a scope (RFC 6749 3.3)")


def _check_uri(uri: str, field: str) -> None:
    """https, http on loopback, or a private-use scheme with a dot (RFC 8252 7.1); no fragment, no user, no odd characters."""
    try:
        parts = urlsplit(uri)
        _ = parts.port
    except ValueError:
        raise _bad(field, f"{uri!r} is not a URI") from None
    if any(not ("!" <= c <= "~") or c in '"<>\\^`{|}' for c in uri) or len(uri) > 2000:
        raise _bad(field, f"{uri[:100]!r} holds characters that a URI cannot have")
    if "#" in uri or parts.username is not None or parts.password is not None:
        raise _bad(field, f"{uri!r} has a fragment or user information")
    if parts.scheme == "https" and parts.hostname:
        return
    if parts.scheme == "http" and is_loopback_url(uri):
        return
    if "." in parts.scheme:
        return
    raise _bad(field, f"{uri!r} must be https, or http on a loopback address")


def _bad(field: str, why: str) -> Refused:
    return Refused("invalid_client_metadata", f"{field}: {why}.", status=400)

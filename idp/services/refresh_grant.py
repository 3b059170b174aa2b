"""Refresh tokens: replaced at each use, the whole family revoked when one comes back (RFC 6749 6, RFC 9700 4.14).

The successor is computed from its predecessor, so an app that lost our answer and asks again within a few seconds gets the
same one instead of a dead session. Leaves the first of a family to issue_grant and the form of tokens to the OIDC door.
"""

import base64
import hashlib
import hmac
from collections.abc import Mapping
from contextlib import suppress

from idp.base import ids
from idp.base.clock import Clock
from idp.base.sections import Oidc
from idp.domain.grant import Grant, RefreshToken
from idp.domain.narrowing import Details, narrowed
from idp.domain.profile import rules
from idp.domain.relying import Client
from idp.ports import Duplicate, Repository
from idp.services.issue_grant import (
    Issued,
    as_registered,
    family_member,
    invalid_grant,
    must_prove,
    narrowed_audiences,
    narrowed_scopes,
    not_live,
)
from idp.services.live_grants import LiveGrants

KEY_PURPOSE = "refresh"


class RefreshGrant:
    """key: 32 bytes of the installation's own; who has it and a token knows all successors of that token."""

    def __init__(self, repo: Repository, clock: Clock, live: LiveGrants, settings: Oidc, key: bytes) -> None:
        self._repo = repo
        self._clock = clock
        self._live = live
        self._settings = settings
        self._key = key

    def refresh(
        self,
        client: Client,
        token: str,
        *,
        scopes: tuple[str, ...] = (),
        audiences: tuple[str, ...] = (),
        confirmation: Mapping[str, str] | None = None,
        details: Details = (),
    ) -> Issued:
        """The successor of a refresh token: one comes into being, whoever asks how often. Empty scopes: those of the grant.

        Raises Refused(invalid_grant | invalid_scope | invalid_target | invalid_authorization_details).
        """
        found = self._repo.get(RefreshToken, ids.digest(token))
        if found is None or found.client_id != client.id:
            raise invalid_grant("unknown refresh token" if found is None else "the token belongs to another client")
        grant = self._live.get(found.grant_id)
        user = self._live.user_of(grant) if grant is not None else None
        if grant is None or user is None:
            raise not_live()
        must_prove(grant.confirmation, confirmation)
        successor = self._successor(token)
        if found.consumed_at is not None:
            self._must_be_a_retry(client, grant, found, successor)
        left = as_registered(client, grant)
        kept = narrowed_scopes(scopes, left.scopes)
        chosen = narrowed_audiences(audiences, left.audiences)
        limits = narrowed(details, left.details)
        if found.consumed_at is None:
            if not rules(client).rotate_refresh:
                return Issued(grant, user, kept, chosen, token, limits)
            self._rotate(client, grant, found, successor)
        return Issued(grant, user, kept, chosen, successor, limits)

    def _successor(self, token: str) -> str:
        """43 characters that only who has our key can tell beforehand; nothing needs to be stored to say them again."""
        made = hmac.new(self._key, token.encode(), hashlib.sha256).digest()
        return base64.urlsafe_b64encode(made).rstrip(b"=").decode()

    def _rotate(self, client: Client, grant: Grant, found: RefreshToken, successor: str) -> None:
        """Raises Refused(invalid_grant)."""
        also = [family_member(successor, grant, self._clock())]
        try:
            if self._repo.consume(RefreshToken, found.id, also) is not None:
                return
        except Duplicate:
            return  # MongoDB: somebody asked again, and stored the successor, before we did
        used = self._repo.get(RefreshToken, found.id)
        if used is None:
            raise not_live()
        self._must_be_a_retry(client, grant, used, successor)

    def _must_be_a_retry(self, client: Client, grant: Grant, used: RefreshToken, successor: str) -> None:
        """Right after the first use, and before the successor was used. Else somebody has a copy: the family ends.

        Raises Refused(invalid_grant).
        """
        ends = (used.consumed_at or 0.0) + self._settings.refresh_retry_seconds
        after = self._repo.get(RefreshToken, ids.digest(successor))
        if self._clock() >= ends or (after is not None and after.consumed_at is not None):
            why = "refresh token used twice"
            self._live.revoke(grant.id, "grant.reuse_detected", actor=client.id, why=why)
            raise invalid_grant("the refresh token was already used; its whole family is revoked")
        if after is None:
            # MongoDB: whoever used the token has not stored the successor yet, or never will, for it crashed just there.
            with suppress(Duplicate):
                self._repo.insert(family_member(successor, grant, self._clock()))

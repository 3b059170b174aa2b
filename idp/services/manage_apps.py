"""Applications that rely on us: add, change, list, remove OIDC clients and SAML service providers.

Leaves which clients are accepted to idp.services.check_client, which service providers to check_sp, reading SAML metadata to
idp.saml.sp_metadata, and tokens to idp.services.issue_grant.
"""

import itertools
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import TYPE_CHECKING

from idp.base import ids
from idp.base.clock import Clock
from idp.base.errors import Refused
from idp.base.secret import Secret
from idp.crypto.seal import Seal
from idp.domain.audit_event import EventName
from idp.domain.grant import Consent, Grant
from idp.domain.metadata import AUTH_METHODS, RESPONSE_ALGS, bad, has_secret, normal
from idp.domain.relying import Client, ServiceProvider
from idp.domain.saml import MetadataWatch
from idp.domain.upstream import LOCAL, UpstreamProvider
from idp.ports import Duplicate, Repository
from idp.services.check_client import Surroundings, check_client
from idp.services.check_sp import SETTABLE, check_sp
from idp.services.check_sp import bad as bad_setting
from idp.services.client_uris import check_sector_document
from idp.services.record_audit import Audit

if TYPE_CHECKING:
    from idp.saml.views import SpView

__all__ = ["AUTH_METHODS", "Apps", "check_client"]

LONGEST_OVERLAP = 30 * 86_400  # seconds; a secret that was replaced because it leaked must end
SHORTEST_MAC_SECRET = 32  # bytes: RFC 7518 3.2


class Apps:
    def __init__(
        self, repo: Repository, clock: Clock, audit: Audit, seal: Seal, around: Surroundings | None = None
    ) -> None:
        self._repo = repo
        self._clock = clock
        self._audit = audit
        self._seal = seal
        self._around = around or Surroundings()
        self._count = itertools.count(1)
        self.changes = 0  # another number after each change of an app by this process

    # ---------------------------------------------------------------- OIDC clients

    def client(self, client_id: str) -> Client | None:
        return self._repo.get(Client, client_id)

    def clients(self) -> list[Client]:
        return self._repo.find(Client, limit=100_000)

    def check(self, client: Client, before: Client | None = None) -> Client:
        """The client in its usual spelling, every field looked at; asks for the sector's document when it may have changed, and
        has the keys made that its answers are to be signed with.

        Raises Refused(invalid_client_metadata | invalid_redirect_uri), which names the field.
        """
        client = normal(client)
        check_client(client, self._around)
        self._check_ways(client.upstreams, before.upstreams if before is not None else None, bad)
        if before is None or _sector(client) != _sector(before):
            check_sector_document(client, self._around.policy())
        self._around.prepare(*(getattr(client, field) for field in RESPONSE_ALGS))
        return client

    def _check_ways(
        self, ways: tuple[str, ...] | None, before: tuple[str, ...] | None, refused: Callable[[str, str], Refused]
    ) -> None:
        """With a slip of the pen in this list nobody could sign in to the app. What stood there already may stay."""
        for one in ways or ():
            if one not in (LOCAL, *(before or ())) and self._repo.get(UpstreamProvider, one) is None:
                raise refused("upstreams", f"there is no upstream {one!r}; see: idp upstream list")

    def add_client(
        self,
        client: Client,
        *,
        actor: str,
        with_secret: bool,
        secret: Secret | None = None,
    ) -> tuple[Client, Secret | None]:
        """Check and store a client; one that authenticates with a secret gets a fresh one (or the given), shown this once.

        Raises Refused(invalid_client_metadata | invalid_redirect_uri | client_taken).
        """
        return self.add_checked(self.check(client), actor=actor, with_secret=with_secret, secret=secret)

    def add_checked(
        self,
        client: Client,
        *,
        actor: str,
        with_secret: bool = True,
        secret: Secret | None = None,
        event: EventName = "client.added",
        detail: Mapping[str, str | None] | None = None,
    ) -> tuple[Client, Secret | None]:
        """The same for a client that `check` has given. Raises Refused(client_taken)."""
        secret = (secret or Secret(ids.secret())) if with_secret and has_secret(client) else None
        stored = self._with_secret(client, secret) if secret else replace(client, secret_digest=None)
        try:
            self._repo.insert(stored)
        except Duplicate:
            raise Refused("client_taken", "A client with this id exists.", status=409) from None
        self.changes = next(self._count)
        self._audit.record(event, actor=actor, subject=client.id, name=client.name, **(detail or {}))
        return stored, secret

    def change_client(self, client: Client, *, actor: str) -> Client:
        """Raises Refused(invalid_client_metadata | invalid_redirect_uri | changed_meanwhile)."""
        client = self.check(client, self.client(client.id))
        if client.auth_method == "client_secret_jwt" and client.sealed_secret is None:
            raise bad(
                "auth_method", "client_secret_jwt needs a new secret, as of the present one only a digest is kept"
            )
        return self._replace(client, "client.changed", actor)

    def change_client_with_new_secret(self, client: Client, *, actor: str) -> tuple[Client, Secret]:
        """The old secret is no longer good. Raises what change_client raises, and Refused(no_secret)."""
        client = self.check(client, self.client(client.id))
        self._must_have_secret(client)
        secret = Secret(ids.secret())
        stored = self._replace(self._with_secret(client, secret), "client.changed", actor, replaced="secret")
        return stored, secret

    def rotate_secret(
        self, client_id: str, overlap_seconds: int, actor: str, *, version: int | None = None
    ) -> tuple[Client, Secret]:
        """A new secret, shown this once. The one before stays good for overlap_seconds; one before that ends now.
        version: the one that was looked at; None for any.

        Raises Refused(unknown_client | no_secret | bad_overlap | changed_meanwhile).
        """
        before = self._existing(client_id)
        if version is not None and before.version != version:
            raise changed_meanwhile()
        self._must_have_secret(before)
        if not 0 <= overlap_seconds <= LONGEST_OVERLAP:
            raise Refused("bad_overlap", f"The old secret can stay good for 0 to {LONGEST_OVERLAP} seconds.")
        secret = Secret(ids.secret())
        changed = self._with_secret(before, secret)
        if overlap_seconds and before.secret_digest:
            changed = replace(
                changed,
                old_secret_digest=before.secret_digest,
                old_sealed_secret=before.sealed_secret,
                old_secret_until=self._clock() + overlap_seconds,
            )
        stored = self._replace(changed, "client.secret_rotated", actor, overlap=f"{overlap_seconds} s")
        return stored, secret

    def retire_old_secret(self, client_id: str, actor: str) -> Client:
        """End the overlap now; does nothing when there is none. Raises Refused(unknown_client | changed_meanwhile)."""
        before = self._existing(client_id)
        if before.old_secret_digest is None:
            return before
        return self._replace(replace(before, **_NO_OLD_SECRET), "client.secret_retired", actor)  # type: ignore[arg-type]

    def remove_client(self, client_id: str, *, actor: str) -> None:
        """With all its grants and consents: a later client of the same id inherits nothing, also when we are cut off here."""
        self._existing(client_id)
        self._forget(client_id)
        if not self._repo.delete(Client, client_id):
            raise Refused("unknown_client", "There is no such client.", status=404)
        self.changes = next(self._count)
        self._forget(client_id)  # what came in between
        self._audit.record("client.removed", actor=actor, subject=client_id)

    def _forget(self, client_id: str) -> None:
        self._repo.delete_where(Grant, client_id=client_id)
        self._repo.delete_where(Consent, client_id=client_id)

    def _existing(self, client_id: str) -> Client:
        found = self.client(client_id)
        if found is None:
            raise Refused("unknown_client", "There is no such client.", status=404)
        return found

    def _must_have_secret(self, client: Client) -> None:
        if not has_secret(client):
            raise Refused("no_secret", f"This client authenticates with {client.auth_method}: it has no secret.")

    def _with_secret(self, client: Client, secret: Secret) -> Client:
        sealed = None
        if client.auth_method == "client_secret_jwt":
            if len(secret.reveal().encode()) < SHORTEST_MAC_SECRET:
                raise bad("auth_method", f"client_secret_jwt needs a secret of at least {SHORTEST_MAC_SECRET} bytes")
            sealed = self._seal.close(secret.reveal(), owner=client.id, field="secret")
        fields = {**_NO_OLD_SECRET, "secret_digest": ids.digest(secret.reveal()), "sealed_secret": sealed}
        return replace(client, **fields)  # type: ignore[arg-type]

    def _replace(self, client: Client, event: EventName, actor: str, **detail: str) -> Client:
        stored = self._repo.replace_if(client)
        if stored is None:
            raise changed_meanwhile()
        self.changes = next(self._count)
        self._audit.record(event, actor=actor, subject=client.id, **detail)
        return stored

    # ---------------------------------------------------------------- SAML service providers

    def service_provider(self, entity_id: str) -> ServiceProvider | None:
        return self._repo.get(ServiceProvider, entity_id)

    def service_providers(self) -> list[ServiceProvider]:
        return self._repo.find(ServiceProvider, limit=100_000)

    def put_service_provider(self, sp: ServiceProvider, *, actor: str) -> ServiceProvider:
        """Add, or replace the one with the same entityID. Raises what the two below raise."""
        before = self.service_provider(sp.id)
        if before is None:
            return self.add_service_provider(sp, actor=actor)
        return self.change_service_provider(
            replace(sp, version=before.version, created_at=before.created_at), actor=actor
        )

    def add_service_provider(self, sp: ServiceProvider, *, actor: str) -> ServiceProvider:
        """Raises Refused(invalid_sp_setting | invalid_sp_metadata | sp_taken)."""
        sp = check_sp(sp, _said_by(sp))
        self._check_ways(sp.upstreams, None, bad_setting)
        try:
            self._repo.insert(sp)
        except Duplicate:
            raise Refused("sp_taken", "A service provider with this entityID is registered.", status=409) from None
        self.changes = next(self._count)
        self._audit.record("sp.added", actor=actor, subject=sp.id, name=sp.name)
        return sp

    def change_service_provider(self, sp: ServiceProvider, *, actor: str) -> ServiceProvider:
        """Of the version that was looked at. Raises Refused(invalid_sp_setting | invalid_sp_metadata | changed_meanwhile)."""
        sp, before = check_sp(sp, _said_by(sp)), self.service_provider(sp.id)
        self._check_ways(sp.upstreams, before.upstreams if before is not None else None, bad_setting)
        stored = self._repo.replace_if(sp)
        if stored is None:
            raise changed_meanwhile()
        self.changes = next(self._count)
        changed = [name for name in (*SETTABLE, "metadata") if getattr(before, name, None) != getattr(sp, name)]
        self._audit.record("sp.changed", actor=actor, subject=sp.id, fields=" ".join(changed))
        return stored

    def remove_service_provider(self, entity_id: str, *, actor: str) -> None:
        """What it knows people by is kept: registered again, it finds its accounts again."""
        if not self._repo.delete(ServiceProvider, entity_id):
            raise Refused("unknown_service_provider", "There is no such service provider.", status=404)
        self._repo.delete(MetadataWatch, f"sp:{entity_id}")
        self.changes = next(self._count)
        self._audit.record("sp.removed", actor=actor, subject=entity_id)


def _said_by(sp: ServiceProvider) -> "SpView | None":
    """None for one of a federation, whose metadata is kept there."""
    from idp.saml.sp_metadata import read  # here: it loads an XML library, and most of what starts needs none

    return read(sp.metadata.encode()) if sp.metadata else None


def changed_meanwhile() -> Refused:
    return Refused("changed_meanwhile", "Somebody else changed it at the same time. Look again.", status=409)


_NO_OLD_SECRET = {"old_secret_digest": None, "old_sealed_secret": None, "old_secret_until": None}


def _sector(client: Client) -> tuple[object, ...]:
    return client.sector_identifier_uri, client.redirect_uris

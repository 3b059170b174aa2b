"""Configured upstream providers: add, change, list, remove. Secret settings are sealed before they reach the store.

Leaves what settings a kind has, and opening it, to idp.upstream.
"""

import re
from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import Any

from idp.base.clock import Clock
from idp.base.errors import Refused
from idp.crypto.seal import Seal
from idp.domain.upstream import FederatedLogin, UpstreamProvider
from idp.ports import Duplicate, Repository
from idp.services.record_audit import Audit

PROVIDER_ID = re.compile(r"[a-z0-9](?:[a-z0-9-]{0,30}[a-z0-9])?\Z")


class Upstreams:
    def __init__(self, repo: Repository, clock: Clock, seal: Seal, audit: Audit) -> None:
        self._repo = repo
        self._clock = clock
        self._seal = seal
        self._audit = audit

    def get(self, provider_id: str) -> UpstreamProvider | None:
        return self._repo.get(UpstreamProvider, provider_id)

    def all(self) -> list[UpstreamProvider]:
        return self._repo.find(UpstreamProvider)

    def for_sign_in(self) -> list[UpstreamProvider]:
        return [one for one in self.all() if one.enabled and one.mode == "sign_in"]

    def for_linking(self) -> list[UpstreamProvider]:
        return [one for one in self.all() if one.enabled]

    def enabled(self, provider_id: str) -> UpstreamProvider:
        """Raises Refused(unknown_upstream): one that is off is refused on every path, exactly as an unknown one."""
        provider = self.get(provider_id)
        if provider is None or not provider.enabled:
            raise Refused("unknown_upstream", "This way to sign in is not available. Choose another one.", status=404)
        return provider

    def add(self, provider: UpstreamProvider, *, secrets: Iterable[str], actor: str) -> UpstreamProvider:
        """secrets: names of the settings to seal. Raises Refused(invalid_upstream | upstream_taken)."""
        if not PROVIDER_ID.match(provider.id):
            raise Refused("invalid_upstream", "Use up to 32 lower-case letters, digits and dashes for the id.")
        sealed = replace(provider, settings=self._sealed(provider.id, provider.settings, secrets))
        try:
            self._repo.insert(sealed)
        except Duplicate:
            raise Refused("upstream_taken", "An upstream with this id exists.", status=409) from None
        self._audit.record("upstream.added", actor=actor, subject=provider.id, kind=provider.kind)
        return sealed

    def change(
        self, provider: UpstreamProvider, settings: Mapping[str, Any], *, secrets: Iterable[str], actor: str
    ) -> UpstreamProvider:
        """settings: only the changed ones, in clear; the others stay as stored."""
        merged = {**provider.settings, **self._sealed(provider.id, settings, secrets)}
        stored = self._repo.replace_if(replace(provider, settings=merged))
        if stored is None:
            raise Refused("changed_meanwhile", "Somebody else changed it at the same time. Look again.", status=409)
        self._audit.record("upstream.changed", actor=actor, subject=provider.id)
        return stored

    def remove(self, provider_id: str, *, actor: str) -> None:
        """With every login linked through it: a later upstream of the same id inherits nothing."""
        if not self._repo.delete(UpstreamProvider, provider_id):
            raise Refused("unknown_upstream", "There is no such upstream.", status=404)
        self._repo.delete_where(FederatedLogin, provider_id=provider_id)
        self._audit.record("upstream.removed", actor=actor, subject=provider_id)

    def opened_settings(self, provider: UpstreamProvider, secrets: Iterable[str]) -> dict[str, Any]:
        """The settings with the secret ones in clear, for the kind's own use."""
        opened = dict(provider.settings)
        for name in secrets:
            if opened.get(name):
                opened[name] = self._seal.open(str(opened[name]), owner=f"upstream:{provider.id}", field=name)
        return opened

    def _sealed(self, provider_id: str, settings: Mapping[str, Any], secrets: Iterable[str]) -> dict[str, Any]:
        sealed = dict(settings)
        for name in secrets:
            if sealed.get(name):
                sealed[name] = self._seal.close(str(sealed[name]), owner=f"upstream:{provider_id}", field=name)
        return sealed

"""Configured upstream providers: add, change, list, remove. Secret settings are sealed before they reach the store.

Leaves what settings a kind has, and opening it, to idp.upstream.
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from typing import Any

from idp.base.clock import Clock
from idp.base.errors import Refused
from idp.crypto.seal import Seal
from idp.domain.audit_event import EventName
from idp.domain.upstream import LOCAL, UPSTREAM_ID, FederatedLogin, UpstreamProvider
from idp.ports import Duplicate, Repository
from idp.services.record_audit import Audit

PROVIDER_ID = UPSTREAM_ID
# Where apps list the ways in that they accept, LOCAL is the password; the other one is an address beside those of upstreams.
RESERVED_IDS = (LOCAL, "new")


class Upstreams:
    """keep_way_in(provider id): refuses what would leave administrators without any way in."""

    def __init__(
        self,
        repo: Repository,
        clock: Clock,
        seal: Seal,
        audit: Audit,
        keep_way_in: Callable[[str], None] = lambda provider_id: None,
    ) -> None:
        self._repo = repo
        self._clock = clock
        self._seal = seal
        self._audit = audit
        self._keep_way_in = keep_way_in

    def get(self, provider_id: str) -> UpstreamProvider | None:
        return self._repo.get(UpstreamProvider, provider_id)

    def all(self) -> list[UpstreamProvider]:
        """In the order of their buttons."""
        return sorted(self._repo.find(UpstreamProvider), key=lambda one: (one.order, one.label.casefold(), one.id))

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
        if provider.id in RESERVED_IDS:
            raise Refused("invalid_upstream", f"The id {provider.id} means something else here. Take another one.")
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
        """settings: only the changed ones, in clear; the others stay as stored in `provider`.

        Raises Refused(changed_meanwhile), and what keeps administrators from locking themselves out.
        """
        before = self.get(provider.id)
        if before is not None and _is_way_in(before) and not _is_way_in(provider):
            self._keep_way_in(provider.id)
        merged = {**provider.settings, **self._sealed(provider.id, settings, secrets)}
        stored = self._put(replace(provider, settings=merged))
        self._audit.record("upstream.changed", actor=actor, subject=provider.id)
        if before is not None and before.enabled != stored.enabled:
            self._note_switch(stored, actor, {})
        return stored

    def switch(self, provider: UpstreamProvider, enabled: bool, *, actor: str, tested: bool) -> UpstreamProvider:
        """On or off; tested: for the audit. Raises like change."""
        if provider.enabled == enabled:
            return provider
        if _is_way_in(provider) and not enabled:
            self._keep_way_in(provider.id)
        stored = self._put(replace(provider, enabled=enabled))
        self._note_switch(stored, actor, {"tested": "yes" if tested else "no"} if enabled else {})
        return stored

    def _put(self, provider: UpstreamProvider) -> UpstreamProvider:
        stored = self._repo.replace_if(provider)
        if stored is None:
            raise Refused("changed_meanwhile", "Somebody else changed it at the same time. Look again.", status=409)
        return stored

    def _note_switch(self, provider: UpstreamProvider, actor: str, detail: Mapping[str, str]) -> None:
        name: EventName = "upstream.enabled" if provider.enabled else "upstream.disabled"
        self._audit.record(name, actor=actor, subject=provider.id, **detail)

    def logins_of(self, provider_id: str, limit: int = 1000) -> int:
        """How many logins were linked through it; at most `limit` are counted."""
        return len(self._repo.find(FederatedLogin, limit=limit, provider_id=provider_id))

    def may_go(self, provider: UpstreamProvider) -> None:
        """Raises Refused(last_way_in_for_administrators)."""
        if _is_way_in(provider):
            self._keep_way_in(provider.id)

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


def _is_way_in(provider: UpstreamProvider) -> bool:
    return provider.enabled and provider.mode == "sign_in"

"""Removing an upstream for good, with every login linked through it and what people have because of these logins.

It is switched off first and goes last: cut off in between, the same command goes on. A later upstream of the same id inherits
nothing. What was audited stays.
"""

from dataclasses import replace

from idp.base.errors import Refused
from idp.domain.upstream import FederatedLogin, UpstreamHealth, UpstreamProvider, UpstreamTest
from idp.ports import Repository
from idp.services.change_links import LinkChanges
from idp.services.manage_upstreams import Upstreams
from idp.services.record_audit import Audit

PAGE = 500


class RemoveUpstream:
    def __init__(self, repo: Repository, upstreams: Upstreams, changes: LinkChanges, audit: Audit) -> None:
        self._repo = repo
        self._upstreams = upstreams
        self._changes = changes
        self._audit = audit

    def remove(self, provider_id: str, *, actor: str) -> None:
        """Raises Refused(unknown_upstream | last_way_in_for_administrators)."""
        self._shut(provider_id)
        while logins := self._repo.find(FederatedLogin, limit=PAGE, provider_id=provider_id):
            for login in logins:
                if login.roles or login.groups or login.claims:
                    self._changes.take_back(login.user_id, login)
                self._repo.delete(FederatedLogin, login.id)
        gone = self._repo.delete(UpstreamProvider, provider_id)
        # One more may have come from a request that was under way when it was switched off.
        self._repo.delete_where(FederatedLogin, provider_id=provider_id)
        for kind in (UpstreamTest, UpstreamHealth):
            self._repo.delete(kind, provider_id)
        if gone:
            self._audit.record("upstream.removed", actor=actor, subject=provider_id)

    def _shut(self, provider_id: str) -> None:
        while True:
            provider = self._upstreams.get(provider_id)
            if provider is None:
                raise Refused("unknown_upstream", "There is no such upstream.", status=404)
            self._upstreams.may_go(provider)
            if not provider.enabled or self._repo.replace_if(replace(provider, enabled=False)) is not None:
                return

"""Whose assertions may stand for people at the token endpoint (RFC 7523 2.1), and the keys that sign them.

Upstream providers that an administrator has allowed (`assertions`), and the issuers of the setting oidc.assertion_issuers.
Leaves reading an assertion to the OIDC door and whom it means to idp.services.assert_user.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from idp.base.clock import Clock
from idp.base.errors import Refused
from idp.base.net import NetPolicy
from idp.services.manage_upstreams import Upstreams
from idp.upstream.exchange import Exchange
from idp.upstream.jwks import KeySource
from idp.upstream.registry import Kinds

if TYPE_CHECKING:
    from joserfc.jwk import Key


@dataclass(frozen=True, slots=True)
class AssertionIssuer:
    """provider_ids: the upstreams under which a login of this issuer is linked to somebody. keys_for: (kid, alg) -> keys that
    may have signed; raises Refused(upstream_…)."""

    issuer: str
    provider_ids: tuple[str, ...]
    keys_for: Callable[[str | None, str], "list[Key]"] = field(repr=False)


class AssertionIssuers:
    """listed: issuer -> address of its JWK set."""

    def __init__(
        self,
        upstreams: Upstreams,
        kinds: Kinds,
        listed: Mapping[str, str],
        policy: Callable[[], NetPolicy],
        clock: Clock,
    ) -> None:
        self._upstreams = upstreams
        self._kinds = kinds
        self._listed = dict(listed)
        self._policy = policy
        self._sources = {issuer: KeySource(clock) for issuer in listed}

    def find(self, issuer: str) -> AssertionIssuer | None:
        """One that is switched off, or serves for linking only, is as good as none."""
        providers = self._upstreams.for_sign_in()
        if issuer in self._listed:
            everywhere = tuple(one.id for one in providers)
            return AssertionIssuer(issuer, everywhere, lambda kid, alg: self._listed_keys(issuer, kid, alg))
        for provider in providers:
            try:
                opened = self._kinds.open(provider)
            except Refused:  # its settings cannot be read; the others are no worse for that
                continue
            if getattr(opened, "assertion_issuer", None) == issuer:
                return AssertionIssuer(issuer, (provider.id,), opened.assertion_keys)  # type: ignore[attr-defined]
        return None

    def _listed_keys(self, issuer: str, kid: str | None, alg: str) -> "list[Key]":
        return self._sources[issuer].fitting(self._listed[issuer], Exchange(self._policy()), kid, alg)

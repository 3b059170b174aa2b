"""Where somebody signs in who types this address: by its domain and by nothing else, so that it tells nobody who has an account.

Pure; leaves the page to idp.web.home_realm.
"""

from collections.abc import Iterable

from idp.domain.linking import domain_of
from idp.domain.upstream import UpstreamProvider


def homes_of(typed: str, providers: Iterable[UpstreamProvider]) -> list[UpstreamProvider]:
    """Those whose home the domain is; none for what is no address."""
    domain = domain_of(typed)
    return [one for one in providers if domain and domain in one.home_domains]


def wanted(providers: Iterable[UpstreamProvider]) -> bool:
    """Is the address asked first? Only if it can lead anywhere."""
    return any(one.home_domains for one in providers)

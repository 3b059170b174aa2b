"""A name and a password that a directory (LDAP) is asked about, counted like passwords here: by whom it is asked about, and by place.

So a directory that locks accounts after some failures is not asked without end either. Leaves asking to the upstream kind, and
whose login it is to sign_in.
"""

import unicodedata

from idp.base import ids
from idp.base.errors import Refused
from idp.domain.checks import Checks
from idp.domain.upstream import UpstreamIdentity, UpstreamProvider
from idp.domain.user import login_key
from idp.ports import DirectoryKind
from idp.services.record_audit import Audit
from idp.services.throttle import Throttles, origin

ADDRESS_FREE_FAILURES = 50


def prove_directory(
    throttles: Throttles,
    audit: Audit,
    kind: DirectoryKind,
    provider: UpstreamProvider,
    *,
    login: str,
    password: str,
    address: str,
    checks: Checks,
) -> UpstreamIdentity:
    """address: of the browser. Raises Refused(wrong_credentials | too_many_attempts | upstream_…)."""
    account = f"directory:{provider.id}:{ids.digest(_counted(kind.typed(login)))[:32]}"
    place = f"password-from:{origin(address)}"  # the same as for passwords here
    throttles.check(account, place)
    try:
        identity = kind.prove(provider, login, password, checks)
    except Refused as refused:
        if refused.code == "wrong_credentials":
            throttles.fail(account)
            throttles.fail(place, ADDRESS_FREE_FAILURES)
            audit.record("sign_in.failed", actor="anonymous", subject="unknown", by="directory", provider=provider.id)
        raise
    throttles.clear(account)
    return identity


def _counted(login: str) -> str:
    """Active Directory finds `ada` by `àda` as well: each accent would be a fresh start for the same account."""
    parts = unicodedata.normalize("NFKD", login_key(login))
    return "".join(c for c in parts if not unicodedata.category(c).startswith("M"))

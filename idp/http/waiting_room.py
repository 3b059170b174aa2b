"""Owns which pages may wait for upstream providers and the companion: they get threads of their own, so that a slow one holds up
no other page.

Leaves giving them threads to idp.cli.bridge, and how many may wait for one upstream to idp.upstream.room.
"""

import re

# Every page that asks an upstream. One that is missing here works all the same, on a thread that others need as well.
_WAITS = re.compile(
    r"/upstream/|/flow/[^/]{1,100}/(?:(?:upstream|directory)/|where\Z)|/account/link/|/admin/upstreams?/|/saml/logout/|/data(?:/|\Z)"
)


def waits(path: str) -> bool:
    return _WAITS.match(path) is not None

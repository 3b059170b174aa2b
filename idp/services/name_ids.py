"""The persistent name of a user at one service provider: random, stable, never shared between service providers.

Leaves formats and XML to idp.protocols.saml.outbound.
"""

import secrets

from idp.domain.relying import PersistentNameId
from idp.ports import Duplicate, Repository


def persistent_name_id(repo: Repository, user_id: str, sp_id: str, now: float) -> str:
    """128 random bits in hex, made at the first sign-in to this service provider (SAML Core 8.3.7)."""
    known = _known(repo, user_id, sp_id)
    if known is not None:
        return known
    fresh = PersistentNameId(f"_{secrets.token_hex(16)}", user_id, sp_id, now)
    try:
        repo.insert(fresh)
    except Duplicate:
        # Another request of the same user was first: its name is the name.
        known = _known(repo, user_id, sp_id)
        if known is None:
            raise
        return known
    return fresh.id


def _known(repo: Repository, user_id: str, sp_id: str) -> str | None:
    return next((name.id for name in repo.find(PersistentNameId, user_id=user_id, sp_id=sp_id)), None)

"""SigningKey: a key with a life: next -> current -> retiring -> gone. It is published before it signs anything."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

KeyState = Literal["next", "current", "retiring", "gone"]
KeyUse = Literal["id_token", "access_token", "saml"]


@dataclass(frozen=True, slots=True)
class SigningKey:
    """id = kid. sealed_private: PEM, sealed. public_jwk for OIDC; certificate (PEM) for SAML. slot: `use:state` while
    next or current, so that the store allows one of each; None afterwards."""

    id: str
    use: KeyUse
    alg: str
    state: KeyState
    created_at: float
    sealed_private: str = field(repr=False)
    public_jwk: Mapping[str, str] = field(default_factory=dict)
    certificate: str | None = None
    slot: str | None = None
    activated_at: float | None = None
    retired_at: float | None = None
    version: int = 0

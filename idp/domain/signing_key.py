"""SigningKey: a key with a life: next -> current -> retiring -> gone. It is published before it signs anything."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

KeyState = Literal["next", "current", "retiring", "gone"]
KeyUse = Literal["id_token", "access_token", "saml", "saml_encryption"]

# `id_token` signs everything that is for one app: ID tokens, userinfo, authorization and introspection answers, logout tokens.
# `saml` signs as identity provider and as service provider; `saml_encryption` decrypts what upstreams encrypt for us.
TOKEN_USES: tuple[KeyUse, ...] = ("id_token", "access_token")
SAML_USES: tuple[KeyUse, ...] = ("saml", "saml_encryption")
DEFAULT_ALGS: dict[KeyUse, str] = {
    "id_token": "RS256",
    "access_token": "ES256",
    "saml": "RS256",
    "saml_encryption": "RS256",
}


@dataclass(frozen=True, slots=True)
class SigningKey:
    """id = kid. sealed_private: PEM, sealed. public_jwk for OIDC; certificate (PEM) for SAML. slot: see slot_name, while
    next or current, so that the store allows one of each; None afterwards. external: the private half is kept by somebody
    else (HSM, KMS), and this record knows the public one only. activated_at: from then on it signs, or may sign."""

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
    external: bool = False
    version: int = 0


def slot_name(use: KeyUse, alg: str, state: KeyState) -> str:
    """`use:state` for the usual algorithm of a use, `use:alg:state` for another one."""
    return f"{use}:{state}" if alg == DEFAULT_ALGS[use] else f"{use}:{alg}:{state}"

"""Owns what Google and Microsoft Entra ID do otherwise than the plain OpenID Provider of openid_double, as they publish it.

While one of them lives, the kind goes to it instead of the internet.
"""

import hashlib
from collections.abc import Mapping
from typing import Any

from idp.upstream.kinds import azure_ad, google
from tests.upstream.openid_double import CLIENT_ID, MISSING, OpenIdDouble

HOME = "0a1b2c3d-0000-4000-8000-00000000000a"
PARTNER = "0a1b2c3d-0000-4000-8000-00000000000b"
FOREIGN = "0a1b2c3d-0000-4000-8000-00000000000f"


class _InPlace(OpenIdDouble):
    kind: Any

    def _take_its_place(self) -> None:
        self.kind._place = self.issuer

    def close(self) -> None:
        self.kind._place = GENUINE[self.kind]
        super().close()


class GoogleDouble(_InPlace):
    """hosted: the primary domain of the account's organisation, None for a private account."""

    kind = google.Kind

    def __init__(self, clock) -> None:
        super().__init__(clock)
        self.hosted: str | None = None
        self.sends_iss = False
        self._take_its_place()

    def authorize(self, url: str, sub: str = "user-1", **claims: Any) -> dict[str, str]:
        answer = super().authorize(url, sub, **claims)
        assert self.last_asked.get("prompt") in (None, "none", "consent", "select_account"), "invalid_request"
        hosted = {"hd": self.hosted} if self.hosted else {}
        return {**answer, "scope": "openid email profile", "authuser": "0", "prompt": "none", **hosted}

    def own_claims(self, found: Mapping[str, Any]) -> dict[str, Any]:
        return {"azp": CLIENT_ID, "auth_time": MISSING, **({"hd": self.hosted} if self.hosted else {})}


class AzureDouble(_InPlace):
    """asked: the tenant in the addresses, which is an id, a domain of HOME, or a word for several. tenant: whose member signs
    in. `sub` is another one for each app; `oid` is what authorize() calls sub."""

    kind = azure_ad.Kind

    def __init__(self, clock, asked: str) -> None:
        super().__init__(clock)
        self._take_its_place()
        self.tenant = HOME
        self.sends_iss = False
        self.paths = {
            "discovery": f"/{asked}/v2.0/.well-known/openid-configuration",
            "authorize": f"/{asked}/oauth2/v2.0/authorize",
            "token": f"/{asked}/oauth2/v2.0/token",
            "jwks": f"/{asked}/discovery/v2.0/keys",
            "userinfo": "/oidc/userinfo",
        }
        self.userinfo = {"email": "from-userinfo@corp.example", "email_verified": True}
        self.keys[0].extra = {"issuer": self.issuer_of("{tenantid}"), "x5t": "first", "x5c": ["MIID"]}
        stated = "{tenantid}" if asked in azure_ad.SEVERAL else HOME
        self.metadata = {"issuer": self.issuer_of(stated), "tenant_region_scope": None}

    def issuer_of(self, tenant: str) -> str:
        return f"{self.issuer}/{tenant}/v2.0"

    def authorize(self, url: str, sub: str = "user-1", **claims: Any) -> dict[str, str]:
        answer = super().authorize(url, sub, **claims)
        assert "profile" in self.last_asked["scope"].split(), "no oid without it"
        return {**answer, "session_state": "1f0e7a3c-0000-4000-8000-000000000001"}

    def own_claims(self, found: Mapping[str, Any]) -> dict[str, Any]:
        return {
            "iss": self.issuer_of(self.tenant),
            "tid": self.tenant,
            "oid": found["sub"],
            "sub": hashlib.sha256(f"{self.tenant} {found['sub']} {CLIENT_ID}".encode()).hexdigest()[:43],
            "preferred_username": f"{found['sub']}@corp.example",
            "ver": "2.0",
            "rh": "0.AAAA",
            "uti": "A",
            "aio": "A",
            "auth_time": MISSING,
        }


GENUINE = {google.Kind: google.Kind._place, azure_ad.Kind: azure_ad.Kind._place}


class AdfsDouble(OpenIdDouble):
    """AD FS 2019 by OpenID Connect ([MS-OIDCE]): an issuer for ID tokens and another one for access tokens, claims in the ID
    token and only with `allatclaims`, `sub` alone at the userinfo endpoint. `upn` is what authorize() calls sub."""

    def __init__(self, clock) -> None:
        super().__init__(clock)
        self.home = self.issuer
        self.issuer = f"{self.home}/adfs"
        self.access_token_issuer = f"{self.home}/adfs/services/trust"
        self.sends_iss = False
        self.paths = {
            "discovery": "/adfs/.well-known/openid-configuration",
            "authorize": "/adfs/oauth2/authorize",
            "token": "/adfs/oauth2/token",
            "jwks": "/adfs/discovery/keys",
            "userinfo": "/adfs/userinfo",
        }
        self.userinfo = {}
        self.keys[0].extra = {"x5t": "first", "x5c": ["MIID"], "use": "sig"}
        self.metadata = {
            "access_token_issuer": self.access_token_issuer,
            "as_access_token_token_binding_supported": True,
            "microsoft_multi_refresh_token": True,
            "end_session_endpoint": f"{self.home}/adfs/oauth2/logout",
            "op_id_token_token_binding_supported": True,
            "resource_access_token_token_binding_supported": True,
        }
        self.token_answer = {"resource": "urn:microsoft:userinfo", "refresh_token_expires_in": 28799, "scope": "openid"}
        self.told: dict[str, Any] = {}

    def authorize(self, url: str, sub: str = "user-1", **claims: Any) -> dict[str, str]:
        return {**super().authorize(url, sub, **claims), "client-request-id": "4f0e7a3c-0000-4000-8000-000000000001"}

    def own_claims(self, found: Mapping[str, Any]) -> dict[str, Any]:
        everything = "allatclaims" in found["scope"].split()
        return {
            "auth_time": int(self.clock()),
            "sid": "S-1-5-21-1",
            "unique_name": f"CORP\\{found['sub']}",
            "apptype": "Confidential",
            "appid": CLIENT_ID,
            "authmethod": "urn:oasis:names:tc:SAML:2.0:ac:classes:PasswordProtectedTransport",
            "ver": "1.0",
            "scp": "openid",
            **({"upn": f"{found['sub']}@corp.example", **self.told} if everything else {}),
        }

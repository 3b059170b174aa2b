"""Our addresses that the administrator of an upstream needs, by the names of the field. Pure.

Leaves answering at them to idp.web.
"""

from idp.domain.upstream import UpstreamProvider
from idp.upstream.registry import kind_class


def addresses(issuer: str, provider: UpstreamProvider) -> dict[str, str]:
    """Of OpenID Connect and OAuth 2.0 `redirect_uri`, of the former also those for sign-out; of SAML `entity_id`,
    `sp_metadata` and `acs`; of a directory none."""
    return addresses_of(issuer, provider.kind, provider.id)


def addresses_of(issuer: str, kind: str, provider_id: str) -> dict[str, str]:
    """Of one that is yet to be added, too."""
    base, opened = f"{issuer}/upstream/{provider_id}", kind_class(kind)
    if getattr(opened, "asks_password", False):
        return {}
    if getattr(opened, "arrives_by_post", False):
        return {"entity_id": f"{base}/metadata", "sp_metadata": f"{base}/metadata", "acs": f"{base}/acs"}
    found = {"redirect_uri": f"{base}/callback"}
    if getattr(opened, "speaks_openid", False):
        found["post_logout_redirect_uri"] = f"{base}/signed-out"
        found["backchannel_logout_uri"] = f"{base}/backchannel-logout"
    return found

"""What an administrator connects, by the name that they know it by: its kind, what is asked first, and what is known already.

Leaves words and steps to the catalogue (`up_preset.<name>`, `_why`, `_steps`), and the settings to the kinds.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field

from idp.admin.upstream_fields import UpstreamField, common_field, fields_of
from idp.base.errors import Refused
from idp.upstream.registry import kinds

# Shown behind "More" of every form that adds one.
_MORE_COMMON = ("mode", "may_create", "create_domains", "trusted_domains", "secret_expires_at")


@dataclass(frozen=True, slots=True)
class Preset:
    """name: in its address. first: settings that are asked at once; values: settings that are put in already; id, label, icon:
    proposed."""

    name: str
    kind: str
    label: str
    icon: str
    first: tuple[str, ...]
    values: Mapping[str, str] = field(default_factory=dict)
    id: str = ""

    @property
    def words(self) -> str:
        return f"up_preset.{self.name.replace('-', '_')}"

    @property
    def proposed_id(self) -> str:
        return self.id or self.name

    def fields(self) -> tuple[tuple[UpstreamField, ...], tuple[UpstreamField, ...]]:
        """(asked first, behind "More")."""
        own = {one.name: one for one in fields_of(self.kind)}
        first = tuple(own[name] for name in self.first if name in own)
        missing = tuple(one for one in own.values() if one.required and one not in first)
        more = tuple(common_field(name) for name in _MORE_COMMON)
        return (*first, *missing), (*more, *(one for one in own.values() if one not in (*first, *missing)))


_CLIENT = ("client_id", "client_secret")
_DIRECTORY = ("url", "base_dn", "bind_dn", "bind_password")
_PRESETS = (
    Preset("google", "google", "Google", "google", _CLIENT),
    Preset("azure-ad", "azure_ad", "Microsoft", "microsoft", ("tenant", *_CLIENT), id="entra"),
    Preset(
        *("adfs", "adfs", "AD FS", "microsoft", ("metadata_url", "metadata")),
        values={"subject_attribute": "upn", "cbc": "true"},
    ),
    Preset("adfs-oidc", "adfs_oidc", "AD FS", "microsoft", ("issuer", *_CLIENT)),
    Preset("okta", "oidc", "Okta", "door", ("issuer", *_CLIENT)),
    Preset("github", "github", "GitHub", "github", _CLIENT),
    Preset(
        *("active-directory", "ldap", "Active Directory", "directory", _DIRECTORY),
        values={"preset": "active_directory"},
        id="directory",
    ),
    Preset("openldap", "ldap", "Directory", "directory", _DIRECTORY, id="directory"),
    Preset("sheaf", "sheaf", "Sheaf", "key", ("issuer", *_CLIENT), id="partner"),
    Preset("openid-connect", "oidc", "OpenID Connect", "door", ("issuer", *_CLIENT), id="corporate"),
    Preset("saml", "saml", "SAML", "door", ("metadata_url", "metadata"), id="campus"),
    Preset(
        *("oauth2", "oauth2", "OAuth 2.0", "door"),
        ("authorization_endpoint", "token_endpoint", "userinfo_endpoint", *_CLIENT),
    ),
)


def presets() -> tuple[Preset, ...]:
    """Those whose kinds are there, and one for each further kind."""
    known = kinds()
    found = [one for one in _PRESETS if one.kind in known]
    named = {one.kind for one in found}
    return (*found, *(Preset(name.replace("_", "-"), name, name, "door", ()) for name in known if name not in named))


def preset_of(name: str) -> Preset:
    """Raises Refused(unknown_upstream_kind)."""
    found = next((one for one in presets() if one.name == name), None)
    if found is None:
        raise Refused("unknown_upstream_kind", "There is no such kind of upstream.", status=404)
    return found

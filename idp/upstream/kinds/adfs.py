"""Upstream kind `adfs`: Microsoft's AD FS, and Entra ID (Azure AD) by SAML. `saml` with what these expect.

They refuse a request whose NameIDPolicy they cannot meet, and often send no NameID at all: then `subject_attribute` says
which claim names a person for ever.
"""

from pydantic import Field

from idp.upstream.saml_kind import SamlKind
from idp.upstream.saml_settings import NameIdFormat, Preset, SamlSettings


class Settings(SamlSettings):
    name_id_format: NameIdFormat = Field("none")
    """As for `saml`; what AD FS cannot make it answers with an error."""
    preset: Preset = Field("adfs")
    """As for `saml`; `azure_ad` for Entra ID, whose `name` claim is the user principal name."""


class Kind(SamlKind):
    label = "AD FS"

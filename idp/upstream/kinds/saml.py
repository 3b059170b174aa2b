"""Upstream kind `saml`: any SAML 2.0 identity provider (Shibboleth, SimpleSAMLphp, Keycloak, Okta, Google, another Sheaf …)."""

from idp.upstream.saml_kind import SamlKind
from idp.upstream.saml_settings import SamlSettings


class Settings(SamlSettings):
    """Nothing of its own."""


class Kind(SamlKind):
    label = "SAML"

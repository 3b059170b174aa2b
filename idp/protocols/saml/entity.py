"""Who we are in SAML: our entityID, addresses and keys.

Leaves whom we know to idp.services.service_providers, making and rotating keys to idp.services.rotate_keys, and the messages to
`inbound` and `outbound`.
"""

from dataclasses import dataclass, field

from idp.saml.algorithms import PrivateKey
from idp.services.service_providers import Providers

__all__ = ["Entity", "OurKey", "Providers"]


@dataclass(frozen=True, slots=True)
class OurKey:
    """What we sign with now. certificate: PEM."""

    kid: str
    private: PrivateKey = field(repr=False)
    certificate: str


@dataclass(frozen=True, slots=True)
class Entity:
    """Our identity provider as other entities see it."""

    entity_id: str
    issuer: str

    @property
    def sso_url(self) -> str:
        return f"{self.issuer}/saml/sso"

    @property
    def slo_url(self) -> str:
        return f"{self.issuer}/saml/slo"

    @property
    def artifact_url(self) -> str:
        return f"{self.issuer}/saml/artifact"

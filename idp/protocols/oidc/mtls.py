"""Client certificates as credentials (RFC 8705 2): is this the certificate of that client? And the addresses for it.

Leaves reading the certificate to idp.base.mtls, verifying chains to the proxy, and keys to client_keys.
"""

import base64
import hmac
import ipaddress
from collections.abc import Callable
from typing import TYPE_CHECKING

from idp.base.mtls import Shown, name_of, parse_name
from idp.domain.relying import Client
from idp.protocols.oidc.client_keys import ClientKey

if TYPE_CHECKING:
    from cryptography.x509 import Certificate, SubjectAlternativeName

    from idp.base.config import Settings

METHODS = ("tls_client_auth", "self_signed_tls_client_auth")
# Metadata name of the endpoint -> its path; those at which a client authenticates or shows a token (RFC 8705 5).
ALIASED = {
    "token_endpoint": "/token",
    "revocation_endpoint": "/revoke",
    "introspection_endpoint": "/introspect",
    "userinfo_endpoint": "/userinfo",
    "pushed_authorization_request_endpoint": "/par",
    "device_authorization_endpoint": "/device_authorization",
}


def bases(settings: "Settings", issuer: str) -> tuple[str, ...]:
    """Every base address under which clients reach us, the issuer first."""
    other = settings.server.mtls_url.rstrip("/")
    return (issuer, other) if other and other != issuer else (issuer,)


def proves(client: Client, shown: Shown | None, keys: Callable[[], tuple[ClientKey, ...]], now: float) -> str:
    """Empty when the certificate is the client's, else why not (for the log)."""
    if shown is None:
        return "no client certificate came through a proxy that we know"
    certificate = shown.certificate
    if not certificate.not_valid_before_utc.timestamp() <= now <= certificate.not_valid_after_utc.timestamp():
        return "the certificate is not valid at this time"
    if client.auth_method == "self_signed_tls_client_auth":
        found = any([_is_of_key(certificate, one) for one in keys()])
        return "" if found else "the certificate is none of the client's keys"
    if shown.chain_verified is False:
        return "the proxy could not verify the certificate"
    return _names(client, certificate)


def _names(client: Client, certificate: "Certificate") -> str:
    """RFC 8705 2.1.2: exactly one kind of name is registered, and the certificate has it."""
    registered = {
        kind: value
        for kind in ("subject_dn", "san_dns", "san_uri", "san_ip", "san_email")
        if (value := getattr(client, f"tls_client_auth_{kind}"))
    }
    if len(registered) != 1:
        return "not exactly one name of its certificate is registered"
    [(kind, value)] = registered.items()
    try:
        fits = _subject_is(certificate, value) if kind == "subject_dn" else _has_name(certificate, kind, value)
    except ValueError:
        fits = False
    return "" if fits else f"the certificate has another {kind}"


def _subject_is(certificate: "Certificate", registered: str) -> bool:
    return parse_name(registered) == name_of(certificate)


def _has_name(certificate: "Certificate", kind: str, registered: str) -> bool:
    from cryptography import x509

    names: SubjectAlternativeName
    try:
        names = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    except (x509.ExtensionNotFound, x509.DuplicateExtension):
        return False
    if kind == "san_dns":  # a wildcard is not a name that a client can have: it equals only itself
        return registered.lower() in [one.lower() for one in names.get_values_for_type(x509.DNSName)]
    if kind == "san_uri":
        return registered in names.get_values_for_type(x509.UniformResourceIdentifier)
    if kind == "san_ip":
        return ipaddress.ip_address(registered) in names.get_values_for_type(x509.IPAddress)
    return _mailbox(registered) in [_mailbox(one) for one in names.get_values_for_type(x509.RFC822Name)]


def _mailbox(address: str) -> tuple[str, str]:
    """RFC 5280 7.5: the part after the @ without regard to case, the one before it exactly."""
    local, _, host = address.rpartition("@")
    return local, host.lower()


def _is_of_key(certificate: "Certificate", one: ClientKey) -> bool:
    """RFC 8705 2.2: a key that was registered with its certificate wants exactly that one."""
    from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

    if one.certificate is not None:
        try:
            registered = base64.b64decode(one.certificate, validate=True)
        except ValueError:
            return False
        return hmac.compare_digest(registered, certificate.public_bytes(Encoding.DER))
    how = (Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    registered = one.key.raw_value.public_bytes(*how)  # type: ignore[union-attr]
    return hmac.compare_digest(registered, certificate.public_key().public_bytes(*how))

"""The settings of an upstream that speaks SAML; the kinds are this with defaults of their own.

Leaves reading metadata to idp.saml.idp_metadata, and what each setting does to saml_kind and saml_person.
"""

from typing import Annotated, Any, Literal, Self
from urllib.parse import urlsplit

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, field_validator, model_validator

from idp.base.errors import Refused
from idp.base.net import is_loopback_url
from idp.saml.attributes import FIELDS
from idp.services.metadata.peers import split_pem
from idp.upstream.words import words

FROM_FILE: dict[str, Any] = {"file": True}  # such a setting may be given as `@PATH` or `file:PATH`
MAX_METADATA_CHARS = 1_048_576

Algorithm = Literal["rsa-sha256", "rsa-sha384", "rsa-sha512", "ecdsa-sha256", "ecdsa-sha384"]
NameIdFormat = Literal["auto", "none", "persistent", "transient", "email", "unspecified"]
Preset = Literal["auto", "oid", "eduperson", "basic", "adfs", "azure_ad"]


def mapping(value: object) -> object:
    """`email=NAME name=OTHER` -> a mapping; the names may hold `=` themselves."""
    if not isinstance(value, str):
        return value
    pairs = [one.partition("=") for one in value.replace(",", " ").split()]
    if any(not found for _, found, _ in pairs):
        raise ValueError("Write it as FIELD=ATTRIBUTE FIELD=ATTRIBUTE")
    return {name: attribute for name, _, attribute in pairs}


class SamlSettings(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, use_attribute_docstrings=True)

    metadata: str = Field("", max_length=MAX_METADATA_CHARS, json_schema_extra=FROM_FILE)
    """The upstream's metadata: `@FILE`, `file:PATH`, or the XML itself."""
    metadata_url: str = Field("", max_length=1000)
    """Where it publishes its metadata. Fetched and looked after; `https`, except on this very machine."""
    metadata_certificates: str = Field("", max_length=65_536, json_schema_extra=FROM_FILE)
    """Certificates (PEM), one of which must have signed the metadata. None: TLS vouches for metadata_url."""
    metadata_adopt: Literal["ask", "auto"] = "ask"
    """What happens when the published metadata changes: ask, an administrator looks at it first; auto, it counts at once."""
    entity_id: str = Field("", max_length=1024)
    """Which identity provider is meant, where the metadata describes several. Another one is never accepted then."""
    signed: Literal["either", "assertion", "response", "both"] = "either"
    """What must be signed. At least one of the two always must."""
    accepted_algorithms: Annotated[tuple[Algorithm, ...], BeforeValidator(words)] = Field(
        ("rsa-sha256", "rsa-sha384", "rsa-sha512", "ecdsa-sha256", "ecdsa-sha384"), min_length=1
    )
    """Signature algorithms that are accepted. Never SHA-1."""
    encrypted: bool = False
    """Refuse assertions that come in clear."""
    cbc: bool = False
    """Accept AES-CBC, which older servers encrypt with, besides AES-GCM. Anybody can change it unseen: only where needed."""
    clock_skew_seconds: int = Field(60, ge=0, le=300)
    """So far its clock and ours may be apart."""
    unsolicited: bool = False
    """Accept sign-ins that begin at the upstream (its portal page), although nobody here asked for one."""
    sign_requests: Literal["auto", "always", "never"] = "auto"
    """Sign our requests; auto: when its metadata asks for it."""
    signature_algorithm: Algorithm = "rsa-sha256"
    """With which our messages to it are signed."""
    request_binding: Literal["auto", "redirect", "post"] = "auto"
    """How the request travels; auto: by redirect if it takes that."""
    name_id_format: NameIdFormat = "auto"
    """The NameID that we ask for; auto: persistent when its metadata lists that, else its own choice; none: we do not ask."""
    subject_attribute: str = Field("", max_length=500)
    """The attribute that names a person for ever, instead of the NameID: its name, or a short one such as `upn`."""
    preset: Preset = "auto"
    """Under which names it sends what we know."""
    attributes: Annotated[dict[str, str], BeforeValidator(mapping)] = Field(default_factory=dict)
    """Names of its own: `email=NAME name=NAME`. Fields: email, name, given_name, family_name, username, groups."""
    email_trusted: bool = False
    """Take its e-mail addresses for verified; with trusted_domains, those of these domains only."""
    contexts: Annotated[tuple[str, ...], BeforeValidator(words)] = ()
    """Ways to sign in that we ask for (AuthnContextClassRef, URIs); an answer must name one of them."""
    context_comparison: Literal["exact", "minimum", "maximum", "better"] = "exact"
    """How they are meant. Other than exact, only the upstream can tell which ways are better, and we believe it."""
    force: bool = False
    """Ask at each sign-in that the person prove themselves anew (ForceAuthn), and refuse an answer that is not fresh."""
    max_auth_age_seconds: int = Field(0, ge=0, le=31_536_000)
    """How long ago they may have proved themselves there; 0 for any time."""
    send_login_hint: bool = False
    """Tell the upstream which name the app suggested (Subject). Some refuse requests that hold one."""
    check_scopes: Literal["auto", "always", "never"] = "auto"
    """Take `name@scope` values (eduPersonPrincipalName, subject-id …) only with scopes of the upstream; auto: when we know any."""
    scopes: Annotated[tuple[str, ...], BeforeValidator(words)] = ()
    """These scopes, instead of those that its metadata lists."""
    logout: bool = True
    """Sign people out there as well when they sign out here, and the other way round."""

    @field_validator("metadata_url")
    @classmethod
    def _url(cls, value: str) -> str:
        url = value.strip()
        parts = urlsplit(url)
        if url and parts.scheme != "https" and not (parts.scheme == "http" and is_loopback_url(url)):
            raise ValueError("An https:// URL is needed (http:// only on this very machine)")
        if url and (not parts.hostname or parts.username or not url.isascii() or not url.isprintable() or " " in url):
            raise ValueError("This is not a URL that can be fetched")
        return url

    @field_validator("attributes")
    @classmethod
    def _known_fields(cls, value: dict[str, str]) -> dict[str, str]:
        unknown = sorted(set(value).difference(FIELDS))
        if unknown:
            raise ValueError(f"There is no field {unknown[0][:40]!r}; fields are: {', '.join(FIELDS)}")
        return value

    @field_validator("metadata_certificates")
    @classmethod
    def _certificates(cls, value: str) -> str:
        from idp.saml.algorithms import BadSignature, public_key

        found = split_pem(value)
        if value.strip() and not found:
            raise ValueError("These are not certificates in PEM")
        try:
            for one in found:
                public_key(one)
        except BadSignature as error:
            raise ValueError(str(error)) from None
        return value

    @model_validator(mode="after")
    def _usable(self) -> Self:
        if not self.metadata and not self.metadata_url:
            raise ValueError("metadata or metadata_url is missing")
        if self.metadata:
            from idp.saml.idp_metadata import read  # lxml: not before there is metadata

            try:
                read(self.metadata.encode(), self.entity_id)
            except Refused as refused:
                raise ValueError(f"metadata: {refused.reason}") from None
        return self

"""The settings of a directory, and what is usual in OpenLDAP and in Active Directory. Leaves what they do to kinds/ldap."""

import ssl
from dataclasses import dataclass
from typing import Annotated, Literal, Self
from urllib.parse import urlsplit

from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    SecretStr,
    ValidationInfo,
    field_validator,
    model_validator,
)

from idp.base.net import is_loopback_url
from idp.upstream.ldap import filters
from idp.upstream.ldap.connection import Place
from idp.upstream.saml_settings import FROM_FILE
from idp.upstream.words import words

MAX_SERVERS = 5
_PORTS = {"ldaps": 636, "ldap": 389}


@dataclass(frozen=True, slots=True)
class Usual:
    user_filter: str
    subject: str
    username: str
    group_filter: str
    group_name: str
    email: str = "mail"
    name: str = "displayName"


# sAMAccountName: two groups of one name (cn) may stand in two folders of a domain, and whoever may make groups in one of them
# would make a group of the other.
USUAL = {
    "openldap": Usual(
        user_filter="(&(objectClass=inetOrgPerson)(uid={login}))",
        subject="entryUUID",
        username="uid",
        group_filter="(|(member={dn})(uniqueMember={dn})(memberUid={username}))",
        group_name="cn",
    ),
    "active_directory": Usual(
        user_filter="(&(objectCategory=person)(objectClass=user)(|(sAMAccountName={login})(userPrincipalName={login})))",
        subject="objectGUID",
        username="sAMAccountName",
        group_filter="(member:1.2.840.113556.1.4.1941:={dn})",
        group_name="sAMAccountName",
    ),
}
PLACES = {"user_filter": ("login",), "group_filter": ("dn", "username")}


class Settings(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, use_attribute_docstrings=True)

    url: Annotated[tuple[str, ...], BeforeValidator(words)] = Field(min_length=1, max_length=MAX_SERVERS)
    """Where the directory is: `ldaps://dc1.example.org`, or `ldap://…`, which is made secure by StartTLS. Several servers of the
    same directory are asked in this order, until one answers."""
    base_dn: str = Field(min_length=1, max_length=500)
    """Where people are looked for, with everything below: `ou=people,dc=example,dc=org`."""
    preset: Literal["openldap", "active_directory"] = "openldap"
    """What is usual there, for every setting that is left empty."""
    bind_dn: str = Field("", max_length=500)
    """The account that looks people up (at Active Directory `name@domain` will do). Without it, nobody's name is given."""
    bind_password: SecretStr = SecretStr("")
    """Its password: the value, `env:NAME`, or `file:PATH`. Sealed at rest, never shown."""
    bind_template: str = Field("", max_length=500)
    """No such account: people are looked up as themselves. `uid={login},ou=people,dc=example,dc=org`, or at Active Directory
    `{login}@example.org`."""
    ca_certificates: str = Field("", max_length=262_144, json_schema_extra=FROM_FILE)
    """Certificates (PEM) that vouch for the directory's, and no others then. Empty: those that the system trusts."""
    starttls: bool = True
    """Make ldap:// secure before anything is said. Off only for a directory on this very machine."""
    user_filter: str = Field("", max_length=filters.MAX_FILTER)
    """Which entry is meant by what somebody typed (`{login}`). It must find exactly one."""
    subject_attribute: str = Field("", max_length=100)
    """The attribute that names a person for ever: `entryUUID`, `objectGUID`."""
    username_attribute: str = Field("", max_length=100)
    """The attribute that suggests a user name for new accounts."""
    email_attribute: str = Field("", max_length=100)
    """The attribute with the e-mail address."""
    name_attribute: str = Field("", max_length=100)
    """The attribute with the full name."""
    email_trusted: bool = False
    """Take its e-mail addresses for verified: only if people cannot change them themselves."""
    groups_from: Literal["search", "attribute", "none"] = "search"
    """Where groups come from: search, entries that group_filter finds; attribute, the values of groups_attribute; none."""
    groups_attribute: str = Field("memberOf", max_length=100)
    """The attribute of a person with the names of groups, for groups_from=attribute."""
    group_base_dn: str = Field("", max_length=500)
    """Where groups are looked for. Empty: at base_dn."""
    group_filter: str = Field("", max_length=filters.MAX_FILTER)
    """Which groups somebody is in, by `{dn}` and `{username}`. Active Directory also finds groups in groups."""
    group_name_attribute: str = Field("", max_length=100)
    """The attribute that is a group's name here; `dn` for its whole name, which is always unique."""

    @field_validator("url")
    @classmethod
    def _places(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        for one in value:
            place_of(one)
        return value

    @field_validator("user_filter", "group_filter")
    @classmethod
    def _readable(cls, value: str, info: ValidationInfo) -> str:
        if value:
            filters.encoded(value, dict.fromkeys(PLACES[info.field_name or ""], "x"))
        return value

    @field_validator("bind_template")
    @classmethod
    def _one_place(cls, value: str) -> str:
        if value and filters.PLACE.findall(value) != ["login"]:
            raise ValueError("It needs {login}, once")
        return value

    @field_validator("ca_certificates")
    @classmethod
    def _certificates(cls, value: str) -> str:
        if value:
            trust(value)
        return value

    @model_validator(mode="after")
    def _safe(self) -> Self:
        if bool(self.bind_dn) != bool(self.bind_password.get_secret_value()):
            raise ValueError("bind_dn and bind_password belong together")
        if self.bind_dn and self.bind_template:
            raise ValueError("Say either bind_dn or bind_template")
        if self.user_filter and "{login}" not in self.user_filter:
            raise ValueError("user_filter needs {login}")
        if not self.starttls and not all(place_of(one).over_tls or is_loopback_url(one) for one in self.url):
            raise ValueError("Without starttls, passwords would travel in clear: use ldaps://, or leave it on")
        return self

    def usual(self, setting: str) -> str:
        """The value of a setting, or what is usual."""
        own: str = getattr(self, setting)
        names = {"group_name_attribute": "group_name"}
        fallback: str = getattr(USUAL[self.preset], names.get(setting, setting.removesuffix("_attribute")))
        return own or fallback

    def places(self) -> list[Place]:
        return [place_of(one, start_tls=self.starttls) for one in self.url]


def place_of(url: str, *, start_tls: bool = True) -> Place:
    """Raises ValueError."""
    parts = urlsplit(url)
    if parts.scheme not in _PORTS or not parts.hostname or parts.username is not None:
        raise ValueError("A directory is at ldaps://HOST or ldap://HOST")
    if parts.path not in ("", "/") or parts.query or parts.fragment or not url.isascii():
        raise ValueError("The address of the directory ends after host and port")
    over_tls = parts.scheme == "ldaps"
    return Place(parts.hostname, parts.port or _PORTS[parts.scheme], over_tls, start_tls and not over_tls)


def trust(certificates: str) -> ssl.SSLContext:
    """certificates: PEM; empty for those of the system. Raises ValueError."""
    try:
        context = ssl.create_default_context(cadata=certificates or None)
    except (ssl.SSLError, ValueError, TypeError):  # TypeError: of what is not ASCII
        raise ValueError("These are no certificates in PEM") from None
    if certificates:
        # A directory's own certificate, given here, vouches for itself.
        context.verify_flags |= ssl.VERIFY_X509_PARTIAL_CHAIN
    return context

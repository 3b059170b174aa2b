"""Owns the settings that every upstream has, whatever its kind: their types, their checks, and their help text.

Leaves the settings of the kinds to the kinds, how people type lists and tables to tables, and what the settings do to idp.domain.
"""

import re
from datetime import UTC, datetime
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, field_validator

from idp.base.claims import ADMINISTRATOR
from idp.base.errors import Refused
from idp.domain.claims import FIELDS, check_groups, check_name
from idp.domain.upstream import ANY_DOMAIN
from idp.upstream import tables
from idp.upstream.words import domains, words

MAX_LIST = 100
_DOMAIN = re.compile(r"(?:[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?\.)+[a-z0-9-]{2,63}\Z")


def _real_domains(value: tuple[str, ...]) -> tuple[str, ...]:
    if not all(_DOMAIN.match(one) for one in value):
        raise ValueError("One of these is not a domain such as example.org")
    return value


def _domains_or_any(value: tuple[str, ...]) -> tuple[str, ...]:
    if ANY_DOMAIN in value and len(value) > 1:
        raise ValueError(f"{ANY_DOMAIN} means any domain: leave out the others")
    return value if value == (ANY_DOMAIN,) else _real_domains(value)


def _short(value: tuple[str, ...]) -> tuple[str, ...]:
    if any(len(one) > 500 or not one.isprintable() for one in value):
        raise ValueError("One of these is too long, or not printable")
    return value


def _moment(value: object) -> object:
    """`2027-01-31` or `2027-01-31T12:00:00Z` -> epoch seconds; nothing -> None."""
    if not isinstance(value, str):
        return value
    if not value.strip():
        return None
    try:
        found = datetime.fromisoformat(value.strip())
    except ValueError:
        raise ValueError("Write the day as 2027-01-31") from None
    return (found if found.tzinfo else found.replace(tzinfo=UTC)).timestamp()


Domains = Annotated[
    tuple[str, ...], BeforeValidator(domains), AfterValidator(_real_domains), Field(max_length=MAX_LIST)
]
DomainsOrAny = Annotated[
    tuple[str, ...], BeforeValidator(domains), AfterValidator(_domains_or_any), Field(max_length=MAX_LIST)
]
Words = Annotated[tuple[str, ...], BeforeValidator(words), AfterValidator(_short), Field(max_length=MAX_LIST)]
Entries = Annotated[tuple[str, ...], BeforeValidator(tables.entries), AfterValidator(_short)]
Claims = Annotated[dict[str, str], BeforeValidator(tables.claims), Field(max_length=MAX_LIST)]
GroupNames = Annotated[dict[str, str], BeforeValidator(tables.names), Field(max_length=tables.MAX_ENTRIES)]
GroupRoles = Annotated[dict[str, tuple[str, ...]], BeforeValidator(tables.roles), Field(max_length=tables.MAX_ENTRIES)]
Moment = Annotated[float | None, BeforeValidator(_moment)]


class Common(BaseModel):
    """What every upstream has, whatever its kind."""

    model_config = ConfigDict(extra="forbid", use_attribute_docstrings=True, allow_inf_nan=False)

    label: str = Field("", max_length=80)
    """Name on the button, such as `Corporate login`. Default: the kind's usual name (google, azure_ad, github), else the id."""
    enabled: bool = True
    """An upstream that is off is refused on every path."""
    mode: Literal["sign_in", "link_only"] = "sign_in"
    """link_only: people may join it to their account, but not sign in by it."""
    order: int = Field(100, ge=0, le=10_000)
    """Place of its button: small numbers first, equal ones by label."""
    icon: Literal["", "google", "microsoft", "github", "directory", "key", "door"] = ""
    """Sign on its button; by default the usual one of its kind."""
    home_domains: Domains = ()
    """People who type an address of these domains on the sign-in page are sent here at once."""
    may_create: Literal["nobody", "anybody", "domains"] = "anybody"
    """Who gets a new account at the first sign-in: nobody, anybody, or verified e-mail addresses of create_domains."""
    create_domains: Domains = ()
    """E-mail domains for may_create=domains."""
    trusted_domains: DomainsOrAny = ()
    """E-mail domains that this upstream may vouch for; `*` for any. Others' addresses count as unverified, whatever it says."""
    always_ask: bool = False
    """Its people prove themselves there anew at every sign-in."""
    trusted_amr: Words = ()
    """Methods (`amr`) there that count as a second factor here, such as `mfa otp hwk`. None: ours is always asked."""
    trusted_acr: Words = ()
    """The same by `acr` or AuthnContextClassRef."""
    claim_map: Claims = Field(default_factory=dict)
    """What of its claims is taken over: `CLAIM OF OURS = ITS CLAIM`, one a line."""
    keep_groups: Entries = ()
    """Its groups that become groups here, one a line; `*` and `?` stand for anything: `wiki-*`."""
    group_names: GroupNames = Field(default_factory=dict)
    """Its groups that become groups here under another name: `THEIR GROUP -> OURS`, one a line."""
    group_roles: GroupRoles = Field(default_factory=dict)
    """Roles for members of its groups: `THEIR GROUP -> ROLE`, one a line. Never `administrator`."""
    administrator_groups: Entries = ()
    """Its groups whose members administer this installation, one a line. Empty: nobody does because of it."""
    secret_expires_at: Moment = Field(None, ge=0, le=32_503_680_000)
    """When our secret there ends, as the upstream said: a day such as `2027-01-31`. You are reminded before."""

    @field_validator("label")
    @classmethod
    def _one_line(cls, value: str) -> str:
        if not value.isprintable():
            raise ValueError("It is one line of printable characters")
        return value.strip()

    @field_validator("claim_map")
    @classmethod
    def _claims_of_a_person(cls, value: dict[str, str]) -> dict[str, str]:
        for name, attribute in value.items():
            _fits(check_name, name)
            if name in FIELDS:
                raise ValueError(
                    f"{name} has a field of its own: it is taken over in any case, or by the tables of groups"
                )
            if not attribute or len(attribute) > 500 or not attribute.isprintable():
                raise ValueError(f"{name}: this is no name of a claim")
        return value

    @field_validator("group_names")
    @classmethod
    def _groups(cls, value: dict[str, str]) -> dict[str, str]:
        for ours in value.values():
            _fits(check_groups, (ours,))
        return value

    @field_validator("group_roles")
    @classmethod
    def _roles(cls, value: dict[str, tuple[str, ...]]) -> dict[str, tuple[str, ...]]:
        for ours in value.values():
            _fits(check_groups, ours)
        if any(ADMINISTRATOR in ours for ours in value.values()):
            raise ValueError(f"Who becomes {ADMINISTRATOR} stands in administrator_groups, and nowhere else")
        return value


def default_of(name: str) -> Any:
    return Common.model_fields[name].get_default(call_default_factory=True)


def _fits(check: Any, value: object) -> None:
    try:
        check(value)
    except Refused as refused:
        raise ValueError(refused.message.rstrip(".")) from None

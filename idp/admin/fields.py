"""Every field of an app that a form shows: in which section, of what kind, with which choices. Pure.

A test makes sure that each settable field of Client stands in exactly one section. Leaves those of service providers to
sp_fields, reading and showing values to forms, and words to the catalogue (`field.<name>`, `field.<name>_why`).
"""

from dataclasses import dataclass
from typing import Literal

from idp.domain.metadata import (
    AUTH_METHODS,
    ENCRYPTION_ALGS,
    ENCRYPTION_ENCS,
    GRANT_TYPES,
    SECRET_ALGS,
    SIGNING_ALGS,
    TLS_SUBJECTS,
)

# line: text; lines, words: lists, one a line or between blanks; limit: a list, or `*` for no limit; keys: a JWK set;
# pairs, globs, values: tables, see `tables`.
Kind = Literal[
    "line", "number", "flag", "choice", "ticks", "lines", "words", "limit", "keys", "pairs", "globs", "values"
]
UNSET = ""  # the choice of a field that is not used


@dataclass(frozen=True, slots=True)
class Field:
    """sp: of a ServiceProvider, not of a Client."""

    name: str
    kind: Kind = "line"
    choices: tuple[str, ...] = ()
    sp: bool = False

    @property
    def words(self) -> str:
        """Its key in the text catalogue."""
        return f"sp_field.{self.name}" if self.sp else f"field.{self.name}"


@dataclass(frozen=True, slots=True)
class Section:
    """first: shown at once; more: behind "More"."""

    name: str
    first: tuple[Field, ...]
    more: tuple[Field, ...]
    sp: bool = False

    @property
    def words(self) -> str:
        """The key of its title in the text catalogue."""
        return f"{'sp_section' if self.sp else 'section'}.{self.name.replace('-', '_')}"

    @property
    def fields(self) -> tuple[Field, ...]:
        return (*self.first, *self.more)


def _flag(name: str) -> Field:
    return Field(name, "flag")


def _choice(name: str, *choices: str) -> Field:
    return Field(name, "choice", choices)


def _alg(name: str) -> Field:
    return Field(name, "choice", (UNSET, *SIGNING_ALGS))


def _encrypted(name: str) -> tuple[Field, Field]:
    return (
        Field(f"{name}_encrypted_response_alg", "choice", (UNSET, *ENCRYPTION_ALGS)),
        Field(f"{name}_encrypted_response_enc", "choice", (UNSET, *ENCRYPTION_ENCS)),
    )


SECTIONS = (
    Section(
        "sign-in",
        (Field("name"), Field("redirect_uris", "lines"), Field("scopes", "words")),
        (
            Field("grant_types", "ticks", GRANT_TYPES),
            Field("audiences", "lines"),
            _choice("consent", "ask", "skip"),
            _flag("second_factor_required"),
            _choice("profile", UNSET, "oauth21", "fapi2", "legacy"),
            _flag("pkce_required"),
            _choice("application_type", "web", "native"),
            _flag("require_pushed_authorization_requests"),
            _flag("require_signed_request_object"),
            Field("request_object_signing_alg", "choice", (UNSET, *SIGNING_ALGS, "none")),
            Field("request_uris", "lines"),
            _alg("authorization_signed_response_alg"),
            Field("default_max_age", "number"),
            Field("default_acr_values", "lines"),
            Field("upstreams", "limit"),
            _flag("require_auth_time"),
        ),
    ),
    Section(
        "authentication",
        (_choice("auth_method", *AUTH_METHODS), Field("jwks_uri"), Field("jwks", "keys")),
        (
            Field("auth_signing_alg", "choice", (UNSET, *SIGNING_ALGS, *SECRET_ALGS)),
            *(Field(name) for name in TLS_SUBJECTS),
        ),
    ),
    Section(
        "tokens",
        (
            _choice("access_token_format", "jwt", "opaque"),
            Field("access_token_seconds", "number"),
            Field("refresh_token_seconds", "number"),
        ),
        (
            Field("id_token_seconds", "number"),
            _choice("id_token_signed_response_alg", *SIGNING_ALGS),
            *_encrypted("id_token"),
            _flag("dpop_bound_access_tokens"),
            _flag("tls_client_certificate_bound_access_tokens"),
            _alg("introspection_signed_response_alg"),
        ),
    ),
    Section(
        "claims",
        (Field("claims", "limit"), Field("roles", "limit"), Field("groups", "limit")),
        (
            _choice("subject_type", "public", "pairwise"),
            Field("sector_identifier_uri"),
            _alg("userinfo_signed_response_alg"),
            *_encrypted("userinfo"),
        ),
    ),
    Section(
        "logout",
        (
            Field("post_logout_redirect_uris", "lines"),
            Field("backchannel_logout_uri"),
            Field("frontchannel_logout_uri"),
        ),
        (_flag("backchannel_logout_session_required"), _flag("frontchannel_logout_session_required")),
    ),
    Section(
        "metadata",
        (Field("client_uri"), Field("logo_uri"), Field("contacts", "lines")),
        (
            Field("policy_uri"),
            Field("tos_uri"),
            Field("initiate_login_uri"),
            Field("software_id"),
            Field("software_version"),
        ),
    ),
)
BY_SECTION = {section.name: section for section in SECTIONS}
BY_NAME = {field.name: field for section in SECTIONS for field in section.fields}

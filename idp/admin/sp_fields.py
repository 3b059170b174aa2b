"""Every setting of a service provider that a form shows: in which section, of what kind, with which choices. Pure.

A test makes sure that each of check_sp.SETTABLE stands in exactly one section. Leaves words to the catalogue
(`sp_field.<name>`, `sp_field.<name>_why`).
"""

from idp.admin.fields import Field, Kind, Section
from idp.saml import formats
from idp.services.check_sp import FORMATS, METHODS


def _field(name: str, kind: Kind = "line", *choices: str) -> Field:
    return Field(name, kind, choices, sp=True)


def _section(name: str, first: tuple[Field, ...], more: tuple[Field, ...] = ()) -> Section:
    return Section(name, first, more, sp=True)


SECTIONS = (
    _section(
        "sign-in",
        (_field("name"), _field("enabled", "flag"), _field("second_factor_required", "flag")),
        (
            _field("idp_initiated", "flag"),
            _field("default_relay_state"),
            _field("logout", "flag"),
            _field("upstreams", "limit"),
        ),
    ),
    _section(
        "attributes",
        (_field("attributes", "pairs"),),
        (_field("attribute_filters", "globs"), _field("attribute_values", "values")),
    ),
    _section("name-id", (_field("name_id_format", "choice", *FORMATS), _field("name_id_field"))),
    _section(
        "protection",
        (
            _field("sign_response", "flag"),
            _field("encrypt", "choice", "never", "when_possible", "always"),
            _field("sign_requests", "choice", "as_metadata", "always"),
        ),
        (
            _field("signature_algorithm", "choice", *formats.SIGNATURES),
            _field("encryption_method", "choice", *METHODS),
            _field("key_transport", "choice", *formats.KEY_TRANSPORT),
            _field("assertion_seconds", "number"),
        ),
    ),
)
BY_SECTION = {section.name: section for section in SECTIONS}
BY_NAME = {field.name: field for section in SECTIONS for field in section.fields}

"""Is this service provider one that we accept? Every setting, one named check a rule; each refusal begins with the name of
the setting. The one place for this, whichever door a setting comes through.

Leaves what the metadata may say to idp.saml.sp_metadata, fields of a person to release_saml, settings as text to
sp_settings, and storing to manage_apps.
"""

from collections.abc import Callable, Mapping
from functools import cache
from types import NoneType, UnionType
from typing import TYPE_CHECKING, Any, Literal, Union, get_args, get_origin, get_type_hints

from idp.base.errors import Refused
from idp.domain.relying import ServiceProvider
from idp.domain.upstream import bad_ways
from idp.saml import formats, names
from idp.services.release_saml import check_field, sent

if TYPE_CHECKING:
    from idp.saml.views import SpView

CODE = "invalid_sp_setting"
# Everything that somebody sets; the rest comes with the metadata or is ours.
SETTABLE = (
    *("name", "enabled", "second_factor_required", "upstreams"),
    *("attributes", "attribute_filters", "attribute_values"),
    *("name_id_format", "name_id_field"),
    *("sign_response", "signature_algorithm", "encrypt", "encryption_method", "key_transport", "sign_requests"),
    *("idp_initiated", "default_relay_state", "logout", "assertion_seconds"),
)
FORMATS = ("", *names.NAME_ID_FORMATS)
METHODS = ("auto", *formats.CONTENT)
ASSERTION_SECONDS = (30, 300)
MAX_NAME = 200
MAX_ATTRIBUTES = 100
MAX_ATTRIBUTE_NAME = 500
MAX_PATTERNS, MAX_VALUES = 100, 500  # of one attribute
MAX_VALUE = 1024
MAX_RELAY_STATE = 1024
ARROW = " -> "
GCM = tuple(uri for method, uri in formats.CONTENT.items() if method.endswith("gcm"))


def bad(name: str, why: str) -> Refused:
    """The sentence begins with the name of the setting."""
    return Refused(CODE, f"{name}: {why}.")


def check_sp(sp: ServiceProvider, view: "SpView | None") -> ServiceProvider:
    """As it is to be stored. view: what its metadata says; None while nobody has it, and then nothing is asked of it.

    Raises Refused(invalid_sp_setting).
    """
    for check in CHECKS:
        check(sp)
    if view is not None:
        for demand in DEMANDS:
            demand(sp, view)
    return sp


# ---------------------------------------------------------------- settings by themselves


def types_are_right(sp: ServiceProvider) -> None:
    """Whatever door it came through."""
    for name in SETTABLE:
        if not conforms(getattr(sp, name), hints()[name]):
            raise bad(name, f"this is none of its values{_choices(hints()[name])}")


def conforms(value: object, wanted: Any) -> bool:
    origin, inner = get_origin(wanted), get_args(wanted)
    if origin in (Union, UnionType):
        return any(conforms(value, one) for one in inner)
    if origin is Literal:
        return isinstance(value, str) and value in inner
    if origin is tuple:
        return isinstance(value, tuple) and all(isinstance(one, str) for one in value)
    if origin is Mapping:
        return isinstance(value, Mapping) and all(
            isinstance(name, str) and conforms(one, inner[1]) for name, one in value.items()
        )
    return type(value) is (NoneType if wanted is None else wanted)


def _choices(wanted: Any) -> str:
    return f"; use one of {', '.join(repr(one) for one in get_args(wanted))}" if get_origin(wanted) is Literal else ""


@cache
def hints() -> dict[str, Any]:
    return get_type_hints(ServiceProvider)


def name_is_short(sp: ServiceProvider) -> None:
    # Characters that show nothing or turn the direction of writing would let an app pass for another.
    if not (0 < len(sp.name.strip()) <= len(sp.name) <= MAX_NAME and sp.name.isprintable()):
        raise bad("name", f"it has 1 to {MAX_NAME} printable characters")


def name_id_is_known(sp: ServiceProvider) -> None:
    if sp.name_id_format not in FORMATS:
        raise bad("name_id_format", f"use {', '.join(names.SHORT_FORMATS)}, or nothing for what the metadata lists")
    if sp.name_id_field:
        _field("name_id_field", sp.name_id_field, one=True)


def attributes_are_known(sp: ServiceProvider) -> None:
    if len(sp.attributes) > MAX_ATTRIBUTES:
        raise bad("attributes", f"at most {MAX_ATTRIBUTES}")
    for name, source in sp.attributes.items():
        # `=` stands between name and field on forms and command lines.
        if not 0 < len(name) <= MAX_ATTRIBUTE_NAME or name != name.strip() or not name.isprintable() or "=" in name:
            raise bad("attributes", f"a name has 1 to {MAX_ATTRIBUTE_NAME} printable characters, none of them =")
        _field("attributes", source)


def _field(setting: str, source: str, *, one: bool = False) -> None:
    try:
        same = check_field(source, one=one) == source
    except Refused as refused:
        raise Refused(CODE, f"{setting}: {refused.message}") from None
    if not same:
        raise bad(setting, f"{source[:100]!r} has blanks around it")


def filters_and_values_are_of_attributes(sp: ServiceProvider) -> None:
    """A filter of an attribute that there is not would look as if it held something back."""
    known = sent(sp)
    for setting in ("attribute_filters", "attribute_values"):
        unknown = [name for name in getattr(sp, setting) if name not in known]
        if unknown:
            raise bad(setting, f"there is no attribute {unknown[0][:100]!r} for this app")


def filters_are_short(sp: ServiceProvider) -> None:
    for name, patterns in sp.attribute_filters.items():
        if not 0 < len(patterns) <= MAX_PATTERNS:
            raise bad("attribute_filters", f"{name[:100]!r} has 1 to {MAX_PATTERNS} patterns")
        if any(not _is_value(pattern) for pattern in patterns):
            raise bad("attribute_filters", f"a pattern has 1 to {MAX_VALUE} printable characters")


def values_are_short(sp: ServiceProvider) -> None:
    for name, table in sp.attribute_values.items():
        if not 0 < len(table) <= MAX_VALUES:
            raise bad("attribute_values", f"{name[:100]!r} has 1 to {MAX_VALUES} values")
        if any(not (_is_value(ours) and _is_value(theirs)) or ARROW in ours for ours, theirs in table.items()):
            raise bad("attribute_values", f"a value has 1 to {MAX_VALUE} printable characters, ours without an arrow")


def _is_value(text: str) -> bool:
    return 0 < len(text) <= MAX_VALUE and text == text.strip() and text.isprintable()


def algorithms_are_known(sp: ServiceProvider) -> None:
    for setting, known in (
        ("signature_algorithm", tuple(formats.SIGNATURES)),
        ("encryption_method", METHODS),
        ("key_transport", tuple(formats.KEY_TRANSPORT)),
    ):
        if getattr(sp, setting) not in known:
            raise bad(setting, f"use one of {', '.join(known)}")


def seconds_are_bounded(sp: ServiceProvider) -> None:
    least, most = ASSERTION_SECONDS
    if sp.assertion_seconds is not None and not least <= sp.assertion_seconds <= most:
        raise bad("assertion_seconds", f"from {least} to {most} seconds")


def relay_state_is_text(sp: ServiceProvider) -> None:
    if len(sp.default_relay_state) > MAX_RELAY_STATE or not sp.default_relay_state.isprintable():
        raise bad("default_relay_state", f"it has at most {MAX_RELAY_STATE} printable characters")


def ways_are_known(sp: ServiceProvider) -> None:
    if why := bad_ways(sp.upstreams):
        raise bad("upstreams", why)


CHECKS: tuple[Callable[[ServiceProvider], None], ...] = (
    types_are_right,
    name_is_short,
    ways_are_known,
    name_id_is_known,
    attributes_are_known,
    filters_and_values_are_of_attributes,
    filters_are_short,
    values_are_short,
    algorithms_are_known,
    seconds_are_bounded,
    relay_state_is_text,
)


# ---------------------------------------------------------------- settings that the metadata must make possible


def encryption_has_a_key(sp: ServiceProvider, view: "SpView") -> None:
    if sp.encrypt != "always":
        return
    if view.encrypt_to is None:
        raise bad("encrypt", "its metadata has no RSA certificate that an assertion could be encrypted to")
    if not is_encryptable(sp, view):
        listed = view.encrypt_to.methods
        others = ", ".join(name for name, uri in formats.CONTENT.items() if uri in listed) or "nothing that we have"
        raise bad(
            "encryption_method", f"its metadata lists no AES-GCM, but {others}; name one of these, or encrypt=never"
        )


def is_encryptable(sp: ServiceProvider, view: "SpView") -> bool:
    """Can an assertion be encrypted for it, as it is set up? What can be changed unseen (CBC) is never chosen by itself."""
    if view.encrypt_to is None:
        return False
    listed = view.encrypt_to.methods
    return sp.encryption_method != "auto" or not listed or any(method in GCM for method in listed)


def signed_requests_have_a_key(sp: ServiceProvider, view: "SpView") -> None:
    if sp.sign_requests == "always" and not view.signing_keys:
        raise bad("sign_requests", "its metadata has no certificate to check a signature with")


DEMANDS: tuple[Callable[[ServiceProvider, "SpView"], None], ...] = (encryption_has_a_key, signed_requests_have_a_key)

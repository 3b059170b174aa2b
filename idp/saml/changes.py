"""What is different between two copies of a peer's metadata, as far as we use it: one line a part, in values that people can
compare. Leaves the words for each part to the text catalogue (`saml_part.PART`) and deciding to whoever reads it.
"""

import base64
import hashlib
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import lru_cache
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import rsa

from idp.saml.views import Acs, EncryptTo, Endpoint, IdpView, SpView, WantedAttribute

# Whoever can change one of these can have our assertions, read them on their way, or speak in the peer's name.
GRAVE = frozenset(
    {"entity_id", "acs", "sign_on", "signing_key", "encryption_key", "encryption_methods", "requests_signed", "scopes"}
)


@dataclass(frozen=True, slots=True)
class Change:
    """part: a code, such as `acs` or `signing_key`. gone, new: what is in one copy only."""

    part: str
    gone: tuple[str, ...]
    new: tuple[str, ...]

    @property
    def grave(self) -> bool:
        """Never to be taken over on the word of TLS alone."""
        return self.part in GRAVE or (self.part == "valid_until" and bool(self.gone))

    def lines(self) -> list[str]:
        """As text, for the command line and the audit: `-` gone, `+` new."""
        return [*(f"- {self.part}: {one}" for one in self.gone), *(f"+ {self.part}: {one}" for one in self.new)]


View = SpView | IdpView


def between(old: View, new: View) -> list[Change]:
    """The grave ones first. A later validUntil is no change: renewing it is what metadata are fetched for."""
    before, after = _parts(old), _parts(new)
    found = []
    for part in dict.fromkeys([*before, *after]):
        was, now = before.get(part, ()), after.get(part, ())
        gone = tuple(one for one in was if one not in now)
        fresh = tuple(one for one in now if one not in was)
        if gone or fresh:
            found.append(Change(part, gone, fresh))
    if old.valid_until is not None and (new.valid_until is None or new.valid_until < old.valid_until):
        # An older copy that somebody kept would bring back keys that were taken out since.
        ends = (_day(new.valid_until),) if new.valid_until is not None else ()
        found.append(Change("valid_until", (_day(old.valid_until),), ends))
    return sorted(found, key=lambda change: not change.grave)


def parts_of(view: View) -> Mapping[str, tuple[str, ...]]:
    """Everything that is compared: what to show of a peer that is new."""
    return {part: values for part, values in _parts(view).items() if values}


def _parts(view: View) -> dict[str, tuple[str, ...]]:
    return {
        "entity_id": (view.entity_id,),
        **(_sp_parts(view) if isinstance(view, SpView) else _idp_parts(view)),
        "signing_key": tuple(certificate_words(one) for one in view.certificates),
        "encryption_key": (certificate_words(view.encrypt_to.certificate),) if view.encrypt_to else (),
        "encryption_methods": view.encrypt_to.methods if view.encrypt_to else (),
        "logout": _each(view.logout, _endpoint),
        "name": (view.name,),
        "name_id_formats": view.name_id_formats,
        "contacts": view.contacts,
    }


def _sp_parts(view: SpView) -> dict[str, tuple[str, ...]]:
    return {
        "acs": _each(view.acs, _acs),
        "requests_signed": ("yes" if view.requests_signed else "no",),
        "wanted": tuple(
            f"{one.friendly_name or one.name}{' (required)' if one.required else ''}" for one in view.wanted
        ),
        "categories": view.categories,
    }


def _idp_parts(view: IdpView) -> dict[str, tuple[str, ...]]:
    return {
        "sign_on": _each(view.sign_on, _endpoint),
        "requests_signed": ("yes" if view.wants_signed_requests else "no",),
        "scopes": view.scopes,
    }


def _each(values: Iterable[Any], words: Callable[[Any], str]) -> tuple[str, ...]:
    return tuple(words(one) for one in values)


def _acs(one: Acs) -> str:
    default = {True: ", default", False: ", not default", None: ""}[one.is_default]
    return f"{one.url} ({one.binding}, index {one.index}{default})"


def _wanted(one: WantedAttribute) -> str:
    friendly = f"{one.friendly_name}: " if one.friendly_name else ""
    return f"{friendly}{one.name}{' (required)' if one.required else ''}"


def _endpoint(one: Endpoint) -> str:
    answers = f", answers to {one.response_url}" if one.response_url else ""
    return f"{one.url} ({one.binding}{answers})"


@lru_cache(maxsize=1024)
def certificate_words(certificate: str) -> str:
    """`RSA 2048, until 2030-01-31, SHA-256 AB:CD:…`; certificate: bare base64."""
    content = base64.b64decode(certificate)
    digest = hashlib.sha256(content).hexdigest().upper()
    pairs = ":".join(digest[at : at + 2] for at in range(0, len(digest), 2))
    try:
        read = x509.load_der_x509_certificate(content)
        key = read.public_key()
        kind = f"RSA {key.key_size}" if isinstance(key, rsa.RSAPublicKey) else f"EC {getattr(key, 'key_size', '')}"
        return f"{kind}, until {read.not_valid_after_utc:%Y-%m-%d}, SHA-256 {pairs}"
    except ValueError:
        return f"SHA-256 {pairs}"


def not_after(certificate: str) -> float:
    """When a certificate (bare base64) ends, in seconds since the epoch."""
    return x509.load_der_x509_certificate(base64.b64decode(certificate)).not_valid_after_utc.timestamp()


def ends_of(view: View) -> list[tuple[str, float]]:
    """(what, when) of everything that ends by itself: certificates, and the metadata."""
    used: dict[str, str] = {one: "signing certificate" for one in view.certificates}
    if isinstance(view.encrypt_to, EncryptTo):
        used.setdefault(view.encrypt_to.certificate, "encryption certificate")
    found = [(what, not_after(certificate)) for certificate, what in used.items()]
    return [*found, *([("metadata", view.valid_until)] if view.valid_until is not None else [])]


def _day(at: float) -> str:
    return datetime.fromtimestamp(at, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")

"""Writes our messages as text in exclusive canonical form (XML-EXC-C14N), so that what is signed and what is sent are the same
characters and neither a tree nor a canonicalisation is needed.

Owns escaping and the order of namespaces and attributes. Leaves what a message says to whoever writes it, and the signature to
`signatures`. Loads no lxml.
"""

import re
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from functools import lru_cache

from idp.saml.names import MDUI

NAMESPACES = {
    "saml": "urn:oasis:names:tc:SAML:2.0:assertion",
    "samlp": "urn:oasis:names:tc:SAML:2.0:protocol",
    "soap": "http://schemas.xmlsoap.org/soap/envelope/",
}
_DECLARED = {prefix: f' xmlns:{prefix}="{uri}"' for prefix, uri in NAMESPACES.items()}

# What XML 1.0 cannot say in any way (section 2.2) is left out: one control character in a name must not break a sign-in.
_NOT_XML = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
_PLAIN = re.compile(r"[ !#-%'-;=?-~]*\Z")  # neither to be escaped in text nor in an attribute


def element(name: str, attributes: Mapping[str, str | None], content: str = "", *, declares: bool = False) -> str:
    """name: with its prefix. attributes: without prefix; one that is None is left out. content: canonical text itself, so
    either `text(...)` or elements. declares: the prefix is not declared by an element around this one."""
    return f"<{_opening(name, attributes, declares=declares)}>{content}</{name}>"


def message(
    name: str, attributes: Mapping[str, str | None], issuer: str, rest: str, sign: Callable[[bytes], str] | None
) -> str:
    """An element of its own, with Issuer and, when `sign` makes one of its canonical form, the signature right after that
    (SAML Core 5.4.1). issuer: an entityID; rest: canonical text."""
    head = f"<{_opening(name, attributes, declares=True)}>" + element(
        "saml:Issuer", {}, text(issuer), declares=not name.startswith("saml:")
    )
    tail = f"{rest}</{name}>"
    signature = sign((head + tail).encode()) if sign is not None else ""
    return head + signature + tail


def _opening(name: str, attributes: Mapping[str, str | None], *, declares: bool) -> str:
    given = sorted([(key, value) for key, value in attributes.items() if value is not None])
    written = "".join([f' {key}="{attribute(value)}"' for key, value in given])
    return f"{name}{_DECLARED[name.partition(':')[0]] if declares else ''}{written}"


def text(value: str) -> str:
    """Character data (Canonical XML 1.0 section 2.3)."""
    if _PLAIN.match(value):
        return value
    value = _NOT_XML.sub("", value)
    return value.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;").replace("\r", "&#xD;")


def attribute(value: str) -> str:
    """The value of an attribute, to stand between quotes."""
    if _PLAIN.match(value):
        return value
    value = _NOT_XML.sub("", value).replace("&", "&amp;").replace("<", "&lt;").replace('"', "&quot;")
    return value.replace("\t", "&#x9;").replace("\n", "&#xA;").replace("\r", "&#xD;")


def ui_info(display_name: str) -> str:
    """What people of the other side see of us (Metadata UI 2.1), for md:Extensions; nothing when there is no name."""
    if not display_name:
        return ""
    name = f'<mdui:DisplayName xml:lang="en">{text(display_name)}</mdui:DisplayName>'
    return f'<mdui:UIInfo xmlns:mdui="{MDUI}">{name}</mdui:UIInfo>'


@lru_cache(maxsize=64)
def instant(at: int) -> str:
    """xs:dateTime of a time in whole seconds since the epoch."""
    return datetime.fromtimestamp(at, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")

"""Owns which upstream kinds there are, what settings they have, and opening a configured upstream.

A kind is a file in idp/upstream/kinds with a pydantic model `Settings` and a class `Kind`. Listing does not import them.
Leaves storing and sealing to idp.services.manage_upstreams.
"""

import importlib
import pkgutil
import threading
from collections.abc import Callable, Mapping
from functools import lru_cache
from types import ModuleType
from typing import TYPE_CHECKING, Any

from idp.base.errors import Refused
from idp.crypto.seal import SealBroken
from idp.domain.upstream import UpstreamProvider
from idp.ports import Tools, UpstreamKind
from idp.services.manage_upstreams import Upstreams
from idp.upstream import kinds as _kinds
from idp.upstream.room import Room
from idp.upstream.words import nearest

if TYPE_CHECKING:
    from pydantic import BaseModel


@lru_cache(maxsize=1)
def kinds() -> tuple[str, ...]:
    """Names of all kinds, sorted."""
    return tuple(sorted(module.name for module in pkgutil.iter_modules(_kinds.__path__)))


def settings_model(kind: str) -> "type[BaseModel]":
    """The model of the kind's settings. Raises Refused(unknown_upstream_kind)."""
    model: type[BaseModel] = _module(kind).Settings
    return model


@lru_cache(maxsize=64)
def secret_fields(kind: str) -> tuple[str, ...]:
    """Names of the settings that are sealed at rest and never shown: those of type SecretStr."""
    from pydantic import SecretStr

    return tuple(name for name, field in settings_model(kind).model_fields.items() if field.annotation is SecretStr)


@lru_cache(maxsize=64)
def file_fields(kind: str) -> tuple[str, ...]:
    """Names of the settings that hold a whole document and may be given as a file."""
    found = settings_model(kind).model_fields.items()
    return tuple(name for name, field in found if (field.json_schema_extra or {}).get("file"))  # type: ignore[union-attr]


def kind_class(kind: str) -> type[Any]:
    """What opens an upstream of this kind: `label`, whether people know it by that (`known_by_label`), and what it can
    (`arrives_by_post`, `asks_password`)."""
    found: type[Any] = _module(kind).Kind
    return found


def presets(kind: str, settings: Mapping[str, Any]) -> dict[str, Any]:
    """Fields of UpstreamProvider that follow from the settings of a new one, unless something else is said."""
    found = getattr(_module(kind), "presets", None)
    return found(settings_model(kind).model_validate(dict(settings))) if found is not None else {}


def issuer_of(provider: UpstreamProvider) -> str:
    """Under which issuer its logins stand, where the settings say so; else empty."""
    found = getattr(_module(provider.kind), "issuer_of", None)
    if found is None:
        return str(provider.settings.get("issuer") or "")
    return str(found(settings_model(provider.kind).model_validate(dict(provider.settings))))


def _module(kind: str) -> ModuleType:
    if kind not in kinds():
        hint = nearest(kind, kinds())
        raise Refused(
            "unknown_upstream_kind",
            f"There is no upstream kind of this name.{hint} Kinds are: {', '.join(kinds())}.",
            reason=f"kind {kind[:64]!r}",
        )
    return importlib.import_module(f"{_kinds.__name__}.{kind}")


class Kinds:
    """Opened upstreams of this process. One is opened again when its configuration or the network policy changed, so a
    change made by another process is seen at the next use; until then it keeps its cache of metadata and keys.
    room: ask it for a place before one is asked anything over the network."""

    def __init__(self, upstreams: Upstreams, tools: Callable[[], Tools]) -> None:
        self._upstreams = upstreams
        self._tools = tools
        self._lock = threading.Lock()
        self._open: dict[str, tuple[object, UpstreamKind]] = {}
        self.room = Room()

    def open(self, provider: UpstreamProvider) -> UpstreamKind:
        """Raises Refused(upstream_misconfigured) when what is stored cannot be used any more."""
        tools = self._tools()
        stamp = (provider.version, provider.created_at, tools.policy, tools.issuer)
        with self._lock:
            known = self._open.get(provider.id)
            if known is not None and known[0] == stamp:
                return known[1]
            opened = open_kind(provider, self._upstreams, tools)
            self._open[provider.id] = (stamp, opened)
            return opened


def open_kind(provider: UpstreamProvider, upstreams: Upstreams, tools: Tools) -> UpstreamKind:
    """Raises Refused(upstream_misconfigured | unknown_upstream_kind)."""
    from pydantic import ValidationError

    try:
        opened = upstreams.opened_settings(provider, secret_fields(provider.kind))
        settings = settings_model(provider.kind).model_validate(opened)
    except SealBroken as broken:
        raise _unusable(f"a secret does not open: {broken}") from None
    except ValidationError as error:
        first = error.errors(include_input=False, include_url=False, include_context=False)[0]
        raise _unusable(f"setting {'.'.join(map(str, first['loc']))}: {first['msg']}") from None
    kind: UpstreamKind = _module(provider.kind).Kind(settings, tools)
    return kind


def _unusable(reason: str) -> Refused:
    return Refused(
        "upstream_misconfigured",
        "This way to sign in is not set up correctly. Choose another one, and tell an administrator.",
        status=502,
        reason=reason,
    )

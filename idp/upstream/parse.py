"""Owns reading `key=value` texts into an upstream: fields common to every kind, and the settings of the kind.

For the command line; leaves the settings models to the kinds, sealing and storing to idp.services.manage_upstreams.
"""

import os
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, SecretStr, ValidationError

from idp.base.errors import Refused
from idp.domain.upstream import UpstreamProvider
from idp.upstream.registry import file_fields, secret_fields, settings_model
from idp.upstream.words import domains, nearest

MAX_SECRET_BYTES = 65_536
MAX_FILE_BYTES = 1_048_576


Domains = Annotated[tuple[str, ...], BeforeValidator(domains)]


class Common(BaseModel):
    """What every upstream has, whatever its kind."""

    model_config = ConfigDict(extra="forbid", use_attribute_docstrings=True)

    label: str = Field("", max_length=80)
    """Name on the button, for example `Corporate login`. Default: the id."""
    enabled: bool = True
    """An upstream that is off is refused on every path."""
    mode: Literal["sign_in", "link_only"] = "sign_in"
    """link_only: people may join it to their account, but not sign in by it."""
    may_create: Literal["nobody", "anybody", "domains"] = "anybody"
    """Who gets a new account at the first sign-in: nobody, anybody, or verified e-mail addresses of create_domains."""
    create_domains: Domains = ()
    """E-mail domains for may_create=domains."""
    trusted_domains: Domains = ()
    """E-mail domains that this upstream may vouch for."""


@dataclass(frozen=True, slots=True)
class Parsed:
    """common: fields of UpstreamProvider; settings: of the kind, JSON values, secrets in clear. Only what was given."""

    common: dict[str, Any]
    settings: dict[str, Any]

    def __repr__(self) -> str:
        return f"Parsed({sorted(self.common)}, {sorted(self.settings)})"


def parse_settings(
    kind: str,
    pairs: Mapping[str, str],
    *,
    stored: Mapping[str, Any] | None = None,
    env: Mapping[str, str] = os.environ,
) -> Parsed:
    """Check and convert. `stored`: the settings so far, for a change. A secret may be given as `env:NAME` or `file:PATH`, a
    document as `@PATH` or `file:PATH`: it is read now, once.

    Raises Refused(unknown_upstream_kind | unknown_setting | invalid_setting), which name the setting, never its value.
    """
    model = settings_model(kind)
    _refuse_unknown(pairs, [*Common.model_fields, *model.model_fields])
    given: dict[str, Any] = {key: value for key, value in pairs.items() if key in model.model_fields}
    for name in secret_fields(kind):
        if name in given:
            given[name] = _secret(name, given[name], env)
    for name in file_fields(kind):
        if name in given:
            given[name] = _document(name, given[name])
    common = _validated(Common, {key: value for key, value in pairs.items() if key in Common.model_fields})
    settings = _validated(model, {**(stored or {}), **given})
    return Parsed(common, {key: value for key, value in settings.items() if key in given})


def new_provider(
    kind: str, provider_id: str, pairs: Mapping[str, str], at: float, env: Mapping[str, str] = os.environ
) -> UpstreamProvider:
    """For Upstreams.add(provider, secrets=secret_fields(kind), …); its secrets are still in clear. Raises like parse_settings."""
    parsed = parse_settings(kind, pairs, env=env)
    label = parsed.common.pop("label", "") or provider_id
    return UpstreamProvider(provider_id, kind, label, at, settings=parsed.settings, **parsed.common)


def changed_provider(
    provider: UpstreamProvider, pairs: Mapping[str, str], env: Mapping[str, str] = os.environ
) -> tuple[UpstreamProvider, dict[str, Any]]:
    """For Upstreams.change(provider, settings, secrets=…, …). Raises like parse_settings."""
    parsed = parse_settings(provider.kind, pairs, stored=provider.settings, env=env)
    return replace(provider, **parsed.common), parsed.settings


def _refuse_unknown(pairs: Mapping[str, str], known: list[str]) -> None:
    for key in pairs:
        if key not in known:
            hint = nearest(key, known)
            raise Refused(
                "unknown_setting",
                f"There is no setting {key[:64]!r}.{hint} Settings are: {', '.join(sorted(known))}.",
            )


def _validated(model: type[BaseModel], given: Mapping[str, Any]) -> dict[str, Any]:
    """Only what was set, as JSON values with secrets in clear."""
    try:
        settings = model.model_validate(dict(given))
    except ValidationError as error:
        first = error.errors(include_input=False, include_url=False, include_context=False)[0]
        name = ".".join(str(part) for part in first["loc"][:1])
        message = first["msg"].removeprefix("Value error, ").rstrip(".")
        where = f"Setting {name}: " if name else ""
        raise Refused("invalid_setting", f"{where}{message}.") from None
    plain = settings.model_dump(mode="python", exclude_unset=True)
    return {key: _plain(value) for key, value in plain.items()}


def _plain(value: object) -> object:
    if isinstance(value, SecretStr):
        return value.get_secret_value()
    return value


def _secret(name: str, text: str, env: Mapping[str, str]) -> str:
    if text.startswith("env:"):
        found = env.get(text.removeprefix("env:"), "")
        if not found:
            raise Refused("invalid_setting", f"Setting {name}: this environment variable is not set.")
        return found
    if not text.startswith("file:"):
        return text
    return _file(name, text.removeprefix("file:"), MAX_SECRET_BYTES)


def _document(name: str, text: str) -> str:
    for mark in ("@", "file:"):
        if text.startswith(mark):
            return _file(name, text.removeprefix(mark), MAX_FILE_BYTES)
    return text


def _file(name: str, path: str, limit: int) -> str:
    try:
        with Path(path).open("rb") as file:
            content = file.read(limit + 1).decode("utf-8-sig").strip()
    except (OSError, ValueError):
        raise Refused("invalid_setting", f"Setting {name}: the file cannot be read.") from None
    if not content or len(content) > limit:
        raise Refused("invalid_setting", f"Setting {name}: the file is empty or too large.")
    return content

"""Owns reading `key=value` texts, forms and JSON into an upstream: fields common to every kind, and the settings of the kind.

Leaves the settings models to common and the kinds, sealing and storing to idp.services.manage_upstreams.
"""

import os
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from pydantic import BaseModel, SecretStr, ValidationError

from idp.base.errors import Refused
from idp.domain.upstream import UpstreamProvider
from idp.upstream.common import Common, default_of
from idp.upstream.registry import file_fields, kind_class, presets, secret_fields, settings_model
from idp.upstream.words import nearest

MAX_SECRET_BYTES = 65_536
MAX_FILE_BYTES = 1_048_576
ELSEWHERE = ("env:", "file:")  # where a secret is, instead of the secret


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
    """For the command line, whose user may read the files and the environment of this machine: a secret may be given as
    `env:NAME` or `file:PATH`, a document as `@PATH` or `file:PATH`; it is read now, once.

    Raises Refused(unknown_upstream_kind | unknown_setting | invalid_setting), which name the setting, never its value.
    """
    given = dict(pairs)
    for name in secret_fields(kind):
        if name in given:
            given[name] = _secret(name, given[name], env)
    for name in file_fields(kind):
        if name in given:
            given[name] = _document(name, given[name])
    return read_settings(kind, given, stored=stored)


def read_settings(kind: str, given: Mapping[str, Any], *, stored: Mapping[str, Any] | None = None) -> Parsed:
    """Check and convert; texts as people type them, or JSON values. Opens no file: for pages and the JSON API, too. `stored`:
    the settings so far, for a change. Raises like parse_settings."""
    model = settings_model(kind)
    _refuse_unknown(given, [*Common.model_fields, *model.model_fields])
    own = {key: value for key, value in given.items() if key in model.model_fields}
    common = _validated(Common, {key: value for key, value in given.items() if key in Common.model_fields})
    settings = _validated(model, {**(stored or {}), **own})
    return Parsed(common, {key: value for key, value in settings.items() if key in own})


def common_settings(given: Mapping[str, Any]) -> dict[str, Any]:
    """Those that every upstream has, and no others; opens no file. Raises like parse_settings."""
    _refuse_unknown(given, [*Common.model_fields])
    return _validated(Common, given)


def check_no_reference(kind: str, given: Mapping[str, Any]) -> None:
    """Whoever administers by a browser may not read the files of this machine by it. Raises Refused(invalid_setting)."""
    for name in secret_fields(kind):
        if isinstance(given.get(name), str) and given[name].startswith(ELSEWHERE):
            raise Refused(
                "invalid_setting",
                f"Setting {name}: give the secret itself. env: and file: are for the command line.",
            )


def new_provider(
    kind: str, provider_id: str, pairs: Mapping[str, str], at: float, env: Mapping[str, str] = os.environ
) -> UpstreamProvider:
    """For Upstreams.add(provider, secrets=secret_fields(kind), …); its secrets are still in clear. Raises like parse_settings."""
    return _made(kind, provider_id, parse_settings(kind, pairs, env=env), at)


def new_upstream(kind: str, provider_id: str, given: Mapping[str, Any], at: float) -> UpstreamProvider:
    """The same by values that come from a browser or a program; it is off until somebody has tested it. A value that is None
    is as if it were not given."""
    given = {name: value for name, value in given.items() if value is not None}
    check_no_reference(kind, given)
    return replace(_made(kind, provider_id, read_settings(kind, given), at), enabled=False)


def changed_provider(
    provider: UpstreamProvider, pairs: Mapping[str, str], env: Mapping[str, str] = os.environ
) -> tuple[UpstreamProvider, dict[str, Any]]:
    """For Upstreams.change(provider, settings, secrets=…, …). Raises like parse_settings."""
    return _changed(provider, parse_settings(provider.kind, pairs, stored=provider.settings, env=env))


def changed_upstream(provider: UpstreamProvider, given: Mapping[str, Any]) -> tuple[UpstreamProvider, dict[str, Any]]:
    """The same by values that come from a browser or a program; None for a setting that is to be as by default again."""
    check_no_reference(provider.kind, given)
    unset = [name for name, value in given.items() if value is None]
    kept = {name: value for name, value in provider.settings.items() if name not in unset}
    values = {name: value for name, value in given.items() if value is not None}
    _refuse_unknown(given, [*Common.model_fields, *settings_model(provider.kind).model_fields])
    usual = {name: default_of(name) for name in unset if name in Common.model_fields}
    parsed = read_settings(provider.kind, values, stored=kept)
    _keep_secret_at_home(provider, given, parsed.settings)
    return _changed(replace(provider, settings=kept, **usual), parsed)


def _keep_secret_at_home(provider: UpstreamProvider, given: Mapping[str, Any], settings: Mapping[str, Any]) -> None:
    """A stored secret goes only to whom it was meant for. Else whoever administers by a browser sends it to a server of their
    own, and reads there what is never shown here (as CVE-2024-5967). settings: as they were read, since what people type may
    be several addresses in one. Raises Refused(secret_needed_again)."""
    kept = [name for name in secret_fields(provider.kind) if provider.settings.get(name) and name not in given]
    fields = settings_model(provider.kind).model_fields
    for name in given if kept else ():
        if name not in fields:
            continue
        usual = fields[name].get_default(call_default_factory=True)
        now, before = settings.get(name, usual), provider.settings.get(name, usual)
        if not _origins(now) <= _origins(before):
            raise Refused(
                "secret_needed_again",
                f"Setting {name}: another server. Give {kept[0]} again with it: the stored one was meant for the server before.",
                status=409,
            )


def _origins(value: object) -> set[str]:
    """Scheme, host and port of the addresses in a setting."""
    texts = value.split() if isinstance(value, str) else value if isinstance(value, list | tuple) else ()
    return {_origin(text) for text in texts if isinstance(text, str) and "://" in text}


def _origin(text: str) -> str:
    try:
        found = urlsplit(text)
    except ValueError:  # no address, so one that was never there before
        return text
    return f"{found.scheme}://{found.netloc}".lower()


def _made(kind: str, provider_id: str, parsed: Parsed, at: float) -> UpstreamProvider:
    common = {**presets(kind, parsed.settings), **parsed.common}
    label = common.pop("label", "") or _usual_label(kind, provider_id)
    return UpstreamProvider(provider_id, kind, label, at, settings=parsed.settings, **common)


def _changed(provider: UpstreamProvider, parsed: Parsed) -> tuple[UpstreamProvider, dict[str, Any]]:
    changed = replace(provider, **parsed.common)
    return replace(changed, label=changed.label or _usual_label(provider.kind, provider.id)), parsed.settings


def _usual_label(kind: str, provider_id: str) -> str:
    """What people call it; where the kind says nothing about whose login it is, the id."""
    found = kind_class(kind)
    return str(found.label) if getattr(found, "known_by_label", False) else provider_id


def _refuse_unknown(pairs: Mapping[str, Any], known: list[str]) -> None:
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

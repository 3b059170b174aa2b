"""The settings: one pydantic model, read from a YAML file and the environment. Leaves each section to idp.base.sections.

Precedence: environment `IDP_SECTION__KEY` > configuration file > default. Unknown names are refused by name.
"""

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal
from urllib.parse import urlsplit

import yaml
from pydantic import SecretStr, ValidationError, field_validator

from idp.base.errors import Misconfigured
from idp.base.sections import (
    Api,
    Linking,
    LocalLogin,
    Log,
    Mail,
    Net,
    Oidc,
    Passwords,
    Registration,
    Roles,
    Saml,
    Section,
    Server,
    SignIn,
    Store,
)

MAX_CONFIG_BYTES = 1_000_000


class Settings(Section):
    """Everything that can be configured."""

    mode: Literal["development", "production"] = "development"
    """production refuses to start in an unsafe state (see README)."""
    issuer: str = ""
    """Base URL under which browsers reach us. Empty: what the set-up page stored, else http://HOST:PORT."""
    data: str = "data"
    """Folder of the embedded store, keys and secrets (mode 0700)."""
    second_factor: Literal["everyone", "administrators"] | Roles = "everyone"
    """Who must use a second factor: everyone, administrators, or {roles: [...]}."""
    local_login: bool = True
    """May people sign in with a local password? false counts once an administrator has proved that there is another way in
    (docs/local-login.md); the page, `idp local-login off` and this are one switch."""
    seal_key: SecretStr = SecretStr("")
    """Key (base64, 32 bytes) that seals secrets at rest. Empty: `secrets/seal.key` in the data folder, made at first start."""
    seal_key_file: str = ""
    """File that holds the seal key."""
    organisation: str = "Sheaf"
    """Name shown on the pages."""
    server: Server = Server()
    store: Store = Store()
    api: Api = Api()
    sign_in: SignIn = SignIn()
    passwords: Passwords = Passwords()
    oidc: Oidc = Oidc()
    registration: Registration = Registration()
    saml: Saml = Saml()
    linking: Linking = Linking()
    local_login_change: LocalLogin = LocalLogin()
    mail: Mail = Mail()
    net: Net = Net()
    log: Log = Log()

    @field_validator("issuer")
    @classmethod
    def _is_an_address(cls, value: str) -> str:
        if not value:
            return value
        parts = urlsplit(value)  # raises ValueError
        extra = parts.path.strip("/") or parts.query or parts.fragment or parts.username is not None
        if (
            parts.scheme not in ("http", "https")
            or not parts.hostname
            or extra
            or not value.isprintable()
            or " " in value
        ):
            raise ValueError("not an address")
        return value

    @field_validator("second_factor", mode="before")
    @classmethod
    def _roles_from_text(cls, value: object) -> object:
        """The environment can only give text: `roles: [a, b]` is read as YAML."""
        if isinstance(value, str) and value.strip().startswith(("roles", "{")):
            try:
                return yaml.safe_load(value)
            except yaml.YAMLError:
                raise ValueError("not YAML") from None
        return value

    @property
    def data_dir(self) -> Path:
        return Path(self.data).resolve()

    @property
    def default_issuer(self) -> str:
        return self._base_url(self.server.host, self.server.port)

    @property
    def api_url(self) -> str:
        return self.api.url.rstrip("/") or self._base_url(self.api.host, self.api.port)

    @property
    def streams_url(self) -> str:
        """Empty when there are none."""
        port = self.api.streams_port
        own = self._base_url(self.api.host, port) if port else ""
        return self.api.streams_url.rstrip("/") or own

    def _base_url(self, host: str, port: int) -> str:
        host = "127.0.0.1" if host in ("0.0.0.0", "::", "") else host  # noqa: S104
        return f"http{'s' if self.server.tls else ''}://{f'[{host}]' if ':' in host else host}:{port}"

    @property
    def tls_certificate(self) -> Path | None:
        """The file with the certificate that our own servers show; None without TLS."""
        given = self.server.tls_certificate
        return (Path(given).resolve() if given else self.data_dir / "secrets" / "tls.crt") if self.server.tls else None


def load(path: str | None, overrides: Mapping[str, Any] | None = None, env: Mapping[str, str] = os.environ) -> Settings:
    """Read the settings. `overrides` (from the command line) win over everything; nested keys are written `section.key`.

    Raises Misconfigured, which names the setting that is wrong.
    """
    tree = _from_file(path or env.get("IDP_CONFIG"))
    _merge_env(tree, env)
    for dotted, value in (overrides or {}).items():
        if value is not None:
            _put(tree, dotted.split("."), value)
    try:
        return Settings.model_validate(tree)
    except ValidationError as error:
        raise _misconfigured(error) from None


def _misconfigured(error: ValidationError) -> Misconfigured:
    first = error.errors(include_input=False, include_url=False)[0]
    name = ".".join(str(part) for part in first["loc"])
    if first["loc"][:1] == ("second_factor",):  # more of it names the branches of the union
        return Misconfigured(
            "second_factor", "This is none of the choices.", "Set everyone, administrators, or {roles: [finance]}."
        )
    if name == "issuer":
        return Misconfigured(
            name, "This is not the address of a server.", "Set it as https://id.example.org, with nothing after it."
        )
    if first["type"] == "extra_forbidden":
        return _no_such(name)
    return Misconfigured(name, f"{first['msg']}.", "See config.example.yaml for what is allowed.")


def _no_such(name: str) -> Misconfigured:
    return Misconfigured(name, "There is no setting of this name.", "See config.example.yaml for all names.")


def _from_file(path: str | None) -> dict[str, Any]:
    if not path:
        return {}
    file = Path(path)
    if not file.is_file():
        raise Misconfigured("--config", f"There is no file {path}.", "Give the path of a YAML file.")
    if file.stat().st_size > MAX_CONFIG_BYTES:
        raise Misconfigured("--config", f"{path} is larger than 1 MB.", "Give a configuration file.")
    try:
        tree = yaml.safe_load(file.read_text()) or {}
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        where = f" (line {mark.line + 1})" if mark else ""
        raise Misconfigured("--config", f"{path} is not valid YAML{where}.", "Mend the file.") from None
    if not isinstance(tree, dict):
        raise Misconfigured("--config", f"{path} does not hold a mapping.", "Start from config.example.yaml.")
    return tree


def _merge_env(tree: dict[str, Any], env: Mapping[str, str]) -> None:
    """Raises Misconfigured for a section that does not exist. Other unknown names may belong to another program."""
    for name, value in env.items():
        path = name.removeprefix("IDP_").lower().split("__")
        if not name.startswith("IDP_"):
            continue
        if path[0] in Settings.model_fields:
            _put(tree, path, value)
        elif len(path) > 1:
            raise _no_such(name)


def _put(tree: dict[str, Any], path: list[str], value: object) -> None:
    for part in path[:-1]:
        branch = tree.setdefault(part, {})
        if not isinstance(branch, dict):
            branch = tree[part] = {}
        tree = branch
    tree[path[-1]] = value

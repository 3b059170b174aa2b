"""This installation: its data folder, seal key and issuer. Refuses unsafe production settings.

Leaves the steps of the set-up to idp.web.setup_pages and idp.services.set_up.
"""

import base64
import threading
from dataclasses import replace
from functools import lru_cache
from pathlib import Path

from idp.base.clock import Clock
from idp.base.config import Settings
from idp.base.embedded import ensure_folder, ensure_secret, read_secret
from idp.base.errors import Misconfigured
from idp.base.net import is_loopback_url
from idp.domain.audit_event import StoredSetting
from idp.ports import Duplicate, Repository, StoreUnavailable

CACHE_SECONDS = 1.0
_EXAMPLES = frozenset(
    {"changeme", "change-me", "secret", "example", "password", "A" * 43 + "=", base64.b64encode(bytes(32)).decode()}
)


class Installation:
    def __init__(self, settings: Settings, repo: Repository, clock: Clock) -> None:
        self.settings = settings
        self._repo = repo
        self._clock = clock
        self._lock = threading.Lock()
        self._issuer = ""
        self._read_at = 0.0

    @property
    def issuer(self) -> str:
        """Base URL without a trailing slash: setting, else what the set-up stored, else http://HOST:PORT."""
        if self.settings.issuer:
            return self.settings.issuer.rstrip("/")
        now = self._clock()
        if not self._issuer or not 0 <= now - self._read_at < CACHE_SECONDS:
            with self._lock:
                try:
                    self._issuer = self.stored("base_url") or self.settings.default_issuer
                except StoreUnavailable:
                    # Every answer asks for this, the page that says the store is away as well.
                    return self._issuer or self.settings.default_issuer
                self._read_at = now
        return self._issuer

    @property
    def secure(self) -> bool:
        """Do browsers reach us over https?"""
        return self.issuer.startswith("https://")

    @property
    def https_only(self) -> bool:
        """May browsers be told never to come without https (RFC 6797)?"""
        return _https_only(self.issuer)

    def stored(self, name: str) -> str | None:
        setting = self._repo.get(StoredSetting, name)
        return setting.value if setting else None

    def store(self, name: str, value: str) -> None:
        while True:
            before = self._repo.get(StoredSetting, name)
            now = self._clock()
            if before is not None:
                if self._repo.replace_if(replace(before, value=value, changed_at=now)) is not None:
                    break
                continue
            try:
                self._repo.insert(StoredSetting(name, value, now))
                break
            except Duplicate:
                continue
        self._issuer = ""


@lru_cache(maxsize=8)
def _https_only(issuer: str) -> bool:
    # Not on loopback: browsers would apply it to every port of that name, where other programs of a developer answer.
    return issuer.startswith("https://") and not is_loopback_url(issuer)


def seal_key(settings: Settings) -> bytes:
    """The 32-byte key that seals secrets: from the setting, a file, or the data folder (made at first start).

    Raises Misconfigured.
    """
    given = settings.seal_key.get_secret_value()
    if given:
        try:
            return base64.b64decode(given, validate=True)
        except ValueError:
            raise Misconfigured(
                "seal_key", "The value is not base64.", "Make one with: openssl rand -base64 32"
            ) from None
    if settings.seal_key_file:
        return read_secret(Path(settings.seal_key_file), "seal_key_file")
    return ensure_secret(ensure_folder(settings.data_dir) / "secrets" / "seal.key")


def check_production(settings: Settings) -> None:
    """Raises Misconfigured when `mode: production` would be unsafe; names the setting and the cure."""
    if settings.mode != "production":
        return
    issuer = settings.issuer
    if not issuer:
        raise Misconfigured(
            "issuer", "Production mode needs a fixed issuer.", "Set issuer: https://your.host (or IDP_ISSUER)."
        )
    # Exactly as browsers and cookies will see it: `HTTPS://` would be https here and not there.
    if not issuer.startswith("https://") and not is_loopback_url(issuer):
        raise Misconfigured(
            "issuer", f"{issuer} is not https and not loopback.", "Put TLS in front and set issuer: https://…."
        )
    key = settings.seal_key.get_secret_value()
    if key and key.lower() in {example.lower() for example in _EXAMPLES}:
        raise Misconfigured("seal_key", "This is a known example value.", "Make one with: openssl rand -base64 32")
    if not key and not settings.seal_key_file and not (settings.data_dir / "secrets" / "seal.key").exists():
        raise Misconfigured(
            "seal_key",
            "Production mode needs a seal key that you keep and back up.",
            "Set IDP_SEAL_KEY_FILE, or start once in development mode so that one is made in the data folder.",
        )
    secret = settings.api.introspection_client_secret.get_secret_value()
    if secret and secret.lower() in {example.lower() for example in _EXAMPLES}:
        raise Misconfigured(
            "api.introspection_client_secret", "This is a known example value.", "Make a client with: idp client add"
        )

"""Owns the keys under which fields are sealed: where they come from, and sealing one text under the current one.

Which fields are sealed, and for whom they are opened, is left to sealing.py. AES-256-GCM (NIST SP 800-38D). A sealed text is
`KEY_ID.base64url(nonce || ciphertext || tag)`; key id and place are its associated data, so that it opens nowhere else.
"""

import base64
import json
import logging
import os
import re
import secrets
import subprocess
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from idp.api.problems import unavailable
from idp.base.clock import Clock
from idp.base.config import Settings
from idp.base.embedded import ensure_folder, write_new
from idp.base.errors import Misconfigured
from idp.base.log import event
from idp.base.waiting import about_to_wait

KEY_BYTES: Final = 32
NONCE_BYTES: Final = 12
COMMAND_SECONDS: Final = 10.0
ASK_AGAIN_SECONDS: Final = 30.0
_KEY_ID = re.compile(r"[A-Za-z0-9_-]{1,32}")
logger = logging.getLogger("idp.api.keyring")


class CannotOpen(Exception):  # noqa: N818
    """A sealed text does not open: changed, cut, moved, or its key is not in the keyring. Says which, never what is in it."""


class BadKeyring(Exception):  # noqa: N818
    """A keyring cannot be read. Says why, never what is in it."""


@dataclass(frozen=True, slots=True)
class Keys:
    current: str
    ciphers: dict[str, AESGCM] = field(repr=False)


@dataclass(frozen=True, slots=True)
class Source:
    """stamp: changes when the keyring may have changed. read: the keyring as text; raises OSError or BadKeyring."""

    name: str
    stamp: Callable[[], object]
    read: Callable[[], str] = field(repr=False)


class Keyring:
    """Safe to share between threads. Every use sees a keyring that was changed meanwhile."""

    def __init__(self, source: Source) -> None:
        self._source = source
        self._stamp: object = None
        self._keys: Keys | None = None
        self._broken = ""
        self._lock = threading.Lock()

    def __repr__(self) -> str:
        return f"Keyring({self._source.name})"

    def current(self) -> str:
        """Id of the key that seals. Raises Refused 503 keyring_unavailable, as seal_text does."""
        return self._sealing().current

    def ids(self) -> list[str]:
        keys = self._loaded()
        return sorted(keys.ciphers) if keys else []

    def seal_text(self, text: str, aad: Sequence[str]) -> str:
        """aad: the place, in parts. Refuses when the keyring cannot be read *now*, even if it could before: its current
        key may have been replaced, and nothing new may come under an old one."""
        keys = self._sealing()
        nonce = os.urandom(NONCE_BYTES)
        box = nonce + keys.ciphers[keys.current].encrypt(nonce, text.encode(), _bound(keys.current, aad))
        return f"{keys.current}.{base64.urlsafe_b64encode(box).decode()}"

    def open_text(self, sealed: str, aad: Sequence[str]) -> str:
        """Raises CannotOpen, and Refused 503 when no keyring was ever read."""
        keys = self._loaded()
        if keys is None:
            raise unavailable("keyring", self._broken)
        key_id, _, body = sealed.partition(".")
        cipher = keys.ciphers.get(key_id)
        if cipher is None:
            raise CannotOpen(f"the key {key_id[:32]!r} is not in the keyring")
        try:
            box = base64.b64decode(body, altchars=b"-_", validate=True)
            return cipher.decrypt(box[:NONCE_BYTES], box[NONCE_BYTES:], _bound(key_id, aad)).decode()
        except (InvalidTag, ValueError):
            raise CannotOpen("it was changed, moved or cut") from None

    def _sealing(self) -> Keys:
        keys = self._loaded()
        if keys is None or self._broken:
            raise unavailable("keyring", self._broken)
        return keys

    def _loaded(self) -> Keys | None:
        stamp = self._source.stamp()
        if stamp != self._stamp:
            about_to_wait()  # for a command
            with self._lock:
                if stamp != self._stamp:
                    self._load()
                    self._stamp = stamp
        return self._keys

    def _load(self) -> None:
        try:
            self._keys, self._broken = parse(self._source.read()), ""
        except (OSError, BadKeyring) as error:
            self._broken = f"{self._source.name}: {getattr(error, 'strerror', None) or error}"
            event(logger, "keyring_unreadable", logging.ERROR, reason=self._broken)


def parse(text: str) -> Keys:
    """{"current": id, "keys": {id: 32 bytes in base64}}. Raises BadKeyring."""
    try:
        tree = json.loads(text)
        current, listed = str(tree["current"]), dict(tree["keys"])
        if not all(_KEY_ID.fullmatch(id) for id in listed):
            raise BadKeyring("ids of keys are 1 to 32 of A-Z, a-z, 0-9, _ and -")
        keys = {id: base64.b64decode(key, validate=True) for id, key in listed.items()}
    except (ValueError, KeyError, TypeError, RecursionError):  # of a message nothing is taken: it may quote the text
        raise BadKeyring('not {"current": id, "keys": {id: base64}}') from None
    if current not in keys:
        raise BadKeyring("`current` names none of the keys")
    if wrong := sorted(id for id, key in keys.items() if len(key) != KEY_BYTES):
        raise BadKeyring(f"not {KEY_BYTES} bytes long: {', '.join(wrong)}")
    return Keys(current, {id: AESGCM(key) for id, key in keys.items()})


def fresh() -> str:
    """A new keyring with one key. Its id is random: two nodes that made one each never take their keys for the same."""
    id = f"key_{secrets.token_hex(4)}"
    return json.dumps({"current": id, "keys": {id: base64.b64encode(secrets.token_bytes(KEY_BYTES)).decode()}}) + "\n"


def open_keyring(settings: Settings, clock: Clock) -> Keyring:
    """From the environment, a command or a file, the first that is set. Raises Misconfigured when it cannot be read now.

    With a store that other machines share and none of these, there is none: a keyring made on each node would leave
    every node with fields that the others cannot open."""
    api = settings.api
    if text := api.keyring.get_secret_value():
        return _checked(Source("api.keyring", lambda: 0, lambda: text), "api.keyring")
    if api.keyring_command:
        source = Source("api.keyring_command", lambda: clock() // ASK_AGAIN_SECONDS, lambda: _ask(api.keyring_command))
        return _checked(source, "api.keyring_command")
    path = Path(api.keyring_file) if api.keyring_file else settings.data_dir / "api" / "keyring"
    if not api.keyring_file:
        if api.store.startswith("mongodb"):
            return Keyring(Source("no keyring: set api.keyring_file on every node", lambda: 0, _none))
        ensure_folder(path.parent)
        if not path.exists():
            write_new(path, fresh().encode())
    return _checked(Source(str(path), lambda: _stamp(path), path.read_text), "api.keyring_file")


def _checked(source: Source, setting: str) -> Keyring:
    try:
        parse(source.read())
    except (OSError, BadKeyring) as error:
        reason = getattr(error, "strerror", None) or str(error)
        raise Misconfigured(
            setting, f"The keyring cannot be read: {reason}.", "Restore it: what it sealed opens with nothing else."
        ) from None
    return Keyring(source)


def _none() -> str:
    raise BadKeyring("there is none")


def _stamp(path: Path) -> object:
    try:
        found = path.stat()
    except OSError:
        return "missing"
    return found.st_mtime_ns, found.st_size, found.st_ino


def _ask(command: Sequence[str]) -> str:
    try:
        done = subprocess.run(  # noqa: S603  (words of the operator's own settings, no shell)
            command, capture_output=True, text=True, timeout=COMMAND_SECONDS, check=False, stdin=subprocess.DEVNULL
        )
    except subprocess.TimeoutExpired:
        raise BadKeyring(f"the command gave no answer within {COMMAND_SECONDS:g} s") from None
    except ValueError:
        raise BadKeyring("the command did not print text") from None
    if done.returncode:
        raise BadKeyring(f"the command ended with {done.returncode}")
    return done.stdout


def _bound(key_id: str, aad: Sequence[str]) -> bytes:
    return json.dumps([key_id, *aad]).encode()

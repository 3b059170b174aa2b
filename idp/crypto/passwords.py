"""Local passwords: argon2id through passlib's CryptContext. The only importer of passlib (the maintained fork, libpass).

Leaves who may use a password at all to idp.services.sign_in.
"""

import os
import threading
import unicodedata
from functools import cached_property

from idp.base.errors import Refused
from idp.base.sections import Passwords as PasswordSettings

LONGEST = 512  # characters; beyond that hashing is a way to keep us busy


class Passwords:
    """Hash and verify. At most one hash per core runs at a time, all workers taken together: each takes a whole core and
    its memory. workers: how many processes share the machine."""

    def __init__(self, settings: PasswordSettings, workers: int = 1) -> None:
        self._settings = settings
        self._slots = threading.BoundedSemaphore(max(1, (os.cpu_count() or 1) // workers))

    @cached_property
    def _context(self) -> "object":
        from passlib.context import CryptContext  # here: 10 ms and only needed when somebody types a password

        return CryptContext(schemes=["argon2"], argon2__type="ID", **self.parameters)

    @property
    def parameters(self) -> dict[str, int]:
        s = self._settings
        return {
            "argon2__time_cost": s.time_cost,
            "argon2__memory_cost": s.memory_kib,
            "argon2__parallelism": s.parallelism,
        }

    @cached_property
    def _dummy(self) -> str:
        return self.hash("no password is this one")

    def check_new(self, password: str) -> None:
        """Raises Refused(weak_password)."""
        if len(password) < self._settings.minimum_length:
            raise Refused("weak_password", f"Use at least {self._settings.minimum_length} characters.")
        if len(password) > LONGEST:
            raise Refused("weak_password", f"Use at most {LONGEST} characters.")
        if len(set(password)) < 4:
            raise Refused("weak_password", "Use more different characters.")

    def hash(self, password: str) -> str:
        with self._slots:
            return str(self._context.hash(_canonical(password)))  # type: ignore[attr-defined]

    def verify(self, password: str, stored: str | None) -> tuple[bool, str | None]:
        """(matches, new hash to store or None). An unknown user or one without a password costs the same as a wrong one."""
        if len(password) > LONGEST:
            return False, None
        target = stored or self._dummy
        with self._slots:
            matches, fresh = self._context.verify_and_update(_canonical(password), target)  # type: ignore[attr-defined]
        return (bool(matches), fresh) if stored else (False, None)


def _canonical(password: str) -> str:
    return unicodedata.normalize("NFKC", password)

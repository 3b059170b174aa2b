"""The printed sheet of break-glass codes: made, found, used up once. Leaves what a code opens to idp.services.break_glass."""

import hmac
import secrets
from dataclasses import replace
from hashlib import sha256

from idp.base import ids
from idp.base.clock import Clock
from idp.base.errors import Refused
from idp.domain.audit_event import StoredSetting
from idp.domain.local_login import BreakGlassCode
from idp.ports import Duplicate, Repository
from idp.services.record_audit import Audit

CODES = 10
CODE_LENGTH, WORD_LENGTH = 16, 8
MAX_TYPED = 100
_ALPHABET = "ABCDEFGHJKMNPQRSTVWXYZ23456789"
_SHEET = "break_glass_sheet"  # the StoredSetting that names the sheet whose codes count


class CodeSheet:
    """key: without it nobody finds a code from what is stored."""

    def __init__(self, repo: Repository, clock: Clock, audit: Audit, key: bytes) -> None:
        self._repo = repo
        self._clock = clock
        self._audit = audit
        self._key = key

    def new(self, *, actor: str) -> tuple[str, ...]:
        """A fresh sheet, shown this once; the one before is worth nothing from now on. Raises Refused(changed_meanwhile)."""
        now, sheet, before = self._clock(), ids.public_id("sheet"), self._repo.get(StoredSetting, _SHEET)
        codes = tuple(random_text(CODE_LENGTH) for _ in range(CODES))
        self._repo.insert_all(*(BreakGlassCode(self.digest(code), sheet, now) for code in codes))
        # Which sheet counts changes in one write: were the codes of all others deleted instead, two administrators who
        # make a sheet at once would be left with none.
        if not self._point_at(sheet, before, now):
            self._repo.delete_where(BreakGlassCode, set_id=sheet)
            raise Refused("changed_meanwhile", "Somebody else made a sheet at the same time. Use that one.", status=409)
        if before is not None:
            self._repo.delete_where(BreakGlassCode, set_id=before.value)
        self._audit.record("break_glass.codes_made", actor=actor, subject=sheet, count=str(CODES))
        return tuple(in_fours(code) for code in codes)

    def _point_at(self, sheet: str, before: StoredSetting | None, now: float) -> bool:
        if before is not None:
            return self._repo.replace_if(replace(before, value=sheet, changed_at=now)) is not None
        try:
            self._repo.insert(StoredSetting(_SHEET, sheet, now))
        except Duplicate:
            return False
        return True

    @property
    def id(self) -> str:
        """Of the sheet that counts; empty when there is none."""
        found = self._repo.get(StoredSetting, _SHEET)
        return found.value if found is not None else ""

    def left(self) -> int:
        sheet = self.id
        found = self._repo.find(BreakGlassCode, set_id=sheet) if sheet else []
        return sum(one.consumed_at is None for one in found)

    def live(self, typed: str) -> BreakGlassCode | None:
        """The unused code of the sheet that counts, however it is spaced."""
        found = self._repo.get(BreakGlassCode, self.digest(typed)) if len(typed) <= MAX_TYPED else None
        good = found is not None and found.consumed_at is None and found.set_id == self.id
        return found if good else None

    def use_up(self, code: BreakGlassCode) -> bool:
        """True for exactly one caller."""
        return self._repo.consume(BreakGlassCode, code.id) is not None

    def digest(self, typed: str) -> str:
        """Keyed: a code is short enough to be written down."""
        text = "".join(c for c in typed.upper() if c.isascii() and c.isalnum())
        return hmac.new(self._key, text.encode(), sha256).hexdigest()


def random_text(length: int) -> str:
    return "".join(secrets.choice(_ALPHABET) for _ in range(length))


def in_fours(text: str) -> str:
    return "-".join(text[at : at + 4] for at in range(0, len(text), 4))

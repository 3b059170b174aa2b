"""The ways back in when local login is off and no upstream works: opened from the server's shell, or by an offline code.

Leaves the decision whether a password counts to idp.services.local_login, and the second factor to the sign-in as ever.
"""

import hmac
from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from dataclasses import replace
from datetime import UTC, datetime

from idp.base import ids
from idp.base.clock import Clock
from idp.base.errors import Refused
from idp.base.sections import LocalLogin as LocalLoginSettings
from idp.crypto.passwords import Passwords
from idp.domain.local_login import (
    WAY_GOOD_SECONDS,
    BreakGlass,
    BreakGlassProof,
    Way,
    lately,
)
from idp.domain.user import User
from idp.ports import Duplicate, Repository
from idp.services.break_glass_codes import MAX_TYPED, WORD_LENGTH, CodeSheet, in_fours, random_text
from idp.services.local_login import LocalLogin
from idp.services.mail_words import language_of, mail
from idp.services.mails import Mails
from idp.services.manage_users import Users
from idp.services.record_audit import Audit
from idp.services.throttle import Throttles, origin

LEAST_SECONDS, LONGEST_SECONDS = 60.0, 86_400.0
WORD_SECONDS = 900.0
LONGEST_REASON = 300
FREE_FAILURES_OF_A_PLACE = 50


class BreakGlassDoor:
    def __init__(
        self,
        repo: Repository,
        clock: Clock,
        audit: Audit,
        settings: LocalLoginSettings,
        *,
        users: Users,
        passwords: Passwords,
        throttles: Throttles,
        local_login: LocalLogin,
        mails: Mails,
        sheet: CodeSheet,
        issuer: Callable[[], str],
        organisation: str,
    ) -> None:
        self._repo = repo
        self._clock = clock
        self._audit = audit
        self._settings = settings
        self._users = users
        self._passwords = passwords
        self._throttles = throttles
        self._local_login = local_login
        self._mails = mails
        self._sheet = sheet
        self._issuer = issuer
        self._organisation = organisation

    # ------------------------------------------------------------ opening and closing

    def administrators(self) -> list[User]:
        """For whom it opens: those that the setting names, or all; who has no password is of no use here."""
        return [one for one in self._named() if _of_use(one)]

    def _named(self) -> Iterable[User]:
        named = self._settings.break_glass_users
        if named:
            return [user for user in map(self._users.by_login, named) if user is not None]
        return self._users.administrators()

    def open(
        self, reason: str, *, seconds: float | None = None, usernames: Iterable[str] = (), actor: str, by: str = "cli"
    ) -> BreakGlass:
        """Raises Refused(reason_missing | invalid_ttl | break_glass_nobody | not_for_break_glass)."""
        lasts = self._settings.break_glass_seconds if seconds is None else seconds
        if not LEAST_SECONDS <= lasts <= LONGEST_SECONDS:
            raise Refused("invalid_ttl", "Break-glass opens for one minute at least, and for a day at most.")
        why = _one_line(reason)
        users = [self._useful(name) for name in usernames] or self.administrators()
        if not users:
            raise Refused(
                "break_glass_nobody",
                "There is no administrator with a password. Give one a password first: idp user password NAME "
                "--password-stdin",
                status=409,
            )
        now = self._clock()
        made = BreakGlass(ids.public_id("bg"), now, now + lasts, tuple(dict.fromkeys(one.id for one in users)), why, by)
        self._repo.insert(made)
        self._local_login.look_again()
        until, names = _moment(made.expires_at), " ".join(one.username for one in users)
        self._audit.record(
            "break_glass.opened",
            actor=actor,
            subject=made.id,
            reason=why,
            by=by,
            until=until,
            users=" ".join(made.users),
        )
        self._tell({"by": by, "names": names, "reason": why, "until": until})
        return made

    def _useful(self, name: str) -> User:
        user = self._users.by_login(name)
        allowed = self._settings.break_glass_users
        named = not allowed or (user is not None and user.id in {one.id for one in self._named()})
        if user is None or not _of_use(user) or not named:
            raise Refused(
                "not_for_break_glass",
                f"{name[:100]} is no administrator for whom break-glass opens: it takes an administrator with a password, "
                "who is named in local_login_change.break_glass_users if that is set.",
                status=409,
            )
        return user

    def close(self, *, actor: str) -> int:
        """Now, all of them; gives how many were open. What was signed in by it ends with it."""
        opened = [one for one in self._local_login.opened() if self._repo.delete(BreakGlass, one.id)]
        self._local_login.look_again()
        for one in opened:
            self._audit.record("break_glass.closed", actor=actor, subject=one.id)
        return len(opened)

    def _tell(self, values: Mapping[str, str]) -> None:
        """Every administrator: those for whom it opens, and all who should know."""
        for user in self._users.administrators():
            if not user.disabled and user.email:
                subject, text = mail(
                    language_of(user),
                    "break_glass",
                    {
                        **values,
                        "username": user.username,
                        "organisation": self._organisation,
                        "link": f"{self._issuer()}/admin/local-login",
                    },
                )
                self._mails.send(user.email, subject, text)

    # ------------------------------------------------------------ offline codes

    def new_codes(self, *, actor: str) -> tuple[str, ...]:
        """Raises Refused(changed_meanwhile)."""
        return self._sheet.new(actor=actor)

    def codes_left(self) -> int:
        return self._sheet.left()

    def come_in(self, code: str, login: str, password: str, reason: str, address: str) -> User:
        """By a code of the sheet, as an administrator with a password: uses up the code and opens local login for them. What
        was wrong is not told. Raises Refused(break_glass_refused | too_many_attempts | reason_missing)."""
        why, place = _one_line(reason), f"break-glass-from:{origin(address)}"
        self._throttles.check(place)
        found = self._sheet.live(code)
        # Whoever holds a code guesses passwords against that code; nobody without one can make its holder wait.
        key = f"break-glass-code:{found.id}" if found is not None else place
        self._throttles.check(key)
        user = self._users.by_login(login)
        good = found is not None and user is not None and user.id in {one.id for one in self.administrators()}
        matches, _ = self._passwords.verify(password, user.password_hash if user is not None and good else None)
        if user is None or found is None or not matches or not self._sheet.use_up(found):
            self._throttles.fail(place, FREE_FAILURES_OF_A_PLACE)
            if found is not None:
                self._throttles.fail(key)
            self._audit.record(
                "sign_in.failed", actor="anonymous", subject=user.id if user else "unknown", by="break-glass"
            )
            wrong = "the password, or who it is," if found is not None else "the code"
            raise Refused(
                "break_glass_refused",
                "The code, the user name or the password is not right.",
                status=401,
                reason=f"{wrong} is wrong",
            )
        self.open(why, usernames=(user.username,), actor=user.id, by="offline code")
        return user

    # ------------------------------------------------------------ showing that a way works

    def proof(self) -> BreakGlassProof | None:
        """That of a way which still works, as far as anybody can tell, the newest."""
        now = self._clock()
        ways: tuple[Way, ...] = ("cli", "codes")
        found = [one for one in (self._repo.get(BreakGlassProof, way) for way in ways) if one is not None]
        good = [one for one in found if lately(one.at, now, WAY_GOOD_SECONDS) and self._still_there(one)]
        return max(good, key=lambda one: one.at, default=None)

    def _still_there(self, proof: BreakGlassProof) -> bool:
        if proof.id != "codes":
            return True
        return proof.detail.get("sheet") == self._sheet.id and self._sheet.left() > 0

    def rehearse_code(self, code: str, *, actor: str) -> None:
        """Uses up a code of the sheet to show that the sheet at hand is the right one. Raises Refused(wrong_break_glass_code |
        too_many_attempts)."""
        key = f"break-glass-rehearsal:{actor}"
        self._throttles.check(key)
        found = self._sheet.live(code)
        if found is None or not self._sheet.use_up(found):
            self._throttles.fail(key)
            raise Refused("wrong_break_glass_code", "This is no unused code of the newest sheet.", status=401)
        self._throttles.clear(key)
        self.shown_to_work("codes", actor=actor, sheet=found.set_id)

    def word(self, *, actor: str) -> str:
        """For the shell to print: whoever can type it in at the page has both. The one before is dead."""
        text = random_text(WORD_LENGTH)
        self._keep(BreakGlassProof("word", self._clock(), actor, {"digest": self._sheet.digest(text)}))
        return in_fours(text)

    def rehearse_word(self, word: str, *, actor: str) -> None:
        """Raises Refused(wrong_break_glass_word | too_many_attempts)."""
        key = f"break-glass-rehearsal:{actor}"
        self._throttles.check(key)
        asked = self._repo.get(BreakGlassProof, "word")
        live = asked is not None and lately(asked.at, self._clock(), WORD_SECONDS)
        digest = asked.detail.get("digest", "") if asked is not None and live else ""
        # Deleting gives it to one caller only.
        if not hmac.compare_digest(digest, self._sheet.digest(word[:MAX_TYPED])) or not self._repo.delete(
            BreakGlassProof, "word"
        ):
            self._throttles.fail(key)
            raise Refused("wrong_break_glass_word", "This is not the word that the command printed last.", status=401)
        self._throttles.clear(key)
        self.shown_to_work("cli", actor=actor)

    def shown_to_work(self, way: Way, *, actor: str, **detail: str) -> None:
        self._keep(BreakGlassProof(way, self._clock(), actor, detail))
        self._audit.record("break_glass.proved", actor=actor, subject=way)

    def _keep(self, proof: BreakGlassProof) -> None:
        while True:
            before = self._repo.get(BreakGlassProof, proof.id)
            if before is not None:
                if self._repo.replace_if(replace(proof, version=before.version)) is not None:
                    return
                continue
            with suppress(Duplicate):
                self._repo.insert(proof)
                return


def _of_use(user: User) -> bool:
    return user.is_administrator and not user.disabled and bool(user.password_hash)


def _one_line(reason: str) -> str:
    text = " ".join(reason.split())[:LONGEST_REASON]
    if len(text) < 3 or not text.isprintable():
        raise Refused("reason_missing", "Say in a few words why: it stands in the audit log and in the mail to all.")
    return text


def _moment(at: float) -> str:
    return datetime.fromtimestamp(at, UTC).strftime("%Y-%m-%d %H:%M UTC")

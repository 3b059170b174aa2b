"""Why a sign-in ended as it did: making and keeping its record, and finding it by its code or by its user.

Leaves making the notes to those who decide, deciding once more to replay_sign_in, and the words to whoever shows them.
"""

import logging
from collections.abc import Iterable, Sequence
from dataclasses import replace

from idp.base import ids
from idp.base.clock import Clock
from idp.base.errors import Refused
from idp.base.log import event
from idp.domain.attempt import LoginAttempt
from idp.domain.decision import Note, Outcome, SignInRecord, fitting, made
from idp.domain.replay import redacted
from idp.domain.saml import MessageCheck
from idp.domain.upstream import UpstreamIdentity
from idp.ports import Duplicate, Repository, StoreUnavailable
from idp.services.record_audit import Budget

MOST_LISTED = 200
LONGEST_CODE = 100
TOGETHER = 10  # checks of one note: the codes of so many fit into a fact
_ASKED = {"oidc": "app", "saml": "app", "device": "device", "test": "test", "account": "own_page"}

_log = logging.getLogger("idp.records")


class SignInRecords:
    """days: how long records are kept."""

    def __init__(self, repo: Repository, clock: Clock, days: int) -> None:
        self._repo = repo
        self._clock = clock
        self._seconds = days * 86_400.0
        self._denials = Budget()

    # ---------------------------------------------------------------- making and keeping

    def of_refusal(
        self,
        code: str,
        refused: Refused,
        attempt: LoginAttempt | None,
        *,
        provider_id: str | None = None,
        notes: Sequence[Note] = (),
    ) -> SignInRecord:
        """Not stored: it goes into the store together with the trace of the same code, under the same limit. notes: those
        that are not on the attempt; attempt: None for a message that belongs to none."""
        end = made(self._clock(), "outcome", "refused", reason=refused.code, why=refused.reason)
        return self._record(code, "refused", attempt, provider_id, (*notes, end), reason=refused.code)

    def finished(self, attempt: LoginAttempt) -> str:
        """A sign-in that has come to its end, or was turned down by the person. Gives the code, empty when none is kept. Never
        fails: who has signed in is not sent back because of this."""
        # Turning a sign-in down takes no account.
        if attempt.denied and attempt.proof is None and not self._denials.take(self._clock()):
            return ""
        outcome: Outcome = "denied" if attempt.denied else "signed_in"
        notes = [] if attempt.denied else _how(attempt, self._clock())
        return self._keep(attempt, outcome, notes)

    def linked(self, attempt: LoginAttempt) -> str:
        """A signed-in user has joined one more login. Gives the code. Never fails."""
        return self._keep(attempt, "linked", ())

    def released(self, attempt_id: str, app_id: str, names: Iterable[str]) -> None:
        """An app was told these claims (their names) after that sign-in. Never fails."""
        try:
            while (found := self.get(ids.derived_code(attempt_id))) is not None:
                note = made(self._clock(), "released", "claims", app=app_id, names=sorted(names))
                if self._repo.replace_if(replace(found, notes=fitting((*found.notes, note)))) is not None:
                    return
        except StoreUnavailable:
            event(_log, "record_not_stored", logging.WARNING, app=app_id)

    def _keep(self, attempt: LoginAttempt, outcome: Outcome, notes: Sequence[Note]) -> str:
        code = ids.derived_code(attempt.id)
        end = made(self._clock(), "outcome", outcome)
        try:
            self._repo.insert(self._record(code, outcome, attempt, None, (*notes, end)))
        except Duplicate:
            pass  # an attempt ends once
        except StoreUnavailable:
            event(_log, "record_not_stored", logging.WARNING, code=code)
        return code

    def _record(
        self,
        code: str,
        outcome: Outcome,
        attempt: LoginAttempt | None,
        provider_id: str | None,
        notes: Sequence[Note],
        *,
        reason: str = "",
    ) -> SignInRecord:
        now = self._clock()
        told = (*(attempt.notes if attempt else ()), *notes)
        record = SignInRecord(
            ids.ordered_id("si", now), code, now, now + self._seconds, "account", outcome, reason, notes=told
        )
        if attempt is None:
            return replace(record, provider_id=provider_id, notes=fitting(told))
        # A login that waited for its owner is what was decided about; whatever came later proved the owner.
        waited = attempt.waiting if outcome != "refused" or attempt.said is None else None
        said = waited or attempt.said
        return replace(
            record,
            front_door=attempt.front_door,
            user_id=_user_of(attempt, told),
            provider_id=provider_id or _provider_of(attempt),
            app_id=attempt.app_id,
            app_name=attempt.app_name,
            notes=fitting((_asked(attempt), *told)),
            identity=redacted(said) if said is not None else {},
            owner_id=None if waited is not None or said == attempt.waiting else attempt.owner_id,
            invitation=attempt.invitation,
        )

    # ---------------------------------------------------------------- finding

    def get(self, code: str) -> SignInRecord | None:
        wanted = canonical(code)
        found = self._repo.find(SignInRecord, code=wanted, limit=1) if wanted else []
        return found[0] if found else None

    def of_user(self, user_id: str, limit: int = 20) -> list[SignInRecord]:
        """The newest first; those that were refused too, when it was known whose they were."""
        return self._repo.find(SignInRecord, user_id=user_id, newest=True, limit=min(limit, MOST_LISTED))

    def newest(self, limit: int = 50, *, outcome: Outcome | None = None) -> list[SignInRecord]:
        where = {"outcome": outcome} if outcome is not None else {}
        return self._repo.find(SignInRecord, newest=True, limit=min(limit, MOST_LISTED), **where)


def canonical(code: str) -> str:
    """As it is stored: people copy it with blanks and dashes, and read O for 0 and I or L for 1. Empty for what is no code."""
    text = "".join(code[:LONGEST_CODE].upper().split()).replace("-", "")
    return text.translate(_READ_AS) if text.isascii() and text.isalnum() else ""


_READ_AS = str.maketrans("OIL", "011")


def of_checks(checks: Iterable[MessageCheck], at: float, *, saml: bool) -> list[Note]:
    """The checks of one message, in their order. Those that passed in a row, and had nothing to say, are one note with all
    their codes: it is stored with every sign-in. The words for checks of SAML are others."""
    step, notes, codes = "saml_check" if saml else "check", list[Note](), list[str]()

    def passed() -> None:
        for start in range(0, len(codes), TOGETHER):
            notes.append(made(at, step, "passed", codes=codes[start : start + TOGETHER]))
        codes.clear()

    for one in checks:
        if one.ok and not one.detail:
            codes.append(one.code)
            continue
        passed()
        notes.append(made(at, step, "passed" if one.ok else "failed", code=one.code, detail=one.detail or None))
    passed()
    return notes


def of_identity(identity: UpstreamIdentity, at: float) -> Note:
    return made(
        at,
        "identity",
        "read",
        upstream=identity.provider_id,
        issuer=identity.issuer,
        subject=identity.subject,
        email=identity.email or "-",
        email_verified=identity.email_verified,
        groups=len(identity.groups) or None,
        amr=identity.amr or None,
        acr=identity.acr,
    )


def _asked(attempt: LoginAttempt) -> Note:
    wants = attempt.wants
    return made(
        attempt.created_at,
        "asked",
        "link" if attempt.linking else _ASKED[attempt.front_door],
        app=attempt.app_name or attempt.app_id or None,
        by={"oidc": "OpenID Connect", "saml": "SAML"}.get(attempt.front_door),
        again=True if wants.force else None,
        max_age=None if wants.max_age is None else int(wants.max_age),
        second_factor=True if wants.second_factor else None,
        only=wants.upstreams,
    )


def _how(attempt: LoginAttempt, at: float) -> list[Note]:
    """By which proof it ended, and what became of the second step, where nobody has noted that."""
    proof = attempt.proof
    if proof is None:
        return []
    made_so_far = {note.step for note in attempt.notes}
    found = []
    if "factor" not in made_so_far:
        found.append(made(at, "factor", "not_needed" if proof.factor_at is None else "proved", amr=proof.amr))
    if "session" not in made_so_far:
        found.append(made(at, "session", "made" if proof.session_id is None else "used", amr=proof.amr))
    return found


def _user_of(attempt: LoginAttempt, notes: Sequence[Note]) -> str | None:
    """Whose it is: who was proved, else whoever a note names."""
    if attempt.proof is not None:
        return attempt.proof.user_id
    named = (note.facts["user"] for note in reversed(notes) if note.facts.get("user"))
    return attempt.owner_id or next(named, None)


def _provider_of(attempt: LoginAttempt) -> str | None:
    if attempt.said is not None:
        return attempt.said.provider_id
    return attempt.proof.provider_id if attempt.proof is not None else None

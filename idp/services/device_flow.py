"""Sign-in on a device without a browser (RFC 8628): the code that the person types elsewhere, the approval, the polling.

The approval is that of a person who has just signed in and was shown what is asked and the code. Leaves the sign-in to
sign_in, the pages and the protocol to the OIDC door, and grants to issue_grant.
"""

import secrets
from collections.abc import Mapping
from dataclasses import replace

from idp.base import ids
from idp.base.clock import Clock
from idp.base.errors import Refused
from idp.base.sections import Oidc
from idp.domain.device_code import CODE_LENGTH, INTERVAL_SECONDS, LETTERS, LONGEST_INTERVAL, canonical, polled_too_soon
from idp.domain.grant import DeviceAuthorization
from idp.domain.narrowing import Details, narrowed
from idp.domain.relying import Client
from idp.domain.session import Session
from idp.domain.user import User
from idp.ports import Duplicate, Repository
from idp.services.issue_grant import (
    REMEMBER_CODE_SECONDS,
    Allowed,
    Issued,
    IssueGrant,
    as_registered,
    invalid_grant,
    must_prove,
    narrowed_audiences,
)
from idp.services.record_audit import Audit
from idp.services.sessions import Sessions
from idp.services.throttle import Throttles, origin

USER_FREE_FAILURES = 10
BROWSER_FREE_FAILURES = 10
ADDRESS_FREE_FAILURES = 50  # a whole office may stand behind one


class DeviceFlow:
    def __init__(
        self,
        repo: Repository,
        clock: Clock,
        *,
        issue: IssueGrant,
        sessions: Sessions,
        throttles: Throttles,
        audit: Audit,
        settings: Oidc,
    ) -> None:
        self._repo = repo
        self._clock = clock
        self._issue = issue
        self._sessions = sessions
        self._throttles = throttles
        self._audit = audit
        self._settings = settings

    # ---------------------------------------------------------------- the device begins

    def begin(
        self,
        client: Client,
        scopes: tuple[str, ...],
        audiences: tuple[str, ...],
        confirmation: Mapping[str, str] | None = None,
        details: Details = (),
    ) -> tuple[str, DeviceAuthorization]:
        """A device code, for the device alone, and what belongs to it. confirmation: the key that polling must prove."""
        now = self._clock()
        while True:
            code = ids.secret()
            begun = DeviceAuthorization(
                id=ids.digest(code),
                user_code="".join(secrets.choice(LETTERS) for _ in range(CODE_LENGTH)),
                client_id=client.id,
                scopes=scopes,
                audiences=audiences,
                created_at=now,
                ends_at=now + self._settings.device_code_seconds,
                # Remembered for longer, so that the device hears `expired_token` and a second use still revokes.
                expires_at=now + self._settings.device_code_seconds + REMEMBER_CODE_SECONDS,
                interval=INTERVAL_SECONDS,
                confirmation=dict(confirmation or {}),
                details=details,
            )
            try:
                self._repo.insert(begun)
            except Duplicate:
                continue
            return code, begun

    # ---------------------------------------------------------------- the person answers

    def typed(self, user_code: str, *, address: str, browser: str, user: User | None) -> DeviceAuthorization:
        """The request behind a code that somebody has typed. Guessing is slowed down, whoever tries.

        Raises Refused(wrong_user_code | too_many_attempts).
        """
        limits = {
            f"device-from:{origin(address)}": ADDRESS_FREE_FAILURES,
            f"device-browser:{browser}": BROWSER_FREE_FAILURES,
            **({f"device-user:{user.id}": USER_FREE_FAILURES} if user is not None else {}),
        }
        self._throttles.check(*limits)
        code = canonical(user_code)
        found = self._repo.find(DeviceAuthorization, user_code=code) if code is not None else []
        waiting = next((one for one in found if self._waits(one)), None)
        if waiting is None:
            for key, free in limits.items():
                self._throttles.fail(key, free)
            raise Refused(
                "wrong_user_code",
                "No device waits for this code. Check it on the device; it may have a new one.",
                reason="malformed" if code is None else "used or expired" if found else "unknown",
            )
        return waiting

    def waiting(self, id: str) -> DeviceAuthorization:
        """Raises Refused(device_not_waiting)."""
        found = self._repo.get(DeviceAuthorization, id)
        if found is None or not self._waits(found):
            raise _not_waiting()
        return found

    def _waits(self, one: DeviceAuthorization) -> bool:
        return one.state == "pending" and one.consumed_at is None and self._clock() < one.ends_at

    def approve(self, id: str, client: Client, user: User, session: Session) -> None:
        """From now on the device gets its tokens. Raises Refused(device_not_waiting)."""
        while True:
            waiting = self.waiting(id)
            allowed = Allowed(
                waiting.scopes, waiting.audiences, confirmation=waiting.confirmation, details=waiting.details
            )
            grant = self._issue.drawn_up(client, user, session, allowed, wait=waiting.ends_at - self._clock())
            if self._repo.replace_if(replace(waiting, state="approved", grant=grant)) is not None:
                break  # else the device polled in between
        self._sessions.used_by(session, client.id)
        self._audit.record("device.approved", actor=user.id, subject=user.id, app=client.id, grant=grant.id)

    def deny(self, id: str, user: User | None) -> None:
        """Does nothing when it does not wait any more."""
        while True:
            found = self._repo.get(DeviceAuthorization, id)
            if found is None or not self._waits(found):
                return
            if self._repo.replace_if(replace(found, state="denied")) is not None:
                break
        who = user.id if user is not None else "anonymous"
        self._audit.record("device.denied", actor=who, subject=who, app=found.client_id)

    # ---------------------------------------------------------------- the device polls

    def poll(
        self,
        client: Client,
        device_code: str,
        *,
        audiences: tuple[str, ...] = (),
        confirmation: Mapping[str, str] | None = None,
        details: Details = (),
    ) -> Issued:
        """What was approved, for exactly one caller (RFC 8628 3.4, 3.5).

        Raises Refused(authorization_pending | slow_down | access_denied | expired_token | invalid_grant | invalid_target |
        invalid_authorization_details).
        """
        found = self._repo.get(DeviceAuthorization, ids.digest(device_code))
        if found is None or found.client_id != client.id:
            raise invalid_grant("unknown device code" if found is None else "it belongs to another client")
        if found.created_at < client.created_at:
            raise invalid_grant("it was issued to an earlier client of the same id")
        must_prove(found.confirmation, confirmation)
        if found.consumed_at is None and self._clock() >= found.ends_at:
            raise _said("expired_token", "The device code has expired. Begin anew.")
        if found.state == "denied":
            raise _said("access_denied", "The person declined.")
        if found.state == "pending" or found.grant is None:
            raise self._not_yet(found)
        grant = as_registered(client, found.grant)
        chosen = narrowed_audiences(audiences, grant.audiences)
        kept = narrowed(details, grant.details)
        user = self._issue.good_for(client, grant)
        return self._issue.collected(found, client, grant, user, chosen, confirmation, kept)

    def _not_yet(self, found: DeviceAuthorization) -> Refused:
        """Each poll is remembered; who comes too soon waits five seconds longer from then on (RFC 8628 3.5)."""
        now = self._clock()
        soon = polled_too_soon(found, now)
        longer = min(found.interval + INTERVAL_SECONDS, LONGEST_INTERVAL) if soon else found.interval
        if self._repo.replace_if(replace(found, polled_at=now, interval=longer)) is None:
            # Another poll, or the answer of the person, at this very moment.
            return _said("slow_down", "Poll less often.")
        if soon:
            return _said("slow_down", f"Wait {longer:.0f} seconds between two requests.")
        return _said("authorization_pending", "The person has not answered yet. Ask again.")


def _said(code: str, message: str) -> Refused:
    return Refused(code, message)


def _not_waiting() -> Refused:
    return Refused(
        "device_not_waiting", "This device does not wait any more. Begin anew there and type its new code.", status=410
    )

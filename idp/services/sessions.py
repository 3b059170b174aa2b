"""Sessions: made only by finishing a sign-in or the set-up, found by the digest of the browser's handle, ended in one place.

Ending a session also revokes the grants that were issued from it, those for offline use apart, and leaves a note to every
app that wants to know (logout). Leaves cookies to idp.http.browser.
"""

from dataclasses import replace

from idp.base import ids
from idp.base.clock import Clock
from idp.base.sections import SignIn as SignInSettings
from idp.domain.attempt import Proof, outdated
from idp.domain.grant import Grant
from idp.domain.session import PWD, Session
from idp.domain.upstream import LOCAL
from idp.domain.user import User
from idp.ports import Repository
from idp.services.local_login import LocalLogin
from idp.services.logout import Logout
from idp.services.record_audit import Audit

TOUCH_SECONDS = 60.0
MANY = 100_000  # of one person: whoever has come by a password could make more than a page of them


class Sessions:
    """logout: None only where no session is ever ended; local_login: only where it cannot be turned off."""

    def __init__(
        self,
        repo: Repository,
        clock: Clock,
        audit: Audit,
        settings: SignInSettings,
        logout: Logout | None = None,
        local_login: LocalLogin | None = None,
    ) -> None:
        self._repo = repo
        self._clock = clock
        self._audit = audit
        self._settings = settings
        self._logout = logout
        self._local_login = local_login

    def load(self, handle: str) -> tuple[Session, User] | None:
        """The live session behind a cookie and its user; None when ended, idle for too long, or the user is disabled."""
        session = self._repo.get(Session, ids.digest(handle))
        if session is None or self._clock() - session.last_seen_at > self._settings.idle_seconds:
            return None
        user = self._repo.get(User, session.user_id)
        # Looked at although a changed password ends all sessions: one may just have been made, or that been cut off.
        if user is None or not self.stands(session, user):
            return None
        return self._touched(session), user

    def stands(self, session: Session | Proof, user: User) -> bool:
        """Is it still good? One by password is not while local login is off for the user."""
        if user.disabled or outdated(session, user):
            return False
        return session.provider_id is not None or self._local_login is None or self._local_login.still_allows(user)

    def grant_stands(self, grant: Grant, user: User) -> bool:
        """One that came of a password is not, once local login is off for good: also when its session ended long before,
        or nobody has ended it yet."""
        if PWD not in grant.amr or grant.way != LOCAL or self._local_login is None:
            return True
        return self._local_login.grants_stand(user)

    def left_behind(self, handle: str) -> Session | None:
        """The session behind a cookie, also when it was not used for too long: what hangs on it is not over by that."""
        return self._repo.get(Session, ids.digest(handle))

    def _touched(self, session: Session) -> Session:
        now = self._clock()
        if now - session.last_seen_at < TOUCH_SECONDS:
            return session
        return self._repo.replace_if(replace(session, last_seen_at=now)) or session

    def by_sid(self, sid: str) -> Session | None:
        found = self._repo.find(Session, sid=sid)
        return max(found, key=lambda session: session.last_seen_at, default=None)

    def establish(self, proof: Proof, before: Session | None, user_agent: str) -> tuple[Session, str]:
        """A session for what was proved, and its new handle. The handle changes at every proof (no fixation); the public
        sid stays while the same person signs in again, so that grants keep hanging on it."""
        now = self._clock()
        handle = ids.secret()
        same = before is not None and before.user_id == proof.user_id
        session = Session(
            id=ids.digest(handle),
            sid=before.sid if before is not None and same else ids.public_id("sid"),
            user_id=proof.user_id,
            created_at=before.created_at if before is not None and same else now,
            expires_at=now + self._settings.session_seconds,
            last_seen_at=now,
            auth_time=proof.auth_time,
            amr=proof.amr,
            factor_at=proof.factor_at,
            provider_id=proof.provider_id,
            user_agent=user_agent[:200],
            apps=before.apps if before is not None and same else (),
            proved_at=proof.proved_at,
        )
        # The new one first: what hangs on the sid must not find the session gone for a moment.
        self._repo.insert(session)
        if before is not None and same:
            self._repo.delete(Session, before.id)
        elif before is not None:
            self.end(before, actor=before.user_id)
        return session, handle

    def used_by(self, session: Session, client_id: str) -> None:
        """An app is about to be sent a code in this session. One write an app and session, not one a sign-in."""
        found: Session | None = session
        while found is not None and client_id not in found.apps:
            if self._repo.replace_if(replace(found, apps=(*found.apps, client_id))) is not None:
                return
            found = self.by_sid(session.sid)  # touched, proved anew or ended meanwhile

    def end(
        self, session: Session, *, actor: str, besides: str = "", here: bool = False, offline: bool = False
    ) -> tuple[str, ...]:
        """Gives the ids of the apps that this session signed in to. One that has not collected its tokens yet counts: it
        may do so at this very moment. besides, here: as in Logout.note. offline: grants for offline use end as well."""
        grants = self._repo.find(Grant, limit=MANY, session_sid=session.sid)
        apps = tuple(dict.fromkeys([*session.apps, *(grant.client_id for grant in grants)]))
        # The notes first: if we are cut off here, apps hear of an end that the person wanted; the other way round never.
        known = self._logout.known_to(session.sid) if self._logout is not None else frozenset()
        notes = self._logout.note(session, apps, besides=besides, here=here) if self._logout is not None else []
        ended = self._repo.delete_where(Session, sid=session.sid)
        if self._logout is not None and self._logout.known_to(session.sid) != known:
            # One joined at this very moment. Who joins later than this finds that the session is gone (door.answer).
            notes += self._logout.note(session, apps, besides=besides, here=here)
        self._revoke([grant for grant in grants if offline or not grant.offline])
        if ended:
            self._audit.record("session.ended", actor=actor, subject=session.user_id, sid=session.sid)
        if self._logout is not None:
            self._logout.hurry(notes)
        return apps

    def end_all(self, user_id: str, *, actor: str) -> None:
        """Every session and every grant of the user, those for offline use too."""
        for session in self._repo.find(Session, limit=MANY, user_id=user_id):
            self.end(session, actor=actor)
        self.revoke_grants(user_id=user_id)

    def end_by(self, user_id: str, provider_id: str, *, actor: str, besides: str = "") -> None:
        """Those of the user that came by this upstream, and every grant that came of one. besides: sid of one that goes on."""
        for session in self._repo.find(Session, limit=MANY, user_id=user_id):
            if session.provider_id == provider_id and session.sid != besides:
                self.end(session, actor=actor, offline=True)
        grants = self._repo.find(Grant, limit=MANY, user_id=user_id)
        self._revoke([one for one in grants if one.way == provider_id and one.session_sid != (besides or None)])

    def revoke_grants(self, *, session_sid: str | None = None, user_id: str | None = None) -> None:
        """Those that hang on a session (not the ones for offline use, they outlive it), or all of a user."""
        where = {"session_sid": session_sid} if session_sid is not None else {"user_id": user_id}
        found = self._repo.find(Grant, limit=MANY, **where)
        self._revoke([grant for grant in found if session_sid is None or not grant.offline])

    def _revoke(self, grants: list[Grant]) -> None:
        for found in grants:
            grant: Grant | None = found
            while grant is not None and grant.revoked_at is None:
                if self._repo.replace_if(replace(grant, revoked_at=self._clock())) is not None:
                    break
                grant = self._repo.get(Grant, grant.id)  # a refresh came between: revoke what it left

    def of(self, user_id: str) -> list[Session]:
        """Live sessions, the one seen last first."""
        found = self._repo.find(Session, limit=MANY, user_id=user_id)
        return sorted(found, key=lambda session: -session.last_seen_at)

"""First run: the one-time set-up link and the first administrator. Leaves the three screens to idp.web.setup_pages."""

from dataclasses import replace

from idp.base import ids
from idp.base.clock import Clock
from idp.base.errors import Refused
from idp.domain.audit_event import SetupLink
from idp.domain.factor import ConfirmedTotp, RecoveryCode
from idp.domain.user import User
from idp.ports import Duplicate, Repository
from idp.services.manage_users import Users
from idp.services.record_audit import Audit

LINK_SECONDS = 86_400.0


class SetUp:
    def __init__(self, repo: Repository, clock: Clock, users: Users, audit: Audit) -> None:
        self._repo = repo
        self._clock = clock
        self._users = users
        self._audit = audit

    @property
    def open(self) -> bool:
        """Is there still nobody who could sign in as administrator?"""
        return not self._users.there_is_an_administrator

    def fresh_link(self) -> str:
        """A new token; the link made before dies. Raises Refused(already_set_up)."""
        if not self.open:
            raise Refused("already_set_up", "This installation is set up: it has an administrator.", status=409)
        now = self._clock()
        token = ids.secret()
        for old in self._repo.find(SetupLink, slot="setup"):
            self._forget_unfinished(old)
        while True:
            self._repo.delete_where(SetupLink, slot="setup")
            try:
                self._repo.insert(SetupLink(ids.digest(token), now, now + LINK_SECONDS))
                break
            except Duplicate:
                continue
        self._audit.record("setup.link_made", actor="cli", subject="setup")
        return token

    def _forget_unfinished(self, link: SetupLink) -> None:
        """The user whom an abandoned set-up left behind: nobody may find that name taken, or that password set."""
        if link.user_id is not None:
            for kind in (ConfirmedTotp, User):
                self._repo.delete(kind, link.user_id)
            self._repo.delete_where(RecoveryCode, user_id=link.user_id)

    def claim(self, token: str, browser: str | None) -> SetupLink:
        """The live link, for the browser (digest of its cookie) that did the first screen.

        Raises Refused(setup_link_dead | already_set_up | setup_other_browser).
        """
        if not self.open:
            raise Refused("already_set_up", "This installation is set up. Sign in instead.", status=410)
        link = self.link(token)
        if link.user_id is None or (browser is not None and link.browser == browser):
            return link
        if link.browser is None and browser is not None:
            return self._change(link, browser=browser)
        raise Refused("setup_other_browser", "The set-up was begun in another browser. Go on there.", status=403)

    def address_chosen(self, link: SetupLink, *, moved: bool) -> SetupLink:
        """Screen two. moved: people go on at another address, where this browser has no cookie yet and binds anew."""
        return self._change(link, address_done=True, browser=None if moved else link.browser)

    def _change(self, link: SetupLink, **values: object) -> SetupLink:
        stored = self._repo.replace_if(replace(link, **values))  # type: ignore[arg-type]
        if stored is None:
            raise Refused("setup_moved_on", "The set-up went on in another tab. Go on there.", status=409)
        return stored

    def link(self, token: str) -> SetupLink:
        """Raises Refused(setup_link_dead)."""
        link = self._repo.get(SetupLink, ids.digest(token)) if token else None
        if link is None or link.consumed_at is not None or not self.open:
            raise Refused(
                "setup_link_dead",
                "This set-up link is no longer good. Print a fresh one on the server with: idp setup-link",
                status=410,
            )
        return link

    def first_administrator(
        self, link: SetupLink, *, username: str, email: str, name: str, password: str, browser: str | None = None
    ) -> User:
        """Screen one; from here on only this browser goes on. The user is no administrator until screen three has proved
        a second factor.

        Raises Refused(setup_moved_on | username_taken | …).
        """
        if link.user_id is not None:
            raise Refused("setup_moved_on", "This screen is already done. Go on with the next one.", status=409)
        # Whoever holds the set-up link runs the machine: their word about their own address is as good as any mail to it.
        user = self._users.add(
            username, email=email, name=name, administrator=False, password=password, email_verified=True, actor="setup"
        )
        if self._repo.replace_if(replace(link, user_id=user.id, browser=browser)) is None:
            self._repo.delete(User, user.id)
            raise Refused("setup_moved_on", "The set-up went on in another tab. Go on there.", status=409)
        return user

    def complete(self, link: SetupLink) -> User:
        """Screen three has proved the second factor: the user becomes administrator and the link dies.

        Raises Refused(setup_link_dead).
        """
        user = self._users.get(link.user_id or "")
        if user is None or self._repo.consume(SetupLink, link.id) is None:
            raise Refused("setup_link_dead", "This set-up link is no longer good. Print a fresh one.", status=410)
        administrator = self._users.make_administrator(user, actor="setup")
        self._audit.record("setup.completed", actor=user.id, subject=user.id)
        return administrator

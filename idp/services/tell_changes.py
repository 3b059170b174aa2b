"""Tells the owner by mail that the logins of their account have changed, with a link that undoes it.

Only an address that counts as verified is told. Leaves the words to mail_words, and delivering to idp.services.mails.
"""

from collections.abc import Callable, Mapping, Sequence

from idp.base.errors import Refused
from idp.domain.link_change import LinkChange, What
from idp.domain.upstream import FederatedLogin, UpstreamProvider
from idp.domain.user import User, email_key
from idp.ports import Repository
from idp.services.mail_words import language_of, mail, words
from idp.services.mails import Mails


class TellChanges:
    """issuer, organisation: for the links, and for who writes."""

    def __init__(self, repo: Repository, mails: Mails, *, issuer: Callable[[], str], organisation: str) -> None:
        self._repo = repo
        self._mails = mails
        self._issuer = issuer
        self._organisation = organisation

    def reaches(self, user: User) -> bool:
        return self._mails.works and bool(user.email) and user.email_verified

    def may_undo_by_mail(self, what: What, user: User, login: FederatedLogin) -> bool:
        """Undoing what took a login away gives it back. Not by a link in the very mailbox that came with that login: whoever
        was shut out by taking it off may well read it."""
        return what == "linked" or not _same(user.email, login.email)

    def of_login(self, change: LinkChange, user: User, login: FederatedLogin, token: str | None) -> None:
        self._send(change.what, user, token, login=self._named(login))

    def of_merge(self, kept: User, gone: User, token: str | None) -> None:
        names = {"kept": kept.username, "gone": gone.username}
        self._send("merged", kept, token, **names)
        if not _same(kept.email, gone.email):
            self._send("merged", gone, token, **names)

    def of_split(self, user: User, logins: Sequence[FederatedLogin], token: str | None) -> None:
        self._send("split", user, token, login=", ".join(self._named(one) for one in logins))

    def of_undoing(self, change: LinkChange, user: User) -> None:
        language = language_of(user)
        self._send("undone", user, None, what=words(language, f"mail.what_{change.what}", {}))

    def _send(self, name: str, user: User, token: str | None, **values: object) -> None:
        if not self.reaches(user):
            return
        language = language_of(user)
        issuer = self._issuer()
        known: Mapping[str, object] = {
            "organisation": self._organisation,
            "username": user.username,
            "account": f"{issuer}/account",
            **values,
        }
        subject, text = mail(language, name, known)
        if name != "undone":
            way = ("undo", {"link": f"{issuer}/undo/{token}"}) if token is not None else ("undo_account", known)
            text += "\n" + words(language, f"mail.{way[0]}", way[1]) + "\n"
        self._mails.send(str(user.email), subject, text)

    def _named(self, login: FederatedLogin) -> str:
        provider = self._repo.get(UpstreamProvider, login.provider_id)
        label = provider.label if provider is not None else login.provider_id
        # An address only if it is one: what an upstream says must not become advice in a mail of ours.
        return f"{label} ({login.email})" if _key(login.email) else label


def _same(one: str | None, other: str | None) -> bool:
    return _key(one) != "" and _key(one) == _key(other)


def _key(address: str | None) -> str:
    try:
        return email_key(address or "")
    except Refused:
        return ""

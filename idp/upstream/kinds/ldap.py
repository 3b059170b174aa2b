"""Upstream kind `ldap`: OpenLDAP, Active Directory and others that hold passwords and groups (RFC 4511, RFC 4513).

Owns whom a name and a password are, and which groups. The password goes to the directory and nowhere else. Leaves the page to
the doors, counting failures to idp.services.prove_directory, messages and filters to idp.upstream.ldap.
"""

import secrets
import time
import unicodedata
import uuid
from collections.abc import Iterator
from contextlib import contextmanager

from idp.base.errors import Refused
from idp.domain.checks import Checks
from idp.domain.upstream import UpstreamIdentity, UpstreamProvider
from idp.ports import Tools
from idp.upstream import person
from idp.upstream.checking import checking
from idp.upstream.ldap import filters, messages
from idp.upstream.ldap.connection import Connection
from idp.upstream.ldap.messages import BASE, SUBTREE, SUCCESS, Entry, Result
from idp.upstream.ldap.settings import Settings as LdapSettings
from idp.upstream.ldap.settings import trust
from idp.upstream.refusals import answer_invalid, misconfigured, said, unreachable

MAX_LOGIN, MAX_PASSWORD, MAX_SUBJECT = 320, 1024, 255
PAUSE_SECONDS = 5.0
# Named one by one: with `*` a directory might send passwords, too.
ALWAYS_ASKED = (
    "cn", "displayName", "givenName", "sn", "mail", "uid", "sAMAccountName", "userPrincipalName", "title", "department",
    "o", "ou", "l", "c", "telephoneNumber", "employeeNumber", "employeeType", "preferredLanguage",
)  # fmt: skip


class Settings(LdapSettings):
    """Nothing of its own."""


class Kind:
    label = "LDAP"
    asks_password = True

    def __init__(self, settings: Settings, tools: Tools) -> None:
        self._settings = settings
        self._policy = tools.policy
        self._clock = tools.clock
        self._trust = trust(settings.ca_certificates)
        self._failed: tuple[float, str] | None = None

    def prove(
        self, provider: UpstreamProvider, login: str, password: str, checks: Checks | None = None
    ) -> UpstreamIdentity:
        """Raises Refused(wrong_credentials | upstream_unreachable | upstream_misconfigured | upstream_answer_invalid)."""
        login = self.typed(login)
        # An empty password is what many directories take for a bind as nobody, and say yes to (RFC 4513 5.1.2).
        if not (_usable(login, MAX_LOGIN) and _usable(password, MAX_PASSWORD)):
            raise _wrong("the name or the password is empty, too long or not plain text")
        until = time.monotonic() + self._policy.timeout
        with self._while_it_answers(), checking(checks, "connection"):
            connection = self._connect(until)
        with connection:
            with self._while_it_answers():
                entry = self._proved(provider, connection, login, password, checks)
            # Not counted as above: how long this takes depends on the person.
            groups = self._groups(connection, entry, checks)
        with checking(checks, "person"):
            return self._identity(provider, entry, groups)

    def typed(self, login: str) -> str:
        """Failures are counted by this: what is cut off here would make as many names of one."""
        typed = login.strip()
        if self._settings.preset == "active_directory":
            typed = typed.rpartition("\\")[2]  # DOMAIN\name
        return typed

    # ---------------------------------------------------------------- the way there

    @contextmanager
    def _while_it_answers(self) -> Iterator[None]:
        """Who comes right after somebody whom the directory did not answer is told at once."""
        failed = self._failed
        if failed is not None and 0 <= time.monotonic() - failed[0] < PAUSE_SECONDS:
            raise unreachable(f"{failed[1]} (a moment ago)")
        try:
            yield
        except Refused as refused:
            if refused.code == "upstream_unreachable":
                self._failed = (time.monotonic(), refused.reason)
            raise

    def _connect(self, until: float) -> Connection:
        """To the first server that answers; each gets its share of the time."""
        places = self._settings.places()
        for waiting in range(len(places), 0, -1):
            now = time.monotonic()
            share = now + max(0.0, until - now) / waiting
            try:
                return Connection(places[-waiting], self._trust, self._policy, until=until, open_until=share)
            except Refused as refused:
                if refused.code != "upstream_unreachable" or waiting == 1:
                    raise
        raise unreachable("there is no server")

    # ---------------------------------------------------------------- whose password

    def _proved(
        self, provider: UpstreamProvider, connection: Connection, login: str, password: str, checks: Checks | None
    ) -> Entry:
        asked = self._asked(provider)
        if self._settings.bind_template:
            return self._as_themselves(connection, login, password, asked, checks)
        with checking(checks, "bind"):
            self._bind_as_ourselves(connection)
        with checking(checks, "search"):
            entry = self._found(connection, self._settings.base_dn, SUBTREE, {"login": login}, asked)
        with checking(checks, "password"):
            if entry is None:
                # Asked all the same, so that it takes as long.
                connection.bind(f"cn=nobody,{self._settings.base_dn}", secrets.token_hex())
                raise _wrong("there is no entry, or more than one, for this name")
            self._bind_as(connection, entry.dn, password)
        if self._settings.groups_from == "search":
            with checking(checks, "bind"):
                self._bind_as_ourselves(connection)
        return entry

    def _as_themselves(
        self, connection: Connection, login: str, password: str, asked: tuple[str, ...], checks: Checks | None
    ) -> Entry:
        template = self._settings.bind_template
        by_dn = "=" in template
        name = filters.name(template, {"login": login}) if by_dn else template.replace("{login}", login)
        with checking(checks, "password"):
            self._bind_as(connection, name, password)
        with checking(checks, "search"):
            # The entry of who was just proved, and not another one that goes by the same name.
            if by_dn:
                entry = self._found(connection, name, BASE, {"login": login}, asked)
            else:
                entry = self._found(
                    connection, self._settings.base_dn, SUBTREE, {"login": login}, asked, principal=name
                )
            if entry is None:
                raise _wrong("there is no entry, or more than one, for this name")
        return entry

    def _bind_as_ourselves(self, connection: Connection) -> None:
        given = self._settings
        done = connection.bind(given.bind_dn, given.bind_password.get_secret_value())
        if done.code != SUCCESS:
            raise _failed(done, "the bind of bind_dn")

    def _bind_as(self, connection: Connection, name: str, password: str) -> None:
        done = connection.bind(name, password)
        if done.code in messages.NO_ENTRY:
            raise _wrong(f"the directory says {done.code}: {said(done.told)}")
        if done.code != SUCCESS:
            raise _failed(done, "the bind")

    def _found(
        self,
        connection: Connection,
        base: str,
        scope: int,
        values: dict[str, str],
        asked: tuple[str, ...],
        principal: str = "",
    ) -> Entry | None:
        """None when it is not exactly one."""
        template = self._settings.usual("user_filter")
        if principal:
            template, values = f"(&(userPrincipalName={{principal}}){template})", {**values, "principal": principal}
        found, done = connection.search(base, scope, filters.encoded(template, values), asked, most=2)
        if done.code not in (SUCCESS, messages.SIZE_LIMIT) and not (
            scope == BASE and done.code == messages.NO_SUCH_OBJECT
        ):
            raise _failed(done, "the search for the person")
        # A bind without a name is one as nobody.
        return found[0] if len(found) == 1 and done.code == SUCCESS and found[0].dn else None

    # ---------------------------------------------------------------- what it says of them

    def _asked(self, provider: UpstreamProvider) -> tuple[str, ...]:
        given = self._settings
        own = [given.usual(f"{name}_attribute") for name in ("subject", "username", "email", "name")]
        groups = [given.groups_attribute] if given.groups_from == "attribute" else []
        return tuple(dict.fromkeys((*own, *groups, *provider.claim_map.values(), *ALWAYS_ASKED)))

    def _groups(self, connection: Connection, entry: Entry, checks: Checks | None) -> tuple[str, ...]:
        given = self._settings
        if given.groups_from == "none":
            return ()
        if given.groups_from == "attribute":
            return person.groups(_texts(entry, given.groups_attribute))
        username = next(iter(_texts(entry, given.usual("username_attribute"))), "")
        values = {"dn": entry.dn, "username": username}
        wanted = given.usual("group_name_attribute")
        with checking(checks, "groups"):
            found, done = connection.search(
                given.group_base_dn or given.base_dn,
                SUBTREE,
                filters.encoded(given.usual("group_filter"), values),
                (wanted if wanted != "dn" else "1.1",),
                most=person.MAX_GROUPS,
            )
            if done.code not in (SUCCESS, messages.SIZE_LIMIT):
                raise _failed(done, "the search for groups")
        names = [one.dn if wanted == "dn" else next(iter(_texts(one, wanted)), "") for one in found]
        return person.groups(names)

    def _identity(self, provider: UpstreamProvider, entry: Entry, groups: tuple[str, ...]) -> UpstreamIdentity:
        given = self._settings
        first = {
            name: next(iter(_texts(entry, given.usual(f"{name}_attribute"))), None)
            for name in ("username", "email", "name")
        }
        email, verified = person.email({"email": first["email"], "email_verified": given.email_trusted})
        told = {name: _texts(entry, name) for name in self._asked(provider)}
        return UpstreamIdentity(
            provider_id=provider.id,
            issuer=f"ldap:{filters.domain(given.base_dn) or given.base_dn.lower()}",
            subject=self._subject(entry),
            email=email,
            email_verified=verified,
            name=person.text(first["name"] or next(iter(_texts(entry, "cn")), None), person.MAX_NAME),
            username=person.text(first["username"], 128),
            amr=("pwd",),
            auth_time=self._clock(),
            groups=groups,
            attributes=person.attributes({name: values for name, values in told.items() if values}),
        )

    def _subject(self, entry: Entry) -> str:
        name = self._settings.usual("subject_attribute")
        values = entry.attributes.get(name.lower(), ())
        if len(values) != 1:
            raise misconfigured(
                f"{name} is {'missing' if not values else 'there more than once'}: set subject_attribute"
            )
        if name.lower() == "objectguid" and len(values[0]) == 16:
            return str(uuid.UUID(bytes_le=values[0]))
        texts = _texts(entry, name)
        text = texts[0] if texts else ""
        if not text.strip() or len(text) > MAX_SUBJECT or any(unicodedata.category(c) in ("Cc", "Cs") for c in text):
            raise answer_invalid(f"{name} is empty, too long or not plain text")
        return text


def _texts(entry: Entry, name: str) -> tuple[str, ...]:
    """The values that are text."""
    found = []
    for value in entry.attributes.get(name.lower(), ()):
        try:
            found.append(value.decode())
        except UnicodeDecodeError:
            continue
    return tuple(found)


def _usable(typed: str, most: int) -> bool:
    return 0 < len(typed) <= most and not any(c == "\0" or unicodedata.category(c) == "Cs" for c in typed)


def _wrong(why: str) -> Refused:
    return Refused("wrong_credentials", "User name or password is not right.", status=401, reason=why)


def _failed(done: Result, what: str) -> Refused:
    reason = f"{what} failed: {done.code} {said(done.told)}"
    if done.code in messages.BUSY:
        return unreachable(reason)
    if done.code == messages.REFERRAL:
        return misconfigured(f"{reason}: the directory says that another one knows; referrals are not followed")
    return misconfigured(reason)

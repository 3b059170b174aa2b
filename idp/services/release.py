"""Which claims about a person an app gets, and where: ID token, userinfo, access token (OIDC Core 5.4, 5.5).

Decides here and nowhere else. Leaves what the claims are to idp.domain.claims, custom scopes to services.scopes, and the
protocol claims of tokens to the OIDC door.
"""

from collections.abc import Callable, Iterable, Mapping
from typing import Any, Literal

from idp.base.claims import ROLES, SCOPE
from idp.domain.claims import COMPANIONS, facts
from idp.domain.grant import Consent
from idp.domain.relying import Client
from idp.domain.user import User
from idp.ports import Repository
from idp.services.attempts import consent_id
from idp.services.scopes import Scopes
from idp.services.subjects import Subjects

GROUPS = "groups"
Claims = dict[str, Any]
Place = Literal["id_token", "userinfo"]
PLACES: tuple[Place, ...] = ("id_token", "userinfo")
Asked = Mapping[str, Any]  # the `claims` parameter: {"userinfo": {name: None | {...}}, "id_token": {...}}


class Release:
    def __init__(self, repo: Repository, scopes: Scopes, subjects: Subjects, issuer: Callable[[], str]) -> None:
        self._repo = repo
        self._issuer = issuer
        self._scopes = scopes
        self._subjects = subjects

    def to(self, place: Place, client: Client, user: User, scopes: tuple[str, ...], asked: Asked) -> Claims:
        """`sub` and the claims about the person. scopes: those of the token; asked: Grant.claims."""
        names = self._released_by(scopes)
        about = facts(user)
        for name, wish in _wishes(asked, place):
            if name in about and name not in names and fits(about[name], wish) and self._by_name(name, client, user):
                names.add(name)
        names.update(mark for mark, marked in COMPANIONS.items() if marked in names)
        return {"sub": self._subjects.of(client, user.id), **shown(about, names, client)}

    def sid(self, client: Client, sid: str) -> str:
        """The session as this app knows it."""
        return self._subjects.sid(client, sid)

    def to_ask_for(self, client: Client, asked: Asked, scopes: tuple[str, ...]) -> tuple[str, ...]:
        """The scopes that the person must be asked about besides `scopes`, when an app asks for claims by their names:
        one for each claim that none of `scopes` releases. Nothing for claims that it will not get anyway."""
        known, more = self._released_by(scopes), []
        for place in PLACES:
            for name, _ in _wishes(asked, place):
                if name not in known and (behind := self._behind(client, name)):
                    more.append(behind[0])
        return tuple(scope for scope in dict.fromkeys(more) if scope not in scopes)

    def _released_by(self, scopes: Iterable[str]) -> set[str]:
        by_scope = self._scopes.known().claims
        return {name for scope in scopes for name in by_scope.get(scope, ())}

    def _by_name(self, name: str, client: Client, user: User) -> bool:
        """May this app have a claim that it asked for by its name alone, without a scope that releases it?"""
        behind = self._behind(client, name)
        if client.consent == "skip":
            return bool(behind) or _listed(client, name)
        if not behind:
            return False  # the consent page has no words for it
        consent = self._repo.get(Consent, consent_id(user.id, client.id))
        return consent is not None and any(scope in consent.scopes for scope in behind)

    def _behind(self, client: Client, name: str) -> list[str]:
        """The scopes that release this claim, if the app may have it: by a scope of its own or by its list of claims."""
        if not may_have(client, name):
            return []
        listed = _listed(client, name)
        found = self._scopes.known().claims.items()
        return [scope for scope, claims in found if name in claims and (listed or scope in client.scopes)]

    def for_apis(self, client: Client, user: User, scopes: tuple[str, ...], audiences: tuple[str, ...]) -> Claims:
        """What an access token says about the person (RFC 9068 2.2.3): `sub`, and for APIs roles, and groups with their
        scope. The name is the one that the app knows: from two tokens nobody learns what pairwise subjects hide."""
        who: Claims = {"sub": self._subjects.of(client, user.id)}
        if audiences and (roles := only(user.roles, client.roles)):
            who[ROLES] = roles
        if audiences and GROUPS in scopes and (groups := only(user.groups, client.groups)):
            who[GROUPS] = groups
        return who

    def preview(self, user: User, client: Client, scopes: tuple[str, ...]) -> dict[str, Claims]:
        """What this app would get for this user, in each place; without what is about one sign-in (times, acr, hashes)."""
        identity: dict[str, Claims] = {"id_token": {}, "userinfo": {}}
        if "openid" in scopes:
            identity = {
                "id_token": {**self.to("id_token", client, user, scopes, {}), "aud": client.id},
                "userinfo": self.to("userinfo", client, user, scopes, {}),
            }
        aud = audience(self._issuer(), scopes, client.audiences)
        api = {**self.for_apis(client, user, scopes, client.audiences), "aud": aud}
        return {**identity, "access_token": {**api, "client_id": client.id, SCOPE: " ".join(scopes)}}


def audience(issuer: str, scopes: tuple[str, ...], audiences: tuple[str, ...]) -> str | list[str]:
    """Of an access token: the APIs, and we ourselves for userinfo, or when there is nobody else (RFC 9068 3)."""
    meant = [*audiences, issuer] if "openid" in scopes or not audiences else list(audiences)
    return meant[0] if len(meant) == 1 else meant


def shown(about: Claims, names: Iterable[str], client: Client) -> Claims:
    """Those of the names that there are and that the client may have, with its own roles and groups only."""
    claims = {name: about[name] for name in about if name in names and may_have(client, name)}
    if ROLES in claims:
        claims[ROLES] = only(claims[ROLES], client.roles)
    if GROUPS in claims:
        claims[GROUPS] = only(claims[GROUPS], client.groups)
    return claims


def may_have(client: Client, name: str) -> bool:
    """client.claims is the list of what it may have. An address never comes without the mark whether it is proven."""
    return client.claims is None or _listed(client, name) or _listed(client, COMPANIONS.get(name, ""))


def fits(value: object, wish: object) -> bool:
    """OIDC Core 5.5.1: asked for with certain values, a claim is given with one of them or not at all."""
    if not isinstance(wish, Mapping):
        return True
    values = wish.get("values")
    if "value" in wish:
        return bool(value == wish["value"])
    return value in values if isinstance(values, list | tuple) and values else True


def only(given: Iterable[str], allowed: tuple[str, ...] | None) -> list[str]:
    return [one for one in given if allowed is None or one in allowed]


def _listed(client: Client, name: str) -> bool:
    return client.claims is not None and name in client.claims


def _wishes(asked: Asked, place: Place) -> list[tuple[str, object]]:
    """Whatever was stored is looked at with care: it once came from outside."""
    wishes = asked.get(place) if asked else None
    return list(wishes.items()) if isinstance(wishes, Mapping) else []

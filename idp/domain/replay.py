"""A sign-in decided once more: what an upstream said, kept without anything that could be used again, against rules of any time.

Pure: `replayed` asks the same functions that decide a sign-in and does nothing. Leaves looking up what is known now, and
comparing, to idp.services.sign_in_records.
"""

import re
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, fields
from typing import Any

from idp.base.claims import ADMINISTRATOR
from idp.domain.decision import printable
from idp.domain.linking import Known, Ruling, decide, vouches
from idp.domain.mapping import Given, given_by
from idp.domain.upstream import UpstreamIdentity, UpstreamProvider

MOST_GROUPS, MOST_ATTRIBUTES, MOST_VALUES, LONGEST = 500, 60, 50, 300
ROOM = 16_000  # characters of all groups, and of all attributes: a record is kept for every refusal
# Attributes that are a secret, or belong to one message and nobody's name: never kept, whatever an upstream puts into them.
_NEVER = re.compile(
    r"token|secret|passw|nonce|assertion|credential|otp|at_hash|c_hash|s_hash|jti|\bcode\b", re.IGNORECASE
)


@dataclass(frozen=True, slots=True)
class Replay:
    """What the rules make of it. given: roles, groups and claims by the lists of the provider; vouched: does the upstream
    answer for the address, and may it?"""

    ruling: Ruling
    given: Given
    vouched: bool


def redacted(identity: UpstreamIdentity) -> dict[str, Any]:
    """As JSON values. Subject and address stay, as they are what is looked up; what ends a session there does not.
    cut_short: there was more than is kept; a replay may then miss groups."""
    short = {
        name: printable(value, 1000)
        for name in ("provider_id", "issuer", "subject", "email", "name", "username", "acr")
        if (value := getattr(identity, name)) is not None
    }
    kept = {printable(name): values for name, values in identity.attributes.items() if not _NEVER.search(name)}
    attributes = {name: _texts(values, MOST_VALUES) for name, values in list(kept.items())[:MOST_ATTRIBUTES]}
    groups = _within(_texts(identity.groups, MOST_GROUPS), ROOM)
    room = ROOM
    for name, values in attributes.items():
        attributes[name] = _within(values, room)
        room -= sum(map(len, attributes[name]))
    cut = len(groups) < len(identity.groups) or any(len(attributes.get(name, ())) < len(kept[name]) for name in kept)
    return {
        **short,
        "email_verified": identity.email_verified is True,
        "amr": _texts(identity.amr, MOST_VALUES),
        "auth_time": identity.auth_time,
        "groups": groups,
        "attributes": attributes,
        **({"cut_short": True} if cut else {}),
    }


def restored(kept: Mapping[str, Any]) -> UpstreamIdentity | None:
    """What `redacted` gave; None where no upstream said anything."""
    if not kept.get("subject"):
        return None
    known = {one.name for one in fields(UpstreamIdentity)}
    values = {name: value for name, value in kept.items() if name in known}
    for name in ("amr", "groups"):
        values[name] = tuple(values.get(name, ()))
    attributes = values.get("attributes", {})
    values["attributes"] = {name: tuple(found) for name, found in attributes.items()}
    return UpstreamIdentity(**values)


def replayed(
    identity: UpstreamIdentity,
    provider: UpstreamProvider,
    known: Known,
    *,
    owner_id: str | None = None,
    never_auto_link: Collection[str] = (ADMINISTRATOR,),
) -> Replay:
    ruling = decide(identity, provider, known, owner_id=owner_id, never_auto_link=never_auto_link)
    return Replay(ruling, given_by(identity, provider), vouches(provider, identity))


def _within(values: list[str], room: int) -> list[str]:
    """The first of them, as many as there is room for."""
    found = []
    for value in values:
        room -= len(value)
        if room < 0:
            break
        found.append(value)
    return found


def _texts(values: Iterable[str], most: int) -> list[str]:
    return [printable(value, LONGEST) for value in list(values)[:most]]

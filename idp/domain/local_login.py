"""Turning local login off without locking anybody out: the switch, what must be proved first, and the ways back in. Pure.

Leaves storing to idp.services.local_login, changing to turn_local_login, and opening it in an emergency to break_glass.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Literal

from idp.domain.upstream import FederatedLogin, UpstreamProvider
from idp.domain.user import User

SWITCH = "local_login"  # id of the one LocalLoginSwitch
HOLD = "administrators"  # id of the one AdministratorHold
State = Literal["on", "trial", "off"]
Way = Literal["cli", "codes"]

CLOCK_SLACK = 60.0  # of two nodes; a clock that was set back by more ends what is only for a time
WAY_GOOD_SECONDS = 30 * 86_400.0  # how long it counts that a way back in was shown to work


@dataclass(frozen=True, slots=True)
class LocalLoginSwitch:
    """id = SWITCH; no record means on. trial: off since changed_at, and on again by itself at reverts_at unless somebody
    confirms it. users (ids), roles: who may sign in with a password although it is off. Reads of `trial` compare reverts_at
    with the clock; nothing needs to run for it to end."""

    id: str
    state: State
    changed_at: float
    changed_by: str
    reverts_at: float | None = None
    users: tuple[str, ...] = ()
    roles: tuple[str, ...] = ()
    version: int = 0


@dataclass(frozen=True, slots=True)
class FederatedProof:
    """An administrator came in through an upstream, with second factor. id = user id, the newest counts. fingerprint: of the
    upstream's configuration at that moment. Kept for long: it also says who could come in without a password at all."""

    id: str
    provider_id: str
    fingerprint: str
    at: float
    expires_at: float
    version: int = 0


@dataclass(frozen=True, slots=True)
class BreakGlass:
    """Local login is open for these users (ids) until expires_at, whatever the switch says. by: `cli` or `offline code`."""

    id: str
    opened_at: float
    expires_at: float
    users: tuple[str, ...]
    reason: str
    by: str


@dataclass(frozen=True, slots=True)
class BreakGlassCode:
    """An offline one-time code. id = keyed digest of the code; set_id: of the sheet it was printed on (a new sheet ends the
    old)."""

    id: str
    set_id: str
    created_at: float
    consumed_at: float | None = None


@dataclass(frozen=True, slots=True)
class BreakGlassProof:
    """Somebody has shown that a way back in works. id = way: `cli` (a word printed by the command was typed in, or the
    switch was turned on the shell itself) or `codes` (a code of the sheet in `detail` was used up for it). `word`: the word
    that waits to be typed in."""

    id: str
    at: float
    by: str
    detail: Mapping[str, str] = field(default_factory=dict)
    version: int = 0


@dataclass(frozen=True, slots=True)
class AdministratorHold:
    """Somebody is just taking away an administrator, a login or an upstream: nobody else may at the same moment, else each
    of two could rely on the one whom the other takes away. id = HOLD; holder: a thread of a process."""

    id: str
    holder: str
    expires_at: float


def on_since_ever() -> LocalLoginSwitch:
    """What holds while there is no record."""
    return LocalLoginSwitch(SWITCH, "on", 0.0, "")


def trial_runs(switch: LocalLoginSwitch, now: float) -> bool:
    """A clock that was set back must not make a trial longer than it was to be: then it is over."""
    return switch.state == "trial" and since(switch.changed_at, now) and now < (switch.reverts_at or 0.0)


def since(at: float, now: float) -> bool:
    """Has `at` been, by this clock?"""
    return at - CLOCK_SLACK <= now


def lately(at: float, now: float, seconds: float) -> bool:
    return since(at, now) and now - at <= seconds


def is_open(opened: BreakGlass, now: float) -> bool:
    return since(opened.opened_at, now) and now < opened.expires_at


def excepted(switch: LocalLoginSwitch, user: User) -> bool:
    return user.id in switch.users or any(role in switch.roles for role in user.roles)


def password_counts(switch: LocalLoginSwitch, opened: Iterable[BreakGlass], user: User | None, now: float) -> bool:
    """The decision. switch: whose trial has not run out unnoticed. None for a user: is there anybody whose password counts?"""
    if switch.state == "on":
        return True
    live = [one for one in opened if is_open(one, now)]
    if user is None:
        return bool(live or switch.users or switch.roles)
    return excepted(switch, user) or any(user.id in one.users for one in live)


def leads_in(login: FederatedLogin, provider: UpstreamProvider | None) -> bool:
    """Can somebody sign in by this login, as far as our own configuration goes?"""
    return provider is not None and provider.enabled and provider.mode == "sign_in" and login.provider_id == provider.id

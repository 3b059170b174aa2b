"""/admin/local-login: whether passwords count, turning that off on trial, confirming it, exceptions, and the ways back in.

Leaves every rule to idp.services.turn_local_login and break_glass, and who may come here to idp.http.own_pages.
"""

from collections.abc import Callable
from dataclasses import dataclass

from flask import Blueprint, redirect
from werkzeug.wrappers import Response as AnyResponse

from idp.admin.as_words import api_call
from idp.admin.common import shown
from idp.admin.local_login_api import PATH as API_PATH
from idp.base.errors import Refused
from idp.domain.local_login import BreakGlass, LocalLoginSwitch
from idp.domain.user import User
from idp.http.browser import current_session
from idp.http.forms import Problem, attempted
from idp.http.own_pages import administrator, recent_administrator, start_sign_in
from idp.http.parts import parts
from idp.http.security import check_csrf, form_field
from idp.services.break_glass_codes import WORD_LENGTH

bp = Blueprint("local_login", __name__)

PATH = "/admin/local-login"
MOST_SHOWN = 50
MAX_NAMES = 20_000


@dataclass(frozen=True, slots=True)
class Opened:
    """Break-glass that is open, with the names of those whom it is open for."""

    opened: BreakGlass
    names: str


@bp.get(PATH)
def local_login_page() -> AnyResponse:
    return _page(administrator(PATH))


@bp.post(f"{PATH}/off")
def off() -> AnyResponse:
    return _done(
        lambda user: parts().turn_local_login.turn_off(actor=user.id, version=_version()),
        "local_login_not_ready",
        "local_login_is_off",
    )


@bp.post(f"{PATH}/confirm")
def confirm() -> AnyResponse:
    def confirmed(user: User) -> object:
        session = current_session()
        assert session is not None  # recent_administrator has looked
        return parts().turn_local_login.confirm(session, user)

    return _done(confirmed, "no_trial", "confirm_from_upstream")


@bp.post(f"{PATH}/on")
def on() -> AnyResponse:
    """The way out of a mistake: it never asks whether somebody else was quicker."""
    return _done(lambda user: parts().turn_local_login.turn_on(actor=user.id))


@bp.post(f"{PATH}/again")
def sign_in_again() -> AnyResponse:
    """Through an upstream this time, to show that it works."""
    check_csrf()
    return start_sign_in(PATH, again=administrator(PATH))


@bp.post(f"{PATH}/exceptions")
def exceptions() -> AnyResponse:
    def changed(user: User) -> object:
        names = form_field("users", required=False, limit=MAX_NAMES).split()
        roles = [line.strip() for line in form_field("roles", required=False, limit=MAX_NAMES).splitlines()]
        people = [_found(name) for name in names]
        return parts().turn_local_login.set_exceptions(
            people, [role for role in roles if role], actor=user.id, version=_version()
        )

    return _done(changed, "too_many_exceptions", "invalid_group", "no_such_user")


def _found(name: str) -> User:
    user = parts().users.by_login(name)
    if user is None:
        raise Refused("no_such_user", f"There is no user {name[:100]}.", status=404)
    return user


@bp.post(f"{PATH}/shown")
def way_shown() -> AnyResponse:
    """A word from the shell, or a code of the sheet: that one is used up by it."""

    def proved(user: User) -> None:
        typed = form_field("proof", limit=100)
        door = parts().break_glass
        if sum(c.isalnum() for c in typed) == WORD_LENGTH:
            door.rehearse_word(typed, actor=user.id)
        else:
            door.rehearse_code(typed, actor=user.id)

    return _done(proved, "wrong_break_glass_word", "wrong_break_glass_code", "too_many_attempts")


@bp.post(f"{PATH}/codes")
def codes() -> AnyResponse:
    """The answer shows them, once, and is not a redirect: they must not stand in an address or a cookie."""
    check_csrf()
    user = recent_administrator(PATH)
    made = attempted(lambda: parts().break_glass.new_codes(actor=user.id), "changed_meanwhile")
    if isinstance(made, Problem):
        return _page(user, made)
    return shown("admin_local_login_codes.html", codes=made, address=f"{parts().installation.issuer}/break-glass")


@bp.post(f"{PATH}/close")
def close() -> AnyResponse:
    def closed(user: User) -> None:
        parts().break_glass.close(actor=user.id)
        parts().turn_local_login.settle(MOST_SHOWN)

    return _done(closed)


def _done(act: Callable[[User], object], *codes: str) -> AnyResponse:
    check_csrf()
    user = recent_administrator(PATH)
    outcome = attempted(lambda: act(user), "changed_meanwhile", *codes)
    return _page(user, outcome) if isinstance(outcome, Problem) else redirect(PATH, 303)


def _version() -> int | None:
    """Of the switch on the page that was sent; whoever sends none means whichever there is."""
    text = form_field("version", required=False, limit=15)
    if text and not (text.isascii() and text.isdigit()):
        raise Refused("changed_meanwhile", "Open the page again.", status=409, reason="the form has an odd version")
    return int(text) if text else None


def _page(user: User, problem: Problem | None = None) -> AnyResponse:
    p = parts()
    switch = p.local_login.switch()
    ready = p.turn_local_login.readiness()
    return shown(
        "admin_local_login.html",
        problem,
        switch=switch,
        by=_name(switch.changed_by),
        wish_unmet=p.local_login.wish_unmet,
        ready=ready,
        shown_by=_name(ready.proof.id) if ready.proof else "",
        shown_through=_label(ready.proof.provider_id) if ready.proof else "",
        may_confirm=_may_confirm(switch, user),
        opened=[Opened(one, ", ".join(map(_name, one.users))) for one in p.local_login.opened()],
        opens_for=", ".join(one.username for one in ready.users),
        codes_left=p.break_glass.codes_left(),
        excepted=[_name(one) for one in switch.users],
        locked_out=p.local_login.users_locked_out(),
        most_shown=MOST_SHOWN,
        api_call=api_call(p.installation.issuer, "PATCH", API_PATH, {"state": "off" if switch.state == "on" else "on"}),
        minutes=p.settings.local_login_change.trial_seconds // 60,
        proof_minutes=p.settings.local_login_change.proof_seconds // 60,
    )


def _may_confirm(switch: LocalLoginSwitch, user: User) -> bool:
    session = current_session()
    return session is not None and parts().turn_local_login.may_confirm(switch, session, user)


def _name(actor: str) -> str:
    user = parts().users.get(actor) if actor else None
    return user.username if user is not None else actor


def _label(provider_id: str) -> str:
    provider = parts().upstreams.get(provider_id)
    return provider.label if provider is not None else provider_id

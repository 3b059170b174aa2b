"""Joining two accounts of one's own: prove this one, sign in to the other, say which one stays.

Leaves the two proofs to the sign-in and to idp.services.merge_offers, and the merge to idp.services.change_links.
"""

from dataclasses import replace

from flask import Blueprint, Response, redirect
from werkzeug.wrappers import Response as AnyResponse

from idp.base.errors import Refused
from idp.domain.attempt import Wants
from idp.domain.user import User
from idp.http.browser import browser_digest, sign_browser_out
from idp.http.forms import Problem, attempted, form_page
from idp.http.own_pages import DONE_PATH, recently_signed_in, signed_in
from idp.http.parts import parts
from idp.http.security import check_csrf, form_field

bp = Blueprint("merge_pages", __name__)

PATH = "/account/merge"
_ON_THE_PAGE = ("already_merged", "last_administrator", "kept_disabled", "changed_meanwhile", "same_user", "bad_choice")


@bp.get(PATH)
def merge_page() -> AnyResponse:
    _, user = signed_in(PATH)
    return _page(user)


@bp.post(f"{PATH}/begin")
def begin() -> AnyResponse:
    """This account is proved. Now to the other one: a sign-in that no session answers."""
    check_csrf()
    _, user = recently_signed_in(PATH)
    parts().merge_offers.make(user, browser_digest(make=True) or "")
    draft = parts().sign_in.draft("account", DONE_PATH, {"return_to": PATH}, wants=Wants(ignore_session=True))
    bound = replace(draft.attempt, browser=browser_digest())
    return redirect(f"/flow/{parts().sign_in.save(replace(draft, attempt=bound))}", 303)


@bp.post(PATH)
def merge() -> AnyResponse:
    """Both were proved in this browser within ten minutes, the second one just now."""
    check_csrf()
    _, user = recently_signed_in(PATH)
    outcome = attempted(lambda: _merge(user), *_ON_THE_PAGE)
    if isinstance(outcome, Problem):
        return _page(user, outcome)
    if outcome.id != user.id:
        sign_browser_out()  # the account of this session is no more; the other one signs in as ever
    return redirect("/account", 303)


@bp.post(f"{PATH}/cancel")
def cancel() -> AnyResponse:
    check_csrf()
    signed_in(PATH)
    parts().merge_offers.forget(browser_digest())
    return redirect("/account", 303)


def _merge(user: User) -> User:
    """Gives the one that stays."""
    other = _other(user)
    if other is None:
        parts().merge_offers.take(browser_digest())  # says why
        raise Refused("same_user", "These are the same account. Choose another one.", status=409)
    chosen = form_field("stays", limit=100)
    if chosen not in (user.id, other.id):
        raise Refused("bad_choice", "Choose which account stays.")
    kept, gone = (user, other) if chosen == user.id else (other, user)
    parts().changes.check_merge(kept, gone)
    # Taken before, so that of two who press at once one does it.
    offer = parts().merge_offers.take(browser_digest())
    if offer.user_id != other.id:
        raise Refused("merge_offer_gone", "That was too long ago. Begin again from your account.", status=409)
    parts().changes.merge(kept, gone, actor=user.id)
    return kept


def _other(user: User) -> User | None:
    """The account that was proved first in this browser, when it is not this one."""
    offer = parts().merge_offers.of(browser_digest())
    found = parts().users.get(offer.user_id) if offer is not None and offer.user_id != user.id else None
    return found if found is not None and not found.disabled else None


def _page(user: User, problem: Problem | None = None) -> Response:
    other = _other(user)
    p = parts()
    labels = {one.id: one.label for one in p.upstreams.all()}
    both = [one for one in (other, user) if one is not None]
    return form_page(
        "merge.html",
        problem,
        person=user,
        other=other,
        choices=[
            (one, [labels.get(login.provider_id, login.provider_id) for login in p.links.of(one.id)]) for one in both
        ],
    )

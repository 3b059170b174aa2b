"""May this app have this? Who asks, for what in words, and the exact values behind. Comes back to idp.web.flow."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from flask import Blueprint, make_response, redirect
from markupsafe import Markup, escape
from werkzeug.wrappers import Response as AnyResponse

from idp.base.claims import DETAIL_DOCUMENTS
from idp.base.errors import Refused
from idp.domain.attempt import Step
from idp.http.browser import current_session
from idp.http.parts import parts
from idp.http.render import has_text, page, text
from idp.http.security import check_csrf, form_field
from idp.web.app_marks import marks
from idp.web.factor_pages import due

bp = Blueprint("consent_pages", __name__)


@dataclass(frozen=True, slots=True)
class ScopeInWords:
    """value: as in the request; words: for the person."""

    value: str
    words: Markup


@bp.get("/flow/<handle>/consent")
def consent_page(handle: str) -> AnyResponse:
    attempt, user = due(handle, Step.CONSENT)
    return make_response(
        page(
            "consent.html",
            handle=handle,
            app_name=attempt.app_name,
            marks=marks(handle, attempt),
            app_id=attempt.app_id,
            address=attempt.request.get("redirect_origin"),
            user_code=attempt.request.get("user_code"),
            person=user,
            scopes=[in_words(scope) for scope in attempt.wants.scopes],
            limits=[_limit(detail) for detail in attempt.wants.details],
        )
    )


@bp.post("/flow/<handle>/consent")
def answer_consent(handle: str) -> AnyResponse:
    check_csrf()
    attempt, _ = due(handle, Step.CONSENT)
    answer = form_field("answer", limit=16)
    if answer not in ("allow", "deny"):
        raise Refused("bad_request", "The answer was neither yes nor no.", reason="answer is neither allow nor deny")
    parts().sign_in.answer_consent(attempt, current_session(), allow=answer == "allow")
    return redirect(f"/flow/{handle}", 303)


def _limit(detail: Mapping[str, Any]) -> Markup:
    """A narrowing in words. Its names are the app's: escaped where they are shown."""
    rights = ", ".join(str(text(f"narrowed.{right}")) for right in detail["rights"])
    if detail["type"] == DETAIL_DOCUMENTS:
        return text("narrowed.documents", names=", ".join(detail["collections"]), rights=rights)
    names, priority = ", ".join(detail["queues"]), detail["max_priority"]
    return text("narrowed.queues", names=names, rights=rights, priority=priority)


def in_words(scope: str) -> ScopeInWords:
    key = f"scope.{scope}"
    if has_text(key) and scope != "other":  # that one is the sentence for all that have no words
        return ScopeInWords(scope, text(key))
    own = parts().scopes.words(scope)
    return ScopeInWords(scope, text("scope.other", scope=scope) if own is None else escape(own))

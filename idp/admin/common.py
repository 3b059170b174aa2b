"""What the pages about apps share: finding the app, problems on forms with the field they are about, badges.

Leaves who may come here to idp.http.own_pages.
"""

from dataclasses import dataclass
from typing import Any

from markupsafe import Markup
from werkzeug.wrappers import Response

from idp.admin import sp_fields
from idp.admin.fields import BY_NAME
from idp.admin.names import client_id_of
from idp.base.errors import Refused
from idp.domain.metadata import CODE, DEVICE
from idp.domain.profile import rules
from idp.domain.relying import Client
from idp.http.forms import Problem, form_page
from idp.http.parts import parts
from idp.http.render import text

BAD_METADATA = ("invalid_client_metadata", "invalid_redirect_uri")
BAD_SETTING = ("invalid_sp_setting", "invalid_sp_metadata")


@dataclass(frozen=True, slots=True)
class Badge:
    """kind: a class of the stylesheet."""

    words: Markup
    kind: str = ""


def find(name: str) -> Client:
    """The app of an address. Raises Refused(no_such_app)."""
    client_id = client_id_of(name)
    client = parts().apps.client(client_id) if client_id is not None else None
    if client is None:
        raise Refused("no_such_app", "There is no such app.", status=404)
    return client


def badges(client: Any) -> list[Badge]:
    """Of a Client or of a line of the list."""
    loud = client.loud if hasattr(client, "loud") else rules(client).loud
    itself = getattr(client, "registered_itself", getattr(client, "registration_token_digest", None) is not None)
    found = [Badge(text("admin.badge_loud"), "warn")] if loud else []
    found += [Badge(text("admin.badge_fapi"), "good")] if client.profile == "fapi2" else []
    found += [Badge(text("admin.badge_itself"))] if itself else []
    found += [Badge(text("admin.badge_public"))] if client.auth_method == "none" else []
    people = CODE in client.grant_types or DEVICE in client.grant_types
    found += [Badge(text("admin.badge_machine"))] if client.grant_types and not people else []
    return found


def wrong_field(problem: Problem | None) -> str:
    """The field that a refusal is about, as it begins with its name; empty for none."""
    if problem is None or problem.code not in (*BAD_METADATA, *BAD_SETTING):
        return "client_id" if problem is not None and problem.code == "client_taken" else ""
    name = str(problem.sentence).partition(":")[0]
    known = sp_fields.BY_NAME if problem.code in BAD_SETTING else BY_NAME
    return "client_id" if name == "id" else name if name in known else ""


def shown(template: str, problem: Problem | None = None, **values: object) -> Response:
    """The page, again with what was wrong; the status is that of the refusal."""
    return form_page(template, problem, wrong=wrong_field(problem), **values)

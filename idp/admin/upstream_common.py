"""What the pages about upstreams share: finding one, badges, the same as command and as API call.

Leaves who may come here to idp.http.own_pages, and rules and audit to idp.services.manage_upstreams and upstream_tests.
"""

import shlex
from collections.abc import Iterable

from werkzeug.wrappers import Response

from idp.admin.common import Badge
from idp.base.errors import Refused
from idp.domain.upstream import UpstreamProvider
from idp.http.forms import Problem, form_page
from idp.http.parts import parts
from idp.http.render import text
from idp.services.manage_upstreams import PROVIDER_ID

LIST_PATH = "/admin/upstreams"
API_PATH = "/admin/api/upstreams"
BAD_SETTING = ("invalid_setting", "unknown_setting", "secret_needed_again")
SOON_SECONDS = 60 * 86_400.0


def find_upstream(provider_id: str) -> UpstreamProvider:
    """Raises Refused(no_such_upstream)."""
    found = parts().upstreams.get(provider_id) if PROVIDER_ID.match(provider_id) else None
    if found is None:
        raise Refused("no_such_upstream", "There is no such upstream.", status=404)
    return found


def path_of(provider_id: str, page: str = "") -> str:
    return f"{LIST_PATH}/{provider_id}{page and '/'}{page}"


def api_path_of(provider_id: str) -> str:
    return f"{API_PATH}/{provider_id}"


def upstream_badges(provider: UpstreamProvider) -> list[Badge]:
    found = [] if provider.enabled else [Badge(text("admin_upstreams.badge_off"), "warn")]
    found += [Badge(text("admin_upstreams.badge_link_only"))] if provider.mode == "link_only" else []
    found += [] if parts().upstream_tests.passed(provider) else [Badge(text("admin_upstreams.badge_untested"))]
    ends = provider.secret_expires_at
    soon = ends is not None and ends - parts().clock() < SOON_SECONDS
    return found + ([Badge(text("admin_upstreams.badge_secret"), "warn")] if soon else [])


def command(words: Iterable[str], pairs: Iterable[tuple[str, str]] = ()) -> str:
    """`idp upstream …` with these settings."""
    lines = [_joined(["idp", "upstream", *words])]
    lines += [_joined(["--set", f"{name}={said}"]) for name, said in pairs]
    return " \\\n  ".join(lines)


def shown(template: str, problem: Problem | None = None, **values: object) -> Response:
    """The page, again with what was wrong; the status is that of the refusal."""
    return form_page(template, problem, wrong=_wrong_field(problem), **values)


def _wrong_field(problem: Problem | None) -> str:
    """The field that a refusal is about: its sentence begins with `Setting NAME:`."""
    if problem is None:
        return ""
    if problem.code in ("upstream_taken", "invalid_upstream"):
        return "id"
    name, colon, _ = str(problem.sentence).removeprefix("Setting ").partition(":")
    known = problem.code in BAD_SETTING and colon and name.replace("_", "").isalnum()
    return name if known else ""


def _joined(words: Iterable[str]) -> str:
    return " ".join(shlex.quote(word) for word in words)

"""Testing an upstream: a round trip of one's own, and what it came to. Nobody is signed in, made or joined by it.

Leaves the way there and back to idp.web.upstream_trials, whether it counts to idp.services.upstream_tests, and what a login would
lead to to idp.domain.linking and mapping.
"""

from dataclasses import dataclass

from flask import Blueprint, redirect, request
from markupsafe import Markup
from werkzeug.wrappers import Response

from idp.admin.upstream_common import LIST_PATH, find_upstream, path_of, shown
from idp.domain.linking import Ruling, vouches
from idp.domain.mapping import Given, given_by
from idp.domain.saml import MessageCheck
from idp.domain.upstream import UpstreamIdentity, UpstreamProvider
from idp.http.browser import browser_digest
from idp.http.own_pages import administrator, recent_administrator
from idp.http.parts import parts
from idp.http.render import catalogue, text
from idp.http.security import check_csrf
from idp.services.upstream_tests import verdict

bp = Blueprint("admin_upstream_try", __name__)

MAX_VALUE = 300
# Attributes that are what the first rows say already.
_SEEN = frozenset(
    {
        *("iss", "sub", "oid", "name", "given_name", "family_name", "preferred_username", "email", "email_verified"),
        *("groups", "roles", "amr", "acr", "auth_time", "mail", "uid", "displayName", "cn", "memberOf"),
    }
)
_SECTIONS = ("upstream_check", "saml_check")
_CURES = ("upstream_cure", "saml_cure")


@dataclass(frozen=True, slots=True)
class Row:
    """One thing that the upstream said, and what becomes of it here. kept: it is taken over."""

    name: str
    raw: str
    mapped: Markup
    kept: bool = True


@dataclass(frozen=True, slots=True)
class CheckLine:
    words: Markup
    ok: bool
    detail: str
    cure: Markup


@bp.get(f"{LIST_PATH}/<name>/test")
def test_page(name: str) -> Response:
    administrator(request.path)
    provider = find_upstream(name)
    return shown(
        "admin_upstream_test.html",
        provider=provider,
        base=path_of(provider.id),
        last=parts().upstream_tests.last(provider),
        passed=parts().upstream_tests.passed(provider),
    )


@bp.post(f"{LIST_PATH}/<name>/test")
def begin(name: str) -> Response:
    check_csrf()
    user = recent_administrator(request.path)
    provider = find_upstream(name)
    handle = parts().upstream_tests.begin(provider, user.id, browser_digest(make=True) or "")
    return redirect(f"/upstream/{provider.id}/trial/{handle}", 303)


@bp.get(f"{LIST_PATH}/<name>/tested/<handle>")
def tested(name: str, handle: str) -> Response:
    user = administrator(f"{LIST_PATH}/{name}/test")
    provider = find_upstream(name)
    trial = parts().upstream_tests.load(handle, provider.id, user.id, browser_digest())
    if trial.ended_at is None:
        return redirect(path_of(provider.id, "test"), 303)
    identity = trial.identity
    ruling = _ruling(provider, identity) if identity is not None else None
    return shown(
        "admin_upstream_tested.html",
        provider=provider,
        base=path_of(provider.id),
        trial=trial,
        checks=[_line(one) for one in trial.checks],
        identity=identity,
        rows=_rows(provider, identity) if identity is not None else [],
        mapped=given_by(identity, provider) if identity is not None else Given(),
        ruling=ruling,
        verdict=_verdict(ruling) if ruling is not None else None,
        may_enable=not provider.enabled and parts().upstream_tests.passed(provider) is not None,
    )


# ---------------------------------------------------------------- what it would lead to


def _ruling(provider: UpstreamProvider, identity: UpstreamIdentity) -> Ruling:
    known = parts().links.known(identity)
    return verdict(identity, provider, known, parts().settings.linking.never_auto_link_roles)


def _verdict(ruling: Ruling) -> Markup:
    user = ruling.user or ruling.displaced
    return text(f"admin_upstream_test.would_{ruling.action}", user=user.username if user else "")


# ---------------------------------------------------------------- what it said


def _rows(provider: UpstreamProvider, identity: UpstreamIdentity) -> list[Row]:
    """First what every upstream says in some way, then its attributes by their own names."""
    said = [
        Row(_t("who"), f"{identity.subject}\n{identity.issuer}", text("admin_upstream_test.who_here")),
        _text_row("username", identity.username),
        _text_row("name", identity.name),
        _email_row(provider, identity),
        *_factor_rows(provider, identity),
    ]
    return [*(one for one in said if one.raw), *_group_rows(provider, identity), *_attribute_rows(provider, identity)]


def _text_row(name: str, value: str | None) -> Row:
    return Row(_t(name), _short(value or ""), text("admin_upstream_test.taken"), True)


def _factor_rows(provider: UpstreamProvider, identity: UpstreamIdentity) -> list[Row]:
    """One of the two is enough."""
    by = {
        "amr": bool(set(identity.amr) & set(provider.trusted_amr)),
        "acr": identity.acr in provider.trusted_acr,
    }
    said = {"amr": " ".join(identity.amr), "acr": identity.acr or ""}
    words = {
        name: "factor_trusted" if by[name] else "factor_other" if any(by.values()) else "not_trusted" for name in by
    }
    return [Row(_t(name), _short(said[name]), text(f"admin_upstream_test.{words[name]}"), by[name]) for name in by]


def _email_row(provider: UpstreamProvider, identity: UpstreamIdentity) -> Row:
    trusted = vouches(provider, identity)
    why = "email_verified" if trusted else "email_untrusted" if identity.email_verified else "email_unverified"
    return Row(_t("email"), _short(identity.email or ""), text(f"admin_upstream_test.{why}"), trusted)


def _group_rows(provider: UpstreamProvider, identity: UpstreamIdentity) -> list[Row]:
    found = []
    for group in identity.groups[:200]:
        given = given_by(_only(identity, group), provider)
        roles = tuple(text("admin_upstream_test.role", name=one) for one in given.roles)
        groups = tuple(text("admin_upstream_test.group", name=one) for one in given.groups)
        words = Markup(", ").join((*roles, *groups)) or text("admin_upstream_test.left")
        found.append(Row(_t("in_group"), _short(group), words, bool(roles or groups)))
    return found


def _only(identity: UpstreamIdentity, group: str) -> UpstreamIdentity:
    return UpstreamIdentity(identity.provider_id, identity.issuer, identity.subject, groups=(group,))


def _attribute_rows(provider: UpstreamProvider, identity: UpstreamIdentity) -> list[Row]:
    left_out = given_by(identity, provider).left_out
    found = []
    for name, values in list(identity.attributes.items())[:200]:
        claims = [ours for ours, theirs in provider.claim_map.items() if theirs == name]
        good = [one for one in claims if one not in left_out]
        words = [text("admin_upstream_test.claim", name=one) for one in good]
        words += [text("admin_upstream_test.unfit", name=one) for one in claims if one in left_out]
        unused = text("admin_upstream_test.see_above" if name in _SEEN else "admin_upstream_test.left")
        said = Markup(", ").join(words) or unused
        found.append(Row(name[:200], _short("\n".join(values)), said, bool(good)))
    return found


def _short(value: str) -> str:
    return value if len(value) <= MAX_VALUE else f"{value[:MAX_VALUE]}…"


def _t(name: str) -> str:
    return str(text(f"admin_upstream_test.{name}"))


# ---------------------------------------------------------------- checks


def _line(check: MessageCheck) -> CheckLine:
    cure = _words(_CURES, check.code) if not check.ok else Markup("")
    return CheckLine(_words(_SECTIONS, check.code) or Markup.escape(check.code), check.ok, check.detail, cure)


def _words(sections: tuple[str, ...], code: str) -> Markup:
    found = next((f"{one}.{code}" for one in sections if f"{one}.{code}" in catalogue("en")), None)
    return text(found) if found else Markup("")

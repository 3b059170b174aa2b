"""What needs the attention of the person on the home page, most urgent first, each with its cure. Pure."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from idp.base.net import is_loopback_url
from idp.services.upkeep import PEOPLE, Need

FEW_CODES = 3
MANY = 1000


@dataclass(frozen=True, slots=True)
class Installed:
    """What an administrator sees of the installation; apps counts OIDC clients and SAML service providers, users at most
    MANY."""

    issuer: str
    users: int
    administrators: int
    apps: int
    upstreams: int


@dataclass(frozen=True, slots=True)
class Point:
    """name: `home.<name>` in the catalogue is its title (counted when n is given), `home.<name>_why` says why; facts stand in
    both. commands to copy, each with the catalogue key of what stands above it (or none); link: where the cure is, with the
    key of its words. at: the moment it is about. looked_at: only so many people were looked at; None for all."""

    name: str
    urgent: bool = False
    n: int | None = None
    commands: tuple[tuple[str | None, str], ...] = ()
    link: tuple[str, str] | None = None
    facts: Mapping[str, str] = field(default_factory=dict)
    at: float | None = None
    looked_at: int | None = None


def points(
    recovery_codes: int | None,
    installed: Installed | None,
    needs: Iterable[Need] = (),
    *,
    hidden_by_proxy: bool = False,
) -> list[Point]:
    """recovery_codes: how many are left, None for a person without a second step. installed: None for those who do not
    administer. hidden_by_proxy: a proxy named the sender of this request, and it is not trusted."""
    found = _own(recovery_codes)
    if installed is not None:
        found += [_of_need(need) for need in needs]
        found += _of_installation(installed)
        if hidden_by_proxy:
            found.append(Point("proxy", urgent=True, commands=((None, "server: {trusted_proxies: 1}"),)))
    return sorted(found, key=lambda point: not point.urgent)


def _of_need(need: Need) -> Point:
    kind, _, peer = need.id.partition(":")
    upstream = (f"/admin/upstreams/{need.id}", "home.open_upstream")
    links = {
        "upstream_failing": upstream,
        "upstream_failed": upstream,
        "secret_ends": upstream,
        "certificate_ends": upstream,
        "wish_unmet": ("/admin/local-login", "home.open_local_login"),
        "locked_out": ("/admin/local-login", "home.open_local_login"),
        "would_be_locked_out": ("/admin/local-login", "home.open_local_login"),
        "administrators_without_factor": ("/admin/users", "home.open_users"),
        "without_factor": ("/admin/users", "home.open_users"),
    }
    words = "idp upstream" if kind == "upstream" else "idp sp"
    commands = {
        "metadata_changed": f"{words} diff {peer}",
        "metadata_problem": f"{words} refresh {peer}",
        "no_mail": "IDP_MAIL__URL=smtp+starttls://user@mail.example.org:587 idp run",
    }
    over = need.days is not None and need.days < 0
    return Point(
        f"{need.code}_over" if over else need.code,
        urgent=need.urgent,
        n=need.days if need.days is not None and not over else need.n,
        link=links.get(need.code),
        commands=((None, commands[need.code]),) if need.code in commands else (),
        facts={"name": need.name, "detail": need.detail},
        at=need.at,
        looked_at=PEOPLE if need.more else None,
    )


def _own(recovery_codes: int | None) -> list[Point]:
    renew = ("/account/recovery-codes", "account.codes_renew")
    if recovery_codes is None or recovery_codes > FEW_CODES:
        return []
    if recovery_codes == 0:
        return [Point("no_codes", urgent=True, link=renew)]
    return [Point("few_codes", n=recovery_codes, link=renew)]


def _of_installation(installed: Installed) -> list[Point]:
    found = []
    if installed.issuer.startswith("http://") and not is_loopback_url(installed.issuer):
        found.append(
            Point("not_encrypted", urgent=True, commands=((None, "IDP_ISSUER=https://id.example.org idp run"),))
        )
    if not installed.apps:
        client = 'idp client add --name "My app" \\\n  --redirect-uri https://app.example.org/callback'
        sp = "idp sp add https://app.example.org/saml/metadata"
        cure = ("/admin/clients/new", "admin.new")
        found.append(Point("no_app", commands=((None, client), ("home.no_app_saml", sp)), link=cure))
    if not installed.upstreams:
        add = (
            "idp upstream add google --id google \\\n"
            "  --set client_id=CLIENT_ID \\\n  --set client_secret=CLIENT_SECRET"
        )
        found.append(
            Point("no_upstream", commands=((None, add),), link=("/admin/upstreams/new", "admin_upstreams.new"))
        )
    if installed.administrators == 1 and installed.users < MANY:  # of more users only the first are looked at
        command = "idp user add NAME --email NAME@example.org --admin --password-stdin"
        found.append(Point("one_admin", commands=((None, command),), link=("/admin/users", "home.open_users")))
    return found

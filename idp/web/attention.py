"""What needs the attention of the person on the home page, most urgent first, each with its cure. Pure."""

from dataclasses import dataclass

from idp.base.net import is_loopback_url

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
    """name: `home.<name>` in the catalogue is its title (counted when n is given), `home.<name>_why` says why. commands to
    copy, each with the catalogue key of what stands above it (or none); link: where the cure is, with the key of its words."""

    name: str
    urgent: bool = False
    n: int | None = None
    commands: tuple[tuple[str | None, str], ...] = ()
    link: tuple[str, str] | None = None


def points(recovery_codes: int | None, installed: Installed | None) -> list[Point]:
    """recovery_codes: how many are left, None for a person without a second step. installed: None for those who do not
    administer."""
    found = _own(recovery_codes)
    if installed is not None:
        found += _of_installation(installed)
    return sorted(found, key=lambda point: not point.urgent)


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
            "idp upstream add oidc --id google \\\n  --set issuer=https://accounts.google.com \\\n"
            "  --set client_id=CLIENT_ID \\\n  --set client_secret=CLIENT_SECRET"
        )
        found.append(Point("no_upstream", commands=((None, add),)))
    if installed.administrators == 1 and installed.users < MANY:  # of more users only the first are looked at
        found.append(
            Point(
                "one_admin", commands=((None, "idp user add NAME --email NAME@example.org --admin --password-stdin"),)
            )
        )
    return found

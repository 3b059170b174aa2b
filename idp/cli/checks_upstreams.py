"""What `idp doctor` says of the ways in: upstreams that fail, what ends soon, people without a second step or who would be locked
out, and a proxy that is not trusted. Leaves looking to idp.services.upkeep, and SAML metadata to checks_saml.
"""

from collections.abc import Iterator
from typing import TYPE_CHECKING

from idp.base.net import is_loopback_url
from idp.cli.checks import Finding, State
from idp.cli.common import printable, when

if TYPE_CHECKING:
    from idp.http.parts import Parts
    from idp.services.upkeep import Need

PEOPLE = 10_000
# checks_saml tells more of these.
_TOLD_ELSEWHERE = frozenset({"certificate_ends", "metadata_changed", "metadata_problem"})


def ways_in(parts: "Parts") -> Iterator[Finding]:
    used = [one for one in parts.upstreams.all() if one.enabled]
    if used:
        yield Finding("upstreams", "ok", f"{len(used)} enabled: {printable(', '.join(one.id for one in used[:20]))}")
    for need in parts.upkeep.needs(PEOPLE):
        if need.code not in _TOLD_ELSEWHERE:
            yield _FINDINGS[need.code](need)


def _failing(need: "Need") -> Finding:
    detail = f"failed {_count(need)} in the last hour, last {when(need.at)}: {printable(need.detail)}"
    return Finding(f"upstream {need.id}", "wrong", detail, f"Look at it: idp upstream show {need.id}")


def _failed(need: "Need") -> Finding:
    detail = f"failed {_count(need)} in the last hour, and works again: {printable(need.detail)}"
    return Finding(f"upstream {need.id}", "hint", detail, "Nothing to do, unless it comes again.")


def _secret(need: "Need") -> Finding:
    days = need.days or 0
    ended = need.at is not None and days < 0
    detail = (
        f"its client secret ended {when(need.at)}"
        if ended
        else f"its client secret ends {when(need.at)}, in {days} days"
    )
    state: State = "wrong" if ended else "hint"
    cure = f"Make a new one there, then: idp upstream set {need.id} --set client_secret=… --set secret_expires_at=…"
    return Finding(f"upstream {need.id}", state, ("now: " if need.urgent and not ended else "") + detail, cure)


def _wish_unmet(_need: "Need") -> Finding:
    cure = "See what is missing: idp local-login status"
    return Finding("local login", "hint", "the settings say local_login: false, but it is still on", cure)


def _locked_out(need: "Need") -> Finding:
    detail = f"{_people(need)} cannot sign in while local login is off: {printable(need.detail)}"
    cure = "Link a login for them, or make an exception: idp local-login exceptions"
    return Finding("locked out", "hint", detail, cure)


def _would_be_locked_out(need: "Need") -> Finding:
    detail = f"{_people(need)} could not sign in if local login were off: {printable(need.detail)}"
    return Finding("local login", "hint", detail, "Before you turn it off: idp local-login status")


def _administrators(need: "Need") -> Finding:
    detail = f"{_people(need)} with the role of administrators without a second step: {printable(need.detail)}"
    return Finding("second factor", "hint", detail, "They get one at their next sign-in; let them sign in soon.")


def _without_factor(need: "Need") -> Finding:
    detail = f"{_people(need)} without one: {printable(need.detail)}"
    return Finding("second factor", "hint", detail, "Who must have one: setting second_factor")


def _no_mail(_need: "Need") -> Finding:
    detail = "no mail server: nobody is told when a login is linked to them or taken away"
    return Finding("mail", "hint", detail, "Set mail.url and mail.sender.")


_FINDINGS = {
    "upstream_failing": _failing,
    "upstream_failed": _failed,
    "secret_ends": _secret,
    "wish_unmet": _wish_unmet,
    "locked_out": _locked_out,
    "would_be_locked_out": _would_be_locked_out,
    "administrators_without_factor": _administrators,
    "without_factor": _without_factor,
    "no_mail": _no_mail,
}


def proxy(parts: "Parts") -> Iterator[Finding]:
    """A proxy that is not trusted hides everybody's address; one that is trusted and not there lets anybody choose one."""
    server, issuer = parts.settings.server, parts.installation.issuer
    if issuer.startswith("https://") and not server.tls and not server.trusted_proxies and not is_loopback_url(issuer):
        detail = f"{issuer} is served by a proxy, and what it says about senders is ignored: all of them look like one"
        yield Finding("proxy", "hint", detail, "Set server.trusted_proxies to the number of proxies.")
    elif server.trusted_proxies and server.host in ("0.0.0.0", "::"):  # noqa: S104
        detail = f"X-Forwarded-For is believed from everybody who reaches port {server.port} on {server.host}"
        yield Finding("proxy", "hint", detail, "Let only the proxy reach that port: server.host, or a firewall.")
    elif server.trusted_proxies:
        yield Finding("proxy", "ok", f"{server.trusted_proxies} trusted")


def _count(need: "Need") -> str:
    return "once" if need.n == 1 else f"{need.n} times"


def _people(need: "Need") -> str:
    some = "at least " if need.more else ""
    return f"{some}{need.n} {'user' if need.n == 1 else 'users'}"


CHECKS = (ways_in, proxy)

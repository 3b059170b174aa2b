"""Sign-ins that begin here (SAML Profiles 4.1.5): which service provider may be started so, and with what RelayState.

Leaves who signs in to the sign-in, and the answer to `door`.
"""

import re
from urllib.parse import urlsplit

from idp.base.errors import Refused
from idp.domain.relying import ServiceProvider
from idp.protocols.saml import inbound
from idp.protocols.saml.errors import refuse
from idp.protocols.saml.request import AuthnRequest
from idp.saml.views import SpView
from idp.services.service_providers import Providers

MAX_TARGET = 1024
_ODD = re.compile(r"[\x00-\x20\x7f\\]")


def unsolicited(providers: Providers, entity_id: str, target: str, now: float) -> inbound.Received:
    """What an answer without a request is made from. target: where the service provider should take the person, empty for what
    is set for it. Raises Refused."""
    known = providers.get(entity_id) if 0 < len(entity_id) <= inbound.MAX_URI else None
    if known is None:
        raise refuse(
            "unknown_service_provider",
            f"no service provider is registered as {entity_id[:200]!r}",
            message="This app is not registered here. Ask an administrator to add its metadata.",
            status=403,
        )
    sp, view = known
    inbound.check_enabled(sp, view, now)
    if not sp.idp_initiated:
        raise refuse(
            "saml_not_from_here",
            f"idp_initiated is off for {sp.id!r}",
            message="Sign-ins to this app do not begin here. Open the app itself and sign in there.",
            status=403,
        )
    acs = view.default_acs()
    relay_state = _relay_state(target, sp, view) or sp.default_relay_state or None
    return inbound.Received(AuthnRequest("", sp.id, acs.url, relay_state, binding=acs.binding), sp, view, None)


def _relay_state(target: str, sp: ServiceProvider, view: SpView) -> str:
    """Many apps send the person wherever RelayState says: an address of some other place is not passed on to them."""
    if not target:
        return ""
    if len(target) > MAX_TARGET or _ODD.search(target) or not _of(sp, view, target):
        raise _bad_target(sp, target)
    return target


def _of(sp: ServiceProvider, view: SpView, target: str) -> bool:
    own = {_host(acs.url) for acs in view.acs} | {_host(sp.default_relay_state)} - {""}
    try:
        parts = urlsplit(target)
        _ = parts.port
    except ValueError:
        return False
    if parts.netloc:
        return parts.scheme in ("", "http", "https") and _host(target) in own
    # Browsers take three slashes for two.
    return not parts.scheme and not target.startswith("//")


def _host(url: str) -> str:
    try:
        return urlsplit(url).netloc.lower()
    except ValueError:
        return ""


def _bad_target(sp: ServiceProvider, target: str) -> Refused:
    return refuse(
        "saml_bad_target",
        f"target {target[:200]!r} is neither a path, nor opaque, nor at an address of {sp.id!r}",
        message="The address to go to does not belong to this app.",
    )

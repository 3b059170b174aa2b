"""Composition root: settings -> services -> Flask application. The only file that knows every part."""

import logging
import os
import threading
import time
from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING

from idp.assemble import build_parts
from idp.base import config, log
from idp.base.claims import ADMIN_AUDIENCE, ADMIN_SCOPE
from idp.base.clock import Clock, system_clock
from idp.base.config import Settings
from idp.domain.grant import LogoutDelivery
from idp.http.parts import Parts
from idp.ports import Repository, StoreUnavailable
from idp.resources import resource_dir
from idp.services.deliver_logout import DeliverLogout
from idp.services.installation import check_production
from idp.services.mails import Mails
from idp.services.metadata.jobs import MetadataJobs
from idp.services.rotate_keys import RotateKeys

if TYPE_CHECKING:
    from flask import Flask

SWEEP_SECONDS = 60.0


def create_app(settings: Settings, *, repo: Repository | None = None, clock: Clock = system_clock) -> "Flask":
    """The WSGI application of the identity provider. Raises Misconfigured."""
    # Here, not above: the command line needs the parts only, and the web framework takes longer to load than a command.
    from flask import Flask

    from idp.http.browser import set_up_browser
    from idp.http.errors import set_up_errors
    from idp.http.render import set_up_render
    from idp.http.security import set_up_security

    check_production(settings)
    app = Flask(
        "idp",
        template_folder=str(resource_dir("templates")),
        static_folder=str(resource_dir("static")),
        static_url_path="/static",
    )
    # Else `//token` is redirected, with all that was sent, to wherever the Host header says.
    app.url_map.merge_slashes = False
    parts = build_parts(settings, repo=repo, clock=clock)
    app.extensions["sheaf"] = parts
    set_up_browser(app)
    set_up_security(app)
    set_up_render(app)
    set_up_errors(app)
    _mount(app)
    parts.keys.ensure()
    parts.rotation.settle()
    if settings.server.trusted_proxies:
        from werkzeug.middleware.proxy_fix import ProxyFix

        hops = settings.server.trusted_proxies
        app.wsgi_app = ProxyFix(app.wsgi_app, x_for=hops, x_proto=hops, x_host=hops)  # type: ignore[method-assign]
    return app


def _mount(app: "Flask") -> None:
    """Every door of the house. Order does not matter: no two own the same path."""
    from idp.admin import routes as admin
    from idp.http import machine_views
    from idp.http.machine import Lane
    from idp.http.waiting_room import waits
    from idp.protocols.oidc import routes as oidc
    from idp.protocols.oidc.endpoints import endpoints, short_cuts
    from idp.protocols.oidc.errors import told_refused
    from idp.protocols.oidc.protected import protected
    from idp.protocols.saml import routes as saml
    from idp.web import routes as web

    oidc.mount(app)
    saml.mount(app)
    web.mount(app)
    admin.mount(app)
    parts, door = app.extensions["sheaf"], app.extensions["sheaf_oidc"]
    guard = partial(protected, door, audience=ADMIN_AUDIENCE, scope=ADMIN_SCOPE)
    table = [*endpoints(door), *saml.endpoints(app), *web.ENDPOINTS, *admin.endpoints(parts, guard)]
    app.extensions["sheaf_deliveries"] = _deliveries(app)
    app.extensions["sheaf_waits"] = waits
    machine_views.mount(app, Lane(table, parts, told_refused, {**short_cuts(door), **saml.short_cuts(app)}))


def _deliveries(app: "Flask") -> DeliverLogout:
    """The queue of notes to everybody who must hear of the end of a session, each told in its own protocol."""
    from idp.protocols.oidc import backchannel
    from idp.protocols.saml import slo_soap

    parts: Parts = app.extensions["sheaf"]
    door = app.extensions["sheaf_oidc"]

    def tell(delivery: LogoutDelivery) -> None:
        if delivery.protocol == "oidc":
            backchannel.tell(door, delivery)
        else:
            slo_soap.tell(parts, delivery)

    return DeliverLogout(parts.repo, parts.clock, parts.audit, tell, try_seconds=parts.settings.net.timeout_seconds)


def serve() -> "Flask":
    """Factory for the HTTP server: settings from IDP_CONFIG and the environment."""
    settings = config.load(os.environ.get("IDP_CONFIG"))
    log.set_up(settings.log.level)
    app = create_app(settings)
    chores = (app.extensions["sheaf"].repo.sweep, app.extensions["sheaf"].turn_local_login.settle)
    threading.Thread(target=_tidy_for_ever, args=chores, name="sweeper", daemon=True).start()
    rotation: RotateKeys = app.extensions["sheaf"].rotation
    threading.Thread(target=rotation.keep_for_ever, name="key-rotation", daemon=True).start()
    metadata = MetadataJobs(app.extensions["sheaf"].metadata_watch, app.extensions["sheaf"].federations)
    threading.Thread(target=metadata.keep_for_ever, name="saml-metadata", daemon=True).start()
    mails: Mails = app.extensions["sheaf"].mails
    unfinished = app.extensions["sheaf"].changes.settle
    threading.Thread(target=mails.keep_for_ever, args=(unfinished,), name="mail", daemon=True).start()
    deliveries: DeliverLogout = app.extensions["sheaf_deliveries"]
    app.extensions["sheaf"].logout.on_new = deliveries.take
    deliveries.start()
    return app


def _tidy_for_ever(*chores: Callable[[], object]) -> None:
    """What is never read any more is taken away: expired records, sessions that do not count."""
    while True:
        time.sleep(SWEEP_SECONDS)
        for chore in chores:
            try:
                chore()
            except StoreUnavailable as error:
                log.event(logging.getLogger("idp.store"), "sweep_failed", logging.WARNING, why=str(error))

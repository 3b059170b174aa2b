"""Composition root: settings -> services -> Flask application. The only file that knows every part."""

import logging
import os
import threading
import time
from typing import TYPE_CHECKING

from idp.base import config, log
from idp.base.clock import Clock, system_clock
from idp.base.config import Roles, Settings
from idp.base.net import policy_for
from idp.crypto.keys import KeyRing
from idp.crypto.passwords import Passwords
from idp.crypto.seal import Seal
from idp.domain.policy import SecondFactorPolicy
from idp.http.parts import Parts
from idp.ports import Repository, StoreUnavailable
from idp.resources import resource_dir
from idp.services.depart_upstream import Departures
from idp.services.factors import Factors
from idp.services.installation import Installation, check_production, seal_key
from idp.services.link_login import LinkLogin
from idp.services.manage_apps import Apps
from idp.services.manage_upstreams import Upstreams
from idp.services.manage_users import Users
from idp.services.record_audit import Audit, Traces
from idp.services.sessions import Sessions
from idp.services.set_up import SetUp
from idp.services.sign_in import SignIn
from idp.services.throttle import Throttles
from idp.storage.open import open_repository
from idp.upstream.registry import Kinds

if TYPE_CHECKING:
    from flask import Flask

SWEEP_SECONDS = 60.0
# Answered from memory and the embedded store, mostly within a millisecond: the server gives them no thread of their own.
# Nothing here hashes a password or asks another server. Not with a store across the network: waiting for it needs threads.
SHORT_PATHS = frozenset(
    {
        "/.well-known/oauth-authorization-server",
        "/.well-known/openid-configuration",
        "/healthz",
        "/introspect",
        "/jwks",
        "/token",
        "/userinfo",
    }
)


def build_parts(settings: Settings, *, repo: Repository | None = None, clock: Clock = system_clock) -> Parts:
    """Every service, wired. Also what the command line works with. Raises Misconfigured."""
    seal = Seal(seal_key(settings))
    repo = repo or open_repository(settings, clock)
    installation = Installation(settings, repo, clock)
    audit = Audit(repo, clock)
    upstreams = Upstreams(repo, clock, seal, audit)
    throttles = Throttles(repo, clock)
    passwords = Passwords(settings.passwords, settings.server.workers)
    sessions = Sessions(repo, clock, audit, settings.sign_in)
    users = Users(repo, clock, passwords, sessions, audit)
    links = LinkLogin(repo, clock, users, audit)
    factors = Factors(repo, seal, clock, audit, throttles, settings.organisation)
    return Parts(
        settings=settings,
        clock=clock,
        repo=repo,
        installation=installation,
        seal=seal,
        passwords=passwords,
        audit=audit,
        traces=Traces(repo, clock, settings.log.trace_days),
        throttles=throttles,
        factors=factors,
        sessions=sessions,
        users=users,
        links=links,
        set_up=SetUp(repo, clock, users, audit),
        sign_in=SignIn(
            repo,
            clock,
            users=users,
            passwords=passwords,
            factors=factors,
            sessions=sessions,
            links=links,
            throttles=throttles,
            audit=audit,
            policy=second_factor_policy(settings),
            attempt_seconds=settings.sign_in.attempt_seconds,
            local_login=settings.local_login,
        ),
        apps=Apps(repo, clock, audit),
        upstreams=upstreams,
        kinds=Kinds(upstreams, lambda: policy_for(settings.net, installation.issuer), clock),
        departures=Departures(repo, clock),
        keys=KeyRing(repo, seal, clock),
        csrf_key=seal.derive("csrf"),
    )


def second_factor_policy(settings: Settings) -> SecondFactorPolicy:
    chosen = settings.second_factor
    return SecondFactorPolicy("roles", chosen.roles) if isinstance(chosen, Roles) else SecondFactorPolicy(chosen)


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
    parts = build_parts(settings, repo=repo, clock=clock)
    app.extensions["sheaf"] = parts
    set_up_browser(app)
    set_up_security(app)
    set_up_render(app)
    set_up_errors(app)
    _mount(app)
    parts.keys.ensure()
    if settings.server.trusted_proxies:
        from werkzeug.middleware.proxy_fix import ProxyFix

        hops = settings.server.trusted_proxies
        app.wsgi_app = ProxyFix(app.wsgi_app, x_for=hops, x_proto=hops, x_host=hops)  # type: ignore[method-assign]
    return app


def _mount(app: "Flask") -> None:
    """Every door of the house. Order does not matter: no two own the same path."""
    from idp.protocols.oidc import routes as oidc
    from idp.protocols.saml import routes as saml
    from idp.web import routes as web

    oidc.mount(app)
    saml.mount(app)
    web.mount(app)


def serve() -> "Flask":
    """Factory for the HTTP server: settings from IDP_CONFIG and the environment."""
    settings = config.load(os.environ.get("IDP_CONFIG"))
    log.set_up(settings.log.level)
    app = create_app(settings)
    app.short_paths = SHORT_PATHS if settings.store.url.startswith("sqlite") else frozenset()  # type: ignore[attr-defined]
    threading.Thread(target=_sweep_for_ever, args=(app.extensions["sheaf"].repo,), name="sweeper", daemon=True).start()
    return app


def _sweep_for_ever(repo: Repository) -> None:
    """Expired records are never read; this only gives their room back."""
    while True:
        time.sleep(SWEEP_SECONDS)
        try:
            repo.sweep()
        except StoreUnavailable as error:
            log.event(logging.getLogger("idp.store"), "sweep_failed", logging.WARNING, why=str(error))

"""Composition root: settings -> services -> Flask application. The only file that knows every part."""

import logging
import os
import threading
import time
from functools import partial
from typing import TYPE_CHECKING

from idp.base import config, log, mtls
from idp.base.claims import ADMIN_AUDIENCE, ADMIN_SCOPE
from idp.base.clock import Clock, system_clock
from idp.base.config import Roles, Settings
from idp.base.net import NetPolicy, policy_for
from idp.base.places import Places
from idp.crypto import external_keys
from idp.crypto.keys import KeyRing
from idp.crypto.passwords import Passwords
from idp.crypto.seal import Seal
from idp.domain.grant import LogoutDelivery
from idp.domain.policy import SecondFactorPolicy
from idp.http.parts import Parts
from idp.ports import Repository, StoreUnavailable, Tools
from idp.resources import resource_dir
from idp.services.allowed_apps import AllowedApps
from idp.services.app_list import AppList, SpList
from idp.services.check_client import Surroundings
from idp.services.decode_saml import DecodeSaml
from idp.services.deliver_logout import DeliverLogout
from idp.services.depart_upstream import Departures
from idp.services.factors import Factors
from idp.services.initial_tokens import InitialTokens
from idp.services.installation import Installation, check_production, seal_key
from idp.services.link_login import LinkLogin
from idp.services.live_grants import LiveGrants
from idp.services.logos import Logos
from idp.services.logout import Logout
from idp.services.logout_runs import LogoutRuns
from idp.services.manage_apps import Apps
from idp.services.manage_upstreams import Upstreams
from idp.services.manage_users import Users
from idp.services.metadata.federations import Federations
from idp.services.metadata.jobs import MetadataJobs
from idp.services.metadata.load_aggregate import LoadAggregate
from idp.services.metadata.peers import Peers
from idp.services.metadata.query import MetadataQuery
from idp.services.metadata.watch import MetadataWatches
from idp.services.once import Once
from idp.services.participants import Participants
from idp.services.reach import of_service_providers
from idp.services.record_audit import Audit, Traces
from idp.services.register_client import Registration
from idp.services.release import Release
from idp.services.rotate_keys import RotateKeys
from idp.services.saml_messages import SamlMessages
from idp.services.saml_notes import SamlNotes
from idp.services.scopes import Scopes
from idp.services.service_providers import Providers
from idp.services.sessions import Sessions
from idp.services.set_up import SetUp
from idp.services.sign_in import SignIn
from idp.services.subjects import Subjects
from idp.services.throttle import Throttles
from idp.storage.open import open_repository
from idp.upstream.logout import of_upstreams
from idp.upstream.registry import Kinds

if TYPE_CHECKING:
    from flask import Flask

SWEEP_SECONDS = 60.0


def build_parts(settings: Settings, *, repo: Repository | None = None, clock: Clock = system_clock) -> Parts:
    """Every service, wired. Also what the command line works with. Raises Misconfigured."""
    seal = Seal(seal_key(settings))
    repo = repo or open_repository(settings, clock)
    installation = Installation(settings, repo, clock)
    audit = Audit(repo, clock)
    upstreams = Upstreams(repo, clock, seal, audit)
    throttles = Throttles(repo, clock)
    passwords = Passwords(settings.passwords, settings.server.workers)
    subjects = Subjects(seal)

    def policy() -> NetPolicy:
        return policy_for(settings.net, installation.issuer)

    query = MetadataQuery(repo, clock, policy, Places(max(2, settings.server.threads // 2)))
    loader = LoadAggregate(repo, clock, policy, max_bytes=settings.saml.max_aggregate_bytes)
    federations = Federations(repo, clock, audit, query, loader)
    providers = Providers(repo, federations)
    participants, upstreams_reach = Participants(repo, seal), of_upstreams(upstreams, lambda: kinds)
    notes = SamlNotes(repo, clock, participants, of_service_providers(providers), upstreams_reach)
    runs = LogoutRuns(repo, clock, notes)
    logout = Logout(repo, clock, subjects, notes, runs, waiters=max(1, settings.server.threads // 2))
    sessions = Sessions(repo, clock, audit, settings.sign_in, logout)
    users = Users(repo, clock, passwords, sessions, audit)
    links = LinkLogin(repo, clock, users, audit)
    scopes = Scopes(repo, clock, audit)
    factors = Factors(repo, seal, clock, audit, throttles, settings.organisation)
    keys = KeyRing(repo, seal, clock, external=external_keys.source(settings.oidc.external_keys))
    around = Surroundings(mtls.available(settings), policy, keys.prepare)
    once = Once(repo)

    def tools() -> Tools:
        return Tools(policy(), clock, installation.issuer, keys, once.first, settings.organisation)

    kinds = Kinds(upstreams, tools)
    apps, initial = Apps(repo, clock, audit, seal, around), InitialTokens(repo, clock, audit)
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
        logout=logout,
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
        apps=apps,
        app_list=AppList(repo, clock, apps),
        sp_list=SpList(repo, clock, apps),
        logos=Logos(around.policy, clock, Places(settings.server.threads // 4)),
        allowed=AllowedApps(repo, clock, sessions=sessions, live=LiveGrants(repo, clock, sessions, audit), audit=audit),
        initial_tokens=initial,
        registration=Registration(apps, initial, throttles, clock, settings.registration),
        scopes=scopes,
        subjects=subjects,
        participants=participants,
        providers=providers,
        federations=federations,
        metadata_watch=MetadataWatches(repo, clock, audit, Peers(repo, apps, upstreams), policy),
        logout_runs=runs,
        saml_messages=SamlMessages(repo, clock, kept=settings.saml.keep_messages, hours=settings.saml.message_hours),
        decode_saml=DecodeSaml(
            providers,
            upstreams,
            clock,
            issuer=lambda: installation.issuer,
            entity_id=lambda: settings.saml.entity_id or f"{installation.issuer}/saml/metadata",
            certificates=keys.saml_published,
            skew=settings.saml.request_skew_seconds,
        ),
        release=Release(repo, scopes, subjects, lambda: installation.issuer),
        upstreams=upstreams,
        kinds=kinds,
        departures=Departures(repo, clock),
        keys=keys,
        rotation=RotateKeys(repo, keys, clock, audit, settings.oidc.rotate_keys_days),
        csrf_key=seal.derive("csrf"),
        state_key=seal.derive("browser state"),
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
    threading.Thread(target=_sweep_for_ever, args=(app.extensions["sheaf"].repo,), name="sweeper", daemon=True).start()
    rotation: RotateKeys = app.extensions["sheaf"].rotation
    threading.Thread(target=rotation.keep_for_ever, name="key-rotation", daemon=True).start()
    metadata = MetadataJobs(app.extensions["sheaf"].metadata_watch, app.extensions["sheaf"].federations)
    threading.Thread(target=metadata.keep_for_ever, name="saml-metadata", daemon=True).start()
    deliveries: DeliverLogout = app.extensions["sheaf_deliveries"]
    app.extensions["sheaf"].logout.on_new = deliveries.take
    deliveries.start()
    return app


def _sweep_for_ever(repo: Repository) -> None:
    """Expired records are never read; this only gives their room back."""
    while True:
        time.sleep(SWEEP_SECONDS)
        try:
            repo.sweep()
        except StoreUnavailable as error:
            log.event(logging.getLogger("idp.store"), "sweep_failed", logging.WARNING, why=str(error))

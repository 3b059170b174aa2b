"""The services of this process, built once by idp.app, found by every route with `parts()`."""

from dataclasses import dataclass, field

from idp.base.clock import Clock
from idp.base.config import Settings
from idp.crypto.keys import KeyRing
from idp.crypto.passwords import Passwords
from idp.crypto.seal import Seal
from idp.ports import Repository
from idp.services.allowed_apps import AllowedApps
from idp.services.app_list import AppList, SpList
from idp.services.decode_saml import DecodeSaml
from idp.services.depart_upstream import Departures
from idp.services.factors import Factors
from idp.services.initial_tokens import InitialTokens
from idp.services.installation import Installation
from idp.services.link_login import LinkLogin
from idp.services.logos import Logos
from idp.services.logout import Logout
from idp.services.logout_runs import LogoutRuns
from idp.services.manage_apps import Apps
from idp.services.manage_upstreams import Upstreams
from idp.services.manage_users import Users
from idp.services.metadata.federations import Federations
from idp.services.metadata.watch import MetadataWatches
from idp.services.participants import Participants
from idp.services.record_audit import Audit, Traces
from idp.services.register_client import Registration
from idp.services.release import Release
from idp.services.rotate_keys import RotateKeys
from idp.services.saml_messages import SamlMessages
from idp.services.scopes import Scopes
from idp.services.service_providers import Providers
from idp.services.sessions import Sessions
from idp.services.set_up import SetUp
from idp.services.sign_in import SignIn
from idp.services.subjects import Subjects
from idp.services.throttle import Throttles
from idp.upstream.registry import Kinds


@dataclass(frozen=True, slots=True)
class Parts:
    settings: Settings
    clock: Clock
    repo: Repository
    installation: Installation
    seal: Seal
    passwords: Passwords
    audit: Audit
    traces: Traces
    throttles: Throttles
    factors: Factors
    sessions: Sessions
    logout: Logout
    users: Users
    links: LinkLogin
    set_up: SetUp
    sign_in: SignIn
    apps: Apps
    app_list: AppList
    sp_list: SpList
    logos: Logos
    allowed: AllowedApps
    initial_tokens: InitialTokens
    registration: Registration
    scopes: Scopes
    subjects: Subjects
    participants: Participants
    providers: Providers
    federations: Federations
    metadata_watch: MetadataWatches
    logout_runs: LogoutRuns
    saml_messages: SamlMessages
    decode_saml: DecodeSaml
    release: Release
    upstreams: Upstreams
    kinds: Kinds
    departures: Departures
    keys: KeyRing
    rotation: RotateKeys
    csrf_key: bytes = field(repr=False)
    state_key: bytes = field(repr=False)


def parts() -> Parts:
    from flask import current_app  # here: the command line uses Parts and needs no web framework

    found: Parts = current_app.extensions["sheaf"]
    return found

"""The services of this process by area, built once by idp.assemble, found by every route with `parts()`."""

from dataclasses import dataclass, field, fields

from idp.base.clock import Clock
from idp.base.config import Settings
from idp.crypto.keys import KeyRing
from idp.crypto.passwords import Passwords
from idp.crypto.seal import Seal
from idp.ports import Repository
from idp.services.allowed_apps import AllowedApps
from idp.services.app_list import AppList, SpList
from idp.services.break_glass import BreakGlassDoor
from idp.services.change_links import LinkChanges
from idp.services.companion_tokens import CompanionTokens
from idp.services.decode_saml import DecodeSaml
from idp.services.depart_upstream import Departures
from idp.services.factors import Factors
from idp.services.initial_tokens import InitialTokens
from idp.services.installation import Installation
from idp.services.invitations import Invitations
from idp.services.link_login import LinkLogin
from idp.services.local_login import LocalLogin
from idp.services.logos import Logos
from idp.services.logout import Logout
from idp.services.logout_runs import LogoutRuns
from idp.services.mails import Mails
from idp.services.manage_apps import Apps
from idp.services.manage_upstreams import Upstreams
from idp.services.manage_users import Users
from idp.services.merge_offers import MergeOffers
from idp.services.metadata.federations import Federations
from idp.services.metadata.watch import MetadataWatches
from idp.services.participants import Participants
from idp.services.record_audit import Audit, Traces
from idp.services.register_client import Registration
from idp.services.release import Release
from idp.services.remove_upstream import RemoveUpstream
from idp.services.remove_user import RemoveUser
from idp.services.rotate_keys import RotateKeys
from idp.services.saml_messages import SamlMessages
from idp.services.scopes import Scopes
from idp.services.service_providers import Providers
from idp.services.sessions import Sessions
from idp.services.set_up import SetUp
from idp.services.sign_in import SignIn
from idp.services.sign_in_records import SignInRecords
from idp.services.subjects import Subjects
from idp.services.throttle import Throttles
from idp.services.turn_local_login import TurnLocalLogin
from idp.services.upkeep import Upkeep
from idp.services.upstream_health import UpstreamHealthBook
from idp.services.upstream_tests import UpstreamTests
from idp.services.user_list import UserList
from idp.upstream.registry import Kinds


@dataclass(frozen=True)
class Ground:
    """What all the others stand on."""

    settings: Settings
    clock: Clock
    repo: Repository
    installation: Installation
    seal: Seal
    passwords: Passwords
    audit: Audit
    traces: Traces
    throttles: Throttles
    keys: KeyRing
    rotation: RotateKeys
    subjects: Subjects
    mails: Mails
    csrf_key: bytes = field(repr=False)
    state_key: bytes = field(repr=False)


@dataclass(frozen=True)
class Ways:
    """Ways to sign in: the upstreams, and whether a local password is one."""

    local_login: LocalLogin
    upstreams: Upstreams
    kinds: Kinds
    departures: Departures
    upstream_tests: UpstreamTests
    upstream_health: UpstreamHealthBook


@dataclass(frozen=True)
class SamlPeers:
    """Service providers and federations, who is signed in where, and the end of a session in either protocol."""

    federations: Federations
    providers: Providers
    participants: Participants
    logout_runs: LogoutRuns
    logout: Logout
    saml_messages: SamlMessages
    decode_saml: DecodeSaml


@dataclass(frozen=True)
class People:
    """Users, their sessions and logins, and what changes whose a login is."""

    sessions: Sessions
    users: Users
    user_list: UserList
    remove_user: RemoveUser
    remove_upstream: RemoveUpstream
    factors: Factors
    set_up: SetUp
    changes: LinkChanges
    links: LinkLogin
    invitations: Invitations
    merge_offers: MergeOffers


@dataclass(frozen=True)
class SigningIn:
    """Carrying a sign-in out, keeping its record, and the ways back in when no way is left."""

    sign_in: SignIn
    records: SignInRecords
    break_glass: BreakGlassDoor
    turn_local_login: TurnLocalLogin


@dataclass(frozen=True)
class Relying:
    """Apps, what they get, and what an administrator has to see to."""

    apps: Apps
    app_list: AppList
    sp_list: SpList
    logos: Logos
    allowed: AllowedApps
    initial_tokens: InitialTokens
    registration: Registration
    scopes: Scopes
    release: Release
    companion_tokens: CompanionTokens
    metadata_watch: MetadataWatches
    upkeep: Upkeep


@dataclass(frozen=True)
class Parts(Ground, Ways, SamlPeers, People, SigningIn, Relying):
    """All of them, by name."""


def together(
    ground: Ground, ways: Ways, saml: SamlPeers, people: People, signing_in: SigningIn, apps: Relying
) -> Parts:
    areas = (ground, ways, saml, people, signing_in, apps)
    return Parts(**{one.name: getattr(area, one.name) for area in areas for one in fields(area)})


def parts() -> Parts:
    from flask import current_app  # here: the command line uses Parts and needs no web framework

    found: Parts = current_app.extensions["sheaf"]
    return found

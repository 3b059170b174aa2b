"""Wires every service for the settings: what the web application, the command line and the tests work with. Decides nothing."""

from functools import partial

from idp.base import mtls
from idp.base.clock import Clock, system_clock
from idp.base.config import Settings
from idp.base.net import NetPolicy, policy_for
from idp.base.places import Places
from idp.base.sections import Roles
from idp.crypto import external_keys
from idp.crypto.keys import KeyRing
from idp.crypto.passwords import Passwords
from idp.crypto.seal import Seal
from idp.domain.policy import SecondFactorPolicy
from idp.http.parts import Ground, Parts, People, Relying, SamlPeers, SigningIn, Ways, together
from idp.mail.smtp import mailer_for
from idp.ports import Repository, Tools
from idp.services.allowed_apps import AllowedApps
from idp.services.app_list import AppList, SpList
from idp.services.arrivals import Joining
from idp.services.break_glass import BreakGlassDoor
from idp.services.break_glass_codes import CodeSheet
from idp.services.change_links import LinkChanges
from idp.services.check_client import Surroundings
from idp.services.companion_tokens import CompanionTokens
from idp.services.decode_saml import DecodeSaml
from idp.services.depart_upstream import Departures
from idp.services.factors import Factors
from idp.services.initial_tokens import InitialTokens
from idp.services.installation import Installation, seal_key
from idp.services.invitations import Invitations
from idp.services.link_login import LinkLogin
from idp.services.live_grants import LiveGrants
from idp.services.local_login import LocalLogin
from idp.services.logos import Logos
from idp.services.logout import Logout
from idp.services.logout_runs import LogoutRuns
from idp.services.mails import Mails
from idp.services.manage_apps import Apps
from idp.services.manage_upstreams import Upstreams
from idp.services.manage_users import Users
from idp.services.map_login import MapLogin
from idp.services.merge_offers import MergeOffers
from idp.services.metadata.federations import Federations
from idp.services.metadata.load_aggregate import LoadAggregate
from idp.services.metadata.peers import Peers
from idp.services.metadata.query import MetadataQuery
from idp.services.metadata.watch import MetadataWatches
from idp.services.new_users import NewUsers
from idp.services.once import Once
from idp.services.participants import Participants
from idp.services.quarantine import Quarantine
from idp.services.reach import of_service_providers
from idp.services.record_audit import Audit, Traces
from idp.services.register_client import Registration
from idp.services.release import Release
from idp.services.remove_upstream import RemoveUpstream
from idp.services.remove_user import RemoveUser
from idp.services.rotate_keys import RotateKeys
from idp.services.saml_messages import SamlMessages
from idp.services.saml_notes import SamlNotes
from idp.services.scopes import Scopes
from idp.services.service_providers import Providers
from idp.services.sessions import Sessions
from idp.services.set_up import SetUp
from idp.services.sign_in import SignIn
from idp.services.sign_in_records import SignInRecords
from idp.services.subjects import Subjects
from idp.services.tell_changes import TellChanges
from idp.services.throttle import Throttles
from idp.services.turn_local_login import TurnLocalLogin
from idp.services.upkeep import Upkeep
from idp.services.upstream_health import UpstreamHealthBook
from idp.services.upstream_tests import UpstreamTests
from idp.services.user_list import UserList
from idp.storage.open import open_repository
from idp.upstream.logout import of_upstreams
from idp.upstream.registry import Kinds
from idp.upstream.saml_metadata import certificates_of


def build_parts(settings: Settings, *, repo: Repository | None = None, clock: Clock = system_clock) -> Parts:
    """Every service, wired. Also what the command line works with. Raises Misconfigured."""
    ground = _ground(settings, repo, clock)
    ways = _ways(ground)
    saml = _saml_peers(ground, ways)
    people = _people(ground, ways, saml)
    return together(ground, ways, saml, people, _signing_in(ground, ways, people), _relying(ground, ways, people))


def _ground(settings: Settings, given: Repository | None, clock: Clock) -> Ground:
    seal = Seal(seal_key(settings))
    repo = given or open_repository(settings, clock)
    audit = Audit(repo, clock)
    keys = KeyRing(repo, seal, clock, external=external_keys.source(settings.oidc.external_keys))
    return Ground(
        settings=settings,
        clock=clock,
        repo=repo,
        installation=Installation(settings, repo, clock),
        seal=seal,
        passwords=Passwords(settings.passwords, settings.server.workers),
        audit=audit,
        traces=Traces(repo, clock, settings.log.trace_days),
        throttles=Throttles(repo, clock),
        keys=keys,
        rotation=RotateKeys(repo, keys, clock, audit, settings.oidc.rotate_keys_days),
        subjects=Subjects(seal),
        mails=Mails(repo, clock, seal, mailer_for(settings)),
        csrf_key=seal.derive("csrf"),
        state_key=seal.derive("browser state"),
    )


def _policy(ground: Ground) -> NetPolicy:
    """Asked anew each time: the issuer may come from the set-up page."""
    return policy_for(ground.settings.net, ground.installation.issuer)


def _ways(ground: Ground) -> Ways:
    repo, clock, audit, settings = ground.repo, ground.clock, ground.audit, ground.settings
    local_login = LocalLogin(repo, clock, audit, settings)
    upstreams = Upstreams(
        repo, clock, ground.seal, audit, lambda provider: local_login.keep_a_way_in(besides_provider=provider)
    )
    once = Once(repo)
    hide, show = (partial(one, owner="upstream", field="logout hint") for one in (ground.seal.close, ground.seal.open))

    def tools() -> Tools:
        issuer = ground.installation.issuer
        return Tools(_policy(ground), clock, issuer, ground.keys, once.first, settings.organisation, hide, show)

    return Ways(
        local_login=local_login,
        upstreams=upstreams,
        kinds=Kinds(upstreams, tools),
        departures=Departures(repo, clock),
        upstream_tests=UpstreamTests(repo, clock, audit, upstreams),
        upstream_health=UpstreamHealthBook(repo, clock),
    )


def _saml_peers(ground: Ground, ways: Ways) -> SamlPeers:
    repo, clock, settings, installation = ground.repo, ground.clock, ground.settings, ground.installation
    policy, threads = partial(_policy, ground), settings.server.threads
    query = MetadataQuery(repo, clock, policy, Places(max(2, threads // 2)))
    loader = LoadAggregate(repo, clock, policy, max_bytes=settings.saml.max_aggregate_bytes)
    federations = Federations(repo, clock, ground.audit, query, loader)
    providers = Providers(repo, federations)
    participants, upstreams_reach = Participants(repo, ground.seal), of_upstreams(ways.upstreams, lambda: ways.kinds)
    notes = SamlNotes(repo, clock, participants, of_service_providers(providers), upstreams_reach)
    runs = LogoutRuns(repo, clock, notes)
    return SamlPeers(
        federations=federations,
        providers=providers,
        participants=participants,
        logout_runs=runs,
        logout=Logout(repo, clock, ground.subjects, notes, runs, waiters=max(1, threads // 2)),
        saml_messages=SamlMessages(repo, clock, kept=settings.saml.keep_messages, hours=settings.saml.message_hours),
        decode_saml=DecodeSaml(
            providers,
            ways.upstreams,
            clock,
            issuer=lambda: installation.issuer,
            entity_id=lambda: settings.saml.entity_id or f"{installation.issuer}/saml/metadata",
            certificates=ground.keys.saml_published,
            skew=settings.saml.request_skew_seconds,
        ),
    )


def _people(ground: Ground, ways: Ways, saml: SamlPeers) -> People:
    repo, clock, audit, settings, guard = ground.repo, ground.clock, ground.audit, ground.settings, ways.local_login

    def keep_a_way_in(*login_ids: str, hold: bool = True) -> None:
        guard.keep_a_way_in(besides_logins=login_ids, hold=hold)

    sessions = Sessions(repo, clock, audit, settings.sign_in, saml.logout, ways.local_login)
    users = Users(repo, clock, ground.passwords, sessions, audit, lambda one: guard.keep_a_way_in(besides_user=one.id))
    organisation = settings.organisation
    tell = TellChanges(repo, ground.mails, issuer=lambda: ground.installation.issuer, organisation=organisation)
    changes = LinkChanges(repo, clock, audit, users=users, sessions=sessions, tell=tell, keep_a_way_in=keep_a_way_in)
    return People(
        sessions=sessions,
        users=users,
        user_list=UserList(users),
        remove_user=RemoveUser(repo, users, sessions, audit),
        remove_upstream=RemoveUpstream(repo, ways.upstreams, changes, audit),
        factors=Factors(repo, ground.seal, clock, audit, ground.throttles, organisation),
        set_up=SetUp(repo, clock, users, audit),
        changes=changes,
        links=LinkLogin(repo, clock, users, audit, changes, sessions, keep_a_way_in),
        invitations=Invitations(repo, clock, audit, settings.linking.invitation_days),
        merge_offers=MergeOffers(repo, clock),
    )


def _signing_in(ground: Ground, ways: Ways, people: People) -> SigningIn:
    repo, clock, audit, settings = ground.repo, ground.clock, ground.audit, ground.settings
    sign_in = SignIn(
        repo,
        clock,
        users=people.users,
        passwords=ground.passwords,
        factors=people.factors,
        sessions=people.sessions,
        joining=_joining(ground, people),
        throttles=ground.throttles,
        audit=audit,
        policy=second_factor_policy(settings),
        attempt_seconds=settings.sign_in.attempt_seconds,
        local_login=ways.local_login,
    )
    break_glass = _break_glass(ground, ways, people)
    turn = TurnLocalLogin(
        repo,
        clock,
        audit,
        settings.local_login_change,
        local_login=ways.local_login,
        break_glass=break_glass,
        sessions=people.sessions,
    )
    records = SignInRecords(repo, clock, settings.log.trace_days)
    return SigningIn(sign_in=sign_in, records=records, break_glass=break_glass, turn_local_login=turn)


def _joining(ground: Ground, people: People) -> Joining:
    repo, clock, audit, users = ground.repo, ground.clock, ground.audit, people.users
    return Joining(
        people.links,
        NewUsers(repo, clock, users, audit),
        MapLogin(repo, clock, users, audit),
        Quarantine(repo, clock, people.sessions, audit),
        people.invitations,
        ground.settings.linking.never_auto_link_roles,
    )


def _break_glass(ground: Ground, ways: Ways, people: People) -> BreakGlassDoor:
    repo, clock, audit = ground.repo, ground.clock, ground.audit
    return BreakGlassDoor(
        repo,
        clock,
        audit,
        ground.settings.local_login_change,
        users=people.users,
        passwords=ground.passwords,
        throttles=ground.throttles,
        local_login=ways.local_login,
        mails=ground.mails,
        sheet=CodeSheet(repo, clock, audit, ground.seal.derive("break-glass codes")),
        issuer=lambda: ground.installation.issuer,
        organisation=ground.settings.organisation,
    )


def _relying(ground: Ground, ways: Ways, people: People) -> Relying:
    repo, clock, audit, settings = ground.repo, ground.clock, ground.audit, ground.settings
    policy, sessions = partial(_policy, ground), people.sessions
    apps = Apps(repo, clock, audit, ground.seal, Surroundings(mtls.available(settings), policy, ground.keys.prepare))
    initial, scopes = InitialTokens(repo, clock, audit), Scopes(repo, clock, audit)
    watches = MetadataWatches(repo, clock, audit, Peers(repo, apps, ways.upstreams), policy)
    return Relying(
        apps=apps,
        app_list=AppList(repo, clock, apps),
        sp_list=SpList(repo, clock, apps),
        logos=Logos(policy, clock, Places(settings.server.threads // 4)),
        allowed=AllowedApps(repo, clock, sessions=sessions, live=LiveGrants(repo, clock, sessions, audit), audit=audit),
        initial_tokens=initial,
        registration=Registration(apps, initial, ground.throttles, clock, settings.registration),
        scopes=scopes,
        release=Release(repo, scopes, ground.subjects, lambda: ground.installation.issuer),
        companion_tokens=CompanionTokens(
            repo,
            clock,
            ground.keys,
            audit,
            issuer=lambda: ground.installation.issuer,
            audience=settings.api.audience,
        ),
        metadata_watch=watches,
        upkeep=Upkeep(
            repo,
            clock,
            upstreams=ways.upstreams,
            health=ways.upstream_health,
            watches=watches,
            local_login=ways.local_login,
            mails=ground.mails,
            certificates=certificates_of,
        ),
    )


def second_factor_policy(settings: Settings) -> SecondFactorPolicy:
    chosen = settings.second_factor
    return SecondFactorPolicy("roles", chosen.roles) if isinstance(chosen, Roles) else SecondFactorPolicy(chosen)

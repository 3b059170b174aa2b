"""Names, keys, uniqueness and expiry of every collection, in one table that both engines read."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, fields
from typing import Any

from idp.base.claims import ADMINISTRATOR
from idp.domain.attempt import LoginAttempt
from idp.domain.audit_event import AuditEvent, SetupLink, StoredSetting, Trace
from idp.domain.decision import SignInRecord
from idp.domain.factor import ConfirmedTotp, PendingTotp, RecoveryCode
from idp.domain.grant import (
    AuthorizationCode,
    Consent,
    DeviceAuthorization,
    Grant,
    LogoutDelivery,
    OpaqueToken,
    PushedRequest,
    RefreshToken,
    RevokedToken,
    Seen,
)
from idp.domain.link_change import Invitation, LinkChange, MergeOffer, QueuedMail
from idp.domain.local_login import (
    AdministratorHold,
    BreakGlass,
    BreakGlassCode,
    BreakGlassProof,
    FederatedProof,
    LocalLoginSwitch,
)
from idp.domain.relying import (
    Client,
    CustomScope,
    InitialAccessToken,
    PersistentNameId,
    SamlRequestSeen,
    ServiceProvider,
)
from idp.domain.saml import (
    FederationEntity,
    LogoutRun,
    MetadataSource,
    MetadataWatch,
    SamlArtifact,
    SamlMessage,
    SamlParticipant,
    UpstreamArrival,
    UpstreamSession,
)
from idp.domain.session import Session, SignedOut
from idp.domain.signing_key import SigningKey
from idp.domain.throttle import Throttle
from idp.domain.upstream import FederatedLogin, UpstreamDeparture, UpstreamHealth, UpstreamProvider, UpstreamTest
from idp.domain.upstream_trial import UpstreamTrial
from idp.domain.user import User


@dataclass(frozen=True, slots=True)
class Collection:
    """kind: the dataclass. unique: tuples of fields that no two records share (a None in one of them exempts the
    record). lookup: further fields that `find` accepts; derived: of those, what is no field but follows from the stored
    body. Whether records expire, have versions or are consumed follows
    from their fields."""

    name: str
    kind: type[Any]
    unique: tuple[tuple[str, ...], ...] = ()
    lookup: tuple[str, ...] = ()
    derived: Mapping[str, Callable[[Mapping[str, Any]], str | None]] = field(default_factory=dict)

    @property
    def expires(self) -> bool:
        return self._has("expires_at")

    @property
    def versioned(self) -> bool:
        return self._has("version")

    @property
    def consumable(self) -> bool:
        return self._has("consumed_at")

    @property
    def keys(self) -> tuple[str, ...]:
        """Every field that has a column of its own, in a stable order."""
        return tuple(dict.fromkeys([*(field for group in self.unique for field in group), *self.lookup]))

    def _has(self, name: str) -> bool:
        return any(field.name == name for field in fields(self.kind))


def _administers(user: Mapping[str, Any]) -> str | None:
    """Few among very many: nobody should have to read them all to find these."""
    return "yes" if ADMINISTRATOR in user.get("roles", ()) else None


COLLECTIONS = (
    Collection(
        "users",
        User,
        unique=(("username_key",), ("email_key",)),
        lookup=("administers", "merged_into"),
        derived={"administers": _administers},
    ),
    Collection("upstream_providers", UpstreamProvider),
    Collection(
        "federated_logins",
        FederatedLogin,
        unique=(("provider_id", "issuer", "subject"),),
        lookup=("user_id", "provider_id"),
    ),
    Collection("upstream_departures", UpstreamDeparture),
    Collection("upstream_tests", UpstreamTest),
    Collection("upstream_trials", UpstreamTrial),
    Collection("upstream_health", UpstreamHealth),
    Collection("link_changes", LinkChange, lookup=("user_id", "other_id", "undo_digest", "pending")),
    Collection("merge_offers", MergeOffer),
    Collection("invitations", Invitation, lookup=("user_id",)),
    Collection("queued_mails", QueuedMail, lookup=("slice",)),
    Collection("sign_in_records", SignInRecord, unique=(("code",),), lookup=("user_id", "outcome")),
    Collection("local_login_switch", LocalLoginSwitch),
    Collection("federated_proofs", FederatedProof),
    Collection("administrator_holds", AdministratorHold),
    Collection("break_glass", BreakGlass),
    Collection("break_glass_codes", BreakGlassCode, lookup=("set_id",)),
    Collection("break_glass_proofs", BreakGlassProof),
    Collection("pending_totp", PendingTotp),
    Collection("confirmed_totp", ConfirmedTotp),
    Collection("recovery_codes", RecoveryCode, lookup=("user_id",)),
    Collection("login_attempts", LoginAttempt),
    Collection("sessions", Session, lookup=("sid", "user_id", "provider_id")),
    Collection("clients", Client),
    Collection("service_providers", ServiceProvider),
    Collection("persistent_name_ids", PersistentNameId, unique=(("user_id", "sp_id"),), lookup=("user_id",)),
    Collection("saml_requests_seen", SamlRequestSeen),
    Collection("saml_participants", SamlParticipant, lookup=("sid", "name_key")),
    Collection("saml_artifacts", SamlArtifact),
    Collection("saml_logout_runs", LogoutRun, lookup=("browser",)),
    Collection("saml_messages", SamlMessage, lookup=("peer", "trace")),
    Collection("upstream_sessions", UpstreamSession, lookup=("name_key", "index_key")),
    Collection("upstream_arrivals", UpstreamArrival),
    Collection("metadata_watches", MetadataWatch),
    Collection("metadata_sources", MetadataSource),
    Collection("federation_entities", FederationEntity, lookup=("source_id", "entity_id", "slice")),
    Collection("consents", Consent, lookup=("user_id", "client_id")),
    Collection("grants", Grant, lookup=("user_id", "client_id", "session_sid")),
    Collection("authorization_codes", AuthorizationCode),
    Collection("refresh_tokens", RefreshToken, lookup=("grant_id",)),
    Collection("revoked_tokens", RevokedToken),
    Collection("opaque_tokens", OpaqueToken, lookup=("grant_id",)),
    Collection("pushed_requests", PushedRequest),
    Collection("device_authorizations", DeviceAuthorization, unique=(("user_code",),)),
    Collection("seen", Seen),
    Collection("logout_deliveries", LogoutDelivery, lookup=("sid", "state")),
    Collection("signed_out", SignedOut),
    Collection("custom_scopes", CustomScope),
    Collection("initial_access_tokens", InitialAccessToken),
    Collection("signing_keys", SigningKey, unique=(("slot",),), lookup=("use",)),
    Collection("throttles", Throttle),
    Collection("audit_events", AuditEvent, lookup=("name", "subject")),
    Collection("traces", Trace),
    Collection("settings", StoredSetting),
    Collection("setup_links", SetupLink, unique=(("slot",),)),
)

BY_KIND = {collection.kind: collection for collection in COLLECTIONS}

"""AuditEvent: one line nobody edits. Trace: why something was refused, found by its short code."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

EventName = Literal[
    "setup.completed",
    "setup.link_made",
    "user.created",
    "user.changed",
    "user.disabled",
    "user.enabled",
    "user.removed",
    "sign_in.succeeded",
    "sign_in.failed",
    "sign_in.refused",
    "sign_out",
    "session.ended",
    "logout.told",
    "logout.failed",
    "factor.enrolled",
    "factor.failed",
    "factor.locked",
    "factor.recovery_used",
    "login.linked",
    "login.unlinked",
    "consent.given",
    "consent.denied",
    "consent.revoked",
    "grant.issued",
    "grant.revoked",
    "grant.reuse_detected",
    "token.exchanged",
    "companion.acted_as",
    "device.approved",
    "device.denied",
    "assertion.issued",
    "client.added",
    "client.changed",
    "client.removed",
    "client.registered",
    "client.secret_rotated",
    "client.secret_retired",
    "registration_token.added",
    "registration_token.removed",
    "sp.added",
    "sp.changed",
    "sp.removed",
    "sp.metadata_changed",
    "sp.metadata_pending",
    "sp.metadata_failed",
    "metadata_source.added",
    "metadata_source.changed",
    "metadata_source.removed",
    "metadata_source.loaded",
    "upstream.metadata_changed",
    "upstream.metadata_pending",
    "upstream.metadata_failed",
    "saml.logout_requested",
    "scope.added",
    "scope.changed",
    "scope.removed",
    "login.merged",
    "login.split",
    "login.undone",
    "login.mapped",
    "user.quarantined",
    "user.released",
    "user.merged",
    "invitation.made",
    "invitation.used",
    "invitation.withdrawn",
    "local_login.turned_off",
    "local_login.confirmed",
    "local_login.reverted",
    "local_login.turned_on",
    "local_login.exceptions_changed",
    "break_glass.opened",
    "break_glass.closed",
    "break_glass.codes_made",
    "break_glass.proved",
    "upstream.tested",
    "upstream.enabled",
    "upstream.disabled",
    "upstream.added",
    "upstream.changed",
    "upstream.removed",
    "keys.rotated",
    "keys.revoked",
]


@dataclass(frozen=True, slots=True)
class AuditEvent:
    """id sorts by time. actor: who did it (user id, client id or `cli`); subject: to whom or what."""

    id: str
    at: float
    name: EventName
    actor: str
    subject: str
    detail: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Trace:
    """id = the trace code shown on the page. reason: the precise cause."""

    id: str
    at: float
    door: str
    code: str
    reason: str
    expires_at: float
    detail: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class StoredSetting:
    """A setting that the pages or the command line changed (base_url, set-up state). id = its name."""

    id: str
    value: str
    changed_at: float
    version: int = 0


@dataclass(frozen=True, slots=True)
class SetupLink:
    """The one-time set-up link. id = digest of its token; slot is unique, so a fresh link kills the old one."""

    id: str
    created_at: float
    expires_at: float
    slot: str = "setup"
    user_id: str | None = None  # set once the first screen is done
    browser: str | None = None  # digest of the cookie of the browser that did it; only that one may go on
    address_done: bool = False  # the second screen is done
    consumed_at: float | None = None
    version: int = 0

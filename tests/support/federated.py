"""Upstream logins without an upstream: what the store knows after somebody has come in through one.

Round trips through real upstreams and doubles are left to tests/upstream.
"""

from idp.domain.attempt import Proof
from idp.domain.audit_event import AuditEvent
from idp.domain.local_login import LocalLoginSwitch
from idp.domain.session import FED, OTP, PWD, Session
from idp.domain.upstream import FederatedLogin, UpstreamIdentity, UpstreamProvider
from idp.domain.user import User
from idp.http.parts import Parts

ISSUER = "https://corp.example"


def add_upstream(parts: Parts, id: str = "corp", **values: object) -> UpstreamProvider:
    settings = {"issuer": ISSUER, "client_id": "sheaf"}
    provider = UpstreamProvider(id, "oidc", id.title(), parts.clock(), settings=settings, **values)  # type: ignore[arg-type]
    return parts.upstreams.add(provider, secrets=(), actor="test")


def add_login(parts: Parts, user: User, provider_id: str = "corp") -> FederatedLogin:
    return parts.links.link(user, UpstreamIdentity(provider_id, ISSUER, f"subject-of-{user.username}"), actor="test")


def came_in(
    parts: Parts, user: User, provider_id: str = "corp", *, factor: bool = True, began_at: float | None = None
) -> tuple[Session, str]:
    """As the end of a sign-in through the upstream leaves it: the session and its handle."""
    now = parts.clock()
    amr = (FED, OTP) if factor else (FED,)
    proof = Proof(user.id, now, amr, now if factor else None, provider_id)
    session, handle = parts.sessions.establish(proof, None, "tests")
    parts.local_login.saw(session, began_at=now if began_at is None else began_at)
    return session, handle


def by_password(parts: Parts, user: User) -> tuple[Session, str]:
    now = parts.clock()
    return parts.sessions.establish(Proof(user.id, now, (PWD, OTP), now), None, "tests")


def make_ready(parts: Parts, administrator: User) -> None:
    """Everything that turning local login off asks for."""
    if parts.upstreams.get("corp") is None:
        add_upstream(parts)
    if not parts.links.of(administrator.id):
        add_login(parts, administrator)
    came_in(parts, administrator)
    parts.break_glass.shown_to_work("cli", actor="test")


def turn_off(parts: Parts, administrator: User) -> LocalLoginSwitch:
    """For good, as an administrator does it. The clock must be one that a test moves, or a real one."""
    make_ready(parts, administrator)
    parts.turn_local_login.turn_off(actor=administrator.id)
    step_forward = getattr(parts.clock, "advance", None)
    if step_forward is not None:
        step_forward(1)
    session, _ = came_in(parts, administrator)
    return parts.turn_local_login.confirm(session, administrator)


def audited(parts: Parts, name: str) -> list[AuditEvent]:
    return parts.repo.find(AuditEvent, name=name)

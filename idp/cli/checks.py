"""What `idp doctor` looks at, one function a check. Each gives findings; a wrong one names its cure.

Leaves printing and the exit code to idp.cli.doctor. Nothing here repairs anything.
"""

import stat
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from idp.base.clock import Clock, system_clock
from idp.base.config import Settings
from idp.base.errors import Misconfigured
from idp.base.sections import Roles
from idp.cli.common import printable, when

if TYPE_CHECKING:
    from idp.http.parts import Parts

OLD_KEY_DAYS = 400
STRANGE_TIME = 1_750_000_000.0  # before Sheaf was written
MAX_HASH_MS = 1000.0
OLD_CERTIFICATE_DAYS = 14
State = Literal["ok", "hint", "wrong"]


@dataclass(frozen=True, slots=True)
class Finding:
    """state: ok, hint (worth knowing) or wrong (exit code 1). cure: what to do, empty when ok."""

    check: str
    state: State
    detail: str
    cure: str = ""


def production(settings: Settings) -> Iterator[Finding]:
    from idp.services.installation import check_production

    try:
        check_production(settings)
    except Misconfigured as problem:
        yield Finding("mode", "wrong", f"{settings.mode}: {problem.setting}: {problem.problem}", problem.cure)
        return
    yield Finding("mode", "ok", settings.mode)


def folder(settings: Settings) -> Iterator[Finding]:
    """Modes of the data folder and of every secret in it."""
    path = settings.data_dir
    if not path.is_dir():
        yield Finding("data folder", "wrong", f"{path} is not there", "Start once with: idp run")
        return
    yield mode("data folder", path, 0o700)
    secrets = path / "secrets"
    if secrets.is_dir():
        yield mode("secrets", secrets, 0o700)
        for file in sorted(secrets.iterdir()):
            yield mode(f"secrets/{file.name}", file, 0o600)


def mode(name: str, path: Path, wanted: int) -> Finding:
    found = stat.S_IMODE(path.stat().st_mode)
    if found & ~wanted:
        return Finding(name, "wrong", f"{path} has mode {found:04o}", f"chmod {wanted:o} {path}")
    return Finding(name, "ok", f"{path} (mode {found:04o})")


def store(parts: "Parts") -> Iterator[Finding]:
    from idp.domain.user import User

    started = time.perf_counter()
    parts.repo.find(User, limit=1)
    took = (time.perf_counter() - started) * 1000
    yield Finding("store", "ok", f"{engine(parts)}, answers in {took:.1f} ms")


def engine(parts: "Parts") -> str:
    """Name and version of the engine."""
    described = getattr(parts.repo, "engine", None)
    return str(described) if described else parts.settings.store.url.partition(":")[0]


def seal(parts: "Parts") -> Iterator[Finding]:
    settings = parts.settings
    source = (
        "setting seal_key"
        if settings.seal_key.get_secret_value()
        else settings.seal_key_file or str(settings.data_dir / "secrets" / "seal.key")
    )
    yield Finding("seal key", "ok", f"id {parts.seal.key_id}, from {source}")
    sealed = [key for key in parts.keys.all() if key.sealed_private]
    foreign = [key.id for key in sealed if key.sealed_private.split(".")[1:2] != [parts.seal.key_id]]
    if foreign:
        detail = f"{len(foreign)} of {len(sealed)} signing keys are sealed under another seal key"
        yield Finding(
            "sealed secrets", "wrong", detail, "Restore the seal key that belongs to this store from your backup."
        )


def signing_keys(parts: "Parts") -> Iterator[Finding]:
    now = parts.clock()
    current = [key for key in parts.keys.all() if key.state == "current"]
    if not current:
        yield Finding("signing keys", "hint", "none yet", "They are made at the first start.")
    for key in current:
        days = (now - key.created_at) / 86_400
        detail = f"{key.use} {key.alg} {key.id}, {days:.0f} days old"
        old = days > OLD_KEY_DAYS
        yield Finding("signing keys", "hint" if old else "ok", detail, "Rotate it: idp keys rotate" if old else "")


def passwords(parts: "Parts") -> Iterator[Finding]:
    named = " ".join(f"{name.removeprefix('argon2__')}={value}" for name, value in parts.passwords.parameters.items())
    parts.passwords.hash("warm up")
    started = time.perf_counter()
    parts.passwords.hash("correct horse battery staple")
    took = (time.perf_counter() - started) * 1000
    slow = took > MAX_HASH_MS
    cure = "Lower passwords.time_cost or passwords.memory_kib." if slow else ""
    yield Finding("passwords", "hint" if slow else "ok", f"argon2id {named}, {took:.0f} ms a hash", cure)


def clock(parts: "Parts", now: Clock = system_clock) -> Iterator[Finding]:
    """A clock that is wrong breaks TOTP and every expiry."""
    from idp.domain.audit_event import AuditEvent

    at = now()
    newest = parts.repo.find(AuditEvent, limit=1, newest=True)
    cure = "Set the clock (NTP): codes of the second factor are good for 30 s."
    if at < STRANGE_TIME:
        yield Finding("clock", "wrong", f"it is {when(at)}", cure)
    elif newest and newest[0].at > at + 5:
        yield Finding("clock", "wrong", f"it is {when(at)}, but the store knows of {when(newest[0].at)}", cure)
    else:
        yield Finding("clock", "ok", f"{when(at)}")


def second_factor(parts: "Parts") -> Iterator[Finding]:
    chosen = parts.settings.second_factor
    scope = f"roles {', '.join(chosen.roles)}" if isinstance(chosen, Roles) else chosen
    people = parts.users.all(limit=10_000)
    enrolled = sum(1 for user in people if parts.factors.has(user.id))
    yield Finding("second factor", "ok", f"for {scope}; {enrolled} of {len(people)} users have one")


def set_up(parts: "Parts") -> Iterator[Finding]:
    if parts.set_up.open:
        yield Finding(
            "set-up", "hint", "there is no administrator yet", "Open the link that this prints: idp setup-link"
        )
    else:
        yield Finding("set-up", "ok", "there is an administrator")


def issuer(parts: "Parts") -> Iterator[Finding]:
    """Does the address that browsers use lead to this installation?"""
    from idp.base.net import NetPolicy, Unreachable, fetch

    said = parts.installation.issuer
    policy = NetPolicy(allow_private=True, trusted=parts.settings.tls_certificate)
    try:
        answer = fetch("GET", f"{said}/.well-known/openid-configuration", policy)
    except Unreachable as why:
        yield Finding("issuer", "hint", f"{said} does not answer ({why.reason})", "Is it running? Start it: idp run")
        return
    if answer.status == 200 and f'"issuer":"{said}"' in answer.body.decode(errors="replace").replace(" ", ""):
        yield Finding("issuer", "ok", f"{said} answers")
    else:
        cure = "Something else answers there: check issuer, server.port and the reverse proxy."
        yield Finding("issuer", "wrong", f"{said} answers {answer.status} and is not this installation", cure)


def clients(parts: "Parts") -> Iterator[Finding]:
    """Those whose security is weakened, by name; and who may register."""
    from idp.domain.profile import rules

    known = parts.apps.clients()
    loud = [one for one in known if rules(one).loud]
    if loud:
        named = ", ".join(printable(f"{one.name} ({one.id})") for one in loud[:10])
        more = f" and {len(loud) - 10} more" if len(loud) > 10 else ""
        cure = "See: idp client show ID. When the app can do it: idp client set ID --pkce required"
        yield Finding("clients", "hint", f"{len(loud)} of {len(known)} may leave PKCE out: {named}{more}", cure)
    else:
        yield Finding("clients", "ok", f"{len(known)}, none with weakened security")
    if parts.settings.registration.mode == "open":
        cure = "Set registration.mode to token, unless this is meant."
        yield Finding("registration", "hint", "anybody can register apps", cure)


def tls(settings: Settings) -> Iterator[Finding]:
    from idp.cli.certificate import days_left, present

    try:
        pair = present(settings)
    except Misconfigured as problem:
        yield Finding(problem.setting, "wrong", problem.problem, problem.cure)
        return
    if pair is None:
        return
    left = days_left(pair.certificate)
    state: State = "ok" if left > OLD_CERTIFICATE_DAYS else "hint" if left > 0 else "wrong"
    cure = "" if state == "ok" else "Renew it, then start again."
    yield Finding("certificate", state, f"{pair.certificate}, {left:.0f} days left, for {', '.join(pair.names)}", cure)


BEFORE: tuple[Callable[[Settings], Iterator[Finding]], ...] = (production, folder, tls)
WITH_STORE: tuple[Callable[["Parts"], Iterator[Finding]], ...] = (
    store,
    seal,
    signing_keys,
    passwords,
    clock,
    second_factor,
    set_up,
    issuer,
    clients,
)

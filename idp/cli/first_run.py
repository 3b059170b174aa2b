"""What a store must hold before the two halves start: the companion's own client, and a set-up link while nobody is there.

Leaves the rest of the wiring to idp.app: nothing here loads the web framework.
"""

from dataclasses import replace
from typing import TYPE_CHECKING

from idp.base import ids
from idp.base.clock import Clock, system_clock
from idp.base.config import Settings
from idp.base.embedded import ensure_folder, ensure_secret
from idp.cli.common import ACTOR
from idp.crypto.passwords import Passwords
from idp.crypto.seal import Seal
from idp.domain.relying import Client
from idp.ports import Repository
from idp.services.installation import Installation, seal_key
from idp.services.manage_apps import Apps
from idp.services.manage_users import Users
from idp.services.record_audit import Audit
from idp.services.sessions import Sessions
from idp.services.set_up import SetUp
from idp.storage.open import open_repository

if TYPE_CHECKING:
    from pathlib import Path

COMPANION = "companion-api"  # client id


def set_up_service(settings: Settings, repo: Repository, clock: Clock = system_clock) -> SetUp:
    audit = Audit(repo, clock)
    users = Users(repo, clock, Passwords(settings.passwords), Sessions(repo, clock, audit, settings.sign_in), audit)
    return SetUp(repo, clock, users, audit)


def prepare(settings: Settings) -> tuple[str, str | None]:
    """Folder, secrets and store. Gives (issuer, set-up link or None when there is an administrator).

    Raises Misconfigured, StoreUnavailable.
    """
    ensure_folder(settings.data_dir)
    seal_key(settings)
    repo = open_repository(settings, system_clock)
    try:
        if not settings.api.introspection_client_id:
            keep_companion_client(settings, repo, system_clock)
        issuer = Installation(settings, repo, system_clock).issuer
        set_up = set_up_service(settings, repo)
        return issuer, f"{issuer}/setup/{set_up.fresh_link()}" if set_up.open else None
    finally:
        repo.close()


def companion_secret_file(settings: Settings) -> "Path":
    return settings.data_dir / "secrets" / "api-client.secret"


def keep_companion_client(settings: Settings, repo: Repository, clock: Clock) -> None:
    """The client with which the companion asks about tokens: made once, its secret and audience kept as they are here."""
    file = companion_secret_file(settings)
    # Derived, so that the nodes of one installation agree: at random each would lock the companion of the others out.
    seal = Seal(seal_key(settings))
    ensure_secret(file, seal.derive("companion client"))
    wanted = Client(
        id=COMPANION,
        name="Companion API",
        created_at=clock(),
        secret_digest=ids.digest(file.read_text().strip()),
        grant_types=(),
        scopes=(),
        audiences=(settings.api.audience,),
    )
    apps = Apps(repo, clock, Audit(repo, clock), seal)
    before = apps.client(COMPANION)
    if before is None:
        before, _ = apps.add_client(wanted, actor=ACTOR, with_secret=False)
    same = replace(wanted, created_at=before.created_at, version=before.version)
    if before != same:
        apps.change_client(same, actor=ACTOR)

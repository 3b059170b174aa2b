"""What an administrator has to see to: ways in that fail or end soon, people without a second step or without another way in.

The home page and `idp doctor` tell the same. Nothing here repairs anything; leaves words and cures to those two. Looks at a
bounded number of people, so that it costs the same with a hundred users and with a million.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Literal

from idp.base.clock import Clock
from idp.domain.factor import ConfirmedTotp
from idp.domain.upstream import FederatedLogin, UpstreamProvider
from idp.domain.user import User
from idp.ports import Repository
from idp.services.local_login import LocalLogin
from idp.services.mails import Mails
from idp.services.manage_upstreams import Upstreams
from idp.services.metadata.ends import Ending, endings
from idp.services.metadata.watch import MetadataWatches
from idp.services.upstream_health import UpstreamHealthBook

Code = Literal[
    "upstream_failing",
    "upstream_failed",
    "secret_ends",
    "certificate_ends",
    "metadata_changed",
    "metadata_problem",
    "wish_unmet",
    "locked_out",
    "would_be_locked_out",
    "administrators_without_factor",
    "without_factor",
    "no_mail",
]
PEOPLE = 200  # looked at for a page
WATCHES = 100
# (what it is, its end in epoch seconds) of each certificate in the metadata of an upstream
Certificates = Callable[[UpstreamProvider], list[tuple[str, float]]]


@dataclass(frozen=True, slots=True)
class Need:
    """code: what; urgent: today. name: for people, id: of the upstream (or of the watch) it is about. n: how many, more:
    and perhaps others, as only some were looked at. at: when it ends, began or last failed. detail: for administrators."""

    code: Code
    urgent: bool = False
    name: str = ""
    id: str = ""
    n: int | None = None
    more: bool = False
    at: float | None = None
    days: int | None = None
    detail: str = ""


class Upkeep:
    def __init__(
        self,
        repo: Repository,
        clock: Clock,
        *,
        upstreams: Upstreams,
        health: UpstreamHealthBook,
        watches: MetadataWatches,
        local_login: LocalLogin,
        mails: Mails,
        certificates: Certificates,
    ) -> None:
        self._repo = repo
        self._clock = clock
        self._upstreams = upstreams
        self._health = health
        self._watches = watches
        self._local_login = local_login
        self._mails = mails
        self._certificates = certificates

    def needs(self, people: int = PEOPLE) -> list[Need]:
        """Urgent ones first. people: at how many of them to look."""
        used = [one for one in self._upstreams.all() if one.enabled]
        found = [
            *self._failing(used),
            *self._ending(used),
            *self._drifted(),
            *self._local(people),
            *self._without_factor(people),
            *self._mail(),
        ]
        return sorted(found, key=lambda need: not need.urgent)

    # ---------------------------------------------------------------- upstreams

    def _failing(self, used: list[UpstreamProvider]) -> Iterator[Need]:
        for trouble in self._health.lately(used):
            health, provider = trouble.health, trouble.provider
            yield Need(
                "upstream_failed" if trouble.over else "upstream_failing",
                urgent=not trouble.over,
                name=provider.label,
                id=provider.id,
                n=health.failures,
                at=health.failed_at,
                detail=health.reason,
            )

    def _ending(self, used: list[UpstreamProvider]) -> Iterator[Need]:
        now = self._clock()
        for provider in used:
            if provider.secret_expires_at is not None:
                for one in endings([("client secret", provider.secret_expires_at)], now):
                    yield _ends("secret_ends", provider, one)
            if provider.kind in ("saml", "adfs"):
                # An expired certificate in metadata still works; the newest one says when there should be others.
                newest = max(self._certificates(provider), key=lambda known: known[1], default=None)
                for one in endings([newest] if newest else [], now):
                    yield _ends("certificate_ends", provider, one)

    def _drifted(self) -> Iterator[Need]:
        for watch in self._watches.all()[:WATCHES]:
            _, _, peer = watch.id.partition(":")
            if watch.pending is not None:
                yield Need("metadata_changed", name=peer, id=watch.id, at=watch.pending_at)
            if watch.problem:
                # A single failure mends itself more often than not.
                gone = watch.valid_until is not None and watch.valid_until < self._clock()
                if gone or watch.failures > 1:
                    yield Need("metadata_problem", gone, peer, watch.id, n=watch.failures, detail=watch.problem)

    # ---------------------------------------------------------------- people

    def _local(self, people: int) -> Iterator[Need]:
        unmet, off = self._local_login.wish_unmet, self._local_login.switch().state != "on"
        if unmet:
            yield Need("wish_unmet", urgent=True)
        # Who never let anybody in from elsewhere does not think of turning passwords off.
        if not (off or unmet or self._federated()):
            return
        locked_out = self._local_login.users_locked_out(people)
        if locked_out.users:
            code: Code = "locked_out" if off else "would_be_locked_out"
            names = _listed([user.username for user in locked_out.users])
            yield Need(code, off, n=len(locked_out.users), more=not locked_out.complete, detail=names)

    def _without_factor(self, people: int) -> Iterator[Need]:
        users = self._repo.find(User, limit=people)
        # Both come by the same id: whoever of these users has a factor is among as many factors.
        enrolled = {factor.id for factor in self._repo.find(ConfirmedTotp, limit=people)}
        without = [user for user in users if not user.disabled and user.id not in enrolled]
        more = len(users) == people
        administrators = [user for user in without if user.is_administrator]
        if administrators:
            names = _listed([user.username for user in administrators])
            yield Need("administrators_without_factor", True, n=len(administrators), more=more, detail=names)
        others = len(without) - len(administrators)
        if others:
            names = _listed([user.username for user in without if not user.is_administrator])
            yield Need("without_factor", n=others, more=more, detail=names)

    def _mail(self) -> Iterator[Need]:
        if not self._mails.works and self._federated():
            yield Need("no_mail")

    def _federated(self) -> bool:
        return bool(self._repo.find(FederatedLogin, limit=1))


def _ends(code: Code, provider: UpstreamProvider, one: Ending) -> Need:
    urgent = one.urgency in ("over", "last")
    return Need(code, urgent, provider.label, provider.id, at=one.at, days=int(one.days), detail=one.what)


def _listed(names: list[str], most: int = 5) -> str:
    return ", ".join(names[:most]) + (" …" if len(names) > most else "")

"""Tests of upstreams: a round trip of an administrator, also through one that is off; which have passed one with the
configuration that they have now; and switching an upstream on, which wants that.

Leaves the way there and back to idp.web.upstream_trials, and storing upstreams to manage_upstreams.
"""

import hashlib
import json
from collections.abc import Collection, Sequence
from dataclasses import asdict, replace

from idp.base import ids
from idp.base.clock import Clock
from idp.base.errors import Refused
from idp.domain.linking import Known, Ruling, decide
from idp.domain.saml import MessageCheck
from idp.domain.upstream import UpstreamIdentity, UpstreamProvider, UpstreamTest
from idp.domain.upstream_trial import UpstreamTrial
from idp.ports import Duplicate, Repository
from idp.services.manage_upstreams import Upstreams
from idp.services.record_audit import Audit

TRIAL_SECONDS = 900.0
MAX_CHECKS = 60
# What may change without making a test worthless: how the button looks, and whether there is one.
_LOOKS = ("enabled", "mode", "label", "order", "icon", "version", "secret_expires_at", "home_domains")


class UpstreamTests:
    def __init__(self, repo: Repository, clock: Clock, audit: Audit, upstreams: Upstreams) -> None:
        self._repo = repo
        self._clock = clock
        self._audit = audit
        self._upstreams = upstreams

    # ---------------------------------------------------------------- what a test is good for

    def passed(self, provider: UpstreamProvider) -> UpstreamTest | None:
        """The last test that passed with the present configuration."""
        test = self.last(provider)
        return test if test is not None and test.fingerprint == fingerprint(provider) else None

    def last(self, provider: UpstreamProvider) -> UpstreamTest | None:
        """The last one that passed with whichever configuration."""
        return self._repo.get(UpstreamTest, provider.id)

    def switch(
        self, provider: UpstreamProvider, enabled: bool, *, actor: str, untested: bool = False
    ) -> UpstreamProvider:
        """On or off. untested: on although no test passed, as somebody has decided; the audit tells.

        Raises Refused(upstream_untested | changed_meanwhile), and what keeps administrators from locking themselves out.
        """
        tested = not enabled or self.passed(provider) is not None
        if not tested and not untested:
            raise Refused(
                "upstream_untested",
                "It has not passed a test with its present settings. Test it first, then switch it on.",
                status=409,
            )
        return self._upstreams.switch(provider, enabled, actor=actor, tested=tested)

    # ---------------------------------------------------------------- one round trip

    def begin(self, provider: UpstreamProvider, user_id: str, browser: str) -> str:
        """Gives the handle of the test, for its pages."""
        handle, now = ids.secret(), self._clock()
        trial = UpstreamTrial(
            ids.digest(handle), provider.id, user_id, browser, fingerprint(provider), now, now + TRIAL_SECONDS
        )
        self._repo.insert(trial)
        return handle

    def of(self, handle: str) -> UpstreamTrial | None:
        """The test behind a handle; None for every other thing that has handles."""
        return self._repo.get(UpstreamTrial, ids.digest(handle)) if 20 <= len(handle) <= 100 else None

    def load(self, handle: str, provider_id: str, user_id: str | None, browser: str | None) -> UpstreamTrial:
        """Raises Refused(trial_over): there is none, or it is somebody else's."""
        trial = self.of(handle)
        mine = trial is not None and (trial.user_id, trial.browser) == (user_id, browser)
        if trial is None or not mine or trial.provider_id != provider_id:
            raise Refused("trial_over", "This test is over. Start it again.", status=410)
        return trial

    def ended(self, trial: UpstreamTrial, identity: UpstreamIdentity, checks: Sequence[MessageCheck]) -> None:
        """Passed, unless the configuration has changed since it began."""
        provider = self._upstreams.get(trial.provider_id)
        changed = provider is None or fingerprint(provider) != trial.fingerprint
        self._end(replace(trial, identity=identity, checks=tuple(checks)[:MAX_CHECKS], changed=changed))
        if not changed:
            self._keep(UpstreamTest(trial.provider_id, trial.fingerprint, self._clock(), trial.user_id))
            self._audit.record("upstream.tested", actor=trial.user_id, subject=trial.provider_id, passed="yes")

    def failed(self, trial: UpstreamTrial, refused: Refused, checks: Sequence[MessageCheck]) -> None:
        self._end(
            replace(
                trial,
                checks=tuple(checks)[:MAX_CHECKS],
                code=refused.code,
                sentence=refused.message[:1000],
                reason=refused.reason[:1000],
            )
        )
        self._audit.record(
            "upstream.tested", actor=trial.user_id, subject=trial.provider_id, passed="no", why=refused.code
        )

    def _end(self, trial: UpstreamTrial) -> None:
        if trial.ended_at is not None or self._repo.replace_if(replace(trial, ended_at=self._clock())) is None:
            raise Refused("trial_over", "This test is over. Start it again.", status=410)

    def _keep(self, test: UpstreamTest) -> None:
        while True:
            before = self._repo.get(UpstreamTest, test.id)
            if before is not None:
                if self._repo.replace_if(replace(test, version=before.version)) is not None:
                    return
                continue
            try:
                self._repo.insert(test)
            except Duplicate:
                continue
            return


def verdict(
    identity: UpstreamIdentity, provider: UpstreamProvider, known: Known, never_auto_link: Collection[str]
) -> Ruling:
    """What a sign-in would come to, once the upstream is on."""
    return decide(identity, replace(provider, enabled=True), known, never_auto_link=never_auto_link)


def fingerprint(provider: UpstreamProvider) -> str:
    """Of the configuration that decides who comes in; sealed secrets count as they are stored."""
    facts = {name: value for name, value in asdict(provider).items() if name not in _LOOKS}
    return hashlib.sha256(json.dumps(facts, sort_keys=True, default=str).encode()).hexdigest()

"""The test of an upstream: a whole round trip of one administrator, of which nothing stays but whether it passed. Pure."""

from dataclasses import dataclass, field

from idp.domain.saml import MessageCheck
from idp.domain.upstream import UpstreamIdentity


@dataclass(frozen=True, slots=True)
class UpstreamTrial:
    """A test under way, or just over. id = digest of its handle; user_id and browser (digest of its cookie): of whom it is.

    fingerprint: of the configuration that it began with. ended_at: when the answer was judged; identity: what the upstream
    said in a good one; code, sentence and reason: of the refusal of a bad one. changed: the configuration was another one by
    then, so that it proves nothing.
    """

    id: str
    provider_id: str
    user_id: str
    browser: str
    fingerprint: str
    created_at: float
    expires_at: float
    ended_at: float | None = None
    identity: UpstreamIdentity | None = field(default=None, repr=False)
    checks: tuple[MessageCheck, ...] = ()
    code: str = ""
    sentence: str = ""
    reason: str = ""
    changed: bool = False
    version: int = 0

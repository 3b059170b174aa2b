"""The services of this door, wired once when it is mounted, found by its routes with `door()`.

Leaves what is shared with other doors to idp.http.parts.
"""

from dataclasses import dataclass

from flask import current_app

from idp.base.dpop import Nonces
from idp.base.mtls import Proxies
from idp.base.net import NetPolicy, policy_for
from idp.base.places import Places
from idp.domain.relying import Client
from idp.http.parts import Parts
from idp.protocols.oidc.client_keys import ClientKeys
from idp.protocols.oidc.grants import GrantType, grant_types
from idp.protocols.oidc.request_objects import RequestObjects, fetcher
from idp.protocols.oidc.tokens import TokenMaker
from idp.services.check_token import CheckToken
from idp.services.device_flow import DeviceFlow
from idp.services.issue_grant import IssueGrant
from idp.services.live_grants import LiveGrants
from idp.services.once import Once
from idp.services.pushed_requests import PushedRequests


@dataclass(frozen=True, slots=True)
class Door:
    parts: Parts
    issue: IssueGrant
    check: CheckToken
    tokens: TokenMaker
    grants: dict[str, GrantType]
    client_keys: ClientKeys
    request_objects: RequestObjects
    pushed: PushedRequests
    once: Once
    proxies: Proxies
    nonces: Nonces | None  # while oidc.dpop_nonce demands them
    device: DeviceFlow
    places: Places  # for waiting for servers that apps name

    def client(self, client_id: str) -> Client | None:
        return self.parts.apps.client(client_id)

    def subject_of(self, hint: str, client: Client) -> str | None:
        """Whom an ID token of ours for this client names, in the way that the client knows them."""
        claims = self.tokens.read_id_token(hint)
        return claims["sub"] if claims is not None and claims.get("aud") == client.id else None


def open_door(parts: Parts) -> Door:
    live = LiveGrants(parts.repo, parts.clock, parts.sessions, parts.audit)
    issue = IssueGrant(parts.repo, parts.clock, live, parts.audit, parts.settings.oidc)

    def issuer() -> str:
        return parts.installation.issuer

    def policy() -> NetPolicy:
        return policy_for(parts.settings.net, issuer())

    # Half of the threads may wait for servers that apps name; the others are for everybody.
    places = Places(parts.settings.server.threads // 2)
    client_keys = ClientKeys(policy, parts.clock, places)
    tokens = TokenMaker(
        parts.keys,
        parts.clock,
        issuer,
        parts.release,
        id_token_seconds=parts.settings.oidc.id_token_seconds,
        encryption_key=client_keys.encryption,
    )
    check = CheckToken(parts.repo, parts.clock, parts.keys, live, issuer, parts.subjects)
    objects = RequestObjects(client_keys, issuer, parts.clock, fetcher(policy, places))
    pushed_seconds, attempt_seconds = parts.settings.oidc.pushed_request_seconds, parts.settings.sign_in.attempt_seconds
    pushed = PushedRequests(parts.repo, parts.clock, pushed_seconds, attempt_seconds)
    nonces = Nonces(parts.seal.derive("dpop nonce")) if parts.settings.oidc.dpop_nonce else None
    once, proxies = Once(parts.repo), Proxies(parts.settings.server)
    device = _device_flow(parts, issue)
    grants = grant_types(
        parts,
        issuer=issuer,
        live=live,
        issue=issue,
        check=check,
        tokens=tokens,
        device=device,
        policy=policy,
        once=once,
    )
    return Door(
        parts, issue, check, tokens, grants, client_keys, objects, pushed, once, proxies, nonces, device, places
    )


def _device_flow(parts: Parts, issue: IssueGrant) -> DeviceFlow:
    return DeviceFlow(
        parts.repo,
        parts.clock,
        issue=issue,
        sessions=parts.sessions,
        throttles=parts.throttles,
        audit=parts.audit,
        settings=parts.settings.oidc,
    )


def door() -> Door:
    found: Door = current_app.extensions["sheaf_oidc"]
    return found

"""Owns the world that is fuzzed: a house in which every kind of app, token and half-finished sign-in is there, and the way of
a request through the same doors as in the server.

What is asked is left to recipes, what is wrong with it to values and changes.
"""

import asyncio
import hmac
import itertools
import json
import logging
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from hashlib import sha256
from typing import Any
from urllib.parse import quote

import pytest

from idp.base import ids
from idp.base.claims import ADMIN_AUDIENCE, ADMIN_SCOPE
from idp.base.log import event
from idp.cli.bridge import Bridge
from idp.domain.attempt import LoginAttempt, Proof
from idp.domain.grant import Consent
from idp.domain.upstream import FederatedLogin, UpstreamProvider
from idp.http.machine import Lane
from idp.services.attempts import consent_id
from idp.services.issue_grant import Allowed
from tests.oidc.answers import door
from tests.oidc.app_keys import AppKeys, b64, request_claims
from tests.oidc.asserting import GRANT as JWT_BEARER
from tests.oidc.assertions import TYPE as ASSERTION_TYPE
from tests.oidc.assertions import claims_of
from tests.oidc.fuzzing.server import Body, Scope, Told
from tests.oidc.fuzzing.wire import Answer, Log, Wire
from tests.oidc.house import BYE, CALLBACK, CHALLENGE, App, House, basic
from tests.support.proofs import Prover, certificate
from tests.upstream.openid_double import OpenIdDouble

DEVICE = "urn:ietf:params:oauth:grant-type:device_code"
EXCHANGE = "urn:ietf:params:oauth:grant-type:token-exchange"
BROWSER = "f" * 43
ALL_GRANTS = ("authorization_code", "refresh_token", "client_credentials", DEVICE, EXCHANGE, JWT_BEARER)
PEOPLE_GRANTS = ("authorization_code", "refresh_token", DEVICE)


class World:
    """house: with registration open and a proxy that shows certificates."""

    def __init__(self, house: House) -> None:
        self.house = house
        self.issuer = OpenIdDouble(house.clock)
        self.keys, self.strange = AppKeys(), AppKeys(kid="k2")
        self.prover = Prover(house.clock)
        self.held = certificate(house.clock)
        self.proving, self.theirs = AppKeys(), AppKeys("RS256")
        self.proving.key, self.theirs.key = self.prover.key, self.issuer.signer.key  # type: ignore[assignment]
        self.serial = itertools.count(1)
        self.lane: Lane = house.app.extensions["sheaf_lane"]
        self.loop = asyncio.new_event_loop()
        self.bridge, self.wsgi = Bridge(house.app.wsgi_app, 1, self.lane), Bridge(house.app.wsgi_app, 1)
        self.log = Log()
        self.apps = self._apps()
        self.person = house.person("ada", groups=("staff",))
        self.handle = ""
        self._furnish()
        self.mend()

    def _apps(self) -> dict[str, App]:
        make, keys = self.house.client, {"jwks": self.keys.jwks}
        whole: dict[str, Any] = {
            "grant_types": ALL_GRANTS,
            "scopes": ("openid", "profile", "email", "roles", "documents.read", "offline_access"),
            "backchannel_logout_uri": "https://app.example/out",
            "frontchannel_logout_uri": "https://app.example/frame",
        }
        return {
            "shop": make("shop", **whole, **keys),
            "post": make("post", **whole, auth_method="client_secret_post", access_token_format="opaque"),
            "public": make("public", auth_method="none", grant_types=PEOPLE_GRANTS, subject_type="pairwise"),
            "keys": make("keys", **whole, **keys, auth_method="private_key_jwt", userinfo_signed_response_alg="ES256"),
            "mac": make("mac", **whole, auth_method="client_secret_jwt", authorization_signed_response_alg="ES256"),
            "tls": make(
                "tls", **whole, auth_method="tls_client_auth", tls_client_auth_subject_dn="CN=shop", dpop_bound_access_tokens=True
            ),
            "deployer": make(
                "deployer", grant_types=("client_credentials",), redirect_uris=(), scopes=(ADMIN_SCOPE,), audiences=(ADMIN_AUDIENCE,)
            ),
            "fapi": make("fapi", auth_method="private_key_jwt", profile="fapi2", id_token_signed_response_alg="ES256", **keys),
        }  # fmt: skip

    def _furnish(self) -> None:
        parts, now = self.house.parts, self.house.clock()
        upstream = {"issuer": self.issuer.issuer, "client_id": "sheaf", "client_secret": "s", "assertions": True}
        corp = UpstreamProvider("corp", "oidc", "Corp", now, settings=upstream)
        parts.upstreams.add(corp, secrets=("client_secret",), actor="test")
        parts.repo.insert(FederatedLogin("fed", self.person.user.id, "corp", self.issuer.issuer, "ada-there", now))

        for app in ("public", "shop"):
            id = consent_id(self.person.user.id, app)
            parts.repo.insert(Consent(id, self.person.user.id, app, ("openid", "profile", "email"), now))

    # -- what there is, fresh each time

    def mend(self) -> None:
        """Some requests sign the person out."""
        sessions, now = self.house.parts.sessions, self.house.clock()
        if not self.handle or sessions.load(self.handle) is None:
            self.person.session, self.handle = sessions.establish(
                Proof(self.person.user.id, now, ("pwd", "otp"), now), None, "tests"
            )

    def signed_out(self) -> str:
        clients = [self.apps["shop"].client, self.apps["mac"].client]
        logout, sid = self.house.parts.logout, self.person.session.sid
        handle = logout.remember(sid, clients, ids.digest(BROWSER), target=BYE, app_id="shop", here=True, language="en")
        return f"/signed-out/{handle}"

    def secret(self, app: App) -> str:
        return app.secret or "no-secret-" + ids.secret()

    def code(self, app: App, scopes: tuple[str, ...] = ("openid", "profile"), **confirmation: str) -> str:
        audiences = app.client.audiences
        allowed = Allowed(scopes, audiences, CALLBACK, CHALLENGE, "n-1", confirmation=confirmation)
        return door(self.house).issue.issue_code(app.client, self.person.user, self.person.session, allowed)

    def tokens(self, app: App) -> dict[str, Any]:
        answer = self.house.redeem(app, self.code(app, ("openid", "profile", "offline_access", "documents.read")))
        assert answer.status_code == 200, answer.text
        found: dict[str, Any] = answer.get_json()
        return found

    def administering(self) -> dict[str, str]:
        """Headers of a program that may."""
        token = self.house.token(self.apps["deployer"], grant_type="client_credentials").get_json()["access_token"]
        return {"authorization": f"Bearer {token}"}

    def victim(self) -> str:
        """An app that nobody needs."""
        return self.house.client(f"app-{next(self.serial)}").id

    def device_code(self, app: App) -> str:
        """One that the person has allowed."""
        device = door(self.house).device
        code, begun = device.begin(app.client, ("openid", "profile"), app.client.audiences)
        device.approve(begun.id, app.client, self.person.user, self.person.session)
        return code

    def user_code(self, app: App) -> str:
        return door(self.house).device.begin(app.client, ("openid",), ())[1].user_code

    def pushed(self, app: App, **changes: str | None) -> str:
        said = self.house.request_of(app, **changes)
        return door(self.house).pushed.push(app.client, said.items())

    def finished(self, path: str, form: dict[str, str] | None = None) -> str:
        """Where the browser goes after a sign-in that began there."""
        browser = self.house.app.test_client()
        browser.set_cookie("sheaf_browser", BROWSER)
        begun = browser.get(path) if form is None else browser.post(path, data=form)
        where = begun.headers["Location"]
        attempt = self.house.parts.repo.get(LoginAttempt, ids.digest(where.rpartition("/")[2]))
        assert attempt is not None
        now = self.house.clock()
        proof = Proof(self.person.user.id, now, ("pwd", "otp"), now)
        self.house.parts.repo.replace_if(replace(attempt, proof=proof, consented=True))
        return browser.get(where).headers["Location"]

    def csrf(self, browser: str = BROWSER) -> str:
        return hmac.new(self.house.parts.csrf_key, browser.encode(), sha256).hexdigest()[:40]

    def cookies(self, *, signed_in: bool = True) -> str:
        return f"sheaf_browser={BROWSER}" + (f"; sheaf_session={self.handle}" if signed_in else "")

    # -- how apps prove who they are

    def authenticated(self, app: App) -> tuple[dict[str, str], dict[str, str]]:
        """Form and headers."""
        method, id = app.client.auth_method, app.id
        if method == "client_secret_basic":
            return {}, {"authorization": basic(id, app.secret)}
        if method == "client_secret_post":
            return {"client_id": id, "client_secret": app.secret}, {}
        if method in ("private_key_jwt", "client_secret_jwt"):
            return {"client_assertion_type": ASSERTION_TYPE, "client_assertion": self.jwt(f"assertion:{id}")}, {}
        if method == "tls_client_auth":
            return {"client_id": id}, {"x-client-cert": quote(self.held.pem)}
        return {"client_id": id}, {}

    def proof(self, method: str, path: str, token: str | None = None) -> str:
        return self.prover.proof(method, self.house.parts.installation.issuer + path, token)

    def jwt(
        self, base: str, head: dict[str, Any] | None = None, said: dict[str, Any] | None = None, key: str = "right"
    ) -> str:
        """A JWT of this kind with these changes, signed with the right key, or another."""
        claims, header = self._base(base)
        return self.signed({**header, **(head or {})}, {**claims, **(said or {})}, key)

    def signed(self, header: dict[str, Any], claims: dict[str, Any], key: str = "right") -> str:
        """By whoever makes such JWTs."""
        if key == "right" and claims.get("iss") == "mac":
            signed = b64(json.dumps(header).encode()) + b"." + b64(json.dumps(claims).encode())
            return (signed + b"." + b64(hmac.digest(self.apps["mac"].secret.encode(), signed, "sha256"))).decode()
        if key == "right" and claims.get("iss") == self.issuer.issuer:
            signer = self.theirs
        else:
            signer = self.keys if key == "right" else self.strange
        if key == "right" and "htm" in claims:
            signer = self.proving
        return signer.sign_head(header, claims)

    def _base(self, base: str) -> tuple[dict[str, Any], dict[str, Any]]:
        kind, _, about = base.partition(":")
        now, issuer = int(self.house.clock()), self.house.parts.installation.issuer
        header: dict[str, Any] = {"alg": "HS256" if about == "mac" else "ES256", "kid": "k1"}
        if kind == "assertion":
            return claims_of(self.house, about), header
        if kind == "request":
            return request_claims(about, now=now), {**header, "typ": "oauth-authz-req+jwt"}
        if kind == "dpop":
            method, path = about.split(" ")
            said = {"jti": ids.secret(), "htm": method, "htu": issuer + path, "iat": now}
            return said, {"alg": "ES256", "typ": "dpop+jwt", "jwk": self.prover.jwk}
        mine = {"iss": self.issuer.issuer, "sub": "ada-there", "aud": issuer, "exp": now + 60, "iat": now}
        signer = self.issuer.signer
        return {**mine, "jti": ids.secret()}, {"alg": signer.alg, "kid": signer.kid}

    # -- the way in

    def send(self, wire: Wire, *, wsgi: bool = False) -> Answer:
        """To the very program that the HTTP server calls; wsgi: with no lane, as behind every other server."""
        told = Told()
        bridge = self.wsgi if wsgi else self.bridge
        self.loop.run_until_complete(bridge.__rsgi__(Scope.of(wire, plain=not wsgi), Body(wire.body, told)))
        assert told.answer is not None
        return told.answer

    def close(self) -> None:
        self.loop.close()
        self.issuer.close()

    @contextmanager
    def watched(self) -> Iterator[None]:
        """The log is kept, and no name outside is looked up."""
        loggers = [logging.getLogger("idp"), logging.getLogger("werkzeug")]
        levels = [one.level for one in loggers]
        real = socket.getaddrinfo

        def no_names(host: Any, *more: Any, **named: Any) -> Any:
            if host in ("127.0.0.1", "localhost", "::1"):
                return real(host, *more, **named)
            raise socket.gaierror(socket.EAI_NONAME, "no names here")

        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(socket, "getaddrinfo", no_names)
            for one in loggers:
                one.addHandler(self.log)
                one.setLevel(logging.DEBUG)
                one.propagate = False
            event(loggers[0], "watched")
            assert self.log.take()
            try:
                yield
            finally:
                for one, level in zip(loggers, levels, strict=True):
                    one.removeHandler(self.log)
                    one.setLevel(level)
                    one.propagate = True

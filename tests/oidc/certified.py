"""Owns a relying party as the OpenID Foundation's certification plans play it: it registers itself, sends the person through
the real pages, and checks every answer as the specifications tell an app to.

What each module of a plan claims is left to test_certification_*; which module is which test to test_certification_plans.
"""

import base64
import hashlib
import itertools
from dataclasses import dataclass, field
from typing import Any, cast
from urllib.parse import parse_qs, urlsplit

from flask.testing import FlaskClient
from joserfc import jwt
from joserfc.jwk import KeySet
from werkzeug.test import TestResponse

from idp.domain.user import User
from tests.oidc.app_keys import AppKeys
from tests.oidc.house import BYE, CALLBACK, ISSUER, App, House, basic
from tests.support.html import parse

ASSERTION_TYPE = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"
ABOUT = {
    "given_name": "Ada",
    "family_name": "Lovelace",
    "birthdate": "1815-12-10",
    "website": "https://ada.example/",
    "address": {"country": "UK", "locality": "London"},
    "phone_number": "+44 20 7946 0000",
    "phone_number_verified": True,
}
_COUNT = itertools.count(1)


@dataclass
class Signed:
    """What a whole sign-in gave: the authorization answer, the token answer, the verified claims of the ID token."""

    answer: dict[str, str]
    tokens: dict[str, Any]
    claims: dict[str, Any]


class Suite:
    """response_mode: what every request asks for; the form_post plans are the others with this changed."""

    def __init__(self, house: House, response_mode: str | None = None) -> None:
        self.house = house
        self.response_mode = response_mode
        self.password = "correct horse battery staple"
        self.person: User = house.parts.users.add(
            "ada", email="ada@example.org", name="Ada Lovelace", email_verified=True, password=self.password,
            claims=ABOUT, actor="test",
        )  # fmt: skip

    def party(self, **metadata: Any) -> "Party":
        return Party(self, self.register(**metadata))

    def register(self, **metadata: Any) -> dict[str, Any]:
        answer = self.ask_to_register(**metadata)
        assert answer.status_code == 201, answer.text
        return cast(dict[str, Any], answer.json)

    def ask_to_register(self, **metadata: Any) -> TestResponse:
        usual = {
            "client_name": f"party {next(_COUNT)}",
            "redirect_uris": [CALLBACK],
            "post_logout_redirect_uris": [BYE],
            "grant_types": ["authorization_code"],
            "response_types": ["code"],
            "contacts": ["certification@app.example"],
        }
        document = {name: value for name, value in {**usual, **metadata}.items() if value is not None}
        return self.house.app.test_client().post("/register", json=document)

    def visit(self) -> "Visit":
        return Visit(self)

    def metadata(self) -> dict[str, Any]:
        found = self.house.app.test_client().get("/.well-known/openid-configuration")
        return cast(dict[str, Any], found.json)


@dataclass
class Visit:
    """One browser, with a person at it who signs in and allows what is asked. asked: what they had to do."""

    suite: Suite
    asked: list[str] = field(default_factory=list)
    browser: FlaskClient = field(init=False)
    page: TestResponse = field(init=False)
    path: str = ""
    came_to: str = ""

    def __post_init__(self) -> None:
        self.browser = self.suite.house.app.test_client()

    def open(self, path: str, *, post: dict[str, str] | None = None, **query: str) -> "Visit":
        """As far as a page for the person, or back to the app."""
        answer = (
            self.browser.get(path, query_string=query or None) if post is None else self.browser.post(path, data=post)
        )
        while 300 <= answer.status_code < 400 and answer.headers["Location"].startswith("/"):
            assert answer.status_code == 303, "a form must not be sent on (RFC 9700 4.12)"
            path = answer.headers["Location"]
            answer = self.browser.get(path)
        self.path, self.page = urlsplit(path).path, answer
        return self

    def authorize(self, party: "Party", *, post: bool = False, **changes: str | None) -> "Visit":
        request = party.request(**changes)
        return self.open("/authorize", post=request) if post else self.open("/authorize", **request)

    def complete(self, answer: str = "allow") -> dict[str, str]:
        """Whatever the person has to do, and what the app hears then."""
        for _ in range(5):
            heard = self.heard()
            if heard is not None:
                return heard
            forms = [form for form in parse(self.page.text).forms if form.method == "post"]
            form = next((one for one in forms if one.names & {"password"} or one.button(answer)), None)
            assert form is not None, parse(self.page.text).text
            step = "password" if "password" in form.names else "consent"
            self.asked.append(step)
            typed = {"username": "ada", "password": self.suite.password} if step == "password" else {"answer": answer}
            self.open(form.action or self.path, post={**form.values, **typed})
        raise AssertionError("the sign-in does not end")

    def heard(self) -> dict[str, str] | None:
        """What the app is told, None while the person is at a page of ours."""
        if self.page.status_code == 303:
            where = urlsplit(self.page.headers["Location"])
            self.came_to = f"{where.scheme}://{where.netloc}{where.path}"
            pairs = parse_qs(where.query, strict_parsing=True, keep_blank_values=True)
            return {name: values[0] for name, values in pairs.items()}
        onward = [form for form in parse(self.page.text).forms if form.action.startswith("https://")]
        if not onward:
            return None
        self.came_to = onward[0].action
        assert self.page.headers["Cache-Control"] == "no-store"
        return dict(onward[0].values)

    def refused(self) -> str:
        """The text of the page that tells the person; the app hears nothing."""
        assert self.page.status_code in (400, 403, 410), self.page.status_code
        assert "Location" not in self.page.headers
        assert not [form for form in parse(self.page.text).forms if form.action.startswith("http")]
        return parse(self.page.text).text


class Party:
    """A registered app. keys: with which it authenticates, when it does so with keys."""

    def __init__(self, suite: Suite, made: dict[str, Any], keys: AppKeys | None = None) -> None:
        self.suite, self.made = suite, made
        self.keys = keys or AppKeys("RS256")
        self.id: str = made["client_id"]
        self.secret: str = made.get("client_secret", "")

    @property
    def app(self) -> App:
        client = self.suite.house.parts.apps.client(self.id)
        assert client is not None
        return App(client, self.secret)

    def request(self, **changes: str | None) -> dict[str, str]:
        number = next(_COUNT)
        asked: dict[str, str | None] = {
            "client_id": self.id,
            "redirect_uri": CALLBACK,
            "response_type": "code",
            "response_mode": self.suite.response_mode,
            "scope": "openid",
            "state": f"state-{number}",
            "nonce": f"nonce-{number}",
            **changes,
        }
        self.asked = {name: value for name, value in asked.items() if value is not None}
        return self.asked

    def post(self, path: str, **form: str) -> TestResponse:
        """Authenticated in the way that is registered."""
        headers, method = {}, self.made["token_endpoint_auth_method"]
        if method == "client_secret_basic":
            headers["Authorization"] = basic(self.id, self.secret)
        elif method == "client_secret_post":
            form = {"client_id": self.id, "client_secret": self.secret, **form}
        elif method == "private_key_jwt":
            form = {"client_assertion_type": ASSERTION_TYPE, "client_assertion": self.assertion(), **form}
        return self.suite.house.app.test_client().post(path, data=form, headers=headers)

    def assertion(self, **changes: Any) -> str:
        now = int(self.suite.house.clock())
        said = {
            "iss": self.id,
            "sub": self.id,
            "aud": f"{ISSUER}/token",
            "iat": now,
            "exp": now + 60,
            "jti": f"j{next(_COUNT)}",
        }
        return self.keys.sign({**said, **changes}, typ=None)

    def redeem(self, code: str, **changes: str) -> TestResponse:
        form = {"grant_type": "authorization_code", "code": code, "redirect_uri": self.asked["redirect_uri"], **changes}
        return self.post("/token", **form)

    def sign_in(self, visit: Visit, *, post: bool = False, **changes: str | None) -> Signed:
        """The whole way, everything checked."""
        return self.finish(visit.authorize(self, post=post, **changes).complete())

    def finish(self, heard: dict[str, str], **changes: str) -> Signed:
        assert "error" not in heard, heard
        assert heard.get("state") == self.asked.get("state")
        assert heard["iss"] == ISSUER
        answer = self.redeem(heard["code"], **changes)
        assert answer.status_code == 200, answer.text
        assert answer.headers["Cache-Control"] == "no-store"
        tokens: dict[str, Any] = answer.get_json()
        assert tokens["token_type"].lower() == "bearer"
        return Signed(heard, tokens, self.verified(tokens))

    def refresh(self, token: str) -> dict[str, Any]:
        answer = self.post("/token", grant_type="refresh_token", refresh_token=token)
        assert answer.status_code == 200, answer.text
        return cast(dict[str, Any], answer.json)

    def verified(self, tokens: dict[str, Any], *, again: bool = False) -> dict[str, Any]:
        """OIDC Core 3.1.3.7 and 3.1.3.8; again: after a refresh (12.2), which brings no nonce."""
        alg = self.made["id_token_signed_response_alg"]
        token = jwt.decode(tokens["id_token"], self.published(), algorithms=[alg])
        claims, now = token.claims, self.suite.house.clock()
        assert token.header["kid"]
        assert (claims["iss"], claims["aud"]) == (ISSUER, self.id)
        assert claims["iat"] <= now < claims["exp"]
        assert 0 < len(claims["sub"]) <= 255
        assert claims.get("nonce") == (None if again else self.asked.get("nonce"))
        if alg == "RS256":
            half = hashlib.sha256(tokens["access_token"].encode()).digest()[:16]
            assert claims["at_hash"] == base64.urlsafe_b64encode(half).rstrip(b"=").decode()
        return cast(dict[str, Any], claims)

    def published(self) -> KeySet:
        return KeySet.import_key_set(self.suite.house.app.test_client().get("/jwks").get_json())

    def userinfo(self, tokens: dict[str, Any]) -> dict[str, Any]:
        answer = self.suite.house.userinfo(tokens["access_token"])
        assert answer.status_code == 200, answer.text
        return cast(dict[str, Any], answer.json)

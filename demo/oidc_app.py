"""Owns the sample OIDC app: signs in at Sheaf with Authlib, shows its tokens, and uses the companion API with them.

Tokens stay on the server; the browser holds a random handle.
"""

import base64
import json
import secrets
import time
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlencode

import requests
from authlib.integrations.base_client import OAuthError
from authlib.integrations.flask_client import OAuth
from flask import Flask, redirect, session
from werkzeug.wrappers import Response

from demo.pages import page

SCOPES = (
    "openid profile email offline_access documents.read documents.write queues.publish queues.consume queues.manage"
)
RENEW_BEFORE = 30  # seconds

WELCOME = """<h1>OIDC app</h1><p>A small app that knows nobody by itself. It asks Sheaf, in OpenID Connect.</p>
{% if problem %}<p role="alert"><b>{{ problem }}</b></p>{% endif %}
<p><a class="button main" href="/sign-in">Sign in with Sheaf</a></p>
<p class="quiet"><a href="{{ landing }}">Back to the demo page</a></p>"""
SIGNED_IN = """<h1>OIDC app</h1><p>You are signed in as <b>{{ claims.name or claims.sub }}</b>.</p>
<form method="post" action="/sign-out"><button>Sign out</button></form>
<p class="quiet"><a href="{{ landing }}">Back to the demo page</a></p>
<section><h2>Use the companion API as {{ claims.name or claims.sub }}</h2>
<p>Each button is a call of this app with your access token.</p>
{% for path, label in actions %}<form method="post" action="/{{ path }}"><button>{{ label }}</button></form>{% endfor %}
{% for call in calls %}<p><code>{{ call.line }}</code> <b>{{ call.status }}</b></p>
{% if call.answer %}<pre>{{ call.answer }}</pre>{% endif %}{% endfor %}</section>
<section><h2>ID token</h2><p class="quiet">Says to this app who you are.</p><pre>{{ id_token }}</pre></section>
<section><h2>Access token</h2><p class="quiet">Opens the companion API for ten minutes.</p><pre>{{ access_token }}</pre></section>
<section><h2>Userinfo</h2><pre>{{ userinfo }}</pre></section>"""
ACTIONS = [
    ("store", "Store a document"),
    ("read", "Read it back"),
    ("publish", "Send a message"),
    ("take", "Take the message"),
]


@dataclass
class Call:
    """One call of the companion API, as shown on the page."""

    line: str
    status: str
    answer: str


@dataclass
class SignedIn:
    """Somebody who is signed in here. token: what /token gave."""

    token: dict[str, Any] = field(repr=False)
    claims: dict[str, Any]
    userinfo: dict[str, Any]
    document: str | None = None
    calls: list[Call] = field(default_factory=list)

    @property
    def queue(self) -> str:
        return f"demo-{self.claims['sub'][-12:].lower()}"


class OidcApp:
    """base: its own address; api: that of the companion; sheaf: Authlib's client."""

    def __init__(self, base: str, api: str, landing: str, sheaf: Any) -> None:
        self.base = base
        self.api = api
        self.landing = landing
        self.sheaf = sheaf
        self.people: dict[str, SignedIn] = {}

    def who(self) -> SignedIn | None:
        return self.people.get(session.get("handle", ""))

    def home(self) -> str:
        person = self.who()
        if person is None:
            return page("OIDC app", WELCOME, landing=self.landing, problem=session.pop("problem", None))
        return page(
            "OIDC app",
            SIGNED_IN,
            landing=self.landing,
            claims=person.claims,
            actions=ACTIONS,
            calls=person.calls,
            id_token=decoded(person.token["id_token"]),
            access_token=decoded(person.token["access_token"]),
            userinfo=pretty(person.userinfo),
        )

    def sign_in(self) -> Response:
        answer: Response = self.sheaf.authorize_redirect(f"{self.base}/callback")
        return answer

    def callback(self) -> Response:
        try:
            token = self.sheaf.authorize_access_token()
        except OAuthError as error:
            session["problem"] = f"Sheaf did not sign you in: {error.description or error.error}"
            return redirect("/")
        session["handle"] = secrets.token_urlsafe(16)
        userinfo = dict(self.sheaf.userinfo(token=token))
        self.people[session["handle"]] = SignedIn(dict(token), dict(token["userinfo"]), userinfo)
        return redirect("/")

    def sign_out(self) -> Response:
        """RP-initiated logout: ends the session at Sheaf too."""
        person = self.people.pop(session.pop("handle", ""), None)
        if person is None:
            return redirect("/", 303)
        words = {"id_token_hint": person.token["id_token"], "post_logout_redirect_uri": f"{self.base}/"}
        return redirect(f"{self.sheaf.load_server_metadata()['end_session_endpoint']}?{urlencode(words)}", 303)

    def act(self, action: str) -> Response:
        person = self.who()
        if person is not None:
            person.calls.clear()
            getattr(self, f"_{action}")(person)
        return redirect("/", 303)

    def _store(self, person: SignedIn) -> None:
        note = {"text": "Written by the demo app", "at": time.strftime("%H:%M:%S")}
        made = self._call(person, "POST", "/documents/notes", {"data": note})
        person.document = made["id"] if made else None

    def _read(self, person: SignedIn) -> None:
        if person.document is None:
            self._store(person)
        self._call(person, "GET", f"/documents/notes/{person.document}")

    def _publish(self, person: SignedIn) -> None:
        body = {"body": {"hello": person.claims.get("name")}, "priority": 5}
        if self._call(person, "PUT", f"/queues/{person.queue}", {}):
            self._call(person, "POST", f"/queues/{person.queue}/messages", body)

    def _take(self, person: SignedIn) -> None:
        taken = self._call(person, "POST", f"/queues/{person.queue}/take", {})
        if taken and taken["message"]:
            self._call(person, "POST", f"/queues/{person.queue}/messages/{taken['message']['receipt']}/ack")

    def _call(self, person: SignedIn, method: str, path: str, body: object = None) -> Any:
        """The answer of the companion, None when it refused."""
        header = {"Authorization": f"Bearer {self._access_token(person)}"}
        answer = requests.request(method, f"{self.api}{path}", json=body, headers=header, timeout=10)
        content = answer.json() if answer.content else None
        person.calls.append(
            Call(f"{method} {path}", str(answer.status_code), pretty(content) if answer.content else "")
        )
        return content if answer.ok else None

    def _access_token(self, person: SignedIn) -> str:
        """One that is still good; a new one by the refresh token when it is about to end."""
        if person.token["expires_at"] - time.time() < RENEW_BEFORE:
            old = person.token["refresh_token"]
            fresh = self.sheaf.fetch_access_token(grant_type="refresh_token", refresh_token=old)
            person.token |= {
                name: fresh[name] for name in ("access_token", "refresh_token", "expires_at") if name in fresh
            }
        return str(person.token["access_token"])


def make_app(base: str, issuer: str, api: str, client_id: str, client_secret: str, landing: str) -> Flask:
    app = Flask("demo_oidc_app")
    app.secret_key = secrets.token_bytes(32)
    app.config.update(SESSION_COOKIE_NAME="demo_oidc_app", SESSION_COOKIE_SAMESITE="Lax")
    sheaf = OAuth(app).register(
        "sheaf",
        client_id=client_id,
        client_secret=client_secret,
        server_metadata_url=f"{issuer}/.well-known/openid-configuration",
        client_kwargs={"scope": SCOPES, "code_challenge_method": "S256"},
    )
    own = OidcApp(base, api, landing, sheaf)
    app.add_url_rule("/", view_func=own.home)
    app.add_url_rule("/sign-in", view_func=own.sign_in)
    app.add_url_rule("/callback", view_func=own.callback)
    app.add_url_rule("/sign-out", view_func=own.sign_out, methods=["POST"])
    app.add_url_rule("/<any(store, read, publish, take):action>", view_func=own.act, methods=["POST"])
    return app


def decoded(token: str) -> str:
    """Header and claims of a JWT, to look at. Nothing is checked here: that was done where it counts."""
    header, claims = (json.loads(base64.urlsafe_b64decode(part + "==")) for part in token.split(".")[:2])
    return f"{pretty(header)}\n{pretty(claims)}"


def pretty(value: object) -> str:
    return json.dumps(value, indent=2, ensure_ascii=False)

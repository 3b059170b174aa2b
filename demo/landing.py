"""Owns the landing page of the demo: what to click, and with which name, password and code.

Codes and passwords stand on it because they were made for this run only and nobody else can reach this page.
"""

import time
from dataclasses import dataclass

import pyotp
from flask import Flask, Response, abort, jsonify, request

from demo.installation import Person
from demo.pages import page

PERIOD = 30


@dataclass(frozen=True)
class Links:
    """Where everything is."""

    landing: str
    sheaf: str
    api: str
    corporate: str
    oidc_app: str
    saml_app: str


@dataclass(frozen=True)
class People:
    """ada: local, with a second factor, administers. grace: signs in by the upstream, already linked. twin: ada's account at
    the upstream, with the same e-mail address and not linked. lin: has an address for which the upstreams may vouch."""

    ada: Person
    grace: Person
    grace_upstream: Person
    twin: Person
    lin: Person
    lin_upstream: Person


HEAD = '<noscript><meta http-equiv="refresh" content="10"></noscript><script src="/codes.js" defer></script>'
BODY = """
<h1>Sheaf demo</h1>
<p class="quiet">Everything runs on this machine. Names, passwords and codes below were made for this run and end with it.</p>

<section><h2>1. Sign in to an app (OpenID Connect)</h2>
<p><a class="button main" href="{{ links.oidc_app }}/" target="_blank">Open the OIDC app</a></p>
<p>Press <b>Sign in with Sheaf</b>, then use:</p>
<dl><dt>User name</dt><dd><span class="value" id="ada-name">{{ people.ada.username }}</span></dd>
<dt>Password</dt><dd><span class="value" id="ada-password">{{ people.ada.password }}</span></dd>
<dt>Code</dt><dd><span class="value" id="ada-code" data-code="ada">{{ codes.ada }}</span>
  <span class="quiet">changes in <span data-left>{{ left }}</span> s; each code works once</span></dd></dl>
<p>The app shows its tokens. There, store a document and send a message with them.</p></section>

<section><h2>2. Go on to another app (SAML)</h2>
<p><a class="button main" href="{{ links.saml_app }}/" target="_blank">Open the SAML app</a></p>
<p>Press <b>Sign in with Sheaf</b>: you are already signed in, so it asks for nothing.</p></section>

<section><h2>3. Sign in through an upstream</h2>
<p>In the OIDC app press <b>Sign out</b>, then <b>Sign in with Sheaf</b> and choose <b>Corporate login</b>. There, use:</p>
<dl><dt>User name</dt><dd><span class="value" id="grace-name">{{ people.grace_upstream.username }}</span></dd>
<dt>Password</dt><dd><span class="value" id="grace-password">{{ people.grace_upstream.password }}</span></dd>
<dt>Code at Sheaf</dt><dd><span class="value" id="grace-code" data-code="grace">{{ codes.grace }}</span></dd></dl>
<p class="quiet">Sheaf asks for its own second step, whatever the upstream did.</p></section>

<section><h2>4. Two logins, one identity</h2>
<p>Press <b>Sign out</b> in the OIDC app, and <a href="{{ links.corporate }}/sign-out" target="_blank">sign out at Corporate login</a>.
Then choose <b>Corporate login</b> again, as somebody with the e-mail address of {{ people.ada.username }}:</p>
<dl><dt>User name</dt><dd><span class="value" id="twin-name">{{ people.twin.username }}</span></dd>
<dt>Password</dt><dd><span class="value" id="twin-password">{{ people.twin.password }}</span></dd></dl>
<p>Sheaf does not join accounts by e-mail: it asks {{ people.ada.username }} to prove it first, with password and code of step 1.</p>
</section>

<section><h2>5. Many logins, one account</h2>
<p>Sign out in the app and at <a href="{{ links.corporate }}/sign-out" target="_blank">Corporate login</a> as before. Choose
<b>Corporate login</b> with this name; then sign out in the app and choose <b>Campus</b> (the same people, by SAML):</p>
<dl><dt>User name</dt><dd><span class="value" id="lin-name">{{ people.lin_upstream.username }}</span></dd>
<dt>Password</dt><dd><span class="value" id="lin-password">{{ people.lin_upstream.password }}</span></dd>
<dt>Code at Sheaf</dt><dd><span class="value" id="lin-code" data-code="lin">{{ codes.lin }}</span></dd></dl>
<p>Both may vouch for addresses at corporate.example, so Sheaf joins them to the account it knows. The
<a href="{{ links.sheaf }}/account" target="_blank">account page</a> shows both, and each can be undone.</p></section>

<section><h2>6. As administrator</h2>
<p>Sign in to <a href="{{ links.sheaf }}/" target="_blank">Sheaf</a> as {{ people.ada.username }} (step 1). Look at
<a href="{{ links.sheaf }}/admin/trace" target="_blank">why each sign-in ended as it did</a>, the
<a href="{{ links.sheaf }}/admin/upstreams" target="_blank">upstreams</a> and their test, the
<a href="{{ links.sheaf }}/admin/users" target="_blank">people</a> and their logins, and what it takes to
<a href="{{ links.sheaf }}/admin/local-login" target="_blank">turn passwords off</a>.</p></section>

<section><h2>What runs where</h2><div class="scroll"><table>
<tr><td>Sheaf, account page</td><td><a href="{{ links.sheaf }}/">{{ links.sheaf }}/</a></td></tr>
<tr><td>Companion API</td><td>{{ links.api }}/</td></tr>
<tr><td>Corporate login (a second Sheaf)</td><td><a href="{{ links.corporate }}/">{{ links.corporate }}/</a></td></tr>
<tr><td>OIDC app</td><td><a href="{{ links.oidc_app }}/">{{ links.oidc_app }}/</a></td></tr>
<tr><td>SAML app</td><td><a href="{{ links.saml_app }}/">{{ links.saml_app }}/</a></td></tr>
</table></div></section>
"""
SCRIPT = """
async function renew() {
  const known = await (await fetch("/codes")).json();
  document.querySelectorAll("[data-code]").forEach(one => { one.textContent = known[one.dataset.code]; });
  document.querySelectorAll("[data-left]").forEach(one => { one.textContent = known.left; });
}
setInterval(renew, 1000);
"""


def make_app(links: Links, people: People) -> Flask:
    app = Flask("demo_landing")
    here = links.landing.partition("://")[2]

    @app.before_request
    def _only_here() -> None:
        # Passwords stand on this page: a foreign name that leads to this address (DNS rebinding) gets nothing.
        if request.host != here:
            abort(404)

    @app.get("/")
    def home() -> str:
        return page("Sheaf demo", BODY, HEAD, links=links, people=people, codes=_codes(), left=_left())

    @app.get("/codes")
    def codes() -> Response:
        return jsonify(**_codes(), left=_left())

    @app.get("/codes.js")
    def script() -> Response:
        return Response(SCRIPT, mimetype="text/javascript")

    def _codes() -> dict[str, str]:
        known = {"ada": people.ada, "grace": people.grace, "lin": people.lin}
        return {name: pyotp.TOTP(one.totp_secret).now() for name, one in known.items() if one.totp_secret}

    return app


def _left() -> int:
    return PERIOD - int(time.time()) % PERIOD

"""The whole way on real programs: an upstream login becomes a user, enrols a second factor, signs in to an app, and the
app stores a document and passes a message with the token it got.

Each part has tests of its own in its own folder; here they meet.
"""

from collections.abc import Callable
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
import requests

from tests.peers.oidc_provider import OidcProvider
from tests.peers.relying_parties import RelyingParty
from tests.support.http_browser import Page, PlainBrowser
from tests.support.sheaf import Sheaf
from tests.support.totp import Authenticator

Start = Callable[..., RelyingParty]
API_SCOPES = ["documents.read", "documents.write", "queues.publish", "queues.consume", "queues.manage"]
SCOPES = ["openid", "profile", "email", *API_SCOPES]


@pytest.fixture(scope="module")
def corporate(sheaf_with_api: Sheaf, oidc_upstream: OidcProvider) -> OidcProvider:
    """npm oidc-provider as the upstream `corporate`."""
    client = oidc_upstream.register(sheaf_with_api.url("/upstream/corporate/callback"))
    sheaf_with_api.add_upstream(
        "oidc",
        "corporate",
        label="Corporate login",
        issuer=oidc_upstream.issuer,
        client_id=client.client_id,
        client_secret=client.client_secret,
    )
    return oidc_upstream


class Api:
    """The companion, asked with one access token."""

    def __init__(self, sheaf: Sheaf, token: str) -> None:
        self.base = sheaf.api_url
        self.session = requests.Session()
        self.session.trust_env = False
        self.session.headers["Authorization"] = f"Bearer {token}"

    def __call__(self, method: str, path: str, body: Any = None) -> requests.Response:
        return self.session.request(method, f"{self.base}{path}", json=body, timeout=10)

    def __enter__(self) -> "Api":
        return self

    def __exit__(self, *_: object) -> None:
        self.session.close()


def enrol(page: Page) -> tuple[Page, Authenticator]:
    """Set up the second factor: type the secret into a phone, prove it, and go on after the recovery codes."""
    uri = next(href for _, href in page.document.links if href.startswith("otpauth://"))
    phone = Authenticator(parse_qs(urlsplit(uri).query)["secret"][0])
    recovery_codes = page.submit(code=phone.code())
    return recovery_codes.follow("/flow/"), phone


def test_an_upstream_login_with_totp_reaches_an_app_whose_token_works_at_the_companion(
    sheaf_with_api: Sheaf, corporate: OidcProvider, relying_party: Start
) -> None:
    sheaf = sheaf_with_api
    app = relying_party(sheaf, scope=" ".join(SCOPES), scopes=SCOPES, audiences=["urn:sheaf:api"], consent="ask")
    name = f"grace-{app.kind}"
    corporate.add_user(name, email=f"{name}@example.org", email_verified=True, name="Grace Hopper")

    with PlainBrowser() as browser:
        at_upstream = app.login(browser).submit("Corporate login")
        at_enrolment = corporate.sign_in(at_upstream, name)
        page, _phone = enrol(at_enrolment)
        result = app.result(page.submit("allow"))

    assert result["userinfo"]["email"] == f"{name}@example.org"
    assert result["userinfo"]["name"] == "Grace Hopper"
    assert "otp" in result["claims"]["amr"]
    with Api(sheaf, result["tokens"]["access_token"]) as api:
        made = api("POST", "/documents/notes", {"data": {"title": "First light"}})
        assert made.status_code == 201, made.text
        document = api("GET", f"/documents/notes/{made.json()['id']}").json()
        declared = api("PUT", f"/queues/{app.kind}", {})
        published = api("POST", f"/queues/{app.kind}/messages", {"body": {"hello": "world"}, "priority": 7})
        taken = api("POST", f"/queues/{app.kind}/take", {}).json()["message"]
        acknowledged = api("POST", f"/queues/{app.kind}/messages/{taken['receipt']}/ack", {})
    assert document["data"] == {"title": "First light"}
    assert document["created_by"] == f"user:{result['claims']['sub']}"
    assert (declared.status_code, published.status_code, acknowledged.status_code) == (200, 201, 204)
    assert taken["body"] == {"hello": "world"}
    assert taken["sent_by"] == {"subject": result["claims"]["sub"], "client_id": app.client.client_id}


def test_the_same_upstream_login_is_the_same_user_the_next_time_and_is_asked_for_totp(
    sheaf_with_api: Sheaf, corporate: OidcProvider, relying_party: Start
) -> None:
    app = relying_party(sheaf_with_api, consent="skip")
    name = f"hedy-{app.kind}"
    corporate.add_user(name, email=f"{name}@example.org", email_verified=True, name="Hedy Lamarr")

    with PlainBrowser() as first_browser:
        page, phone = enrol(corporate.sign_in(app.login(first_browser).submit("Corporate login"), name))
        first = app.result(page)
    with PlainBrowser() as second_browser:
        asked = corporate.sign_in(app.login(second_browser).submit("Corporate login"), name)
        second = app.result(asked.submit(code=phone.code()))

    assert first["claims"]["sub"] == second["claims"]["sub"]
    assert {"otp"} <= set(second["claims"]["amr"])


def test_an_app_is_told_when_the_upstream_is_cancelled(
    sheaf_with_api: Sheaf, corporate: OidcProvider, relying_party: Start
) -> None:
    app = relying_party(sheaf_with_api, consent="skip")

    with PlainBrowser() as browser:
        at_upstream = app.login(browser).submit("Corporate login")
        back = at_upstream.submit("Cancel")

    # Nothing is issued: the person is back at our pages, can try another way, and nobody is signed in.
    assert back.url.startswith(sheaf_with_api.issuer)
    assert "code" not in back.params


def test_a_token_for_another_audience_opens_nothing_at_the_companion(
    sheaf_with_api: Sheaf, relying_party: Start
) -> None:
    app = relying_party(sheaf_with_api, consent="skip")
    person = sheaf_with_api.add_user(totp=True)

    with PlainBrowser() as browser:
        page = app.login(browser).submit(username=person.username, password=person.password)
        result = app.result(page.submit(code=person.code()))
    with Api(sheaf_with_api, result["tokens"]["access_token"]) as api:
        refused = api("GET", "/documents/notes/anything")

    assert refused.status_code == 401
    assert refused.headers["Content-Type"].startswith("application/problem+json")
    assert "audience" in refused.text

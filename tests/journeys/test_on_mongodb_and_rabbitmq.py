"""The same journeys on MongoDB and RabbitMQ, with two nodes: nothing but settings differs from the embedded installation.

What each engine promises by itself is in the contract suites of tests/storage and tests/api.
"""

import base64
import secrets
import time
from collections.abc import Callable
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import pytest

from tests.peers.oidc_provider import OidcProvider
from tests.saml.peer import Sp
from tests.support.http_browser import Page
from tests.support.oidc_app import API_SCOPES, AUDIENCE, CALLBACK, OidcApp, api, claims, query
from tests.support.sheaf import Sheaf
from tests.support.totp import Authenticator


@pytest.fixture(scope="module")
def nodes(start_sheaf: Callable[..., Sheaf], mongo_uri: str, rabbitmq_url: str) -> tuple[Sheaf, Sheaf]:
    """Two machines of one installation: one issuer, seal key, store and broker; each has a data folder of its own."""
    name = secrets.token_hex(4)
    shared = {
        "IDP_STORE__URL": f"{mongo_uri}/journey_idp_{name}",
        "IDP_API__STORE": f"{mongo_uri}/journey_api_{name}",
        "IDP_API__BROKER": rabbitmq_url,
        "IDP_SEAL_KEY": base64.b64encode(secrets.token_bytes(32)).decode(),
    }
    first = start_sheaf(api=True, env=shared)
    second = start_sheaf(api=True, env={**shared, "IDP_ISSUER": first.issuer})
    return first, second


@pytest.fixture(scope="module")
def corporate(nodes: tuple[Sheaf, Sheaf], oidc_upstream: OidcProvider) -> OidcProvider:
    first, _ = nodes
    client = oidc_upstream.register(first.url("/upstream/corporate/callback"))
    first.add_upstream(
        "oidc",
        "corporate",
        label="Corporate login",
        issuer=oidc_upstream.issuer,
        client_id=client.client_id,
        client_secret=client.client_secret,
    )
    return oidc_upstream


def _phone(page: Page) -> Authenticator:
    uri = next(href for _, href in page.document.links if href.startswith("otpauth://"))
    return Authenticator(parse_qs(urlsplit(uri).query)["secret"][0])


def _at(node: Sheaf, url: str) -> str:
    """The same address at another node, as a load balancer would choose it."""
    return f"http://127.0.0.1:{node.port}{url.removeprefix(url[: url.index('/', 8)])}"


def test_a_whole_first_sign_in_by_an_upstream_with_totp_consent_documents_and_queues(
    nodes: tuple[Sheaf, Sheaf], corporate: OidcProvider
) -> None:
    sheaf, _ = nodes
    app = OidcApp(sheaf, scopes=("openid", "email", *API_SCOPES), audiences=[AUDIENCE], consent="ask")
    corporate.add_user("grace", email="grace@example.org", email_verified=True, name="Grace Hopper")
    with app.browser() as browser:
        page = corporate.sign_in(app.ask(browser).submit("Corporate login"), "grace")
        phone = _phone(page)
        page = page.submit(code=phone.code()).follow("/flow/")
        tokens = app.tokens(app.redeem(page.submit("allow").params["code"]))

        sheaf.restart(kill=True)

        again = app.tokens(app.redeem(app.ask(browser).params["code"]))  # session and consent are still there

    said = claims(tokens["id_token"])
    assert (said["amr"], said["sub"]) == (["fed", "otp"], claims(again["id_token"])["sub"])
    token = again["access_token"]
    made = api(sheaf, token, "POST", "/documents/notes", {"data": {"title": "First light"}}).json()
    assert api(sheaf, token, "GET", f"/documents/notes/{made['id']}").json()["created_by"] == f"user:{said['sub']}"
    queue = f"/queues/journey-{secrets.token_hex(4)}"
    assert api(sheaf, token, "PUT", queue, {}).status_code == 200
    for priority in (0, 9):
        assert api(sheaf, token, "POST", f"{queue}/messages", {"body": priority, "priority": priority}).ok
    taken = api(sheaf, token, "POST", f"{queue}/take", {}).json()["message"]
    assert taken["body"] == 9
    assert api(sheaf, token, "POST", f"{queue}/messages/{taken['receipt']}/ack", {}).status_code == 204


def test_a_sign_in_may_go_on_at_another_node_at_every_step_and_nothing_works_twice(nodes: tuple[Sheaf, Sheaf]) -> None:
    first, second = nodes
    ada = first.add_user(totp=True)
    app = OidcApp(first, scopes=("openid", *API_SCOPES), audiences=[AUDIENCE])
    elsewhere = OidcApp.of(app, second)
    with first.browser(CALLBACK) as browser:
        asked = app.ask(browser)
        half = browser.open(_at(second, asked.url)).submit(username=ada.username, password=ada.password)
        seen = ada.code()
        back = browser.open(_at(first, half.url)).submit(code=seen)
        code = back.params["code"]
        tokens = app.tokens(elsewhere.redeem(code))
        assert query(second, tokens["access_token"]) == query(first, tokens["access_token"]) == 200

        # The code of the app and that of the phone were used; both nodes know.
        with second.browser(CALLBACK) as thief:
            asked = elsewhere.ask(thief)
            page = thief.open(_at(second, asked.url)).submit(username=ada.username, password=ada.password)
            assert "already used" in page.submit(code=seen).text
        assert app.redeem(code).json()["error"] == "invalid_grant"
        first.soon(lambda: query(second, tokens["access_token"]) == 401, "the other node has heard of it", 5)

        # Signed out at one node is signed out at the other.
        assert "code" in elsewhere.ask(browser, prompt="none").params
        first.cli("user", "disable", ada.username)
        assert elsewhere.ask(browser, prompt="none").params["error"] == "login_required"


def test_a_saml_app_gets_its_assertion_from_either_node(nodes: tuple[Sheaf, Sheaf], tmp_path: Path) -> None:
    first, second = nodes
    sp, ada = Sp("https://nodes.test/metadata", acs=("https://nodes.test/acs",)), first.add_user(totp=True)
    (tmp_path / "sp.xml").write_bytes(sp.metadata())
    first.add_sp(tmp_path / "sp.xml")
    with first.browser() as browser:
        first.sign_in(browser, ada)
        for node in (first, second):
            request = sp.query(sp.authn_request(time.time(), first.url("/saml/sso")))
            page = browser.open(_at(node, first.url(f"/saml/sso?{request}")))
            fields = next(form.values for form in page.document.forms if "SAMLResponse" in form.values)
            answer = base64.b64decode(fields["SAMLResponse"]).decode()
            assert ada.username in answer
            assert "https://refeds.org/profile/mfa" in answer

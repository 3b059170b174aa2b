"""One person comes in through four upstreams and stays one user with one `sub`. Then local login off, break-glass, on again.

In a real Chromium, which comes to npm oidc-provider, SimpleSAMLphp, a double of Google and another Sheaf. Each station is
photographed (`many-logins-…`, `local-login-…`); that the pages are sound is tested where they belong.
"""

import base64
import json
import re
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import parse_qs, urlencode, urlsplit

import pytest
import requests

from tests.peers.oidc_provider import OidcProvider
from tests.peers.saml_issuer import sp_metadata
from tests.peers.simplesamlphp import ALICE, MakeSimpleSamlPhp, SimpleSamlPhp, make_simplesamlphp  # noqa: F401
from tests.support.chromium import Windows
from tests.support.sheaf import PASSWORD, App, Person, Sheaf
from tests.upstream.openid_double import CLIENT_ID, CLIENT_SECRET
from tests.upstream.vendor_doubles import GoogleDouble
from tests.web.test_browser import BY_PASSWORD, Eyes

if TYPE_CHECKING:
    from playwright.sync_api import Page, Route

pytestmark = [pytest.mark.peer, pytest.mark.slow, pytest.mark.timeout(420)]
STAND_IN = Path(__file__).parents[1] / "peers" / "instead_of_google"
ALICE_MAIL = "alice@corp.example"
VERIFIER = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk"  # RFC 7636 appendix B
CHALLENGE = "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM"


@pytest.fixture(scope="module")
def google() -> Iterator[GoogleDouble]:
    """Alice's organisation has its mail there."""
    double = GoogleDouble(time.time)
    double.hosted = "corp.example"
    yield double
    double.close()
    assert double.faults == []


@pytest.fixture(scope="module")
def home(start_sheaf: Callable[..., Sheaf], google: GoogleDouble) -> Sheaf:
    env = {"PYTHONPATH": str(STAND_IN), "GOOGLE_STAND_IN": google.issuer}
    home = start_sheaf(second_factor="administrators", env=env)
    for name in env:  # the command line does not go to Google
        del home.env[name]
    return home


@pytest.fixture(scope="module")
def partner(start_sheaf: Callable[..., Sheaf]) -> Sheaf:
    """Another installation. Under another name, as browsers do not keep cookies of two ports apart."""
    return start_sheaf(second_factor="administrators", host="localhost")


@pytest.fixture(scope="module")
def campus(home: Sheaf, make_simplesamlphp: MakeSimpleSamlPhp) -> SimpleSamlPhp:  # noqa: F811
    return make_simplesamlphp().start()


@dataclass
class World:
    """home: the installation it is about; the other four are its upstreams. wiki: an app that reads `sub`."""

    home: Sheaf
    corp: OidcProvider
    campus: SimpleSamlPhp
    google: GoogleDouble
    partner: Sheaf
    alice_there: Person
    wiki: App


@pytest.fixture(scope="module")
def world(
    home: Sheaf, oidc_upstream: OidcProvider, campus: SimpleSamlPhp, google: GoogleDouble, partner: Sheaf
) -> World:
    corp = oidc_upstream.register(home.url("/upstream/corp/callback"))
    oidc_upstream.add_user("alice", email=ALICE_MAIL, email_verified=True, name="Alice Liddell")
    oidc_upstream.add_user("grace", email="grace@corp.example", email_verified=True, name="Grace Hopper")
    home.add_upstream(
        "oidc", "corp", label="Corp", issuer=oidc_upstream.issuer, trusted_domains="corp.example",
        client_id=corp.client_id, client_secret=corp.client_secret,
    )  # fmt: skip
    uid = "urn:oid:0.9.2342.19200300.100.1.1"
    home.add_upstream("saml", "campus", label="Campus", metadata=f"@{campus.idp_metadata()}", subject_attribute=uid)
    ours = campus.folder / "home.xml"
    ours.write_text(sp_metadata(home, "campus"))
    campus.trust(ours)
    home.add_upstream(
        "google", "google", label="Google", client_id=CLIENT_ID, client_secret=CLIENT_SECRET,
        hosted_domains="corp.example",
    )  # fmt: skip
    alice_there = partner.add_user("alice", email=ALICE_MAIL, full_name="Alice Liddell")
    scopes = ["openid", "profile", "email", "groups", "roles"]
    there = partner.add_client(home.url("/upstream/partner/callback"), name="Home", consent="skip", scopes=scopes)
    home.add_upstream(
        "sheaf", "partner", label="Partner", issuer=partner.issuer,
        client_id=there.client_id, client_secret=there.client_secret or "",
    )  # fmt: skip
    wiki = home.add_client(home.url("/healthz"), name="Team wiki", consent="skip")  # any page that answers
    return World(home, oidc_upstream, campus, google, partner, alice_there, wiki)


class Alice:
    """Her browser, of which she has another one for each upstream."""

    def __init__(self, world: World, windows: Windows) -> None:
        self.world, self.windows = world, windows
        self.page = windows.open()

    def new_browser(self) -> "Page":
        self.page = self.windows.open(self.world.home.url("/sign-in"))
        return self.page

    def by_corp(self, name: str = "alice", button: str = "Continue with Corp") -> None:
        self.page.get_by_role("button", name=button).click()
        self.page.wait_for_url(f"{self.world.corp.issuer}/**")
        self.page.get_by_label("User").fill(name)
        self.page.get_by_role("button", name="Sign in").click()

    def by_google(self) -> None:
        def answer(route: "Route") -> None:
            said = self.world.google.authorize(
                route.request.url, "10769", email=ALICE_MAIL, email_verified=True, name="Alice Liddell"
            )
            back = f"{self.world.google.last_asked['redirect_uri']}?{urlencode(said)}".replace("&", "&amp;")
            route.fulfill(content_type="text/html", body=f'<title>Google</title><a href="{back}">Continue as Alice</a>')

        self.page.route(f"{self.world.google.issuer}/authorize?**", answer)
        self.page.get_by_role("button", name="Continue with Google").click()
        self.page.get_by_role("link", name="Continue as Alice").click()

    def by_campus(self, button: str) -> None:
        self.page.get_by_role("button", name=button).click()
        self.page.wait_for_url(f"{self.world.campus.url}/**")
        for name, value in ALICE.items():
            self.page.locator(f"[name={name}]").fill(value)
        self.page.locator("[name=password]").press("Enter")

    def by_partner(self) -> None:
        self.page.get_by_role("button", name="Continue with Partner").click()
        self.page.wait_for_url(f"{self.world.partner.issuer}/**")
        by_password(self.page, self.world.alice_there)

    def at_home(self) -> None:
        self.page.wait_for_url(self.world.home.url("/"))


def by_password(page: "Page", person: Person) -> None:
    page.locator("[name=username]").fill(person.username)
    page.locator("[name=password]").fill(PASSWORD)
    page.get_by_role("button", name=BY_PASSWORD).click()


def by_code(page: "Page", person: Person) -> None:
    page.get_by_label("6-digit code").fill(person.code())
    page.get_by_role("button", name="Confirm code").click()


def sub_of(page: "Page", world: World) -> str:
    """What the app is told in this browser, by the ID token."""
    asked = {
        "response_type": "code", "client_id": world.wiki.client_id, "redirect_uri": world.wiki.redirect_uri,
        "scope": "openid", "state": "s", "code_challenge": CHALLENGE, "code_challenge_method": "S256",
    }  # fmt: skip
    page.goto(world.home.url(f"/authorize?{urlencode(asked)}"))
    page.wait_for_url("**/healthz?*code=*")
    form = {
        "grant_type": "authorization_code", "code": parse_qs(urlsplit(page.url).query)["code"][0],
        "redirect_uri": world.wiki.redirect_uri, "code_verifier": VERIFIER,
    }  # fmt: skip
    with requests.Session() as http:
        http.trust_env = False
        login = (world.wiki.client_id, world.wiki.client_secret or "")
        answer = http.post(world.home.url("/token"), data=form, auth=login, timeout=10)
    assert answer.ok, answer.text
    payload = answer.json()["id_token"].split(".")[1]
    return str(json.loads(base64.urlsafe_b64decode(payload + "=" * (-len(payload) % 4)))["sub"])


def test_four_logins_of_one_person_are_one_user_with_one_sub(world: World, windows: Windows) -> None:
    home, alice = world.home, Alice(world, windows)
    eyes = Eyes(windows, "many-logins", axe=False)

    page = alice.new_browser()
    eyes.look(page, "1-choose", "Sign in")
    alice.by_corp()  # a new user
    alice.at_home()
    sub = sub_of(page, world)

    page = alice.new_browser()
    alice.by_google()  # verified on both sides, and Google is trusted for the domain: joined without a question
    alice.at_home()
    assert sub_of(page, world) == sub

    page = alice.new_browser()
    alice.by_partner()  # that it knows the address proves nothing: she is asked
    page.get_by_role("heading", level=1, name="Is this account yours?").wait_for()
    assert "a…@corp.example" in page.inner_text("main")
    eyes.look(page, "2-is-it-yours", "Is this account yours?")
    alice.by_corp(button="Confirm with Corp")
    alice.at_home()
    assert sub_of(page, world) == sub

    page.goto(home.url("/account"))
    alice.by_campus(button="Link Campus")  # she does so herself
    page.wait_for_url(home.url("/account*"))
    eyes.look(page, "3-four-logins", "Your account")
    for label in ("Corp", "Google", "Partner", "Campus"):
        assert page.get_by_role("button", name=f"Unlink {label}").count() == 1, label

    page = alice.new_browser()
    alice.by_campus(button="Continue with Campus")
    alice.at_home()
    assert sub_of(page, world) == sub

    users = home.cli("user", "list")
    assert [user["id"] for user in users if user["email"] == ALICE_MAIL] == [sub]
    assert [said for said in windows.complaints if "Content Security Policy" in said] == []


def test_local_login_goes_off_comes_back_by_break_glass_and_on_again(world: World, windows: Windows) -> None:
    home, eyes = world.home, Eyes(windows, "local-login", axe=False)
    bob = home.add_user("bob")
    grace = home.add_user("grace", email="grace@corp.example", full_name="Grace Hopper", admin=True, totp=True)
    grace_ = Alice(world, windows)

    # She joins her login at Corp to her account: an administrator is never joined without a proof.
    page = grace_.new_browser()
    grace_.by_corp("grace")
    page.get_by_role("heading", level=1, name="Is this account yours?").wait_for()
    page.locator("[name=password]").fill(PASSWORD)
    page.get_by_role("button", name="Confirm and join").click()
    page.get_by_text("No phone at hand?").click()
    page.locator("#f-recovery").fill(grace.recovery_codes[0])
    page.get_by_role("button", name="Use recovery code").click()
    grace_.at_home()

    # A federated sign-in with second step, and a way back in that works.
    page = grace_.new_browser()
    grace_.by_corp("grace")
    by_code(page, grace)
    grace_.at_home()
    page.goto(home.url("/admin/local-login"))
    eyes.look(page, "1-on", re.compile("Local login"))
    page.locator("[name=proof]").fill(home.cli("break-glass", "--prove")["word"])
    page.locator("[name=proof]").press("Enter")
    page.get_by_role("button", name="Turn local login off").click()
    eyes.look(page, "2-trial", re.compile("Local login"))
    assert home.cli("local-login", "status")["local_login"] == "trial"

    # Confirmed by one who comes in after it.
    page = grace_.new_browser()
    eyes.look(page, "3-sign-in-on-trial", "Sign in")
    grace_.by_corp("grace")
    by_code(page, grace)
    grace_.at_home()
    page.goto(home.url("/admin/local-login"))
    page.get_by_role("button", name="Keep local login off").click()
    page.get_by_text("People sign in through upstreams only").wait_for()
    eyes.look(page, "4-off", re.compile("Local login"))
    assert home.cli("local-login", "status")["local_login"] == "off"

    visitor = windows.open(home.url("/sign-in"))
    assert visitor.locator("[name=password]").count() == 0
    eyes.look(visitor, "5-sign-in-off", "Sign in")

    # Break-glass lets Grace in, and nobody else.
    home.cli("break-glass", "--ttl", "5m", "--reason", "Corp is down")
    visitor.goto(home.url("/sign-in"))
    eyes.look(visitor, "6-break-glass", "Sign in")
    by_password(visitor, bob)
    visitor.get_by_role("alert").wait_for()
    by_password(visitor, grace)
    by_code(visitor, grace)
    visitor.wait_for_url(home.url("/"))
    eyes.look(visitor, "7-inside", "Hello, Grace Hopper")
    home.cli("break-glass", "close")
    visitor.goto(home.url("/account"))
    assert "/flow/" in visitor.url, "what break-glass let in has ended"

    home.cli("local-login", "on")
    visitor.goto(home.url("/sign-in"))
    by_password(visitor, bob)
    visitor.wait_for_url(home.url("/"))

"""One person, many logins: the same identity by every way, and only by ways that are allowed."""

from collections.abc import Callable
from pathlib import Path

import pytest
from requests.cookies import remove_cookie_by_name

from idp.app import create_app
from idp.base.config import Settings
from idp.storage.sqlite import SqliteRepository
from tests.peers.oidc_provider import OidcProvider
from tests.support.clock import FakeClock
from tests.support.federated import turn_off
from tests.support.oidc_app import OidcApp, claims
from tests.support.quick import SEAL_KEY_TEXT, quick
from tests.support.sheaf import Person, Sheaf
from tests.web.house import PASSWORD, House, Seen


@pytest.fixture(scope="module")
def home(start_sheaf: Callable[..., Sheaf], oidc_upstream: OidcProvider) -> Sheaf:
    """Two upstreams, and nobody must have a second factor."""
    home = start_sheaf(second_factor="administrators")
    for id in ("first", "second"):
        client = oidc_upstream.register(home.url(f"/upstream/{id}/callback"))
        home.add_upstream(
            "oidc",
            id,
            label=f"The {id} way",
            issuer=oidc_upstream.issuer,
            client_id=client.client_id,
            client_secret=client.client_secret,
        )
    return home


def _sub_by_upstream(app: OidcApp, upstream: OidcProvider, way: str, login: str) -> str:
    with app.browser() as browser:
        back = upstream.sign_in(app.ask(browser).submit(f"The {way} way"), login)
        return str(claims(app.tokens(app.redeem(back.params["code"]))["id_token"])["sub"])


def _sub_by_password(app: OidcApp, person: Person) -> str:
    with app.browser() as browser:
        return str(claims(app.sign_in(browser, person)["id_token"])["sub"])


def test_one_user_has_the_same_sub_by_every_login_and_unlinking_one_leaves_the_others(
    home: Sheaf, oidc_upstream: OidcProvider
) -> None:
    app, ada = OidcApp(home), home.add_user()
    oidc_upstream.add_user("ada-first")
    oidc_upstream.add_user("ada-second")
    with home.browser() as browser:
        home.sign_in(browser, ada)
        for way in ("first", "second"):
            account = browser.open(home.url("/account"))
            oidc_upstream.sign_in(account.submit(at=f"/account/link/{way}"), f"ada-{way}")
            remove_cookie_by_name(browser.session.cookies, "up_session")
    assert {login["provider"] for login in home.cli("user", "show", ada.username)["logins"]} == {"first", "second"}

    subs = {_sub_by_upstream(app, oidc_upstream, way, f"ada-{way}") for way in ("first", "second")}
    assert subs == {ada.id} == {_sub_by_password(app, ada)}

    home.cli("user", "unlink", ada.username, "first")
    assert _sub_by_upstream(app, oidc_upstream, "second", "ada-second") == ada.id
    assert _sub_by_password(app, ada) == ada.id
    assert _sub_by_upstream(app, oidc_upstream, "first", "ada-first") != ada.id


def test_a_first_login_with_the_email_of_a_user_joins_nothing_without_that_users_proof(
    home: Sheaf, oidc_upstream: OidcProvider
) -> None:
    app, ada, eve = OidcApp(home), home.add_user(), home.add_user()
    oidc_upstream.add_user("claims-to-be-ada", email=ada.email, email_verified=True)
    with app.browser() as browser:
        asked = oidc_upstream.sign_in(app.ask(browser).submit("The first way"), "claims-to-be-ada")

        refused = asked.submit(password=eve.password + "!")
        assert refused.status == 401
        assert home.cli("user", "show", ada.username)["logins"] == []

        back = refused.submit(password=ada.password)
        assert claims(app.tokens(app.redeem(back.params["code"]))["id_token"])["sub"] == ada.id
    assert [login["provider"] for login in home.cli("user", "show", ada.username)["logins"]] == ["first"]


@pytest.fixture
def without_passwords(repo: SqliteRepository, clock: FakeClock, tmp_path: Path) -> House:
    cheap = {"time_cost": 1, "memory_kib": 8192}
    given = {
        "issuer": "http://localhost",
        "data": str(tmp_path),
        "passwords": cheap,
        "seal_key": SEAL_KEY_TEXT,
    }
    house = House(quick(create_app(Settings.model_validate(given), repo=repo, clock=clock)), clock)
    turn_off(house.parts, house.person("boss", admin=True).user)
    return house


def test_with_local_login_off_every_password_fails_alike_wherever_it_is_sent(without_passwords: House) -> None:
    house = without_passwords
    ada, browser = house.person(totp=False), house.browser()
    assert "password" not in {name for form in browser.open("/sign-in").document.forms for name in form.names}

    def send(username: str, password: str) -> Seen:
        start = house.attempt()
        csrf = browser.open(start).form("/cancel").values["csrf"]
        return browser.post(f"{start}/password", {"csrf": csrf, "username": username, "password": password})

    answers = [send(ada.username, PASSWORD), send(ada.username, "something wrong"), send("nobody", PASSWORD)]

    assert {answer.status for answer in answers} == {401}
    assert len({_without_trace(answer.text) for answer in answers}) == 1
    assert not browser.signed_in
    basic = house.app.test_client().get("/account", auth=(ada.username, PASSWORD))
    assert (basic.status_code, "/flow/" in basic.headers["Location"]) == (303, True)
    form = {"grant_type": "password", "username": ada.username, "password": PASSWORD}
    assert house.app.test_client().post("/token", data=form).status_code in (400, 401)
    assert house.parts.sessions.of(ada.user.id) == []


def _without_trace(text: str) -> str:
    return " ".join(word for word in text.split() if not (len(word) == 8 and word.isupper() | word.isdigit()))

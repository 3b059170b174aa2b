"""Attacks B59 to B62, B70 and B86: proofs, logins and second factors that are not one's own.

Every variant of them is tested in tests/upstream, tests/admin and tests/services.
"""

from dataclasses import replace
from typing import Any

import pyotp

from idp.domain.grant import Consent
from idp.domain.session import Session
from idp.domain.upstream import FederatedLogin, UpstreamProvider
from idp.domain.user import User
from idp.ports import Repository
from idp.services.attempts import consent_id
from tests.admin.programs import Programs
from tests.behaviours.arriving import ADA, arrive, owners
from tests.oidc.house import House as OidcHouse
from tests.upstream.browser import BASE, PASSWORD, Browser, away
from tests.upstream.openid_double import OpenIdDouble
from tests.web.house import House

# ------------------------------------------------------------------ proofs


def test_b59_a_proof_joins_the_login_that_was_shown_and_no_other_one(
    app: Any, browser: Browser, live_corp: Any, openid: OpenIdDouble, make_user: Any, name_of: Any, repo: Repository
) -> None:
    """Neither a second login of the same provider in her browser nor the attacker's own wait elsewhere comes with it."""
    ada = make_user("ada")
    eve = Browser(app)
    arrive(eve, openid, "eves-login", email=ADA, email_verified=True)  # waits for Ada to prove herself
    flow = browser.begin()
    browser.follow(browser.come_back(openid.authorize(browser.leave(flow), "adas-login", email=ADA)))

    swapped = browser.come_back(openid.authorize(browser.leave(flow), "eves-other-login", email=ADA))
    assert name_of(swapped) == "not_the_owner"
    browser.follow(browser.post(f"{flow}/password", on=flow, username="ada", password=PASSWORD))

    assert owners(repo) == {"adas-login": ada.id}
    assert browser.is_signed_in
    assert not eve.is_signed_in


def test_b59_nobody_proves_for_the_wait_of_another_browser(
    app: Any, browser: Browser, live_corp: Any, openid: OpenIdDouble, make_user: Any, name_of: Any, repo: Repository
) -> None:
    """The attacker sends the address of the page where the owner is asked."""
    make_user("ada")
    flow = browser.begin()
    browser.follow(browser.come_back(openid.authorize(browser.leave(flow), "eves-login", email=ADA)))
    ada = Browser(app)
    ada.begin()

    assert name_of(ada.get(flow)) == "attempt_other_browser"
    sent = ada.post(f"{flow}/password", on="/sign-in", username="ada", password=PASSWORD)
    assert sent.status_code == 403
    assert owners(repo) == {}


def test_b60_linking_begins_with_a_form_of_ours_and_ends_in_the_session_that_began_it(
    app: Any,
    browser: Browser,
    live_corp: Any,
    openid: OpenIdDouble,
    make_user: Any,
    name_of: Any,
    clock: Any,
    repo: Repository,
) -> None:
    make_user("ada")
    browser.sign_in("ada")
    eve_user = make_user("eve")
    eve = Browser(app)
    eve.sign_in("eve")
    assert browser.get("/account/link/corp").status_code == 405
    assert name_of(browser.client.post("/account/link/corp", base_url=BASE)) == "form_expired"
    crossing = {"Sec-Fetch-Site": "cross-site"}
    assert name_of(browser.client.post("/account/link/corp", base_url=BASE, headers=crossing)) == "cross_site"

    forged = openid.authorize(away(eve.post("/account/link/corp", on="/account")), "eves-login")
    assert name_of(browser.come_back(forged)) == "attempt_other_browser"
    assert name_of(browser.come_back({**forged, "state": "x" * 43})) == "upstream_unexpected"
    assert owners(repo) == {}
    eve.come_back(forged)
    assert owners(repo) == {"eves-login": eve_user.id}
    clock.advance(601)
    late = browser.post("/account/link/corp", on="/account")
    assert (late.status_code, "/flow/" in late.location) == (303, True)


def test_b61_a_login_is_taken_off_by_a_form_of_ours_and_never_the_last_one(
    app: Any, browser: Browser, live_corp: Any, openid: OpenIdDouble, name_of: Any, repo: Repository
) -> None:
    arrive(browser, openid, "only-way", email="new@corp.example")
    (login,) = repo.find(FederatedLogin)
    path = f"/account/unlink/{login.id}"

    assert browser.get(path).status_code == 405
    assert name_of(browser.client.post(path, base_url=BASE)) == "form_expired"
    crossing = {"Origin": "https://evil.example"}
    assert name_of(browser.client.post(path, base_url=BASE, headers=crossing)) in ("cross_site", "form_expired")
    assert name_of(browser.post(path, on="/account")) == "last_way_in"
    assert repo.find(FederatedLogin) == [login]


# ------------------------------------------------------------------ the second factor


def _with_totp(services: Any, user: User) -> str:
    enrolment, _ = services.factors.enrol_for(user, actor="test")
    return str(enrolment.secret)


def test_b70_who_has_a_second_factor_is_asked_for_it_whatever_the_upstream_claims_to_have_done(
    browser: Browser, live_corp: Any, openid: OpenIdDouble, services: Any, clock: Any, repo: Repository
) -> None:
    arrive(browser, openid, "s-1")
    (user,) = repo.find(User)
    secret = _with_totp(services, user)
    again = Browser(browser.client.application)
    flow = again.begin()
    openid.lies = {"amr": ["mfa", "otp", "hwk"], "acr": "https://refeds.org/profile/mfa"}

    page = again.follow(again.come_back(openid.authorize(again.leave(flow), "s-1")))

    assert 'name="code"' in page.text
    assert not again.is_signed_in
    assert len(repo.find(Session)) == 1
    clock.advance(30)
    code = pyotp.TOTP(secret).at(clock())
    again.follow(again.post(f"{flow}/factor", on=f"{flow}/factor", code=code))
    assert again.is_signed_in
    newest = max(repo.find(Session), key=lambda one: one.factor_at or 0)
    assert "otp" in newest.amr


def test_b70_a_second_factor_elsewhere_counts_only_by_the_very_word_that_was_trusted(
    app: Any, browser: Browser, add_upstream: Any, openid: OpenIdDouble, services: Any, repo: Repository
) -> None:
    add_upstream(trusted_amr="hwk")
    arrive(browser, openid, "s-1")
    (user,) = repo.find(User)
    _with_totp(services, user)
    for said in ("hwk", ["pwd"], ["HWK"], ["mfa"], {"hwk": True}, [["hwk"]]):
        openid.lies = {"amr": said}
        other = Browser(app)
        arrive(other, openid, "s-1")
        assert not other.is_signed_in, said

    openid.lies = {"amr": ["pwd", "hwk"]}
    trusted = Browser(app)
    arrive(trusted, openid, "s-1")

    assert trusted.is_signed_in
    change = replace(services.upstreams.get("corp"), trusted_amr=())
    services.upstreams.change(change, {}, secrets=(), actor="test")
    later = Browser(app)
    arrive(later, openid, "s-1")
    assert not later.is_signed_in, "what an administrator takes back counts no more"


# ------------------------------------------------------------------ by an API, and by coming back under an old name


def test_b62_the_administrators_api_gives_no_login_of_one_person_to_another(
    house: House, programs: Programs, repo: Repository
) -> None:
    """Whose a login is cannot be written: it is linked, moved by a merge or a split that can be undone, or taken off."""
    program = programs.add()
    program.api = "/admin/api/users"
    ada, eve = house.person("ada", totp=False).user, house.person("eve", totp=False).user
    house.parts.repo.insert(UpstreamProvider("corp", "oidc", "Corp", house.clock()))
    login = FederatedLogin("fed_of_ada", ada.id, "corp", "https://corp.example", "7", house.clock())
    house.parts.repo.insert(login)

    for method, path, body in (
        ("PATCH", f"/{eve.id}", {"logins": [{"id": login.id}]}),
        ("PATCH", f"/{ada.id}", {"id": eve.id}),
        ("PATCH", f"/{ada.id}", {"merged_into": eve.id}),
        ("PATCH", f"/{ada.id}/logins", {"id": login.id, "user_id": eve.id}),
        ("PUT", f"/{ada.id}/logins", {"user_id": eve.id}),
        ("PATCH", f"/{ada.id}/logins/{login.id}", {"user_id": eve.id}),
        ("POST", f"/{eve.id}/logins", {"provider": "corp", "subject": "7", "user_id": eve.id}),
        ("POST", f"/{eve.id}/logins", {"provider": "corp", "issuer": "https://corp.example", "subject": "7"}),
        ("DELETE", f"/{eve.id}/logins?id={login.id}", None),
        ("POST", f"/{eve.id}/split", {"logins": [login.id]}),
    ):
        answer = program.ask(method, path, body)
        assert 400 <= answer.status_code < 500, (method, path, answer.text)
    assert repo.find(FederatedLogin) == [login]


def test_b86_who_comes_back_under_an_old_name_inherits_nothing(oidc_house: OidcHouse) -> None:
    house = oidc_house
    house.user("boss", roles=("administrator",))
    app, ada = house.client(consent="ask", grant_types=("authorization_code", "refresh_token")), house.person("ada")
    repo, now = house.parts.repo, house.clock()
    repo.insert(FederatedLogin("fed_of_ada", ada.user.id, "corp", "https://corp.example", "7", now))
    repo.insert(Consent(consent_id(ada.user.id, app.id), ada.user.id, app.id, ("openid", "profile", "email"), now))
    house.parts.factors.enrol_for(ada.user, actor="test")
    tokens = house.sign_in(ada, app)
    code = house.code(ada, app)

    house.parts.remove_user.remove(ada.user, actor="test")
    again = house.user("ada", email=ada.user.email)

    assert again.id != ada.user.id
    assert house.userinfo(tokens["access_token"]).status_code == 401
    house.refused(house.refresh(app, tokens["refresh_token"]), 400, "invalid_grant")
    house.refused(house.redeem(app, code), 400, "invalid_grant")
    assert ada.browser.get("/account").status_code == 303
    assert repo.find(FederatedLogin) == []
    assert repo.find(Consent) == []
    assert not house.parts.factors.has(again.id)
    assert house.parts.sessions.of(again.id) == []
    assert "/flow/" in house.authorize(ada.browser, app).headers["Location"]


def test_b86_a_login_of_somebody_who_was_removed_makes_somebody_new(
    app: Any, browser: Browser, live_corp: Any, openid: OpenIdDouble, services: Any, repo: Repository
) -> None:
    arrive(browser, openid, "user-1", preferred_username="ada")
    (before,) = repo.find(User)
    services.remove_user.remove(before, actor="test")
    assert not browser.is_signed_in
    services.users.add("ada", email=ADA, email_verified=True, actor="test")

    arrive(Browser(app), openid, "user-1", preferred_username="ada")

    (login,) = repo.find(FederatedLogin)
    named_alike = services.users.by_login("ada")
    assert login.user_id not in (before.id, named_alike.id)
    assert services.users.get(before.id) is None

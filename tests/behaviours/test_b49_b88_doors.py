"""Attacks B81 to B85: what pages and APIs give away or take.

Every variant of them is tested in tests/admin, tests/web and tests/oidc.
"""

import re
from typing import Any

import pytest

from idp.base.errors import Refused
from idp.domain.grant import Consent
from idp.domain.relying import Client
from idp.domain.upstream import FederatedLogin
from idp.services.attempts import consent_id
from idp.upstream.parse import changed_upstream, new_upstream
from tests.admin.programs import API, Program, Programs
from tests.upstream.openid_double import OpenIdDouble
from tests.web.house import House, Person

CB = "https://wiki.example/cb"


def _app(house: House, person: Person, id: str) -> tuple[Client, str, Consent]:
    """An app that somebody has allowed, and its secret."""
    app, secret = house.parts.apps.add_client(
        Client(id, id.title(), house.clock(), redirect_uris=(CB,)), actor="test", with_secret=True
    )
    assert secret is not None
    consent = Consent(consent_id(person.user.id, id), person.user.id, id, ("openid", "email"), house.clock())
    house.parts.repo.insert(consent)
    return app, secret.reveal(), consent


# ------------------------------------------------------------------ what is given away


def test_b81_what_is_shown_of_ones_own_holds_no_secret_and_nothing_of_others(
    house: House, program: Program, openid: OpenIdDouble
) -> None:
    ada, bob, boss = house.person("ada"), house.person("bob"), house.person("boss", admin=True)
    (hers, her_secret, _), (_, his_secret, _) = _app(house, ada, "wiki"), _app(house, bob, "private-app")
    browser, admin = house.sign_in(ada), house.sign_in(boss)

    shown = "".join(browser.open(path).html for path in ("/", "/account", "/account/apps"))
    assert "Wiki" in shown
    for secret in (her_secret, his_secret, hers.secret_digest or "-", ada.secret, *ada.recovery_codes, "$argon2"):
        assert secret not in shown
    for others in ("Private-App", "bob@example.org", bob.user.id):
        assert others not in shown
    administered = admin.open("/admin/clients/wiki").html + program.ask("GET", "/wiki").text + program.ask("GET").text
    assert her_secret not in administered
    assert program.secret not in administered
    assert "secret_digest" not in administered


MOVES: dict[str, dict[str, Any]] = {
    "oidc": {"issuer": "https://evil.example"},
    "oauth2": {"token_endpoint": "https://evil.example/token"},
    "github": {"base_url": "https://evil.example"},
    "ldap": {"url": ["ldaps://evil.example"]},
}
UPSTREAMS: dict[str, dict[str, Any]] = {
    "oidc": {"issuer": "https://corp.example", "client_id": "us", "client_secret": "TOP-1"},
    "oauth2": {
        "authorization_endpoint": "https://corp.example/authorize",
        "token_endpoint": "https://corp.example/token",
        "userinfo_endpoint": "https://corp.example/userinfo",
        "client_id": "us",
        "client_secret": "TOP-1",
    },
    "github": {"client_id": "us", "client_secret": "TOP-1"},
    "ldap": {
        "url": ["ldaps://corp.example"],
        "base_dn": "dc=corp,dc=example",
        "bind_dn": "cn=us",
        "bind_password": "TOP-1",
    },
}


@pytest.mark.parametrize("kind", list(UPSTREAMS))
def test_b81_a_secret_of_an_upstream_is_never_shown_nor_sent_to_another_server(
    house: House, program: Program, kind: str
) -> None:
    program.api = "/admin/api/upstreams"
    made = program.ask("POST", "", {"id": "corp", "kind": kind, "settings": UPSTREAMS[kind]})
    assert made.status_code == 201, made.text
    browser = house.sign_in(house.person("boss", admin=True))
    shown = [
        made.text,
        program.ask("GET").text,
        program.ask("GET", "/corp").text,
        browser.open("/admin/upstreams/corp").html,
    ]
    assert not [page for page in shown if "TOP-1" in page]
    secret = next(name for name, value in UPSTREAMS[kind].items() if value == "TOP-1")

    moved = program.ask("PATCH", "/corp", {"settings": MOVES[kind]})

    assert (moved.status_code, moved.json["error"]) == (409, "secret_needed_again"), moved.text
    assert program.ask("PATCH", "/corp", {"label": "Another name"}).status_code == 200
    assert program.ask("PATCH", "/corp", {"settings": {**MOVES[kind], secret: "for-the-new-one"}}).status_code == 200
    stored = house.parts.upstreams.get("corp")
    assert stored is not None
    assert "TOP-1" not in repr(stored) + str(stored.settings)


def test_b81_a_second_server_behind_a_comma_is_another_server(house: House) -> None:
    """Forms take several addresses in one field; with another CA, the first one fails and the second one is asked."""
    made = house.parts.upstreams.add(
        new_upstream("ldap", "corp", UPSTREAMS["ldap"], house.clock()), secrets=("bind_password",), actor="test"
    )
    with pytest.raises(Refused) as refused:
        changed_upstream(made, {"url": "ldaps://corp.example/,ldaps://evil.example"})
    assert refused.value.code == "secret_needed_again"
    assert changed_upstream(made, {"url": "ldaps://CORP.example/,ldaps://corp.example"})[1]["url"]


@pytest.mark.parametrize(
    ("kind", "settings"),
    [
        ("oidc", {"groups_claim": "https://["}),
        ("ldap", {"ca_certificates": "\u00e4"}),
        ("ldap", {"base_dn": "https://["}),
    ],
    ids=["no-url", "certificates-not-ascii", "no-url-in-a-name"],
)
def test_b81_a_setting_that_makes_no_sense_is_refused_and_no_fault(
    house: House, program: Program, kind: str, settings: dict[str, Any]
) -> None:
    program.api = "/admin/api/upstreams"
    program.done("POST", "", {"id": "corp", "kind": kind, "settings": UPSTREAMS[kind]}, 201)
    assert program.ask("PATCH", "/corp", {"settings": settings}).status_code in (400, 409)


def _diagnostic(house: House) -> list[tuple[str, str]]:
    """Every address that tries something out, replays, decodes or shows what lies behind."""
    wanted = re.compile(r"/admin|/test\b|debug|console|trace|replay|decode|metrics|preview")
    found = []
    for rule in house.app.url_map.iter_rules():
        if wanted.search(rule.rule) and rule.endpoint != "static":
            path = re.sub(r"<[^>]+>", "x", rule.rule)
            found += [(method, path) for method in sorted((rule.methods or set()) - {"HEAD", "OPTIONS"})]
    return found


def test_b82_nothing_that_tries_out_or_looks_behind_answers_who_is_no_administrator(house: House) -> None:
    """Whatever page is added: strangers and ordinary people get a sign-in, a refusal or nothing."""
    ada = house.sign_in(house.person("ada"))
    csrf = ada.open("/sign-out").form("/sign-out").values["csrf"]
    addresses = _diagnostic(house)
    assert len(addresses) > 50

    for method, path in addresses:
        for client, fields in ((house.app.test_client(), {}), (ada.client, {"csrf": csrf})):
            answer = client.open(path, method=method, data=fields)
            allowed = (400, 401, 403, 404, 405, 409, 413, 415)
            led_away = answer.status_code == 303 and "/flow/" in answer.headers["Location"]
            led_away = led_away or (path == "/admin" and answer.headers["Location"].startswith("/admin/"))
            assert led_away or answer.status_code in allowed, f"{method} {path}: {answer.status_code}"


@pytest.mark.parametrize("path", ["/debug", "/console", "/metrics", "/env", "/actuator", "/.git/config", "/idp.db"])
def test_b82_there_is_no_address_for_debugging(house: House, path: str) -> None:
    assert house.app.test_client().get(path).status_code == 404


@pytest.mark.parametrize("text", ["{{7*7}}", "${7*7}", "{% print(7*7) %}", "<%= 7*7 %>", "#{7*7}", "%(7*7)s"])
def test_b82_no_expression_in_a_name_is_evaluated(house: House, text: str) -> None:
    boss = house.person("boss", admin=True)
    house.parts.apps.add_client(
        Client("odd", f"Odd {text}", house.clock(), redirect_uris=(CB,)), actor="test", with_secret=True
    )

    page = house.sign_in(boss).open("/admin/clients/odd")

    assert text in page.text
    assert "49" not in page.document.title


# ------------------------------------------------------------------ what is taken


FORBIDDEN: dict[str, Any] = {
    "roles": ["administrator"],
    "email_verified": True,
    "_id": "usr_1",
    "id": "usr_1",
    "totp": None,
    "is_active": True,
    "disabled": False,
    "password_hash": "$argon2id$x",
    "administrator": True,
    "version": 99,
}


def test_b83_fields_that_nobody_may_set_are_set_by_no_page(house: House) -> None:
    ada = house.person()
    browser = house.sign_in(ada)
    before = house.parts.users.get(ada.user.id)
    fields = {name: "administrator" if name == "roles" else "1" for name in FORBIDDEN}

    for path in ("/account", "/me", "/api/me", "/api/users/me", "/users/me", f"/users/{ada.user.id}"):
        for method in ("PATCH", "PUT", "POST"):
            answer = browser.client.open(path, method=method, json=FORBIDDEN)
            assert answer.status_code in (403, 404, 405), (method, path)
    for path in ("/account/password", "/account/recovery-codes", "/account/sessions/end-others"):
        browser.post_blindly(path, old="wrong", new="something else entirely", **fields)

    assert house.parts.users.get(ada.user.id) == before
    assert browser.open("/admin").status in (403, 404)


@pytest.mark.parametrize(
    "name", ["id", "secret_digest", "created_at", "registered_by", "_id", "$set", "__class__", "made_up"]
)
def test_b83_the_administrators_api_refuses_fields_that_it_does_not_know_or_that_are_not_to_be_set(
    house: House, program: Program, name: str
) -> None:
    ada = house.person("ada")
    app, _, _ = _app(house, ada, "wiki")

    for method, path, body in (
        ("PATCH", "/wiki", {name: "x"}),
        ("PUT", "/wiki", {"name": "Wiki", "redirect_uris": [CB], name: "x"}),
        ("POST", "", {"name": "New", "redirect_uris": [CB], name: {"$gt": ""}}),
    ):
        answer = program.ask(method, path, body)
        assert answer.status_code == 400, answer.text
        assert answer.json["error"] in ("unknown_field", "read_only_field")
    assert house.parts.apps.client("wiki") == app


@pytest.mark.parametrize("headers", [{}, {"X-Org": "other"}, {"X-Organization-Id": "1"}, {"X-Tenant": "other"}])
def test_b84_what_belongs_to_somebody_else_is_not_there_whatever_header_says_where_one_belongs(
    house: House, headers: dict[str, str]
) -> None:
    ada, bob = house.person("ada"), house.person("bob")
    his = house.sign_in(bob)
    _, _, consent = _app(house, bob, "wiki")
    login = FederatedLogin("fed_of_bob", bob.user.id, "corp", "https://corp.example", "7", house.clock())
    house.parts.repo.insert(login)
    (session,) = house.parts.sessions.of(bob.user.id)
    browser = house.sign_in(ada)
    csrf = browser.open("/sign-out").form("/sign-out").values["csrf"]

    for path in (
        f"/account/sessions/{session.sid}/end",
        f"/account/sessions/{session.id}/end",
        f"/account/unlink/{login.id}",
    ):
        assert browser.post(path, {"csrf": csrf, "user": bob.user.id}, **headers).status == 404
    browser.post(f"/account/consents/{consent.id}/revoke", {"csrf": csrf}, **headers)
    browser.post("/account/apps/revoke", {"csrf": csrf, "app": "wiki", "id": consent.id}, **headers)
    for path in (f"/users/{bob.user.id}", f"/account/{bob.user.id}", f"/organizations/1/users/{bob.user.id}"):
        assert browser.open(path, **headers).status == 404
    assert browser.open(f"/account?user={bob.user.id}", **headers).text.count("bob@example.org") == 0

    assert his.signed_in
    assert house.parts.repo.get(Consent, consent.id) == consent
    assert house.parts.repo.get(FederatedLogin, login.id) == login


@pytest.mark.parametrize("path", ["/scim/v2/Users", "/scim/v2/Groups", "/scim/Users", "/scim/v2/Bulk"])
def test_b85_there_is_no_scim_and_nobody_is_made_by_it(house: House, programs: Programs, path: str) -> None:
    program = programs.add()
    body = {"schemas": ["urn:ietf:params:scim:schemas:core:2.0:User"], "userName": "eve", "active": True}

    for headers in ({}, {"Authorization": f"Bearer {program.token}"}):
        answer = house.app.test_client().post(path, json=body, headers=headers)
        assert answer.status_code == 404
    assert house.parts.users.all() == []


def test_b85_without_a_token_the_administrators_api_makes_nothing(house: House) -> None:
    paths = sorted({rule.rule for rule in house.app.url_map.iter_rules() if rule.rule.startswith("/admin/api/")})
    assert API in paths
    for path in paths:
        address = re.sub(r"<[^>]+>", "x", path)
        for method in ("GET", "POST", "PUT", "PATCH", "DELETE"):
            answer = house.app.test_client().open(address, method=method, json={"username": "eve", "name": "Eve"})
            assert answer.status_code in (401, 405), f"{method} {address}: {answer.status_code}"
    assert house.parts.users.all() == []
    assert house.parts.apps.clients() == []

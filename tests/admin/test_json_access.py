"""Who may use the administrators' JSON API: whoever has a token for it, brings it rightly, and administers at this moment."""

from dataclasses import replace
from typing import Any

import pytest
from werkzeug.test import TestResponse

from idp.base.claims import ADMIN_AUDIENCE, ADMIN_SCOPE, ADMINISTRATOR
from idp.domain.attempt import Proof
from idp.domain.audit_event import AuditEvent
from idp.domain.relying import Client
from idp.domain.user import User
from tests.admin.programs import API, Program, Programs
from tests.oidc.house import App
from tests.oidc.house import House as OidcHouse
from tests.oidc.house import Person as OidcPerson
from tests.support.proofs import Prover
from tests.web.house import House, Person

EVERY = [
    ("GET", ""),
    ("POST", ""),
    ("GET", "/wiki"),
    ("PUT", "/wiki"),
    ("PATCH", "/wiki"),
    ("DELETE", "/wiki"),
    ("POST", "/wiki/secret"),
    ("DELETE", "/wiki/secret"),
    ("GET", "/wiki/preview?user=ada"),
]
every = pytest.mark.parametrize(("method", "path"), EVERY, ids=[f"{method} {path}" for method, path in EVERY])


def refused(house: House, answer: TestResponse, status: int, code: str) -> None:
    assert (answer.status_code, answer.json["error"]) == (status, code), answer.text
    assert answer.json["error_description"]
    assert house.parts.traces.explain(answer.json["trace"]) is not None
    assert answer.headers["Cache-Control"] == "no-store"


def unchanged(house: House, wiki: Client) -> bool:
    return house.parts.apps.clients() == [wiki] or house.parts.apps.client("wiki") == wiki


def app_for_people(house: House, **fields: Any) -> tuple[OidcHouse, App]:
    """An app through which people use the API, and the house as OIDC tests know it."""
    oidc = OidcHouse(house.app, house.clock)
    chosen = {"scopes": ("openid", "email", ADMIN_SCOPE), "audiences": (ADMIN_AUDIENCE,), **fields}
    return oidc, oidc.client("console", **chosen)


def signed_in(house: House, user: User) -> OidcPerson:
    session, handle = house.parts.sessions.establish(
        Proof(user.id, house.clock(), ("pwd", "otp"), house.clock()), None, "tests"
    )
    browser = OidcHouse(house.app, house.clock).browser()
    browser.set_cookie("sheaf_session", handle)
    return OidcPerson(user, session, browser)


def token_of(house: House, person: Person, scope: str = f"openid {ADMIN_SCOPE}", **fields: Any) -> str:
    oidc, app = app_for_people(house, **fields)
    return str(oidc.sign_in(signed_in(house, person.user), app, scope=scope)["access_token"])


@every
def test_nobody_comes_in_without_a_token(house: House, wiki: Client, method: str, path: str) -> None:
    ways: list[dict[str, Any]] = [
        {},
        {"headers": {"Authorization": "Basic d2lraTp4"}},
        {"headers": {"Authorization": "Bearer "}},
        {"headers": {"Authorization": "Bearer rubbish"}},
        {"headers": {"Authorization": "Bearer sheaf_at_rubbish"}},
    ]
    for way in ways:
        answer = house.app.test_client().open(f"{API}{path}", method=method, json={}, **way)
        refused(house, answer, 401, "invalid_token")
        assert answer.headers["WWW-Authenticate"].startswith("Bearer ")
    assert unchanged(house, wiki)


@every
def test_a_session_cookie_opens_nothing_here(house: House, ada: Person, wiki: Client, method: str, path: str) -> None:
    browser = house.sign_in(ada)
    refused(house, browser.client.open(f"{API}{path}", method=method, json={}), 401, "invalid_token")
    assert unchanged(house, wiki)


@every
def test_a_token_of_somebody_who_is_no_administrator_opens_nothing(
    house: House, programs: Programs, wiki: Client, method: str, path: str
) -> None:
    token = token_of(house, house.person("bob"))
    answer = house.app.test_client().open(
        f"{API}{path}", method=method, json={"name": "Mine"}, headers={"Authorization": f"Bearer {token}"}
    )
    refused(house, answer, 403, "not_administrator")
    assert house.parts.apps.client("wiki") == wiki


@every
def test_a_token_for_another_audience_or_without_the_scope_opens_nothing(
    house: House, programs: Programs, wiki: Client, method: str, path: str
) -> None:
    elsewhere = programs.add("elsewhere", audiences=("urn:example:api",))
    refused(house, elsewhere.ask(method, path, {}), 401, "invalid_token")
    without = programs.add("without", scopes=("documents.read",))
    answer = without.ask(method, path, {})
    refused(house, answer, 403, "insufficient_scope")
    assert 'scope="admin"' in answer.headers["WWW-Authenticate"]
    assert house.parts.apps.client("wiki") == wiki


def test_an_administrator_comes_in_with_a_token_of_their_own(house: House, ada: Person, wiki: Client) -> None:
    headers = {"Authorization": f"Bearer {token_of(house, ada)}"}
    answer = house.app.test_client().patch(f"{API}/wiki", json={"name": "Our wiki"}, headers=headers)
    assert answer.status_code == 200, answer.text
    [event] = house.parts.repo.find(AuditEvent, name="client.changed")
    assert (event.actor, event.subject) == (ada.user.id, "wiki")


def test_who_administers_is_looked_at_now_and_not_when_the_token_was_made(house: House, wiki: Client) -> None:
    person = house.person("eve", admin=True)
    headers = {"Authorization": f"Bearer {token_of(house, person)}"}
    client = house.app.test_client()
    assert client.get(API, headers=headers).status_code == 200
    user = house.parts.users.get(person.user.id)
    assert user is not None
    assert ADMINISTRATOR in user.roles
    house.parts.repo.replace_if(replace(user, roles=()))
    refused(house, client.get(API, headers=headers), 403, "not_administrator")
    user = house.parts.users.get(person.user.id)
    assert user is not None
    house.parts.repo.replace_if(replace(user, roles=(ADMINISTRATOR,), disabled=True))
    refused(house, client.get(API, headers=headers), 401, "invalid_token")


@pytest.mark.parametrize(
    "changes",
    [
        {"scopes": ()},
        {"audiences": ()},
        {"grant_types": ("authorization_code",), "redirect_uris": ("https://a.example/cb",)},
        {"auth_method": "none"},
        {"registration_token_digest": "0" * 64},
    ],
    ids=str,
)
def test_a_program_must_be_registered_for_this_now_and_not_by_itself(
    house: House, programs: Programs, program: Program, changes: dict[str, Any]
) -> None:
    assert program.ask("GET").status_code == 200
    programs.change(program, **changes)
    refused(house, program.ask("GET"), 403, "not_administrator")


def test_an_app_that_registered_itself_is_no_way_in_for_administrators_either(house: House, ada: Person) -> None:
    token = token_of(house, ada)
    found = house.parts.apps.client("console")
    assert found is not None
    house.parts.repo.replace_if(replace(found, registration_token_digest="0" * 64))
    answer = house.app.test_client().get(API, headers={"Authorization": f"Bearer {token}"})
    refused(house, answer, 403, "not_administrator")


def test_the_token_of_a_removed_program_ends(house: House, program: Program) -> None:
    house.parts.apps.remove_client(program.client.id, actor="test")
    refused(house, program.ask("GET"), 401, "invalid_token")


def test_an_expired_token_opens_nothing(house: House, program: Program) -> None:
    house.clock.advance(3700)
    refused(house, program.ask("GET"), 401, "invalid_token")


def test_the_token_never_comes_in_the_address_or_the_body(house: House, program: Program) -> None:
    client = house.app.test_client()
    refused(house, client.get(f"{API}?access_token={program.token}"), 401, "invalid_token")
    refused(house, client.post(API, data={"access_token": program.token}), 401, "invalid_token")


def test_a_token_that_is_bound_to_a_key_needs_a_proof_of_it(house: House, programs: Programs) -> None:
    prover, thief = Prover(house.clock), Prover(house.clock)
    program = programs.add("bound", token=False, dpop_bound_access_tokens=True)
    proof = prover.proof("POST", "http://localhost/token")
    program.token = program.token_answer({"DPoP": proof}).json["access_token"]
    url = f"http://localhost{API}"
    refused(house, program.ask("GET"), 401, "invalid_token")
    program.scheme = "DPoP"
    refused(house, program.ask("GET"), 401, "invalid_dpop_proof")
    for wrong in (
        thief.proof("GET", url, program.token),
        prover.proof("POST", url, program.token),
        prover.proof("GET", f"{url}/wiki", program.token),
        prover.proof("GET", url, "another token"),
    ):
        assert program.ask("GET", headers={"DPoP": wrong}).status_code == 401
    good = prover.proof("GET", url, program.token)
    assert program.ask("GET", headers={"DPoP": good}).status_code == 200
    refused(house, program.ask("GET", headers={"DPoP": good}), 401, "invalid_dpop_proof")


def test_a_demanded_nonce_is_told_and_works(house_with: Any) -> None:
    house: House = house_with(oidc={"dpop_nonce": True})
    program = Programs(house).add("bound", token=False)
    prover, url = Prover(house.clock), "http://localhost/token"
    nonce = program.token_answer({"DPoP": prover.proof("POST", url)}).headers["DPoP-Nonce"]
    answer = program.token_answer({"DPoP": prover.proof("POST", url, nonce=nonce)})
    program.token, program.scheme = answer.json["access_token"], "DPoP"
    here = f"http://localhost{API}"
    first = program.ask("GET", headers={"DPoP": prover.proof("GET", here, program.token)})
    assert (first.status_code, first.json["error"]) == (401, "use_dpop_nonce")
    proof = prover.proof("GET", here, program.token, nonce=first.headers["DPoP-Nonce"])
    assert program.ask("GET", headers={"DPoP": proof}).status_code == 200


def test_opaque_tokens_work_as_well(programs: Programs) -> None:
    program = programs.add("opaque", access_token_format="opaque")
    assert program.token.startswith("sheaf_at_")
    assert program.ask("GET").status_code == 200

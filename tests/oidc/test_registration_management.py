"""Owns the claims about managing a registration (RFC 7592): only with its own token, all of it at once, and what an operator
has given stays."""

import json
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from werkzeug.test import TestResponse

from idp.domain.audit_event import AuditEvent
from idp.domain.relying import Client
from idp.storage.sqlite import SqliteRepository
from tests.oidc.app_keys import AppKeys
from tests.oidc.house import CALLBACK
from tests.oidc.registering import Office, again, bearer
from tests.support.clock import FakeClock


@pytest.fixture
def office(repo: SqliteRepository, clock: FakeClock, tmp_path: Path) -> Office:
    return Office(repo, clock, tmp_path)


def at_once(count: int, act: Callable[[], TestResponse]) -> list[int]:
    gate, statuses = threading.Barrier(count), []

    def run() -> None:
        gate.wait()
        statuses.append(act().status_code)

    threads = [threading.Thread(target=run) for _ in range(count)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return sorted(statuses)


# ---------------------------------------------------------------- only with its own token


@pytest.mark.parametrize("method", ["GET", "PUT", "DELETE"])
def test_a_registration_is_opened_by_its_own_token_and_by_nothing_else(office: Office, method: str) -> None:
    mine, theirs = office.register(), office.register()
    initial = office.initial()
    tokens = [None, "made up", theirs["registration_access_token"], mine["client_secret"], initial, ""]
    for token in tokens:
        answer = office.manage(method, mine, again(mine) if method == "PUT" else None, token=token or "made up")
        if token is None:
            answer = office.manage(method, mine, again(mine) if method == "PUT" else None, token=None)
        office.house.refused(answer, 401, "invalid_token")
    assert office.stored(mine).version == 0


@pytest.mark.parametrize("method", ["GET", "PUT", "DELETE"])
def test_an_unknown_client_and_a_wrong_token_are_answered_alike(office: Office, method: str) -> None:
    made = office.register()
    unknown = {**made, "registration_client_uri": made["registration_client_uri"] + "x"}
    answers = [office.manage(method, made, token="wrong"), office.manage(method, unknown, token="wrong")]
    bodies = [{k: v for k, v in answer.get_json().items() if k != "trace"} for answer in answers]
    assert bodies[0] == bodies[1]
    assert answers[0].headers["WWW-Authenticate"] == answers[1].headers["WWW-Authenticate"]
    assert [answer.status_code for answer in answers] == [401, 401]


def test_a_client_that_an_operator_made_has_no_registration_to_open(office: Office) -> None:
    app = office.house.client()
    browser = office.house.app.test_client()
    for token in ("", "None", app.secret):
        office.house.refused(browser.get(f"/register/{app.id}", headers=bearer(token)), 401, "invalid_token")


@pytest.mark.parametrize("path", ["x" * 300, "%00", "..%2f..", "a/b", "%ff", "app_1?x=1", "%F0%9F%98%80"])
def test_an_address_that_is_none_is_401_never_a_fault(office: Office, path: str) -> None:
    assert office.house.app.test_client().get(f"/register/{path}", headers=bearer("x")).status_code == 401


def test_other_methods_are_refused(office: Office) -> None:
    made = office.register()
    for method in ("POST", "PATCH"):
        answer = office.manage(method, made, {})
        assert answer.status_code == 405
        assert answer.headers["Allow"] == "DELETE, GET, HEAD, OPTIONS, PUT"


# ---------------------------------------------------------------- reading


def test_reading_gives_what_registering_gave_except_the_secret(office: Office) -> None:
    made = office.register(client_name="Shop", jwks=None, contacts=["ops@app.example"])
    read = office.manage("GET", made)
    assert read.status_code == 200
    assert read.headers["Cache-Control"] == "no-store"
    shown = ("client_secret", "client_secret_expires_at")
    assert read.get_json() == {name: value for name, value in made.items() if name not in shown}


# ---------------------------------------------------------------- changing


def test_a_change_replaces_everything_that_was_said_before(office: Office) -> None:
    made = office.register(client_name="Shop", contacts=["ops@app.example"], default_max_age=60, require_auth_time=True)
    document = again(made, client_name="New", default_max_age=None, contacts=..., require_auth_time=...)
    answer = office.manage("PUT", made, document)
    assert answer.status_code == 200, answer.text
    changed = answer.get_json()
    assert changed["client_name"] == "New"
    assert not {"contacts", "default_max_age"} & set(changed)
    assert changed["require_auth_time"] is False
    assert changed["registration_access_token"] == made["registration_access_token"], (
        "an answer that is lost locks nobody out"
    )
    assert changed["client_id_issued_at"] == made["client_id_issued_at"]
    assert "client_secret" not in changed
    assert office.manage("GET", made).get_json() == changed


@pytest.mark.parametrize(
    ("changes", "error"),
    [
        ({"client_id": ...}, "invalid_request"),
        ({"client_id": "shop"}, "invalid_request"),
        ({"client_id": {"a": 1}}, "invalid_request"),
        ({"registration_access_token": "x"}, "invalid_request"),
        ({"registration_client_uri": "x"}, "invalid_request"),
        ({"client_secret_expires_at": 0}, "invalid_request"),
        ({"client_id_issued_at": 1}, "invalid_request"),
        ({"client_secret": "chosen"}, "invalid_client_metadata"),
        ({"client_secret": ["x"]}, "invalid_client_metadata"),
        ({"redirect_uris": ...}, "invalid_redirect_uri"),
        ({"redirect_uris": [CALLBACK, "http://evil.example/"]}, "invalid_redirect_uri"),
        ({"client_name": {"a": 1}}, "invalid_client_metadata"),
        ({"scope": "openid documents.read"}, "invalid_client_metadata"),
        ({"grant_types": ["authorization_code", "client_credentials"]}, "invalid_client_metadata"),
    ],
)
def test_a_change_that_cannot_be_is_refused_and_changes_nothing(
    office: Office, changes: dict[str, Any], error: str
) -> None:
    made = office.register(client_name="Shop")
    before = office.stored(made)
    office.house.refused(office.manage("PUT", made, again(made, **changes)), 400, error)
    assert office.stored(made) == before


def test_a_change_is_an_object_and_not_too_long(office: Office) -> None:
    made = office.register()
    office.house.refused(office.manage("PUT", made, ["x"]), 400, "invalid_request")
    office.house.refused(office.manage("PUT", made), 400, "invalid_request")
    assert office.manage("PUT", made, again(made, note="x" * 200_000)).status_code == 413


def test_an_app_may_say_its_secret_again(office: Office) -> None:
    made = office.register()
    assert office.manage("PUT", made, again(made)).status_code == 200  # again() holds the secret


def test_another_way_to_authenticate_brings_a_secret_or_takes_it_away(office: Office) -> None:
    made = office.register(jwks=json.loads(AppKeys().jwks))
    public = office.manage("PUT", made, again(made, token_endpoint_auth_method="none")).get_json()
    assert "client_secret" not in public
    assert office.stored(made).secret_digest is None
    assert office.stored(made).pkce_required is True
    fresh = office.manage("PUT", made, again(public, token_endpoint_auth_method="client_secret_jwt")).get_json()
    assert fresh["client_secret"] != made["client_secret"]
    assert office.stored(made).sealed_secret is not None
    keys = office.manage("PUT", made, again(fresh, token_endpoint_auth_method="private_key_jwt", client_secret=...))
    assert keys.status_code == 200
    assert (office.stored(made).secret_digest, office.stored(made).sealed_secret) == (None, None)


def test_what_an_operator_has_given_stays_and_may_be_said_again(office: Office) -> None:
    made = office.register()
    grants = ("authorization_code", "urn:ietf:params:oauth:grant-type:token-exchange")
    office.operator_sets(
        made,
        consent="skip",
        audiences=("urn:sheaf:api",),
        roles=("staff",),
        scopes=("openid", "documents.read"),
        grant_types=grants,
        second_factor_required=True,
        access_token_seconds=60,
    )
    answer = office.manage("PUT", made, again(office.manage("GET", made).get_json(), client_name="New"))
    assert answer.status_code == 200, answer.text
    stored = office.stored(made)
    assert (stored.name, stored.consent, stored.audiences, stored.roles) == (
        "New",
        "skip",
        ("urn:sheaf:api",),
        ("staff",),
    )
    assert (stored.scopes, stored.grant_types) == (("openid", "documents.read"), grants)
    assert (stored.second_factor_required, stored.access_token_seconds) == (True, 60)


def test_pkce_that_an_operator_demands_cannot_be_taken_away(office: Office) -> None:
    made = office.register()
    office.operator_sets(made, pkce_required=True)
    assert office.manage("PUT", made, again(made)).status_code == 200
    assert office.stored(made).pkce_required is True


def test_a_change_is_in_the_audit_under_the_name_of_the_app(office: Office) -> None:
    made = office.register()
    office.manage("PUT", made, again(made))
    (event,) = office.parts.repo.find(AuditEvent, name="client.changed")
    assert (event.actor, event.subject) == (made["client_id"], made["client_id"])


def test_changes_at_the_same_moment_all_count_and_none_is_lost_halfway(office: Office) -> None:
    made = office.register()
    statuses = at_once(6, lambda: office.manage("PUT", made, again(made, client_name="Same")))
    assert set(statuses) <= {200, 409}
    assert 200 in statuses
    assert office.stored(made).name == "Same"
    assert office.stored(made).version == statuses.count(200)


# ---------------------------------------------------------------- removing


def test_a_removed_registration_is_gone_with_everything_that_hangs_on_it(office: Office) -> None:
    made = office.register(grant_types=["authorization_code", "refresh_token"])
    office.operator_sets(made, consent="skip")
    app, person = office.app(made), office.house.person()
    tokens = office.house.sign_in(person, app)
    code = office.house.code(person, app)
    answer = office.manage("DELETE", made)
    assert (answer.status_code, answer.data) == (204, b"")
    office.house.refused(office.manage("GET", made), 401, "invalid_token")
    assert office.parts.apps.client(app.id) is None
    assert office.house.userinfo(tokens["access_token"]).status_code == 401
    assert office.house.redeem(app, code).status_code == 401
    assert office.house.refresh(app, tokens["refresh_token"]).status_code == 401
    (event,) = office.parts.repo.find(AuditEvent, name="client.removed")
    assert event.actor == app.id


def test_of_many_that_remove_one_registration_exactly_one_does(office: Office) -> None:
    made = office.register()
    assert at_once(6, lambda: office.manage("DELETE", made)) == [204, *[401] * 5]
    assert office.parts.repo.find(Client) == []


def test_a_change_and_a_removal_at_once_never_bring_the_app_back(office: Office) -> None:
    for _ in range(5):
        made = office.register()
        acts = iter([lambda m=made: office.manage("DELETE", m), lambda m=made: office.manage("PUT", m, again(m))] * 2)
        lock = threading.Lock()

        def next_act(acts: Any = acts, lock: Any = lock) -> TestResponse:
            with lock:
                act = next(acts)
            answer: TestResponse = act()
            return answer

        assert set(at_once(4, next_act)) <= {200, 204, 401}
        assert office.parts.apps.client(made["client_id"]) is None


def test_who_guesses_at_registrations_has_to_wait(office: Office, clock: FakeClock) -> None:
    made = office.register()
    statuses = [office.manage("GET", made, token=f"guess {n}").status_code for n in range(22)]
    assert statuses[0] == 401
    assert statuses[-1] == 429
    clock.advance(200)
    assert office.manage("GET", made).status_code == 200

"""Owns the claims about token exchange (RFC 8693): what comes out, and that it is never more than what went in.

Who may not, and tokens that are bound to a key, are left to test_exchange_refusals.
"""

import pytest

from idp.domain.audit_event import AuditEvent
from tests.oidc.exchanging import ACCESS, ID, INNER, exchange, front, good, service
from tests.oidc.house import API, ISSUER, House

# ------------------------------------------------------------------ what comes out


def test_a_service_trades_the_token_it_got_for_one_to_a_service_behind_it(house: House) -> None:
    person, app, behind = house.person(roles=("editor",)), front(house), service(house)
    signed_in = house.sign_in(person, app, scope="openid profile documents.read")
    house.clock.advance(100)
    answer = exchange(house, behind, signed_in["access_token"], resource=INNER)
    claims = good(house, answer)
    before = house.read(signed_in["access_token"], "ES256").claims
    assert (claims["sub"], claims["client_id"]) == (person.user.id, "service")
    assert (claims["aud"], claims["scope"]) == (INNER, "documents.read")
    assert claims["exp"] == before["exp"]
    assert answer.get_json()["expires_in"] == 500
    assert answer.get_json()["token_type"] == "Bearer"
    for same in ("grant_id", "auth_time", "acr", "amr"):
        assert claims[same] == before[same]
    assert "act" not in claims


def test_audience_and_resource_both_name_targets(house: House) -> None:
    app, behind = front(house), service(house)
    token = house.sign_in(house.person(), app, scope="documents.read")["access_token"]
    assert good(house, exchange(house, behind, token, audience=INNER))["aud"] == INNER
    assert good(house, exchange(house, behind, token, audience=INNER, resource=API))["aud"] == [API, INNER]
    assert good(house, exchange(house, behind, token))["aud"] == [API, INNER]


def test_an_actor_stands_in_the_token_and_who_acted_before_stands_inside(house: House) -> None:
    person, app = house.person(), front(house)
    first, second = service(house), service(house, "second", audiences=(INNER,))
    token = house.sign_in(person, app, scope="documents.read")["access_token"]
    for acting in (first, second):
        own = house.token(acting, grant_type="client_credentials").get_json()["access_token"]
        answer = exchange(
            house, acting, token, resource=INNER, actor_token=own, actor_token_type=ACCESS, scope="documents.read"
        )
        claims = good(house, answer)
        token = answer.get_json()["access_token"]
    assert claims["sub"] == person.user.id
    assert claims["act"] == {"sub": "second", "act": {"sub": "service"}}
    third = service(house, "third", audiences=(INNER,))
    assert good(house, exchange(house, third, token))["act"] == claims["act"], "nobody can wash it off"


def test_there_is_an_end_to_a_chain_of_actors(house: House) -> None:
    app = front(house)
    token = house.sign_in(house.person(), app, scope="documents.read")["access_token"]
    for number in range(5):
        acting = service(house, f"s{number}")
        own = house.token(acting, grant_type="client_credentials").get_json()["access_token"]
        answer = exchange(house, acting, token, actor_token=own, actor_token_type=ACCESS)
        token = (answer.get_json() or {}).get("access_token", token)
    house.refused(answer, 400, "invalid_request")


def test_a_person_may_act_for_another_and_it_ends_with_either_of_them(house: House) -> None:
    desk = front(house)
    ada, bob = house.person(), house.person("bob")
    subject = house.sign_in(ada, desk, scope="documents.read")["access_token"]
    actor = house.sign_in(bob, desk, scope="documents.read")["access_token"]
    answer = exchange(house, desk, subject, actor_token=actor, actor_token_type=ACCESS)
    claims = good(house, answer)
    assert (claims["sub"], claims["act"]["sub"]) == (ada.user.id, bob.user.id)
    token = answer.get_json()["access_token"]
    assert house.introspect(desk, token)["active"] is True
    house.parts.users.set_disabled(bob.user, True, actor="test")
    assert house.introspect(desk, token) == {"active": False}


def test_an_app_trades_its_own_id_token(house: House) -> None:
    person, app = house.person(), front(house)
    signed_in = house.sign_in(person, app, scope="openid documents.read")
    answer = exchange(house, app, signed_in["id_token"], subject_token_type=ID, scope="documents.read")
    claims = good(house, answer)
    assert (claims["sub"], claims["scope"], claims["aud"]) == (person.user.id, "documents.read", [API, INNER])
    assert claims["grant_id"] == house.read(signed_in["access_token"], "ES256").claims["grant_id"]


def test_a_pairwise_app_trades_its_own_id_token(house: House) -> None:
    app = front(house, subject_type="pairwise")
    signed_in = house.sign_in(house.person(), app, scope="openid documents.read")
    claims = good(house, exchange(house, app, signed_in["id_token"], subject_token_type=ID, scope="documents.read"))
    assert claims["sub"] == house.read(signed_in["id_token"], "RS256").claims["sub"]


def test_opaque_tokens_are_traded_and_come_out_as_well(house: House) -> None:
    app = front(house, access_token_format="opaque")
    behind = service(house, access_token_format="opaque")
    token = house.sign_in(house.person(), app, scope="documents.read")["access_token"]
    answer = exchange(house, behind, token, resource=INNER)
    assert answer.status_code == 200, answer.text
    told = house.introspect(behind, answer.get_json()["access_token"])
    assert (told["active"], told["client_id"], told["aud"]) == (True, "service", INNER)


def test_an_exchange_is_recorded_in_the_audit(house: House) -> None:
    person, app, behind = house.person(), front(house), service(house)
    token = house.sign_in(person, app, scope="documents.read")["access_token"]
    exchange(house, behind, token, resource=INNER)
    (event,) = house.parts.repo.find(AuditEvent, name="token.exchanged")
    assert (event.actor, event.subject, event.detail["audiences"]) == ("service", person.user.id, INNER)


# ------------------------------------------------------------------ never more than what went in


@pytest.mark.parametrize("scope", ["documents.write", "queues.publish", "admin", "documents.read offline_access"])
def test_scopes_only_narrow(house: House, scope: str) -> None:
    """The person allowed reading; the service may read and publish."""
    app, behind = front(house), service(house)
    token = house.sign_in(house.person(), app, scope="openid documents.read")["access_token"]
    house.refused(exchange(house, behind, token, scope=scope), 400, "invalid_scope")
    assert good(house, exchange(house, behind, token))["scope"] == "documents.read"


def test_a_token_with_nothing_for_the_service_cannot_be_traded(house: House) -> None:
    app, behind = front(house), service(house)
    token = house.sign_in(house.person(), app, scope="openid profile")["access_token"]
    house.refused(exchange(house, behind, token), 400, "invalid_scope")


def test_an_app_gets_no_further_than_its_token_reaches(house: House) -> None:
    app = front(house, audiences=(API, INNER))
    token = house.sign_in(house.person(), app, scope="documents.read", resource=API)["access_token"]
    house.refused(exchange(house, app, token, resource=INNER), 400, "invalid_target")
    assert good(house, exchange(house, app, token))["aud"] == API


def test_a_service_gets_no_further_than_it_is_registered_for(house: House) -> None:
    app, behind = front(house), service(house)
    token = house.sign_in(house.person(), app, scope="documents.read")["access_token"]
    house.refused(exchange(house, behind, token, audience="urn:elsewhere"), 400, "invalid_target")
    house.refused(exchange(house, behind, token, resource=ISSUER), 400, "invalid_target")


def test_a_traded_token_never_outlives_the_one_it_came_from(house: House) -> None:
    app, behind = front(house), service(house, access_token_seconds=3600)
    token = house.sign_in(house.person(), app, scope="documents.read")["access_token"]
    ends = house.read(token, "ES256").claims["exp"]
    for _ in range(3):
        house.clock.advance(150.4)
        answer = exchange(house, behind, token)
        assert good(house, answer)["exp"] <= ends
        token = answer.get_json()["access_token"]
    house.clock.advance(200)
    house.refused(exchange(house, behind, token), 400, "invalid_request")


def test_the_actors_token_bounds_the_life_as_well(house: House) -> None:
    app, behind = front(house), service(house)
    own = house.token(behind, grant_type="client_credentials").get_json()["access_token"]
    house.clock.advance(500)
    token = house.sign_in(house.person(), app, scope="documents.read")["access_token"]
    answer = exchange(house, behind, token, actor_token=own, actor_token_type=ACCESS)
    assert answer.get_json()["expires_in"] == 100

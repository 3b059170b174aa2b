"""Owns the claims about token exchange (RFC 8693): who may not, with which tokens not, and what a bound token demands."""

import pytest

from idp.domain.grant import Grant
from tests.oidc.exchanging import ACCESS, ID, INNER, TYPES, exchange, front, good, service
from tests.oidc.house import API, ISSUER, App, House, basic
from tests.support.clock import FakeClock
from tests.support.proofs import Prover

# ------------------------------------------------------------------ who may not


def test_an_app_that_is_not_registered_for_it_exchanges_nothing(house: House) -> None:
    app = front(house)
    other = service(house, grant_types=("client_credentials",))
    token = house.sign_in(house.person(), app, scope="documents.read")["access_token"]
    house.refused(exchange(house, other, token), 400, "unauthorized_client")


def test_a_stranger_exchanges_nothing(house: House) -> None:
    app, stranger = front(house), service(house, audiences=("urn:example:elsewhere",))
    signed_in = house.sign_in(house.person(), app, scope="openid documents.read")
    house.refused(exchange(house, stranger, signed_in["access_token"]), 400, "invalid_request")
    for who in (stranger, service(house, "near")):
        answer = exchange(house, who, signed_in["id_token"], subject_token_type=ID)
        house.refused(answer, 400, "invalid_request")


def test_a_service_gets_nothing_that_the_token_is_not_meant_for(house: House) -> None:
    app, behind = front(house, audiences=(API,)), service(house)
    token = house.sign_in(house.person(), app, scope="documents.read")["access_token"]
    house.refused(exchange(house, behind, token, resource=INNER), 400, "invalid_target")


@pytest.mark.parametrize("end", ["session", "disable", "revoke", "reuse", "expiry"])
def test_a_token_that_is_not_good_any_more_is_worth_nothing(house: House, end: str) -> None:
    person, app, behind = house.person(), front(house), service(house)
    code = house.code(person, app, scope="openid documents.read")
    signed_in = house.redeem(app, code).get_json()
    token = signed_in["access_token"]
    derived = exchange(house, behind, token).get_json()["access_token"]
    if end == "session":
        house.parts.sessions.end(person.session, actor="test")
    elif end == "disable":
        house.parts.users.set_disabled(person.user, True, actor="test")
    elif end == "revoke":
        house.post("/revoke", app, token=signed_in["refresh_token"])
    elif end == "reuse":
        house.redeem(app, code)
    else:
        house.clock.advance(600)
    house.refused(exchange(house, behind, token), 400, "invalid_request")
    house.refused(exchange(house, app, signed_in["id_token"], subject_token_type=ID), 400, "invalid_request")
    assert house.introspect(behind, derived) == {"active": False}, "what was made of it ends with it"


def test_a_traded_token_ends_with_the_app_that_got_it(house: House) -> None:
    app, behind = front(house), service(house)
    token = house.sign_in(house.person(), app, scope="documents.read")["access_token"]
    derived = exchange(house, behind, token).get_json()["access_token"]
    watching = service(house, "watching")
    assert house.introspect(watching, derived)["active"] is True
    house.parts.apps.remove_client(behind.id, actor="test")
    assert house.introspect(watching, derived) == {"active": False}


def test_a_token_of_an_app_for_itself_stands_for_nobody(house: House) -> None:
    behind = service(house)
    own = house.token(behind, grant_type="client_credentials").get_json()["access_token"]
    house.refused(exchange(house, behind, own), 400, "invalid_request")


@pytest.mark.parametrize("token", ["x", "a.b.c", "é", "." * 9000, "sheaf_at_unknown"])
@pytest.mark.parametrize("kind", [ACCESS, ID])
def test_rubbish_is_no_token(house: House, token: str, kind: str) -> None:
    house.refused(exchange(house, service(house), token, subject_token_type=kind), 400, "invalid_request")


def test_the_kinds_of_tokens_are_not_taken_for_one_another(house: House) -> None:
    app = front(house)
    signed_in = house.sign_in(house.person(), app, scope="openid documents.read")
    for name, kind in (("id_token", ACCESS), ("access_token", ID), ("refresh_token", ACCESS), ("refresh_token", ID)):
        answer = exchange(house, app, signed_in[name], subject_token_type=kind)
        house.refused(answer, 400, "invalid_request")


@pytest.mark.parametrize(
    "form",
    [
        {"subject_token": ""},
        {"subject_token_type": ""},
        {"subject_token_type": TYPES + "refresh_token"},
        {"subject_token_type": TYPES + "saml2"},
        {"requested_token_type": TYPES + "refresh_token"},
        {"requested_token_type": ID},
        {"requested_token_type": "nonsense"},
        {"actor_token": "x"},
        {"actor_token_type": ACCESS},
        {"actor_token": "x", "actor_token_type": ACCESS},
        {"actor_token": "x", "actor_token_type": ID},
    ],
)
def test_a_request_that_lacks_something_is_refused_by_name(house: House, form: dict[str, str]) -> None:
    app = front(house)
    token = house.sign_in(house.person(), app, scope="documents.read")["access_token"]
    house.refused(exchange(house, app, token, **form), 400, "invalid_request")


def test_the_actors_token_must_be_the_apps_own(house: House) -> None:
    app, behind, other = front(house), service(house), service(house, "other")
    token = house.sign_in(house.person(), app, scope="documents.read")["access_token"]
    foreign = house.token(other, grant_type="client_credentials").get_json()["access_token"]
    answer = exchange(house, behind, token, actor_token=foreign, actor_token_type=ACCESS)
    house.refused(answer, 400, "invalid_request")


def test_who_acts_for_somebody_already_is_no_actor(house: House) -> None:
    app, behind = front(house), service(house)
    token = house.sign_in(house.person(), app, scope="documents.read")["access_token"]
    own = house.token(behind, grant_type="client_credentials").get_json()["access_token"]
    acted = exchange(house, behind, token, actor_token=own, actor_token_type=ACCESS).get_json()["access_token"]
    answer = exchange(house, behind, token, actor_token=acted, actor_token_type=ACCESS)
    house.refused(answer, 400, "invalid_request")


# ------------------------------------------------------------------ tokens that are bound to a key


def bound_token(house: House, app: App, prover: Prover) -> str:
    refresh = house.sign_in(house.person(), app, scope="documents.read")["refresh_token"]
    headers = {"Authorization": basic(app.id, app.secret), "DPoP": prover.proof("POST", f"{ISSUER}/token")}
    form = {"grant_type": "refresh_token", "refresh_token": refresh}
    return str(house.app.test_client().post("/token", data=form, headers=headers).get_json()["access_token"])


def test_an_app_trades_its_bound_token_only_with_the_key(house: House, clock: FakeClock) -> None:
    app, prover = front(house), Prover(clock)
    token = bound_token(house, app, prover)
    house.refused(exchange(house, app, token), 400, "invalid_request")
    house.refused(exchange(house, app, token, prover=Prover(clock)), 400, "invalid_request")
    answer = exchange(house, app, token, prover=prover)
    assert good(house, answer)["cnf"] == {"jkt": prover.jkt}
    assert answer.get_json()["token_type"] == "DPoP"


def test_a_service_trades_a_bound_token_only_for_one_that_is_bound_to_its_own_key(
    house: House, clock: FakeClock
) -> None:
    app, behind, own = front(house), service(house), Prover(clock)
    token = bound_token(house, app, Prover(clock))
    house.refused(exchange(house, behind, token, resource=INNER), 400, "invalid_request")
    assert good(house, exchange(house, behind, token, resource=INNER, prover=own))["cnf"] == {"jkt": own.jkt}


def test_nothing_is_stored_for_an_exchange_but_its_audit_event(house: House) -> None:
    app, behind = front(house), service(house)
    token = house.sign_in(house.person(), app, scope="documents.read")["access_token"]
    before = len(house.parts.repo.find(Grant))
    for _ in range(2):
        assert exchange(house, behind, token).status_code == 200
    assert len(house.parts.repo.find(Grant)) == before

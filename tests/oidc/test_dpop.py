"""Owns the claims about DPoP at the endpoints (RFC 9449): tokens are bound to a key, and only that key uses them.

The checks of a proof on its own are left to tests/base/test_dpop.
"""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from werkzeug.test import TestResponse

from tests.oidc.house import CALLBACK, ISSUER, VERIFIER, App, House, basic
from tests.support.clock import FakeClock
from tests.support.proofs import Prover, readable

TOKEN, USERINFO = f"{ISSUER}/token", f"{ISSUER}/userinfo"


@pytest.fixture
def prover(clock: FakeClock) -> Prover:
    return Prover(clock)


def ask(house: House, app: App, proof: str | list[str] | None, **form: str) -> TestResponse:
    headers = [("Authorization", basic(app.id, app.secret))] if app.secret else []
    body = {"grant_type": "client_credentials", **({} if app.secret else {"client_id": app.id}), **form}
    for one in [proof] if isinstance(proof, str) else proof or []:
        headers.append(("DPoP", one))
    return house.app.test_client().post("/token", data=body, headers=headers)


def redeemed(house: House, app: App, prover: Prover | None, **changes: str) -> TestResponse:
    code = house.code(house.person(), app)
    form = {"grant_type": "authorization_code", "code": code, "redirect_uri": CALLBACK, "code_verifier": VERIFIER}
    return ask(house, app, prover.proof("POST", TOKEN) if prover else None, **{**form, **changes})


def info(
    house: House, token: str, *proofs: str, scheme: str = "DPoP", method: str = "GET", **more: Any
) -> TestResponse:
    headers = [("Authorization", f"{scheme} {token}"), *(("DPoP", proof) for proof in proofs)]
    return house.app.test_client().open("/userinfo", method=method, headers=headers, **more)


# ---------------------------------------------------------------- getting bound tokens


def test_a_proof_binds_the_access_token_to_its_key(house: House, prover: Prover) -> None:
    answer = ask(house, house.client(), prover.proof("POST", TOKEN))
    assert answer.status_code == 200, answer.text
    assert answer.json["token_type"] == "DPoP"
    assert readable(answer.json["access_token"])[1]["cnf"] == {"jkt": prover.jkt}


def test_without_a_proof_tokens_are_bearer_tokens(house: House) -> None:
    answer = ask(house, house.client(), None)
    assert answer.json["token_type"] == "Bearer"
    assert "cnf" not in readable(answer.json["access_token"])[1]


def test_introspection_tells_the_key(house: House, prover: Prover) -> None:
    app = house.client()
    token = ask(house, app, prover.proof("POST", TOKEN)).json["access_token"]
    told = house.introspect(app, token)
    assert told["cnf"] == {"jkt": prover.jkt}
    assert told["token_type"] == "DPoP"


def test_a_bad_proof_is_refused_and_never_ignored(house: House, prover: Prover) -> None:
    app = house.client()
    for proof in ("rubbish", "", prover.proof("GET", TOKEN), prover.proof("POST", USERINFO)):
        house.refused(ask(house, app, proof), 400, "invalid_dpop_proof")


def test_two_proofs_are_refused(house: House, prover: Prover) -> None:
    two = [prover.proof("POST", TOKEN), prover.proof("POST", TOKEN)]
    house.refused(ask(house, house.client(), two), 400, "invalid_dpop_proof")


def test_a_proof_is_good_once_also_for_twenty_at_a_time(house: House, prover: Prover) -> None:
    app = house.client()
    proof = prover.proof("POST", TOKEN)
    with ThreadPoolExecutor(20) as pool:
        status = sorted(pool.map(lambda _: ask(house, app, proof).status_code, range(20)))
    assert status == [200] + [400] * 19


def test_nobody_uses_up_proofs_without_being_a_client(house: House, prover: Prover) -> None:
    app, proof = house.client(), prover.proof("POST", TOKEN)
    stranger = App(app.client, "wrong")
    house.refused(ask(house, stranger, proof), 401, "invalid_client")
    assert ask(house, app, proof).status_code == 200


def test_an_app_that_is_registered_for_dpop_gets_nothing_without_a_proof(house: House, prover: Prover) -> None:
    app = house.client(dpop_bound_access_tokens=True)
    house.refused(ask(house, app, None), 400, "invalid_dpop_proof")
    assert ask(house, app, prover.proof("POST", TOKEN)).status_code == 200


def test_the_refresh_token_of_a_public_app_is_bound_to_the_key(house: House, prover: Prover, clock: FakeClock) -> None:
    app = house.client(auth_method="none")
    refresh = redeemed(house, app, prover).json["refresh_token"]

    def refreshed(with_key: Prover | None) -> TestResponse:
        proof = with_key.proof("POST", TOKEN) if with_key else None
        return ask(house, app, proof, grant_type="refresh_token", refresh_token=refresh)

    house.refused(refreshed(Prover(clock)), 400, "invalid_grant")
    house.refused(refreshed(None), 400, "invalid_grant")
    answer = refreshed(prover)
    assert answer.status_code == 200, answer.text
    assert readable(answer.json["access_token"])[1]["cnf"] == {"jkt": prover.jkt}


def test_a_code_that_was_asked_for_with_a_key_needs_that_key(house: House, prover: Prover, clock: FakeClock) -> None:
    app, person = house.client(), house.person()
    for key, status in ((None, 400), (Prover(clock), 400), (prover, 200)):
        code = house.code(person, app, dpop_jkt=prover.jkt)
        form = {"grant_type": "authorization_code", "code": code, "redirect_uri": CALLBACK, "code_verifier": VERIFIER}
        assert ask(house, app, key.proof("POST", TOKEN) if key else None, **form).status_code == status


# ---------------------------------------------------------------- using them


def test_userinfo_takes_a_bound_token_with_a_fresh_proof(house: House, prover: Prover) -> None:
    token = redeemed(house, house.client(), prover).json["access_token"]
    for method in ("GET", "POST"):
        answer = info(house, token, prover.proof(method, USERINFO, token), method=method)
        assert answer.status_code == 200, answer.text


def test_a_bound_token_is_no_bearer_token(house: House, prover: Prover) -> None:
    token = redeemed(house, house.client(), prover).json["access_token"]
    answer = house.userinfo(token)
    house.refused(answer, 401, "invalid_token")
    assert answer.headers["WWW-Authenticate"].startswith('DPoP error="invalid_token", algs="')
    house.refused(info(house, token, prover.proof("GET", USERINFO, token), scheme="Bearer"), 401, "invalid_token")
    in_body = house.app.test_client().post(
        "/userinfo", data={"access_token": token}, headers={"DPoP": prover.proof("POST", USERINFO, token)}
    )
    house.refused(in_body, 401, "invalid_token")


def test_a_bearer_token_with_the_scheme_dpop_is_refused(house: House, prover: Prover) -> None:
    token = redeemed(house, house.client(), None).json["access_token"]
    assert house.userinfo(token).status_code == 200
    house.refused(info(house, token, prover.proof("GET", USERINFO, token)), 401, "invalid_token")


def test_the_proof_must_be_there_fresh_for_this_token_and_of_its_key(
    house: House, prover: Prover, clock: FakeClock
) -> None:
    token = redeemed(house, house.client(), prover).json["access_token"]
    used = prover.proof("GET", USERINFO, token)
    assert info(house, token, used).status_code == 200
    for proofs in (
        (),
        (used,),
        (prover.proof("GET", USERINFO),),
        (prover.proof("GET", USERINFO, "another"),),
        (prover.proof("POST", USERINFO, token),),
        (prover.proof("GET", TOKEN, token),),
        (prover.proof("GET", USERINFO, token, iat=int(clock()) - 61),),
        (prover.proof("GET", USERINFO, token), prover.proof("GET", USERINFO, token)),
    ):
        answer = info(house, token, *proofs)
        house.refused(answer, 401, "invalid_dpop_proof")
        assert answer.headers["WWW-Authenticate"].startswith('DPoP error="invalid_dpop_proof"')
    house.refused(info(house, token, Prover(clock).proof("GET", USERINFO, token)), 401, "invalid_token")


def test_the_host_header_says_nothing_about_the_address(house: House, prover: Prover) -> None:
    app = house.client()
    proof = prover.proof("POST", "http://evil.example/token")
    headers = {"Authorization": basic(app.id, app.secret), "DPoP": proof, "Host": "evil.example"}
    answer = house.app.test_client().post("/token", data={"grant_type": "client_credentials"}, headers=headers)
    house.refused(answer, 400, "invalid_dpop_proof")


# ---------------------------------------------------------------- nonces


@pytest.fixture
def strict(house_with: Callable[..., House]) -> House:
    return house_with(oidc={"dpop_nonce": True})


def test_a_nonce_is_demanded_and_brought_and_then_enough(strict: House, prover: Prover) -> None:
    app = strict.client()
    first = ask(strict, app, prover.proof("POST", TOKEN))
    strict.refused(first, 400, "use_dpop_nonce")
    nonce = first.headers["DPoP-Nonce"]
    answer = ask(strict, app, prover.proof("POST", TOKEN, nonce=nonce))
    assert answer.status_code == 200, answer.text
    assert answer.headers["DPoP-Nonce"] == nonce


def test_every_answer_to_a_request_with_dpop_brings_a_nonce_and_no_other_does(strict: House, prover: Prover) -> None:
    app = strict.client()
    assert "DPoP-Nonce" in ask(strict, app, "rubbish").headers
    assert "DPoP-Nonce" in ask(strict, App(app.client, "wrong"), prover.proof("POST", TOKEN)).headers
    assert "DPoP-Nonce" not in ask(strict, app, None).headers


def test_userinfo_demands_a_nonce_with_401(strict: House, prover: Prover) -> None:
    app, person = strict.client(), strict.person()
    form = {"grant_type": "authorization_code", "redirect_uri": CALLBACK, "code_verifier": VERIFIER}
    nonce = ask(strict, app, prover.proof("POST", TOKEN)).headers["DPoP-Nonce"]
    proof = prover.proof("POST", TOKEN, nonce=nonce)
    token = ask(strict, app, proof, code=strict.code(person, app), **form).json["access_token"]
    answer = info(strict, token, prover.proof("GET", USERINFO, token))
    strict.refused(answer, 401, "use_dpop_nonce")
    assert 'error="use_dpop_nonce"' in answer.headers["WWW-Authenticate"]
    again = info(strict, token, prover.proof("GET", USERINFO, token, nonce=answer.headers["DPoP-Nonce"]))
    assert again.status_code == 200
    assert "DPoP-Nonce" in again.headers


def test_every_node_knows_the_nonces_of_every_other(house_with: Callable[..., House], prover: Prover) -> None:
    one, other = house_with(oidc={"dpop_nonce": True}), house_with(oidc={"dpop_nonce": True})
    app = one.client()
    nonce = ask(one, app, prover.proof("POST", TOKEN)).headers["DPoP-Nonce"]
    proof = prover.proof("POST", TOKEN, nonce=nonce)
    assert ask(other, app, proof).status_code == 200
    one.refused(ask(one, app, proof), 400, "invalid_dpop_proof")


def test_an_old_nonce_is_answered_with_a_new_one(strict: House, prover: Prover) -> None:
    app = strict.client()
    old = ask(strict, app, prover.proof("POST", TOKEN)).headers["DPoP-Nonce"]
    strict.clock.advance(240)
    answer = ask(strict, app, prover.proof("POST", TOKEN, nonce=old))
    strict.refused(answer, 400, "use_dpop_nonce")
    assert answer.headers["DPoP-Nonce"] != old

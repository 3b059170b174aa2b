"""Tokens that are bound to a key or a certificate: used by their owner only, and never as bearer tokens."""

from collections.abc import Callable
from typing import Any
from urllib.parse import quote

import pytest
from werkzeug.test import TestResponse

from idp.api.problems import unavailable
from idp.api.sender import Used
from idp.base.dpop import Proof
from idp.base.errors import Misconfigured, Refused
from tests.api.conftest import Companion, refusal
from tests.api.test_caller import QUERY, judged
from tests.support.clock import FakeClock
from tests.support.proofs import Prover, certificate

BASE = "http://127.0.0.1:8001"
URL = BASE + QUERY[1]


@pytest.fixture
def prover(clock: FakeClock) -> Prover:
    return Prover(clock)


def bound(companion: Companion, prover: Prover, **more: Any) -> str:
    return companion.issuer.mint(cnf={"jkt": prover.jkt}, **more)


def ask(companion: Companion, token: str, *proofs: str, scheme: str = "DPoP", **more: Any) -> TestResponse:
    headers = [("Authorization", f"{scheme} {token}"), *(("DPoP", proof) for proof in proofs)]
    return companion.client.post(QUERY[1], headers=[*headers, *more.pop("headers", [])], json={}, **more)


def asked(companion: Companion, token: str, *proofs: str, **more: Any) -> tuple[int, str]:
    answer = ask(companion, token, *proofs, **more)
    return (200, "") if answer.status_code == 200 else refusal(answer)


@pytest.mark.parametrize("alg", ["ES256", "ES384", "PS256", "RS256", "Ed25519", "EdDSA"])
def test_a_bound_token_works_with_a_fresh_proof_for_each_request(companion: Companion, alg: str) -> None:
    prover = Prover(companion.clock, alg)
    token = bound(companion, prover)
    for _ in range(2):
        assert asked(companion, token, prover.proof("POST", URL, token)) == (200, "")


def test_a_bound_token_is_no_bearer_token(companion: Companion, prover: Prover) -> None:
    token = bound(companion, prover)
    assert judged(companion, token) == (401, "bound_token")
    assert asked(companion, token, prover.proof("POST", URL, token)) == (200, "")
    # Also when it is known already, and also with a good proof beside it.
    assert judged(companion, token) == (401, "bound_token")
    assert asked(companion, token, prover.proof("POST", URL, token), scheme="Bearer") == (401, "bound_token")


def test_without_a_proof_the_challenge_names_dpop_and_the_algorithms(companion: Companion, prover: Prover) -> None:
    answer = ask(companion, bound(companion, prover))
    assert refusal(answer) == (401, "invalid_dpop_proof")
    challenge = answer.headers["WWW-Authenticate"]
    assert challenge.startswith('DPoP error="invalid_dpop_proof", algs="')
    assert "ES256" in challenge


def test_a_proof_is_good_once(companion: Companion, prover: Prover) -> None:
    token = bound(companion, prover)
    proof = prover.proof("POST", URL, token)
    assert asked(companion, token, proof) == (200, "")
    assert asked(companion, token, proof) == (401, "invalid_dpop_proof")


def test_a_proof_is_for_one_method_one_address_one_token_and_one_moment(companion: Companion, prover: Prover) -> None:
    token, other = bound(companion, prover), bound(companion, prover)
    now = companion.clock()
    for proof in (
        prover.proof("GET", URL, token),
        prover.proof("POST", BASE + "/documents/other/query", token),
        prover.proof("POST", "http://localhost:8001" + QUERY[1], token),
        prover.proof("POST", URL, other),
        prover.proof("POST", URL),
        prover.proof("POST", URL, token, iat=now - 61),
        prover.proof("POST", URL, token, iat=now + 61),
        prover.proof("POST", URL, token, header={"typ": "JWT"}),
    ):
        assert asked(companion, token, proof) == (401, "invalid_dpop_proof")


def test_the_proof_of_another_key_does_not_do(companion: Companion, prover: Prover, clock: FakeClock) -> None:
    thief = Prover(clock)
    token = bound(companion, prover)
    assert asked(companion, token, thief.proof("POST", URL, token)) == (401, "bound_token")


def test_two_proofs_are_refused(companion: Companion, prover: Prover) -> None:
    token = bound(companion, prover)
    two = [prover.proof("POST", URL, token) for _ in range(2)]
    assert asked(companion, token, *two) == (400, "several_proofs")
    assert asked(companion, token, ",".join(two)) == (400, "several_proofs")


def test_a_bearer_token_with_the_scheme_dpop_is_refused(companion: Companion, prover: Prover) -> None:
    token = companion.as_user()
    assert asked(companion, token, prover.proof("POST", URL, token)) == (401, "bound_token")
    assert asked(companion, token, scheme="Bearer") == (200, "")


@pytest.mark.parametrize(
    "cnf", [{}, [], "x", 7, None, {"jkt": ""}, {"jkt": 7}, {"jwk": {}}, {"kid": "a"}, {"x5t#S256": None}]
)
def test_a_binding_that_is_not_understood_binds_all_the_same(companion: Companion, prover: Prover, cnf: Any) -> None:
    claims = companion.issuer.claims() | {"cnf": cnf}
    token = companion.issuer.mint(**claims) if cnf is not None else _mint_null(companion)
    assert judged(companion, token) == (401, "bound_token")
    assert asked(companion, token, prover.proof("POST", URL, token)) == (401, "bound_token")


def _mint_null(companion: Companion) -> str:
    from joserfc import jwt

    header = {"alg": "ES256", "kid": "ec", "typ": "at+jwt"}
    return jwt.encode(header, companion.issuer.claims() | {"cnf": None}, companion.issuer.keys["ec"])


def test_a_binding_beside_a_good_key_that_is_not_understood_is_refused(companion: Companion, prover: Prover) -> None:
    token = companion.issuer.mint(cnf={"jkt": prover.jkt, "somebody": "else"})
    assert asked(companion, token, prover.proof("POST", URL, token)) == (401, "bound_token")


def test_an_address_may_be_spelled_with_escapes(companion: Companion, prover: Prover) -> None:
    token = bound(companion, prover)
    for spelled in ("doc:a@b", quote("doc:a@b", safe="")):
        url = f"{BASE}/documents/notes/{spelled}"
        headers = {"Authorization": f"DPoP {token}", "DPoP": prover.proof("GET", url, token)}
        assert companion.client.get(f"/documents/notes/{spelled}", headers=headers).status_code in (400, 404)


def test_what_introspection_says_about_the_key_counts(asking_companion: Companion, prover: Prover) -> None:
    c = asking_companion
    token = bound(c, prover)
    c.issuer.answers = {"cnf": {"jkt": prover.jkt}}
    assert asked(c, token, prover.proof("POST", URL, token)) == (200, "")
    c.issuer.answers = {"cnf": {"jkt": "another"}}
    c.clock.advance(5)
    assert asked(c, token, prover.proof("POST", URL, token)) == (401, "revoked_token")
    assert judged(c, c.as_user()) == (401, "revoked_token")


def test_the_base_address_is_the_configured_one(start: Callable[..., Companion], prover: Prover) -> None:
    c = start(url="https://api.example/sheaf/")
    token = bound(c, prover)
    good = prover.proof("POST", "https://API.example:443/sheaf" + QUERY[1], token)
    assert asked(c, token, good) == (200, "")
    assert asked(c, token, prover.proof("POST", URL, token)) == (401, "invalid_dpop_proof")


# ---------------------------------------------------------------- certificates


def test_a_token_bound_to_a_certificate_is_refused_where_none_can_arrive(companion: Companion) -> None:
    held = certificate(companion.clock)
    token = companion.issuer.mint(cnf={"x5t#S256": held.thumbprint})
    assert judged(companion, token) == (401, "bound_token")
    shown = [("X-Client-Cert", quote(held.pem))]
    assert asked(companion, token, scheme="Bearer", headers=shown) == (401, "bound_token")


def test_a_token_bound_to_a_certificate_works_with_that_one_behind_a_known_proxy(
    start_with: Callable[..., Companion],
) -> None:
    server = {"client_certificate_header": "X-Client-Cert", "proxy_addresses": ["10.0.0.0/8"]}
    c = start_with(server=server)
    held, other = certificate(c.clock), certificate(c.clock)
    token = c.issuer.mint(cnf={"x5t#S256": held.thumbprint})
    proxy, stranger = {"REMOTE_ADDR": "10.1.2.3"}, {"REMOTE_ADDR": "192.0.2.1"}
    mine, foreign = [("X-Client-Cert", quote(held.pem))], [("X-Client-Cert", quote(other.pem))]
    how: dict[str, Any] = {"scheme": "Bearer"}
    assert asked(c, token, headers=mine, environ_base=proxy, **how) == (200, "")
    assert asked(c, token, headers=mine, environ_base=stranger, **how) == (401, "bound_token")
    assert asked(c, token, headers=foreign, environ_base=proxy, **how) == (401, "bound_token")
    assert asked(c, token, environ_base=proxy, **how) == (401, "bound_token")


def test_a_token_bound_to_both_needs_both(start_with: Callable[..., Companion], prover: Prover) -> None:
    c = start_with(server={"client_certificate_header": "X-Client-Cert", "proxy_addresses": ["10.0.0.1"]})
    held = certificate(c.clock)
    token = c.issuer.mint(cnf={"x5t#S256": held.thumbprint, "jkt": prover.jkt})
    proxy = {"REMOTE_ADDR": "10.0.0.1"}
    mine = [("X-Client-Cert", quote(held.pem))]
    assert asked(c, token, prover.proof("POST", URL, token), headers=mine, environ_base=proxy) == (200, "")
    assert asked(c, token, prover.proof("POST", URL, token), environ_base=proxy) == (401, "bound_token")
    assert asked(c, token, headers=mine, environ_base=proxy, scheme="Bearer") == (401, "bound_token")


def test_a_proxy_that_is_no_address_stops_the_start(start_with: Callable[..., Companion]) -> None:
    with pytest.raises(Misconfigured, match=r"server\.proxy_addresses"):
        start_with(server={"proxy_addresses": ["proxy.example"]})


# ---------------------------------------------------------------- other transports, and the memory


def test_a_transport_that_carries_nothing_else_refuses_bound_tokens_by_name(
    companion: Companion, prover: Prover
) -> None:
    judge = companion.client.application.extensions["sheaf"].judge
    assert judge.judge(f"Bearer {companion.as_user()}").subject == "usr_ada"
    for header in (f"DPoP {bound(companion, prover)}", f"Bearer {bound(companion, prover)}"):
        with pytest.raises(Refused) as caught:
            judge.judge(header)
        assert caught.value.code == "bound_token"


def proof(jti: str, until: float) -> Proof:
    return Proof("key", jti, 0, "ES256", None, until)


def test_a_proof_is_good_once_over_all_nodes(start: Callable[..., Companion], prover: Prover) -> None:
    first, second = start(), start()
    token = bound(first, prover)
    shown = prover.proof("POST", URL, token=token)
    assert asked(first, token, shown) == (200, "")
    assert asked(second, token, shown) == (401, "invalid_dpop_proof")
    assert asked(second, token, prover.proof("POST", URL, token=token)) == (200, "")


def test_when_nobody_can_tell_whether_a_proof_was_used_it_is_refused() -> None:
    class Gone:
        def reserve(self, *_: object) -> int:
            raise unavailable("store", "gone")

        def close(self) -> None: ...

    with pytest.raises(Refused) as caught:
        Used(Gone()).first(proof("a", 60))  # type: ignore[arg-type]
    assert caught.value.status == 503

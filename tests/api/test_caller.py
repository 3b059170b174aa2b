"""The bearer token of each request: what is believed, what is refused and by which name, and how fast revocation bites."""

import base64
import hashlib
import hmac
import json
import logging
from typing import Any

import pytest
from joserfc import jwt
from joserfc.jwk import ECKey, RSAKey

from tests.api.conftest import Companion, refusal

QUERY = ("POST", "/documents/notes/query")


def judged(companion: Companion, token: str | None) -> tuple[int, str]:
    answer = companion.call(*QUERY, token)
    return (200, "") if answer.status_code == 200 else refusal(answer)


def test_a_good_token_is_accepted(companion: Companion) -> None:
    assert judged(companion, companion.as_user()) == (200, "")


@pytest.mark.parametrize("alg", ["RS256", "PS256", "ES384", "Ed25519"])
def test_every_allowed_algorithm_is_accepted(companion: Companion, alg: str) -> None:
    companion.issuer.add_key("other", alg)
    assert judged(companion, companion.issuer.mint(kid="other")) == (200, "")


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"aud": "urn:somebody:else"}, "wrong_audience"),
        ({"aud": ["urn:a", "urn:b"]}, "wrong_audience"),
        ({"aud": None}, "wrong_audience"),
        ({"aud": {"urn:sheaf:api": 1}}, "wrong_audience"),
        ({"exp": 1_800_000_000}, "expired_token"),
        ({"exp": 1_799_999_999.5}, "expired_token"),
        ({"exp": None}, "malformed_token"),
        ({"authorization_details": []}, "malformed_token"),
        ({"authorization_details": ["all"]}, "malformed_token"),
        ({"authorization_details": [{"type": "sheaf_files"}]}, "malformed_token"),
        ({"exp": "1900000000"}, "malformed_token"),
        ({"exp": True}, "malformed_token"),
        ({"exp": 1.9e12}, "malformed_token"),
        ({"exp": float("nan")}, "malformed_token"),
        ({"iat": None}, "malformed_token"),
        ({"iat": 1_800_000_006}, "not_yet_valid_token"),
        ({"nbf": 1_800_000_006}, "not_yet_valid_token"),
        ({"iss": "https://elsewhere.example"}, "wrong_issuer"),
        ({"iss": None}, "wrong_issuer"),
        ({"sub": None}, "malformed_token"),
        ({"sub": ""}, "malformed_token"),
        ({"sub": 7}, "malformed_token"),
        ({"jti": None}, "malformed_token"),
        ({"client_id": None}, "malformed_token"),
    ],
)
def test_a_token_with_a_wrong_claim_is_refused_by_name(
    companion: Companion, changes: dict[str, Any], code: str
) -> None:
    assert judged(companion, companion.issuer.mint(**changes)) == (401, code)


def test_an_audience_among_several_is_enough(companion: Companion) -> None:
    assert judged(companion, companion.issuer.mint(aud=["urn:other", "urn:sheaf:api"])) == (200, "")


def test_a_clock_that_is_a_little_ahead_is_forgiven_for_the_start_but_never_for_the_end(companion: Companion) -> None:
    now = int(companion.clock())
    assert judged(companion, companion.issuer.mint(iat=now + 5, nbf=now + 5)) == (200, "")
    assert judged(companion, companion.issuer.mint(exp=now)) == (401, "expired_token")


def test_a_token_that_was_good_is_refused_from_the_second_it_expires(companion: Companion) -> None:
    token = companion.issuer.mint(exp=int(companion.clock()) + 10)
    assert judged(companion, token) == (200, "")
    companion.clock.advance(9.9)
    assert judged(companion, token) == (200, "")
    companion.clock.advance(0.1)
    assert judged(companion, token) == (401, "expired_token")


@pytest.mark.parametrize(
    ("header", "code"),
    [
        ({"typ": "JWT"}, "wrong_token_type"),
        ({"typ": None}, "wrong_token_type"),
        ({"typ": "dpop+jwt"}, "wrong_token_type"),
        ({"kid": None}, "invalid_signature"),
        ({"kid": "nobody"}, "invalid_signature"),
        ({"kid": "oct"}, "invalid_signature"),
        ({"kid": "rotten"}, "invalid_signature"),
    ],
)
def test_a_token_with_a_wrong_header_is_refused_by_name(
    companion: Companion, header: dict[str, Any], code: str
) -> None:
    assert judged(companion, companion.issuer.mint(header=header)) == (401, code)


def test_the_long_form_of_the_token_type_is_accepted(companion: Companion) -> None:
    assert judged(companion, companion.issuer.mint(header={"typ": "application/AT+JWT"})) == (200, "")


def test_a_token_signed_by_somebody_else_under_a_known_kid_is_refused(companion: Companion) -> None:
    stranger = ECKey.generate_key("P-256", {"kid": "ec"})
    header = {"alg": "ES256", "kid": "ec", "typ": "at+jwt"}
    token = jwt.encode(header, companion.issuer.claims(), stranger, algorithms=["ES256"])
    assert judged(companion, token) == (401, "invalid_signature")


def test_a_key_that_is_published_for_one_algorithm_verifies_no_other(companion: Companion) -> None:
    companion.issuer.add_key("rsa", "RS256")
    without_alg = RSAKey.import_key(companion.issuer.keys["rsa"].as_pem(private=True))
    header = {"alg": "PS256", "kid": "rsa", "typ": "at+jwt"}
    token = jwt.encode(header, companion.issuer.claims(), without_alg, algorithms=["PS256"])
    assert judged(companion, companion.issuer.mint(kid="rsa")) == (200, "")
    assert judged(companion, token) == (401, "invalid_signature")


def _part(tree: object) -> str:
    return base64.urlsafe_b64encode(json.dumps(tree).encode()).rstrip(b"=").decode()


def test_a_token_without_signature_or_signed_with_the_public_key_as_secret_is_refused(companion: Companion) -> None:
    claims = _part(companion.issuer.claims())
    nothing = _part({"alg": "none", "kid": "ec", "typ": "at+jwt"}) + "." + claims
    assert judged(companion, nothing + ".")[1] == "malformed_token"
    assert judged(companion, nothing + ".AA") == (401, "invalid_signature")

    head = _part({"alg": "HS256", "kid": "ec", "typ": "at+jwt"}) + "." + claims
    public = companion.issuer.keys["ec"].as_pem(private=False)
    mac = base64.urlsafe_b64encode(hmac.digest(public, head.encode(), hashlib.sha256)).rstrip(b"=").decode()
    assert judged(companion, head + "." + mac) == (401, "invalid_signature")


def test_a_changed_payload_or_a_critical_header_that_is_not_understood_is_refused(companion: Companion) -> None:
    head, _, mac = companion.issuer.mint().split(".")
    forged = _part(companion.issuer.claims(roles=["administrator"]))
    assert judged(companion, f"{head}.{forged}.{mac}") == (401, "invalid_signature")
    critical = companion.issuer.keys["ec"]
    odd = _part({"alg": "ES256", "kid": "ec", "typ": "at+jwt", "crit": ["x"], "x": 1})
    assert critical
    assert judged(companion, f"{odd}.{forged}.{mac}")[0] == 401


@pytest.mark.parametrize(
    "token",
    [
        "x",
        "a.b.c",
        "a.b",
        "....",
        "é.b.c",
        "a b.c.d",
        "e30.e30.e30",
        "W10.e30.e30",
        "A" * 20_000,
        "MQ.MQ.MQ",
        "bnVsbA.e30.AA",
    ],
)
def test_rubbish_is_a_malformed_token_and_never_a_fault(companion: Companion, token: str) -> None:
    status, code = judged(companion, token)
    assert status == 401
    assert code in ("malformed_token", "wrong_token_type")


def test_without_a_token_the_challenge_names_no_error(companion: Companion) -> None:
    answer = companion.call(*QUERY, None)
    assert refusal(answer) == (401, "missing_token")
    assert answer.headers["WWW-Authenticate"] == 'Bearer realm="sheaf"'


def test_a_refused_token_is_challenged_as_rfc_6750_says(companion: Companion) -> None:
    answer = companion.call(*QUERY, companion.issuer.mint(aud="urn:x"))
    assert 'error="invalid_token"' in answer.headers["WWW-Authenticate"]
    answer = companion.call(*QUERY, companion.issuer.mint(scope="documents.write"))
    assert refusal(answer) == (403, "insufficient_scope")
    assert 'scope="documents.read"' in answer.headers["WWW-Authenticate"]


@pytest.mark.parametrize("header", ["Basic dXNlcjpwYXNz", "Bearer", "Bearer ", "Token abc", ""])
def test_anything_but_a_bearer_token_counts_as_no_token(companion: Companion, header: str) -> None:
    answer = companion.call(*QUERY, None, headers={"Authorization": header})
    assert answer.status_code == 401


def test_a_token_is_taken_from_exactly_one_header_and_from_nowhere_else(companion: Companion) -> None:
    token = companion.as_user()
    assert (
        refusal(companion.call("POST", f"/documents/notes/query?access_token={token}", token))[1]
        == "token_in_wrong_place"
    )
    assert (
        refusal(companion.call("POST", f"/documents/notes/query?access_token={token}", None))[1]
        == "token_in_wrong_place"
    )
    two = [("Authorization", f"Bearer {token}"), ("Authorization", f"Bearer {token}")]
    assert refusal(companion.client.post("/documents/notes/query", headers=two)) == (400, "several_tokens")
    assert refusal(companion.call(*QUERY, None, {"access_token": token})) == (401, "missing_token")
    smuggled = {"X-Forwarded-User": "usr_root", "X_Forwarded_User": "usr_root", "Cookie": f"access_token={token}"}
    assert refusal(companion.call(*QUERY, None, headers=smuggled)) == (401, "missing_token")


def test_each_request_is_judged_by_its_own_token(companion: Companion) -> None:
    assert judged(companion, companion.as_user()) == (200, "")
    assert judged(companion, None) == (401, "missing_token")
    assert judged(companion, companion.issuer.mint(aud="urn:x")) == (401, "wrong_audience")
    assert judged(companion, companion.as_user()) == (200, "")


def test_the_token_never_stands_in_the_log_or_the_answer(
    asking_companion: Companion, caplog: pytest.LogCaptureFixture
) -> None:
    c = asking_companion
    with caplog.at_level(logging.DEBUG, logger="idp"):
        for token in (c.as_user(), c.issuer.mint(aud="urn:x"), c.issuer.mint(scope="")):
            answer = c.call(*QUERY, token)
            assert token.split(".")[2] not in answer.text
            assert token.split(".")[2] not in caplog.text
    assert "a secret for introspection" not in caplog.text


def test_the_trace_code_of_a_refusal_stands_in_the_log_with_the_true_reason(
    companion: Companion, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.INFO, logger="idp"):
        answer = companion.call(*QUERY, companion.issuer.mint(aud="urn:x"))
    line = next(line for line in caplog.messages if answer.json["trace"] in line)
    assert "wrong_audience" in line
    assert "aud='urn:x'" in line

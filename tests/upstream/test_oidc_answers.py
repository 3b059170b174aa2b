"""Owns which answers of the browser and which ID tokens the kind `oidc` refuses: a provider tells one lie at a time."""

import base64
import json

import pytest

from tests.upstream.conftest import CALLBACK, CORP
from tests.upstream.openid_double import CLIENT_ID, MISSING, Published, key

# ---------------------------------------------------------------- the answer of the browser


def test_an_answer_with_another_state_is_refused(refused, openid):
    assert refused(answer={"state": "x" * 43})[0] == "upstream_answer_invalid"
    assert openid.times_asked("/token") == 0


def test_an_answer_without_state_is_refused(refused):
    assert refused(answer={"state": MISSING})[0] == "upstream_answer_invalid"


def test_an_answer_that_names_another_issuer_is_refused(refused, openid):
    code, reason = refused(answer={"iss": "https://evil.example"})

    assert (code, "RFC 9207" in reason) == ("upstream_answer_invalid", True)
    assert openid.times_asked("/token") == 0


def test_a_missing_iss_is_refused_when_the_upstream_promises_one(refused):
    assert "promises" in refused(answer={"iss": MISSING})[1]


def test_a_missing_iss_is_fine_when_the_upstream_does_not_promise_one(arrive, openid):
    openid.sends_iss = False

    assert arrive().subject == "user-1"


def test_a_wrong_iss_is_refused_even_when_the_upstream_does_not_promise_one(refused, openid):
    openid.sends_iss = False

    assert refused(answer={"iss": "https://evil.example"})[0] == "upstream_answer_invalid"


@pytest.mark.parametrize(
    ("error", "code"),
    [
        ("access_denied", "upstream_denied"),
        ("login_required", "upstream_denied"),
        ("temporarily_unavailable", "upstream_unreachable"),
        ("server_error", "upstream_unreachable"),
        ("invalid_scope", "upstream_misconfigured"),
        ("anything\nelse", "upstream_misconfigured"),
    ],
)
def test_an_error_of_the_upstream_has_a_name_here(refused, error, code):
    found, reason = refused(answer={"error": error, "error_description": "because\r\nlog line", "code": MISSING})

    assert found == code
    assert "because??log line" in reason


def test_an_error_from_somebody_else_is_not_believed(refused):
    answer = {"error": "access_denied", "iss": "https://evil.example", "code": MISSING}

    assert refused(answer=answer)[0] == "upstream_answer_invalid"


@pytest.mark.parametrize("code", [MISSING, "", "a\nb", "x" * 9000, "ü"])
def test_an_answer_without_a_usable_code_is_refused(refused, openid, code):
    assert refused(answer={"code": code}) == ("upstream_answer_invalid", "the answer has no usable code")


def test_a_code_that_the_upstream_does_not_know_is_refused(refused):
    assert refused(answer={"code": "made-up"})[0] == "upstream_answer_invalid"


def test_a_replayed_answer_is_refused(kind, openid, refusal):
    departure = kind.depart(CORP, CALLBACK, force=False, login_hint=None)
    params = openid.authorize(departure.url)
    kind.arrive(CORP, CALLBACK, params, departure.remembered)

    assert refusal(kind.arrive, CORP, CALLBACK, params, departure.remembered).code == "upstream_answer_invalid"


def test_the_code_of_one_departure_does_not_work_with_the_verifier_of_another(kind, openid, refusal):
    mine, other = (kind.depart(CORP, CALLBACK, force=False, login_hint=None) for _ in range(2))
    params = {**openid.authorize(other.url), "state": mine.remembered["state"]}

    assert refusal(kind.arrive, CORP, CALLBACK, params, mine.remembered).code == "upstream_answer_invalid"


# ---------------------------------------------------------------- the ID token


@pytest.mark.parametrize(
    ("lies", "reason"),
    [
        ({"aud": "another-client"}, "aud"),
        ({"aud": "another-client", "azp": CLIENT_ID}, "aud"),
        ({"aud": [CLIENT_ID, "another-client"]}, "no azp"),
        ({"aud": [CLIENT_ID, "another-client"], "azp": "another-client"}, "azp"),
        ({"azp": "another-client"}, "azp"),
        ({"aud": []}, "aud"),
        ({"aud": MISSING}, "aud"),
        ({"aud": {CLIENT_ID: 1}}, "aud"),
        ({"iss": "https://evil.example"}, "iss"),
        ({"iss": MISSING}, "iss"),
        ({"nonce": "another"}, "nonce"),
        ({"nonce": MISSING}, "nonce"),
        ({"nonce": ["a"]}, "nonce"),
        ({"sub": MISSING}, "sub"),
        ({"sub": ""}, "sub"),
        ({"sub": "  "}, "sub"),
        ({"sub": 12345}, "sub"),
        ({"sub": None}, "sub"),
        ({"sub": "a\x00b"}, "sub"),
        ({"sub": "\ud800"}, "sub"),
        ({"sub": "x" * 256}, "sub"),
        ({"exp": MISSING}, "exp or iat"),
        ({"iat": MISSING}, "exp or iat"),
        ({"exp": "1900000000"}, "exp is not a time"),
        ({"exp": True}, "exp is not a time"),
        ({"exp": 1e300}, "exp is not a time"),
        ({"exp": 1_800_000_000 - 61}, "expired 61 s ago"),
        ({"iat": 1_800_000_000 + 61}, "not valid for another 61 s"),
        ({"nbf": 1_800_000_000 + 600}, "not valid for another 600 s"),
    ],
)
def test_an_id_token_that_says_something_wrong_is_refused(refused, openid, lies, reason):
    openid.lies = lies

    code, why = refused()

    assert (code, reason in why) == ("upstream_answer_invalid", True), why


@pytest.mark.parametrize(
    "truth",
    [
        {"aud": [CLIENT_ID]},
        {"aud": [CLIENT_ID, "another-client"], "azp": CLIENT_ID},
        {"azp": CLIENT_ID},
        {"exp": 1_800_000_000 - 30},
        {"iat": 1_800_000_000 + 30},
        {"sub": "x" * 255},
        {"sub": "Ünïcödé|42"},
    ],
)
def test_an_id_token_that_is_unusual_but_right_is_accepted(arrive, openid, truth):
    openid.lies = truth

    assert arrive().subject == truth.get("sub", "user-1")


def test_an_unsigned_id_token_is_refused(refused, openid):
    openid.make_token = openid.unsigned

    assert refused() == ("upstream_answer_invalid", "id_token: algorithm 'none' is not allowed")


def test_a_shared_secret_made_of_the_public_key_is_refused(refused, openid):
    openid.make_token = openid.signed_with_the_public_key_as_secret

    assert refused() == ("upstream_answer_invalid", "id_token: algorithm 'HS256' is not allowed")


@pytest.mark.parametrize("alg", ["none", "HS256", "RS256 none", "EdDSA"])
def test_an_unsafe_algorithm_cannot_even_be_configured(make_kind, alg):
    with pytest.raises(ValueError):
        make_kind(algorithms=alg)


def test_an_algorithm_outside_the_list_is_refused(make_kind, refused):
    assert "not allowed" in refused(make_kind(algorithms="ES256"))[1]


def test_a_changed_id_token_is_refused(refused, openid):
    def forge(claims):
        head, _, signature = openid.sign(claims).split(".")
        body = base64.urlsafe_b64encode(json.dumps({**claims, "sub": "victim"}).encode()).decode().rstrip("=")
        return f"{head}.{body}.{signature}"

    openid.make_token = forge

    assert "no published key fits" in refused()[1]


def test_a_key_that_the_token_brings_along_is_not_believed(refused, openid):
    """CVE-2026-27962: `jwk` in the header."""
    attacker = Published("first", key("attacker"))
    openid.header = {"jwk": attacker.public()}
    openid.make_token = lambda claims: openid.sign(claims, attacker)

    assert "no published key fits" in refused()[1]


def test_a_critical_header_that_we_do_not_know_is_refused(refused, openid):
    openid.header = {"crit": ["exotic"], "exotic": True}

    assert refused()[0] == "upstream_answer_invalid"


@pytest.mark.parametrize("token", [MISSING, None, "", "a.b", "a.b.c", "....", 42, {"a": 1}, "x" * 200_000])
def test_an_answer_without_a_readable_id_token_is_refused(refused, openid, token):
    openid.token_answer = {"id_token": token}

    assert refused()[0] == "upstream_answer_invalid"


# ---------------------------------------------------------------- forced re-authentication


def test_forcing_asks_for_a_fresh_sign_in(arrive, openid):
    assert arrive(force=True).auth_time == openid.clock()
    assert (openid.last_asked["prompt"], openid.last_asked["max_age"]) == ("login", "0")


@pytest.mark.parametrize("auth_time", [MISSING, 1_800_000_000 - 3600, "now"])
def test_a_forced_sign_in_needs_a_fresh_auth_time(refused, openid, auth_time):
    openid.lies = {"auth_time": auth_time}

    assert refused(force=True)[0] == "upstream_answer_invalid"


def test_an_upstream_that_never_says_auth_time_may_be_believed_by_configuration(make_kind, arrive, refused, openid):
    lenient = make_kind(auth_time="optional", authorize_params="prompt=select_account")
    openid.lies = {"auth_time": MISSING}
    assert arrive(lenient, force=True).subject == "user-1"
    assert (openid.last_asked["prompt"], openid.last_asked["max_age"]) == ("select_account", "0")

    openid.lies = {"auth_time": 1_800_000_000 - 3600}
    assert "auth_time is older" in refused(lenient, force=True)[1]

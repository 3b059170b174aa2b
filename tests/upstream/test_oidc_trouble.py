"""Owns how the kind `oidc` lives with rotating keys and with a provider that is down, slow, huge or wrongly set up."""

import threading
import time
from dataclasses import replace

import pytest

from idp.base.errors import Refused
from idp.base.net import NetPolicy
from tests.upstream.conftest import CALLBACK, CORP, POLICY
from tests.upstream.openid_double import MISSING, Published, Trouble, key

# ---------------------------------------------------------------- rotation


def test_a_key_rotated_under_a_new_id_heals_without_a_restart(arrive, openid):
    arrive()
    openid.rotate("second", "second")

    assert arrive().subject == "user-1"
    assert openid.times_asked("/jwks") == 2


def test_a_key_rotated_under_the_same_id_heals_without_a_restart(arrive, openid):
    arrive()
    openid.rotate("first", "second")

    assert arrive().subject == "user-1"


def test_a_key_of_another_type_under_the_same_id_heals_without_a_restart(arrive, openid):
    arrive()
    openid.rotate("first", "ec", "P-256", "ES256")

    assert arrive().subject == "user-1"


def test_a_withdrawn_key_is_not_accepted_for_longer_than_the_cache_lasts(arrive, refused, openid, clock):
    arrive()
    withdrawn = openid.signer
    openid.rotate("second", "second")
    openid.make_token = lambda claims: openid.sign(claims, withdrawn)
    clock.advance(601)

    assert "no published key fits" in refused()[1]


def test_keys_are_not_used_beyond_their_time_when_the_upstream_is_down(arrive, refused, openid, clock):
    arrive()
    clock.advance(601)
    openid.trouble["/jwks"] = Trouble(status=503)

    assert refused()[0] == "upstream_unreachable"


def test_made_up_key_ids_do_not_hammer_the_upstream(arrive, refused, openid, clock):
    arrive()
    openid.make_token = lambda claims: openid.sign(claims, Published("made-up", key("attacker")))
    for _ in range(12):
        refused()

    assert openid.times_asked("/jwks") == 1 + 5
    openid.make_token = None
    clock.advance(61)
    openid.rotate("second", "second")
    assert arrive().subject == "user-1"


@pytest.mark.parametrize(
    "extra",
    [{"use": "enc"}, {"alg": "PS256"}, {"n": "AQAB"}, {"kty": "oct", "k": "c2VjcmV0"}, {"e": None}, {"kty": "new"}],
)
def test_a_key_that_is_not_meant_for_this_is_not_used(refused, openid, extra):
    openid.signer.extra = extra
    openid.keys = [openid.signer, Published("other", key("second"))]

    assert "no published key fits" in refused()[1]


# ---------------------------------------------------------------- trouble


DISCOVERY = "/.well-known/openid-configuration"


@pytest.mark.parametrize("path", [DISCOVERY, "/token", "/jwks", "/userinfo"])
@pytest.mark.parametrize(
    ("trouble", "codes"),
    [
        (Trouble(status=500), {"upstream_unreachable"}),
        (Trouble(size=3_000_000), {"upstream_unreachable"}),
        (Trouble(wait=1.5), {"upstream_unreachable"}),
        (Trouble(drip=True), {"upstream_unreachable"}),
        (
            Trouble(status=302, location="http://169.254.169.254/"),
            {"upstream_answer_invalid", "upstream_misconfigured"},
        ),
        (Trouble(status=404, body=b"<html>"), {"upstream_answer_invalid", "upstream_misconfigured"}),
        (Trouble(body=b"not json"), {"upstream_answer_invalid", "upstream_misconfigured"}),
        (Trouble(body=b"[" * 100_000), {"upstream_answer_invalid", "upstream_misconfigured"}),
        (Trouble(body=b"[]"), {"upstream_answer_invalid", "upstream_misconfigured"}),
        (Trouble(body=b"{}"), {"upstream_answer_invalid", "upstream_misconfigured"}),
    ],
    ids=["500", "huge", "slow", "drip", "redirect", "404", "not-json", "deep", "list", "empty"],
)
def test_trouble_at_any_endpoint_has_a_name_and_an_end(make_kind, openid, refused, path, trouble, codes):
    openid.userinfo = {"email": "ada@corp.example"}
    openid.trouble[path] = trouble
    started = time.monotonic()

    code, _ = refused(make_kind(replace(POLICY, timeout=1.0)))

    assert code in codes
    assert time.monotonic() - started < 2.5


def test_delays_at_all_endpoints_together_end_within_the_one_time_out(make_kind, openid, refused):
    openid.userinfo = {"email": "ada@corp.example"}
    openid.trouble = {path: Trouble(wait=0.4) for path in ("/token", "/jwks", "/userinfo")}
    started = time.monotonic()

    assert refused(make_kind(replace(POLICY, timeout=1.0)))[0] == "upstream_unreachable"
    assert time.monotonic() - started < 2.0


def test_while_an_upstream_is_down_the_next_people_are_told_at_once(make_kind, openid, refused, clock, arrive):
    kind = make_kind(replace(POLICY, timeout=1.0))
    openid.trouble[DISCOVERY] = Trouble(wait=1.2)
    refused(kind)
    started = time.monotonic()
    assert refused(kind)[0] == "upstream_unreachable"
    assert time.monotonic() - started < 0.5

    openid.trouble.clear()
    clock.advance(6)
    assert arrive(kind).subject == "user-1"


def test_many_people_at_once_fetch_the_metadata_once(kind, openid):
    openid.trouble[DISCOVERY] = Trouble(wait=0.2)
    threads = [
        threading.Thread(target=kind.depart, args=(CORP, CALLBACK), kwargs={"force": False, "login_hint": None})
        for _ in range(8)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(10)

    assert openid.times_asked(DISCOVERY) == 1


def test_nobody_listening_is_named(make_kind, refused, openid):
    openid.close()

    assert refused()[0] == "upstream_unreachable"


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"issuer": "https://evil.example"}, "says issuer"),
        ({"issuer": MISSING}, "says issuer"),
        ({"token_endpoint": "http://tokens.example/"}, "token_endpoint is not https"),
        ({"jwks_uri": "http://192.168.0.1/jwks"}, "jwks_uri is not https"),
        ({"authorization_endpoint": "javascript:alert(1)"}, "authorization_endpoint"),
        ({"authorization_endpoint": "https://x.example/\r\nSet-Cookie: a=b"}, "authorization_endpoint"),
        ({"token_endpoint": MISSING}, "token_endpoint"),
        ({"jwks_uri": "file:///etc/passwd"}, "jwks_uri"),
        ({"jwks_uri": "https://user:pass@x.example/"}, "jwks_uri"),
        ({"userinfo_endpoint": "http://x.example/"}, "userinfo_endpoint"),
        ({"token_endpoint": "https://[bad/"}, "token_endpoint"),
    ],
)
def test_a_discovery_document_that_does_not_fit_is_refused(refused, openid, change, reason):
    openid.metadata = change

    code, why = refused()

    assert (code, reason in why) == ("upstream_misconfigured", True), why


def test_without_leave_private_addresses_are_not_contacted(make_kind, openid, refused):
    code, reason = refused(make_kind(NetPolicy(allow_private=False)))

    assert (code, "private" in reason) == ("upstream_unreachable", True)
    assert openid.asked == []


def test_wrong_client_credentials_are_a_matter_for_an_administrator(make_kind, refused):
    code, reason = refused(make_kind(client_secret="wrong"))

    assert (code, "invalid_client" in reason) == ("upstream_misconfigured", True)


def test_no_secret_stands_in_any_refusal_or_repr(make_kind, openid, arrive):
    kind = make_kind(client_secret="TOPSECRET-1")
    openid.token_answer = {"expires_in": "soon"}

    with pytest.raises(Refused) as caught:
        arrive(kind)

    assert "TOPSECRET-1" not in f"{caught.value!r} {caught.value.reason} {caught.value.__cause__!r} {vars(kind)!r}"


def test_a_token_answer_with_another_status_than_200_is_not_a_token(refused, openid):
    openid.trouble["/token"] = Trouble(status=202)

    assert refused() == ("upstream_answer_invalid", "the token endpoint answered 202")

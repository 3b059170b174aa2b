"""Foreign JWS and keys: the vectors of the standards verify, and what is not exactly right is refused before it is used."""

import base64
import hmac
import json
from typing import Any

import pytest
from joserfc.jwk import ECKey, OKPKey, RSAKey

from idp.base.jws import (
    ASYMMETRIC,
    MAX_JWS,
    Opened,
    Unreadable,
    base64url,
    fits,
    mac_by,
    opened,
    public_key,
    signed_by,
    thumbprint,
)
from tests.crypto import vectors
from tests.support.proofs import b64, make_key, part, signed

JOE = ".eyJpc3MiOiJqb2UiLA0KICJleHAiOjEzMDA4MTkzODAsDQogImh0dHA6Ly9leGFtcGxlLmNvbS9pc19yb290Ijp0cnVlfQ"
# RFC 7515 A.1
HS256 = "eyJ0eXAiOiJKV1QiLA0KICJhbGciOiJIUzI1NiJ9" + JOE + ".dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk"
HS256_KEY = "AyM1SysPpbyDfgZld3umj1qzKObwVMkoqQ-EstJQLr_T-1qS0gZH75aKtMN3Yj0iPS4hcgUuTwjAzZr1Z9CAow"
# RFC 7638 3.1
THUMB_KEY = {
    "kty": "RSA",
    "n": "0vx7agoebGcQSuuPiLJXZptN9nndrQmbXEps2aiAFbWhM78LhWx4cbbfAAtVT86zwu1RK7aPFFxuhDR1L6tSoc_BJECPebWKRXjBZCiFV4n3oknjhMst"
    "n64tZ_2W-5JsGY4Hc5n9yBXArwl93lqt7_RN5w6Cf0h4QyQ5v-65YGjQR0_FDW2QvzqY368QQMicAtaSqzs8KJZgnYb9c7d0zgdAZHzu6qMQvRL5hajrn1n9"
    "1CbOpbISD08qNLyrdkt-bFTWhAI4vMQFh6WeZu0fM4lFd2NcRwr3XPksINHaQ-G_xBniIqbw0Ls1jF44-csFCur-kEgU8awapJzKnqDKgw",
    "e": "AQAB",
    "alg": "RS256",
    "kid": "2011-04-29",
}


def test_rfc_7515_a1_hs256() -> None:
    secret = base64.urlsafe_b64decode(HS256_KEY + "==")
    assert mac_by(opened(HS256), secret)
    assert opened(HS256).claims["iss"] == "joe"
    assert not mac_by(opened(HS256), secret + b"x")
    assert not mac_by(opened(HS256), b"")


def not_json(token: str, alg: str) -> Opened:
    """The payload of some examples is a text."""
    first, second, third = token.split(".")
    return Opened({"alg": alg}, {}, f"{first}.{second}".encode(), base64.urlsafe_b64decode(third + "=="))


def test_rfc_7520_4_1_rs256() -> None:
    assert signed_by(not_json(vectors.RS256_TOKEN, "RS256"), public_key(vectors.RS256_KEY))


def test_rfc_7515_a3_es256() -> None:
    assert signed_by(opened(vectors.ES256_TOKEN), public_key(vectors.ES256_KEY))


def test_rfc_8037_a4_ed25519_by_its_old_name() -> None:
    assert signed_by(not_json(vectors.ED25519_TOKEN, "EdDSA"), public_key(vectors.ED25519_KEY))
    assert thumbprint(vectors.ED25519_KEY) == vectors.ED25519_THUMBPRINT


def test_rfc_7638_thumbprint() -> None:
    assert thumbprint(THUMB_KEY) == "NzbLsXh8uDCcd-6MNwXF4W_7noWXFZAfHkxZsRGC9Xs"


@pytest.mark.parametrize("alg", ASYMMETRIC)
def test_every_algorithm_verifies_and_notices_a_change(alg: str) -> None:
    key = make_key(alg)
    public = public_key(key.as_dict(private=False))
    token = signed({"alg": alg}, {"sub": "a"}, key)
    assert signed_by(opened(token), public)
    first, _, third = token.split(".")
    assert not signed_by(opened(f"{first}.{part({'sub': 'b'})}.{third}"), public)
    assert not signed_by(opened(f"{token}AAAA"), public)
    assert not signed_by(opened(token), public_key(make_key(alg).as_dict(private=False)))


def test_a_key_verifies_only_algorithms_that_fit_its_type_curve_use_and_alg() -> None:
    ec = public_key(ECKey.generate_key("P-256").as_dict(private=False))
    assert fits(ec, "ES256")
    assert not any(fits(ec, alg) for alg in ("ES384", "RS256", "EdDSA", "HS256", "none", ""))
    rsa = RSAKey.generate_key(2048).as_dict(private=False)
    assert fits(public_key(rsa), "RS256")
    assert fits(public_key(rsa), "PS256")
    assert not fits(public_key({**rsa, "alg": "PS256"}), "RS256")
    assert not fits(public_key({**rsa, "use": "enc"}), "RS256")
    ed = OKPKey.generate_key("Ed25519").as_dict(private=False)
    assert fits(public_key({**ed, "alg": "EdDSA"}), "Ed25519")
    assert not fits(public_key(OKPKey.generate_key("X25519").as_dict(private=False)), "EdDSA")


def test_a_public_key_is_never_taken_for_an_hmac_secret() -> None:
    key = RSAKey.generate_key(2048)
    body = part({"alg": "HS256"}) + "." + part({"sub": "a"})
    token = body + "." + b64(hmac.digest(key.as_pem(private=False), body.encode(), "sha256"))
    assert mac_by(opened(token), key.as_pem(private=False))
    assert not signed_by(opened(token), public_key(key.as_dict(private=False)))


@pytest.mark.parametrize(
    "token",
    [
        "",
        "a",
        "a.b",
        "a.b.c.d",
        "....",
        "e30.e30.",
        "e30..e30",
        "é.é.é",
        "e30.e30.AA\n",
        "e30=.e30.AA",
        "W10.e30.AA",
        "e30.W10.AA",
        "MQ.MQ.AA",
        "bnVsbA.e30.AA",
        "_w.e30.AA",
        b64(b"[" * 2000) + ".e30.AA",
        b64(b'{"a":' * 40 + b"1" + b"}" * 40) + ".e30.AA",
        b64(b'{"alg":"ES256","alg":"none"}') + ".e30.AA",
        b64(b'{"exp":NaN}') + ".e30.AA",
        b64(b'{"a":"\\ud800"}') + ".e30.AA",
        b64(b'{"a":' + b"1" * 5000 + b"}") + ".e30.AA",
        "A" * (MAX_JWS + 1),
    ],
)
def test_what_is_not_a_compact_jws_of_two_objects_is_refused(token: str) -> None:
    with pytest.raises(Unreadable):
        opened(token)


@pytest.mark.parametrize("extra", [{"crit": ["exp"]}, {"crit": []}, {"crit": "b64"}, {"b64": False}, {"b64": True}])
def test_critical_header_parameters_are_refused(extra: dict[str, Any]) -> None:
    with pytest.raises(Unreadable, match="critical"):
        opened(part({"alg": "ES256", **extra}) + ".e30.AA")


@pytest.mark.parametrize("kid", [1, [], {}, "x" * 257])
def test_a_kid_that_is_no_short_text_is_refused(kid: object) -> None:
    with pytest.raises(Unreadable):
        _ = opened(part({"alg": "ES256", "kid": kid}) + ".e30.AA").kid


def test_an_alg_that_is_no_text_is_none() -> None:
    assert opened(part({"alg": ["ES256"]}) + ".e30.AA").alg == ""


EC = ECKey.generate_key("P-256").as_dict(private=False)


@pytest.mark.parametrize(
    "jwk",
    [
        None,
        7,
        [],
        {},
        {"kty": "oct", "k": "c2VjcmV0"},
        {"kty": ["EC"]},
        {**EC, "x": 7},
        {**EC, "x": ""},
        {**EC, "y": "AAAA"},
        {**EC, "crv": "P-257"},
        {"kty": "EC", "crv": "P-256"},
        {**vectors.RS256_KEY, "n": b64(b"\xff" * 128)},
        {**vectors.RS256_KEY, "n": b64(b"\xff" * 1025)},
        {**vectors.RS256_KEY, "e": b64(b"\x01" + b"\x00" * 5 + b"\x01")},
        {**vectors.RS256_KEY, "e": "AQ"},
        {**vectors.RS256_KEY, "n": "%%%"},
        {**vectors.RS256_KEY, "n": "A" * 3000},
        {"kty": "OKP", "crv": "Ed25519", "x": "AAAA"},
        {**EC, "kid": 7},
    ],
)
def test_what_is_no_public_key_of_usual_size_is_refused(jwk: object) -> None:
    with pytest.raises(Unreadable):
        public_key(jwk)


def test_private_members_are_not_kept() -> None:
    key = ECKey.generate_key("P-256")
    assert "d" not in public_key(key.as_dict(private=True)).as_dict()


def test_the_text_of_a_refusal_and_the_repr_hold_nothing_of_the_token() -> None:
    token = signed({"alg": "ES256"}, {"sub": "secret-subject"}, make_key("ES256"))
    assert token.split(".")[2] not in repr(opened(token))
    with pytest.raises(Unreadable) as caught:
        opened("secret." + token)
    assert "secret" not in str(caught.value)


def test_base64url_has_no_padding() -> None:
    assert base64url(b"\xff\xfe") == "__4"
    assert json.loads(base64.urlsafe_b64decode(part({}) + "==")) == {}

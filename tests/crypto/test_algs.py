"""Owns the claims about signature algorithms: the standards' examples, other implementations, keys that do not fit."""

import base64
import json
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.hashes import SHA256
from joserfc import jws
from joserfc.jwk import import_key

from idp.crypto.algs import ALG_NAMES, ID_TOKEN_ALGS, PrivateKey, half_hash, key_alg, names_of, signing
from idp.crypto.new_keys import make_key, published_jwk
from idp.crypto.seal import Seal
from idp.crypto.signers import open_key, verifier
from idp.domain.metadata import SIGNING_ALGS
from idp.domain.profile import FAPI_ALGS
from tests.crypto import vectors

SEAL = Seal(bytes(range(32)))


@pytest.mark.parametrize(
    ("alg", "key", "token"),
    [
        ("RS256", vectors.RS256_KEY, vectors.RS256_TOKEN),
        ("ES256", vectors.ES256_KEY, vectors.ES256_TOKEN),
        ("Ed25519", vectors.ED25519_KEY, vectors.ED25519_TOKEN),
    ],
)
def test_the_examples_of_the_standards_verify_and_nothing_else(alg: str, key: dict[str, str], token: str) -> None:
    signed, _, signature = token.rpartition(".")
    raw = unb64(signature)
    check = verifier("k", alg, key)
    assert check.good(signed.encode(), raw)
    assert not check.good(signed.encode() + b"x", raw)
    assert not check.good(signed.encode(), raw[:-1])
    assert not check.good(signed.encode(), raw[:-1] + bytes([raw[-1] ^ 1]))
    assert not check.good(signed.encode(), b"")


def test_ed25519_signs_the_example_of_rfc_8037() -> None:
    private = Ed25519PrivateKey.from_private_bytes(unb64(vectors.ED25519_D))
    signed, _, signature = vectors.ED25519_TOKEN.rpartition(".")
    assert signing("Ed25519", private)(signed.encode()) == unb64(signature)


@pytest.mark.filterwarnings("ignore::joserfc.errors.SecurityWarning")
@pytest.mark.parametrize("name", ALG_NAMES)
def test_what_we_sign_is_verified_by_another_implementation(name: str) -> None:
    made = make_key("id_token", "current", SEAL, 0.0, key_alg(name))
    signer = open_key(made, SEAL, name)
    head = b64(json.dumps({"alg": signer.alg, "kid": signer.kid}).encode())
    token = f"{head}.{b64(b'hello')}"
    token += "." + b64(signer.sign(token.encode()))
    found = jws.deserialize_compact(token, import_key(dict(made.public_jwk)), algorithms=[name])  # type: ignore[arg-type]
    assert found.payload == b"hello"
    assert found.headers()["alg"] == name


@pytest.mark.parametrize("alg", ID_TOKEN_ALGS)
def test_a_kid_is_the_thumbprint_of_rfc_7638_whatever_the_key(alg: str) -> None:
    made = make_key("id_token", "next", SEAL, 0.0, alg)
    assert import_key(dict(made.public_jwk)).thumbprint() == made.id  # type: ignore[arg-type]
    assert made.slot == ("id_token:next" if alg == "RS256" else f"id_token:{alg}:next")


def test_the_thumbprint_of_rfc_8037_a_3() -> None:
    from idp.crypto.new_keys import _thumbprint

    assert _thumbprint(vectors.ED25519_KEY) == vectors.ED25519_THUMBPRINT


def test_the_salt_of_ps256_is_as_long_as_the_digest() -> None:
    """RFC 7518 3.5"""
    private = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    signature = signing("PS256", private)(b"m")
    private.public_key().verify(signature, b"m", padding.PSS(padding.MGF1(SHA256()), 32), SHA256())
    assert signing("PS256", private)(b"m") != signature


def test_an_ed25519_key_has_no_alg_in_its_jwk_so_that_both_names_find_it() -> None:
    assert "alg" not in published_jwk(vectors.ED25519_KEY, "k", "Ed25519")
    assert published_jwk(vectors.ES256_KEY, "k", "ES256")["alg"] == "ES256"
    assert names_of("Ed25519") == ("Ed25519", "EdDSA")


@pytest.mark.parametrize(
    ("alg", "private"),
    [
        ("RS256", ec.generate_private_key(ec.SECP256R1())),
        ("ES256", ec.generate_private_key(ec.SECP384R1())),
        ("ES256", ec.generate_private_key(ec.SECP256K1())),
        ("ES384", Ed25519PrivateKey.generate()),
        ("Ed25519", ec.generate_private_key(ec.SECP256R1())),
        ("HS256", ec.generate_private_key(ec.SECP256R1())),
    ],
)
def test_a_key_signs_and_verifies_with_its_own_algorithm_only(alg: str, private: PrivateKey) -> None:
    with pytest.raises(ValueError):
        signing(alg, private)


@pytest.mark.parametrize("name", ["none", "HS256", "ES512", "RS512", "ES256K", "", "rs256", "Ed448"])
def test_other_names_are_no_algorithms(name: str) -> None:
    with pytest.raises(ValueError):
        key_alg(name)


@pytest.mark.parametrize(
    "jwk",
    [
        {},
        {"kty": "EC"},
        {"kty": "EC", "crv": "P-256", "x": 7, "y": []},
        {"kty": "oct", "k": "AAAA"},
        {"kty": "RSA", "n": "AQAB", "e": "AQAB"},
        vectors.ED25519_KEY,
        {**vectors.ES256_KEY, "y": vectors.ES256_KEY["x"]},
    ],
)
def test_what_is_no_public_key_for_it_is_a_value_error(jwk: dict[str, Any]) -> None:
    with pytest.raises(ValueError):
        verifier("k", "ES256", jwk)


def test_the_left_half_is_hashed_as_openid_connect_core_says() -> None:
    """OpenID Connect Core 1.0 A.3; the length is half of the hash of the algorithm."""
    assert half_hash(vectors.ACCESS_TOKEN, "RS256") == vectors.AT_HASH
    assert half_hash(vectors.ACCESS_TOKEN, "PS256") == half_hash(vectors.ACCESS_TOKEN, "ES256") == vectors.AT_HASH
    assert len(unb64(half_hash("x", "ES384"))) == 24
    assert half_hash("x", "EdDSA") == half_hash("x", "Ed25519")
    assert len(unb64(half_hash("x", "EdDSA"))) == 32


def test_every_list_of_algorithms_says_the_same() -> None:
    assert set(SIGNING_ALGS) == set(ALG_NAMES)
    assert set(ALG_NAMES) >= FAPI_ALGS


def b64(raw: bytes) -> str:
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()


def unb64(text: str) -> bytes:
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))

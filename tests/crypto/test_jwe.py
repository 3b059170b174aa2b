"""Owns the claims about encrypted tokens: the standard's examples, few algorithms, and nothing foreign that breaks us."""

import base64
import json
from typing import Any

import pytest
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from joserfc import jwe as peer
from joserfc.jwk import ECKey, OctKey, OKPKey, RSAKey, import_key

from idp.base.errors import Refused
from idp.crypto import jwe
from tests.crypto import vectors

ALL = jwe.ENCRYPTION_ALGS
EC_ALGS = [alg for alg in ALL if alg.startswith("ECDH")]


@pytest.fixture(scope="module")
def rsa() -> RSAKey:
    return RSAKey.generate_key(2048)


@pytest.mark.parametrize(
    ("key", "token", "alg", "enc"),
    [
        (vectors.PEREGRIN, vectors.TO_PEREGRIN, "ECDH-ES+A128KW", "A128GCM"),
        (vectors.MERIADOC, vectors.TO_MERIADOC, "ECDH-ES", "A128CBC-HS256"),
    ],
)
def test_the_examples_of_rfc_7520_are_decrypted(key: dict[str, str], token: str, alg: str, enc: str) -> None:
    assert jwe.decrypt(token, import_key(key), (alg,), (enc,)).decode() == vectors.FRODO  # type: ignore[arg-type]


def test_the_key_of_rfc_7518_appendix_c_is_derived() -> None:
    header = {"alg": "ECDH-ES", "enc": "A128GCM", "apu": "QWxpY2U", "apv": "Qm9i", "epk": vectors.ALICE}
    first = b64(json.dumps(header).encode())
    sealed = AESGCM(unb64(vectors.ALICE_AND_BOB)).encrypt(bytes(12), b"hello", first.encode())
    token = ".".join([first, "", b64(bytes(12)), b64(sealed[:-16]), b64(sealed[-16:])])
    assert jwe.decrypt(token, ECKey.import_key(vectors.BOB), ("ECDH-ES",)) == b"hello"  # type: ignore[arg-type]


@pytest.mark.parametrize("enc", jwe.ENCRYPTION_ENCS)
@pytest.mark.parametrize("alg", ALL)
def test_every_pair_of_algorithms_is_read_by_another_implementation(rsa: RSAKey, alg: str, enc: str) -> None:
    key: Any = rsa if alg.startswith("RSA") else ECKey.generate_key("P-256")
    token = jwe.encrypt("signed.inner.token", key, alg, enc, cty="JWT", kid="k-1")
    found = peer.decrypt_compact(token, key, algorithms=[alg, enc])
    assert found.plaintext == b"signed.inner.token"
    assert found.protected["cty"] == "JWT"
    assert found.protected["kid"] == "k-1"
    assert (found.protected["alg"], found.protected["enc"]) == (alg, enc)
    assert jwe.decrypt(token, key, (alg,), (enc,)) == b"signed.inner.token"


@pytest.mark.parametrize(
    "key", [ECKey.generate_key("P-384"), ECKey.generate_key("P-521"), OKPKey.generate_key("X25519")]
)
@pytest.mark.parametrize("alg", EC_ALGS)
def test_other_curves_of_an_app_are_taken(key: Any, alg: str) -> None:
    assert jwe.decrypt(jwe.encrypt(b"x", key, alg, "A256GCM"), key, (alg,)) == b"x"


def test_the_kid_is_that_of_the_key_unless_said_otherwise() -> None:
    key: Any = ECKey.import_key({**vectors.MERIADOC})
    assert header(jwe.encrypt("x", key, "ECDH-ES", "A128GCM"))["kid"] == vectors.MERIADOC["kid"]
    assert "kid" not in header(jwe.encrypt("x", ECKey.generate_key("P-256"), "ECDH-ES", "A128GCM"))


def test_nothing_private_is_in_the_header() -> None:
    token = jwe.encrypt("x", ECKey.generate_key("P-256"), "ECDH-ES+A256KW", "A256GCM")
    assert set(header(token)["epk"]) == {"kty", "crv", "x", "y"}


def test_the_same_text_is_never_encrypted_to_the_same_token(rsa: RSAKey) -> None:
    assert len({jwe.encrypt("x", rsa, "RSA-OAEP-256", "A256GCM") for _ in range(5)}) == 5


@pytest.mark.parametrize(
    ("alg", "enc"),
    [
        ("RSA1_5", "A128GCM"),
        ("RSA-OAEP", "A128GCM"),
        ("dir", "A128GCM"),
        ("A128KW", "A128GCM"),
        ("PBES2-HS256+A128KW", "A128GCM"),
        ("ECDH-ES+A192KW", "A128GCM"),
        ("none", "A128GCM"),
        ("", ""),
        ("RSA-OAEP-256", "A192GCM"),
        ("RSA-OAEP-256", "none"),
    ],
)
def test_algorithms_that_are_weak_or_not_offered_are_refused(rsa: RSAKey, alg: str, enc: str) -> None:
    with pytest.raises(Refused) as refused:
        jwe.encrypt("x", rsa, alg, enc)
    assert refused.value.status == 400


@pytest.mark.parametrize(
    ("key", "alg"),
    [
        (ECKey.generate_key("P-256"), "RSA-OAEP-256"),
        (RSAKey.generate_key(2048), "ECDH-ES"),
        (OKPKey.generate_key("Ed25519"), "ECDH-ES"),
        (OctKey.generate_key(128), "ECDH-ES+A128KW"),
        (ECKey.generate_key("secp256k1"), "RSA-OAEP-256"),
    ],
)
def test_a_key_of_another_kind_is_a_refusal_and_no_fault(key: Any, alg: str) -> None:
    with pytest.raises(Refused) as refused:
        jwe.encrypt("x", key, alg, "A128GCM")
    assert refused.value.code == "unauthorized_client"


def test_a_key_for_signatures_is_not_encrypted_to() -> None:
    key: Any = ECKey.generate_key("P-256", {"use": "sig"})
    with pytest.raises(Refused):
        jwe.encrypt("x", key, "ECDH-ES", "A128GCM")


@pytest.mark.filterwarnings("ignore::joserfc.errors.SecurityWarning")
def test_an_rsa_key_that_is_too_short_is_refused() -> None:
    key = RSAKey.generate_key(1024, auto_kid=False)
    with pytest.raises(Refused):
        jwe.encrypt("x", key, "RSA-OAEP-256", "A128GCM")


def test_what_is_too_long_is_not_encrypted(rsa: RSAKey) -> None:
    assert jwe.encrypt("x" * jwe.MAX_PAYLOAD, rsa, "RSA-OAEP-256", "A128GCM")
    with pytest.raises(ValueError):
        jwe.encrypt("x" * (jwe.MAX_PAYLOAD + 1), rsa, "RSA-OAEP-256", "A128GCM")


def test_a_token_that_was_changed_anywhere_is_not_decrypted(rsa: RSAKey) -> None:
    parts = jwe.encrypt("hello", rsa, "RSA-OAEP-256", "A128CBC-HS256").split(".")
    for place, part in enumerate(parts):
        changed = [*parts]
        changed[place] = ("A" if part[0] != "A" else "B") + part[1:]
        with pytest.raises(jwe.NotDecrypted):
            jwe.decrypt(".".join(changed), rsa, ALL)


def test_only_the_expected_algorithms_are_decrypted(rsa: RSAKey) -> None:
    token = jwe.encrypt("x", rsa, "RSA-OAEP-256", "A128GCM")
    for algs, encs in ((("ECDH-ES",), jwe.ENCRYPTION_ENCS), (ALL, ("A256GCM",)), ((), ()), (("RSA1_5",), ("A128GCM",))):
        with pytest.raises(jwe.NotDecrypted):
            jwe.decrypt(token, rsa, algs, encs)


def test_rsa_oaep_with_sha_1_is_not_decrypted_even_when_asked_for(rsa: RSAKey) -> None:
    token = peer.encrypt_compact({"alg": "RSA-OAEP", "enc": "A128GCM"}, b"x", rsa)
    with pytest.raises(jwe.NotDecrypted):
        jwe.decrypt(token, rsa, ("RSA-OAEP", "RSA-OAEP-256"))


def test_compressed_content_is_never_unpacked(rsa: RSAKey) -> None:
    bomb = peer.encrypt_compact(
        {"alg": "RSA-OAEP-256", "enc": "A128GCM", "zip": "DEF"}, b"x" * 1000, rsa, ["RSA-OAEP-256", "A128GCM", "DEF"]
    )
    with pytest.raises(jwe.NotDecrypted):
        jwe.decrypt(bomb, rsa, ALL)


@pytest.mark.parametrize(
    "changes",
    [
        {"alg": ["ECDH-ES"]},
        {"alg": {}},
        {"alg": None},
        {"enc": 7},
        {"epk": None},
        {"epk": "text"},
        {"epk": {}},
        {"epk": {"kty": "EC", "crv": "P-256", "x": "AAAA", "y": "AAAA"}},
        {"epk": {"kty": "oct", "k": "AAAA"}},
        {"epk": {"kty": "EC", "crv": ["P-256"], "x": 1, "y": {}}},
        {"apu": 5},
        {"crit": "x"},
        {"crit": ["b64"]},
        {"kid": {"a": 1}},
        {"p2c": 1_000_000_000},
        {"b64": False},
    ],
)
def test_headers_of_the_wrong_kind_are_no_fault(changes: dict[str, Any]) -> None:
    key: Any = ECKey.import_key(vectors.BOB)  # type: ignore[arg-type]
    parts = jwe.encrypt("x", key, "ECDH-ES", "A128GCM").split(".")
    changed = {name: value for name, value in {**header(".".join(parts)), **changes}.items() if value is not None}
    parts[0] = b64(json.dumps(changed).encode())
    with pytest.raises(jwe.NotDecrypted):
        jwe.decrypt(".".join(parts), key, ALL)


@pytest.mark.parametrize(
    "token",
    [
        "",
        ".",
        "....",
        "a.b.c.d.e",
        "a.b.c",
        "é.b.c.d.e",
        "." * 5,
        "x" * (jwe.MAX_JWE + 1),
        "bnVsbA....",
        "W10....",
        "A" * 60000 + "....",
    ],
)
def test_what_is_no_jwe_is_no_fault(rsa: RSAKey, token: str) -> None:
    with pytest.raises(jwe.NotDecrypted):
        jwe.decrypt(token, rsa, ALL)


def header(token: str) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(unb64(token.partition(".")[0]))
    return found


def b64(raw: bytes) -> str:
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()


def unb64(text: str) -> bytes:
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))

"""One key at work: a private key of this process as a Signer, a public key as a Verifier, and why neither may be had yet.

Leaves which of them to take to idp.crypto.keys, and keys that live elsewhere to idp.crypto.external_keys.
"""

import math
from collections.abc import Mapping
from typing import Any, cast

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.serialization import load_pem_private_key

from idp.base.errors import Refused
from idp.crypto.algs import PrivateKey, PublicKey, key_alg, names_of, signing, verifying
from idp.crypto.new_keys import FIELD
from idp.crypto.seal import Seal
from idp.domain.signing_key import SigningKey


class KeySigner:
    """A private key in this process, as a Signer. alg: the name that headers bear."""

    def __init__(self, kid: str, alg: str, private: PrivateKey) -> None:
        self.kid = kid
        self.alg = alg
        self.private = private  # for signatures that are not JWS (XML signatures)
        self._sign = signing(key_alg(alg), private)

    def sign(self, message: bytes) -> bytes:
        return self._sign(message)

    def __repr__(self) -> str:
        return f"KeySigner({self.kid}, {self.alg})"


class Verifier:
    """A public key of ours. algs: what the header of a token may call its algorithm."""

    def __init__(self, kid: str, alg: str, public: PublicKey) -> None:
        self.kid = kid
        self.algs = names_of(alg)
        self.public = public
        self._verify = verifying(alg, public)

    def good(self, message: bytes, signature: bytes) -> bool:
        try:
            self._verify(signature, message)
        except (InvalidSignature, ValueError):
            return False
        return True


def open_key(key: SigningKey, seal: Seal, name: str) -> KeySigner:
    """Raises SealBroken for a key that was sealed under another seal key."""
    pem = seal.open(key.sealed_private, owner=key.id, field=FIELD)
    return KeySigner(key.id, name, cast(PrivateKey, load_pem_private_key(pem.encode(), None)))


def verifier(kid: str, alg: str, jwk: Mapping[str, Any]) -> Verifier:
    """Raises ValueError when the JWK is none, or not of this algorithm."""
    from joserfc.errors import JoseError
    from joserfc.jwk import import_key

    if jwk.get("kty") not in ("RSA", "EC", "OKP"):
        raise ValueError("not a public JWK")
    try:
        public = import_key(dict(jwk)).public_key
    except (JoseError, TypeError, KeyError, AttributeError) as error:
        raise ValueError("not a public JWK") from error
    return Verifier(kid, alg, cast(PublicKey, public))


class NotYet(Refused):
    def __init__(self, seconds: float) -> None:
        super().__init__(
            "temporarily_unavailable",
            "A new signing key is being published. Try again in a few seconds.",
            status=503,
            reason="the first key of this algorithm must not sign before every process publishes it",
            headers={"Retry-After": str(math.ceil(seconds))},
        )


def no_such_alg(name: str) -> Refused:
    return Refused(
        "unauthorized_client", "This signature algorithm is not supported.", reason=f"signature algorithm {name[:40]!r}"
    )

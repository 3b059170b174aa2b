"""Encryption of tokens for one app (JWE compact, RFC 7516; algorithms of RFC 7518): few algorithms, all bounds here.

Leaves which key of the app to use to the OIDC door. RSA1_5 and RSA-OAEP with SHA-1 are left out on purpose.
"""

from typing import TYPE_CHECKING

from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey

from idp.base.errors import Refused
from idp.domain.metadata import DEFAULT_ENC, ENCRYPTION_ALGS, ENCRYPTION_ENCS

if TYPE_CHECKING:
    from joserfc.jwk import ECKey, OKPKey, RSAKey

    EncryptionKey = RSAKey | ECKey | OKPKey

__all__ = ["DEFAULT_ENC", "ENCRYPTION_ALGS", "ENCRYPTION_ENCS", "MAX_JWE", "NotDecrypted", "decrypt", "encrypt"]

MAX_PAYLOAD = 32_768
MAX_JWE = 65_536
MAX_RSA_BITS = 8192


class NotDecrypted(ValueError):  # noqa: N818
    """No JWE, none for this key, or not of the algorithms that were expected. Says no more: a difference would be an oracle."""


def encrypt(
    payload: bytes | str, key: "EncryptionKey", alg: str, enc: str, *, cty: str | None = None, kid: str | None = None
) -> str:
    """cty: `JWT` when the payload is a signed token (RFC 7519 5.2). kid: default, that of the key.

    Raises Refused(unauthorized_client) when key and algorithms do not go together, ValueError when the payload is too long.
    """
    from joserfc import jwe
    from joserfc.errors import JoseError

    plain = payload.encode() if isinstance(payload, str) else payload
    if len(plain) > MAX_PAYLOAD:
        raise ValueError("too long to be encrypted")
    if alg not in ENCRYPTION_ALGS or enc not in ENCRYPTION_ENCS or _too_large(key):
        raise _unfit(f"encryption with {alg[:40]!r} and {enc[:40]!r} to a key of type {key.key_type}")
    header = {"alg": alg, "enc": enc, **({"cty": cty} if cty else {})}
    named = kid or key.kid
    if named:
        header["kid"] = named
    try:
        return jwe.encrypt_compact(header, plain, key, algorithms=[alg, enc])
    except (JoseError, ValueError, TypeError, AttributeError) as error:  # what a key of another kind leads to
        raise _unfit(f"{alg} with a key of type {key.key_type}: {type(error).__name__}") from None


def decrypt(token: str, key: "EncryptionKey", algs: tuple[str, ...], encs: tuple[str, ...] = ENCRYPTION_ENCS) -> bytes:
    """What is in a JWE of exactly these algorithms. Never decompresses. Raises NotDecrypted."""
    from joserfc import jwe
    from joserfc.errors import JoseError

    if len(token) > MAX_JWE or not token.isascii() or token.count(".") != 4:
        raise NotDecrypted("no JWE")
    allowed = [*(alg for alg in algs if alg in ENCRYPTION_ALGS), *(enc for enc in encs if enc in ENCRYPTION_ENCS)]
    try:
        found = jwe.decrypt_compact(token, key, algorithms=allowed)
    # The rest: how joserfc answers headers that hold an object for a string, or a point that is on no curve.
    except (JoseError, ValueError, TypeError, AttributeError, KeyError, AssertionError, RecursionError):
        raise NotDecrypted("not for this key") from None
    assert found.plaintext is not None
    return found.plaintext


def _too_large(key: "EncryptionKey") -> bool:
    """Time grows with the square of an RSA key, and the key is the app's."""
    public = key.public_key
    return isinstance(public, RSAPublicKey) and public.key_size > MAX_RSA_BITS


def _unfit(reason: str) -> Refused:
    return Refused(
        "unauthorized_client", "The encryption key of this app does not fit what it registered.", reason=reason
    )

"""Keys that live elsewhere (HSM, KMS), as the key ring needs them: loaded by name, checked, offered, opened.

Their public halves are records in the store like those of any key, so that every process publishes them before one signs.
Leaves reaching the device to whoever wrote the factory: see idp.ports.ExternalKeys and docs/keys.md.
"""

import importlib
import logging
import os
import threading
from collections.abc import Container

from cryptography.hazmat.primitives.asymmetric import rsa

from idp.base import log
from idp.base.errors import Misconfigured, Refused
from idp.crypto.algs import PublicKey, key_alg
from idp.crypto.new_keys import public_numbers, published_jwk
from idp.crypto.signers import verifier
from idp.domain.signing_key import DEFAULT_ALGS, TOKEN_USES, KeyState, KeyUse, SigningKey, slot_name
from idp.ports import ExternalKeys, ExternalSigner, Signer

SETTING = "oidc.external_keys"
MOST = 64
_log = logging.getLogger("idp.keys")


class ExternalSource:
    """path: `module:factory`. Opened at the first need, as most commands sign nothing; then every method may raise
    Misconfigured, when what the provider says is not right, or its signatures are not."""

    def __init__(self, path: str) -> None:
        self._path = path
        self._lock = threading.RLock()
        self._provider: ExternalKeys | None = None
        self._found: dict[str, ExternalSigner] = {}
        self._published: dict[str, dict[str, str]] = {}

    @property
    def _signers(self) -> dict[str, ExternalSigner]:
        if self._provider is None:
            with self._lock:
                if self._provider is None:
                    self._open()
        return self._found

    def _open(self) -> None:
        provider = _provider(self._path)
        self._look(provider)
        for use in {one.use for one in self._found.values()}:
            if all(one.alg != DEFAULT_ALGS[use] for one in self._found.values() if one.use == use):
                raise _wrong(f"no {DEFAULT_ALGS[use]} key for {use}", "Make one: keys of other algorithms come on top.")
        self._provider = provider

    def look(self) -> None:
        """Ask for the keys again: somebody may have made one. When the provider does not answer, those that are known stay."""
        with self._lock:
            if self._signers and self._provider is not None:
                try:
                    self._look(self._provider)
                except Misconfigured as error:
                    log.event(_log, "external_keys_failed", logging.WARNING, why=str(error))

    def _look(self, provider: ExternalKeys) -> None:
        """Each key is tried once, when it is first seen."""
        found = dict(self._found)
        try:
            offered = list(provider.signers())
            if len(offered) > MOST:
                raise _wrong(f"more than {MOST} keys", "Offer those that sign, and the next ones.")
            for one in offered:
                kid = _kid(one)
                if kid not in found:
                    self._published[kid] = _checked(kid, one)
                    found[kid] = one
        except Misconfigured:
            raise
        except Exception as error:
            raise _fails(self._path, error) from error
        self._found = found

    def serves(self, use: KeyUse) -> bool:
        return any(one.use == use for one in self._signers.values())

    def algs(self, use: KeyUse) -> tuple[str, ...]:
        return tuple(dict.fromkeys(one.alg for one in self._signers.values() if one.use == use))

    def offer(self, use: KeyUse, alg: str, state: KeyState, now: float, known: Container[str]) -> SigningKey | None:
        """A key that the store does not know yet, as a record of its public half; None when there is none."""
        if not any(self._fits(kid, use, alg, known) for kid in self._signers):
            self.look()
        for kid in self._signers:
            if self._fits(kid, use, alg, known):
                return SigningKey(
                    id=kid,
                    use=use,
                    alg=alg,
                    state=state,
                    created_at=now,
                    sealed_private="",
                    public_jwk=self._published[kid],
                    slot=slot_name(use, alg, state),
                    activated_at=now if state == "current" else None,
                    external=True,
                )
        return None

    def _fits(self, kid: str, use: KeyUse, alg: str, known: Container[str]) -> bool:
        one = self._signers[kid]
        return one.use == use and one.alg == alg and kid not in known

    def open(self, key: SigningKey, name: str) -> Signer:
        """Raises Refused(temporarily_unavailable) for a key that is there no more."""
        if key.id not in self._signers:
            self.look()
        if key.id not in self._signers:
            raise _failed(key.id, "the provider does not offer it")
        return _Elsewhere(key.id, name, self._signers[key.id])


class _Elsewhere:
    """A key of a provider, under the name that the header of a token bears."""

    def __init__(self, kid: str, alg: str, signer: ExternalSigner) -> None:
        self.kid = kid
        self.alg = alg
        self._signer = signer

    def sign(self, message: bytes) -> bytes:
        try:
            signature = self._signer.sign(message)
        except Exception as error:  # (somebody else's code, and a device that may be away)
            raise _failed(self.kid, type(error).__name__) from error
        if not isinstance(signature, bytes):
            raise _failed(self.kid, "its signature is no bytes")
        return signature


def source(path: str) -> ExternalSource | None:
    """path: the setting; nothing when it is empty."""
    return ExternalSource(path) if path else None


def _provider(path: str) -> ExternalKeys:
    module, _, factory = path.partition(":")
    try:
        provider: ExternalKeys = getattr(importlib.import_module(module), factory)()
    except Exception as error:  # (whatever somebody else's code raises, the cure is the same)
        raise _fails(path, error) from error
    return provider


def _kid(one: ExternalSigner) -> str:
    kid = one.kid
    if not isinstance(kid, str) or not 1 <= len(kid) <= 200 or not (kid.isascii() and kid.isprintable()):
        raise _wrong("a kid that is no short ASCII text", "Name each key, best by its RFC 7638 thumbprint.")
    return kid


def _checked(kid: str, one: ExternalSigner) -> dict[str, str]:
    """Its JWK as we publish it: made anew from the numbers, so that nothing else slips in."""
    if one.use not in TOKEN_USES:
        raise _wrong(f"key {kid} for the use {one.use!r}", f"Uses are {' and '.join(TOKEN_USES)}.")
    if set(one.public_jwk) & {"d", "p", "q", "dp", "dq", "qi", "oth", "k"}:
        raise _wrong(f"key {kid} with its private half", "Give the public one only.")
    try:
        check = verifier(kid, key_alg(one.alg), one.public_jwk)
    except ValueError as error:
        raise _wrong(f"key {kid} that does not fit {one.alg!r}: {error}", "See docs/keys.md.") from None
    if one.alg != key_alg(one.alg) or _weak(check.public):
        raise _wrong(
            f"key {kid} that is too short, or whose algorithm is not named as in docs/keys.md", "Make another one."
        )
    probe = b"sheaf " + os.urandom(16)
    if not check.good(probe, _try(kid, one, probe)):
        raise _wrong(
            f"key {kid} that signs what its public half does not verify", "Give raw JWS signatures (RFC 7518 3)."
        )
    return published_jwk(public_numbers(check.public), kid, one.alg)


def _try(kid: str, one: ExternalSigner, probe: bytes) -> bytes:
    try:
        return bytes(one.sign(probe))
    except Exception as error:
        raise _wrong(f"key {kid} that does not sign ({type(error).__name__}: {error})", "See docs/keys.md.") from error


def _weak(public: PublicKey) -> bool:
    return isinstance(public, rsa.RSAPublicKey) and public.key_size < 2048


def _fails(path: str, error: Exception) -> Misconfigured:
    why = f"{path[:200]} fails: {type(error).__name__}: {error}"
    return Misconfigured(SETTING, f"{why[:400]}.", "Set module:factory; docs/keys.md says what it gives.")


def _wrong(problem: str, cure: str) -> Misconfigured:
    return Misconfigured(SETTING, f"It offers {problem}.", cure)


def _failed(kid: str, why: str) -> Refused:
    return Refused(
        "temporarily_unavailable",
        "Signing is not possible at the moment.",
        status=503,
        reason=f"external key {kid}: {why}",
        headers={"Retry-After": "2"},
    )

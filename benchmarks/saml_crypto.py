"""Owns the figures of SAML cryptography alone: signing, verifying, encrypting, reading a whole answer, refusing bombs.

Run by itself: python -m benchmarks.saml_crypto. What a sign-in costs is in `saml`. CPU time of one thread; nothing is asserted.
"""

import time
from collections.abc import Callable

from lxml import etree

from idp.saml import response, xml
from idp.saml.encryption import AES256_CBC, AES256_GCM, decrypt, encrypt
from idp.saml.signatures import algorithm_for, public_key, sign_bytes, sign_element, signature_for, verify_element
from tests.saml import fixed
from tests.saml.measuring import growth
from tests.saml.peer import pair
from tests.saml.test_foreign_xml_bombs import BOMBS

ROUNDS = 5
KINDS = ("rsa-2048", "rsa-3072", "p-256", "p-384")


def main() -> None:
    text = fixed.assertion(signed=False).encode()
    print(
        f"{'':10}{'bare':>10}{'signature_for':>16}{'sign_element':>16}{'verify_element':>16}   ms, an assertion of {len(text)} B"
    )
    for kind in KINDS:
        print_signing(kind, text)
    print()
    print_encryption(text)
    print()
    print_reading()
    print()
    print_bombs()


def print_signing(kind: str, text: bytes) -> None:
    key = pair(kind)
    method = algorithm_for(key.private)
    signed = etree.fromstring(sign_element(etree.fromstring(text), key.private, key.certificate))
    keys = [public_key(key.certificate)]
    figures = (
        cost(lambda: sign_bytes(text, key.private, method)),
        cost(lambda: signature_for(text, "_assertion", key.private, key.certificate, method)),
        cost(lambda: sign_element(etree.fromstring(text), key.private, key.certificate, method)),
        cost(lambda: verify_element(signed, keys)),
    )
    print(f"{kind:10}{figures[0]:>10.3f}{figures[1]:>16.3f}{figures[2]:>16.3f}{figures[3]:>16.3f}")


def print_encryption(text: bytes) -> None:
    key = fixed.rsa_key(1)
    for name, method in (("AES-256-GCM", AES256_GCM), ("AES-256-CBC", AES256_CBC)):
        sealed = etree.fromstring(b"<r>" + encrypt(text, key.public_key(), "AAAA", method) + b"</r>")
        sealing = cost(lambda method=method: encrypt(text, key.public_key(), "AAAA", method))  # type: ignore[misc]
        opening = cost(lambda sealed=sealed: decrypt(sealed, [key], cbc=True))  # type: ignore[misc]
        print(f"{name:34}{sealing:8.3f} ms to encrypt, {opening:.3f} ms to decrypt")


def print_reading() -> None:
    expected = response.Expected(
        fixed.IDP, (fixed.rsa_key(0).public_key(),), fixed.SP, fixed.ACS, "_request", fixed.NOW, cbc=True
    )
    answers = {
        "answer, assertion signed": fixed.response(fixed.assertion(signed=True), signed=False),
        "answer, both signed": fixed.response(fixed.assertion(signed=True), signed=True),
        "answer, encrypted and signed": fixed.response(
            fixed.encrypted(fixed.assertion(signed=True), AES256_GCM), signed=True
        ),
    }
    for name, document in answers.items():
        spent = cost(lambda document=document: response.read(document, expected, lambda: [fixed.rsa_key(1)]))  # type: ignore[misc]
        print(f"{name:34}{spent:8.3f} ms to read")


def print_bombs() -> None:
    xml.parse(fixed.response(fixed.assertion(signed=True), signed=True), xml.PROTOCOL)
    for name, (bomb, expected, _) in BOMBS.items():
        with growth() as grown:
            started = time.process_time()
            try:
                bomb()
            except expected as refused:
                spent, why = time.process_time() - started, str(refused)
        print(f"{name:34}{spent * 1e3:8.1f} ms {grown():6.1f} MiB  {why}")


def cost(operation: Callable[[], object], enough: float = 0.1) -> float:
    """CPU milliseconds of one, the best of some rounds of at least `enough` seconds."""
    best = float("inf")
    for _ in range(ROUNDS):
        count, started = 0, time.process_time()
        while (spent := time.process_time() - started) < enough:
            operation()
            count += 1
        best = min(best, spent / count)
    return best * 1e3


if __name__ == "__main__":
    main()

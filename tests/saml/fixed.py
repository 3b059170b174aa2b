"""Keys and messages that are the same in every run, so that a mutant that is found once is found again."""

import base64
import random
from functools import cache

from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from idp.saml.encryption import AES256_CBC, AES256_GCM, OAEP
from idp.saml.signatures import signature_for
from idp.saml.xml import DS, SAML, SAMLP, XENC

NOW = 1_800_000_000.0
IDP, SP, ACS = "https://idp.example/metadata", "https://sp.example/metadata", "https://sp.example/acs"
TIMES = 'IssueInstant="2027-01-15T08:00:00Z"'
LATER = "2027-01-15T08:05:00Z"
BEARER = "urn:oasis:names:tc:SAML:2.0:cm:bearer"
PASSWORD = "urn:oasis:names:tc:SAML:2.0:ac:classes:PasswordProtectedTransport"
SUCCESS = "urn:oasis:names:tc:SAML:2.0:status:Success"
SESSION_KEY = bytes(range(32))
# SESSION_KEY for `rsa_key(1)`: OAEP is random, so it was made once.
WRAPPED = (
    "NWOWA880BnNGlKISkorpoMfoAzHunUhC0+SO0/mgLCfTmIGzbXbSuNZVDjzIOsoxWEUgavWfDgycR49q9t+7sPuMdj6wpTo0eqYU5AiQ3NLkhowm"
    "EFZAAzIctvwIHlyo3812vvH3EethOPhKQpkiaFzsp8EkNWcFAJYlqpsPbvobImHJSlb4XoiRc+Ox8cu71BnbaMaHtkeci3MhtCi8gYxWWDXk6dPx"
    "0Q8C/agbGO568sKyK3wjzAb/2XTqr0ukEq0HccJz3wPejKDyINaM3Nq1uUlMBNeDIWVxrW36z5hsSM5k4YP0YmS9OyVeXticwiDqwsLHhMW7jJXg"
    "XY1Mng=="
)


@cache
def rsa_key(seed: int) -> rsa.RSAPrivateKey:
    """A key of 2048 bits that anybody can compute: never one to use."""
    numbers = random.Random(seed)
    p, q = _prime(numbers), _prime(numbers)
    d = pow(65537, -1, (p - 1) * (q - 1))
    public = rsa.RSAPublicNumbers(65537, p * q)
    return rsa.RSAPrivateNumbers(p, q, d, d % (p - 1), d % (q - 1), pow(q, -1, p), public).private_key()


def _prime(numbers: random.Random) -> int:
    """1024 bits with the upper two set; Fermat's test to a few bases is plenty for numbers that nobody chose."""
    small = [n for n in range(3, 2000, 2) if all(n % m for m in range(3, int(n**0.5) + 1, 2))]
    while True:
        found = numbers.getrandbits(1024) | (3 << 1022) | 1
        if (
            all(found % n for n in small)
            and found % 65537 != 1
            and all(pow(b, found - 1, found) == 1 for b in (2, 3, 5))
        ):
            return found


def signature(text: str, ident: str, key: rsa.RSAPrivateKey) -> str:
    return signature_for(text.encode(), ident, key, base64.b64encode(b"not looked at").decode())


def after_issuer(text: str, inserted: str) -> str:
    return text.replace("</saml:Issuer>", "</saml:Issuer>" + inserted, 1)


def assertion(*, signed: bool) -> str:
    text = (
        f'<saml:Assertion xmlns:saml="{SAML}" ID="_assertion" {TIMES} Version="2.0"><saml:Issuer>{IDP}</saml:Issuer>'
        '<saml:Subject><saml:NameID Format="urn:oasis:names:tc:SAML:2.0:nameid-format:persistent">ada.lovelace</saml:NameID>'
        f'<saml:SubjectConfirmation Method="{BEARER}"><saml:SubjectConfirmationData InResponseTo="_request" '
        f'NotOnOrAfter="{LATER}" Recipient="{ACS}"></saml:SubjectConfirmationData></saml:SubjectConfirmation></saml:Subject>'
        f'<saml:Conditions NotBefore="2027-01-15T07:59:00Z" NotOnOrAfter="{LATER}"><saml:AudienceRestriction><saml:Audience>'
        f"{SP}</saml:Audience></saml:AudienceRestriction></saml:Conditions>"
        '<saml:AuthnStatement AuthnInstant="2027-01-15T07:58:00Z" SessionIndex="_session"><saml:AuthnContext>'
        f"<saml:AuthnContextClassRef>{PASSWORD}</saml:AuthnContextClassRef></saml:AuthnContext></saml:AuthnStatement>"
        '<saml:AttributeStatement><saml:Attribute Name="mail"><saml:AttributeValue>ada@example.org</saml:AttributeValue>'
        '</saml:Attribute><saml:Attribute Name="groups"><saml:AttributeValue>staff</saml:AttributeValue>'
        "<saml:AttributeValue>Zoë &amp; 😀</saml:AttributeValue></saml:Attribute></saml:AttributeStatement></saml:Assertion>"
    )
    return after_issuer(text, signature(text, "_assertion", rsa_key(0))) if signed else text


def response(content: str, *, signed: bool) -> bytes:
    text = (
        f'<samlp:Response xmlns:samlp="{SAMLP}" Destination="{ACS}" ID="_response" InResponseTo="_request" {TIMES} '
        f'Version="2.0"><saml:Issuer xmlns:saml="{SAML}">{IDP}</saml:Issuer><samlp:Status><samlp:StatusCode '
        f'Value="{SUCCESS}"></samlp:StatusCode></samlp:Status>{content}</samlp:Response>'
    )
    return (after_issuer(text, signature(text, "_response", rsa_key(0))) if signed else text).encode()


def encrypted(content: str, method: str) -> str:
    if method == AES256_GCM:
        cipher = b"nonce of 12." + AESGCM(SESSION_KEY).encrypt(b"nonce of 12.", content.encode(), None)
    else:
        assert method == AES256_CBC
        plain, vector = content.encode(), b"vector of 16 by."
        fill = 16 - len(plain) % 16
        encryptor = Cipher(algorithms.AES(SESSION_KEY), modes.CBC(vector)).encryptor()
        cipher = vector + encryptor.update(plain + bytes((fill,)) * fill) + encryptor.finalize()
    return (
        f'<saml:EncryptedAssertion xmlns:saml="{SAML}"><xenc:EncryptedData xmlns:xenc="{XENC}" Type="{XENC}Element">'
        f'<xenc:EncryptionMethod Algorithm="{method}"></xenc:EncryptionMethod><ds:KeyInfo xmlns:ds="{DS}"><xenc:EncryptedKey>'
        f'<xenc:EncryptionMethod Algorithm="{OAEP}"></xenc:EncryptionMethod><xenc:CipherData><xenc:CipherValue>{WRAPPED}'
        "</xenc:CipherValue></xenc:CipherData></xenc:EncryptedKey></ds:KeyInfo><xenc:CipherData><xenc:CipherValue>"
        f"{base64.b64encode(cipher).decode()}</xenc:CipherValue></xenc:CipherData></xenc:EncryptedData></saml:EncryptedAssertion>"
    )

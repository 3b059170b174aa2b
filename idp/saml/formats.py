"""The short names under which algorithms are configured, and what they stand for. No code; loads nothing heavy.

SHA-1 signatures and RSA 1.5 key transport are on no list: the first can be forged, the second tells the key one question at
a time. SHA-1 inside of OAEP is a mask, not a signature.
"""

from collections.abc import Mapping

MORE = "http://www.w3.org/2001/04/xmldsig-more#"
XENC = "http://www.w3.org/2001/04/xmlenc#"
XENC11 = "http://www.w3.org/2009/xmlenc11#"

SIGNATURES: Mapping[str, str] = {
    "rsa-sha256": f"{MORE}rsa-sha256",
    "rsa-sha384": f"{MORE}rsa-sha384",
    "rsa-sha512": f"{MORE}rsa-sha512",
    "ecdsa-sha256": f"{MORE}ecdsa-sha256",
    "ecdsa-sha384": f"{MORE}ecdsa-sha384",
}
# The key of ours that makes a signature of this name (JOSE names, as the key ring has them).
SIGNING_KEY: Mapping[str, str] = {
    "rsa-sha256": "RS256",
    "rsa-sha384": "RS256",
    "rsa-sha512": "RS256",
    "ecdsa-sha256": "ES256",
    "ecdsa-sha384": "ES384",
}
CONTENT: Mapping[str, str] = {
    "aes256-gcm": f"{XENC11}aes256-gcm",
    "aes128-gcm": f"{XENC11}aes128-gcm",
    "aes256-cbc": f"{XENC}aes256-cbc",
    "aes128-cbc": f"{XENC}aes128-cbc",
}
# rsa-oaep-mgf1p: OAEP with SHA-1, which every peer knows. rsa-oaep-sha256: with SHA-256 (XML Encryption 1.1 names).
KEY_TRANSPORT: Mapping[str, str] = {
    "rsa-oaep-mgf1p": f"{XENC}rsa-oaep-mgf1p",
    "rsa-oaep-sha256": f"{XENC11}rsa-oaep",
}

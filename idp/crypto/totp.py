"""TOTP codes (RFC 6238: SHA-1, six digits, 30 s). The only importer of pyotp.

Leaves counting, locking and accepting each step once to idp.services.factors: pyotp would accept a code again and again.
"""

import hmac
from collections.abc import Iterable

import pyotp

from idp.domain.factor import STEP_SECONDS


def new_secret() -> str:
    """160 random bits in base32 (RFC 4226 section 4, R6)."""
    return pyotp.random_base32(32)


def uri(secret: str, *, account: str, issuer: str) -> str:
    """otpauth:// URI for a QR code."""
    return pyotp.TOTP(secret).provisioning_uri(name=account, issuer_name=issuer)


def code_at(secret: str, step: int) -> str:
    return pyotp.TOTP(secret).at(step * STEP_SECONDS)


def matched_step(secret: str, code: str, steps: Iterable[int]) -> int | None:
    """The newest of `steps` whose code is `code`, else None. Looks at all of them, so that time tells nothing."""
    found = None
    for step in steps:
        if hmac.compare_digest(code_at(secret, step).encode(), code.encode()):
            found = step
    return found


def clean(code: str) -> str | None:
    """Six digits, with blanks and dashes removed as people type them; None when it cannot be a code."""
    digits = code.replace(" ", "").replace("-", "").replace("\u00a0", "")
    return digits if len(digits) == 6 and digits.isascii() and digits.isdigit() else None

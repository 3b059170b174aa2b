"""The code that a person types for a device (RFC 8628 6.1), and how often the device may ask (3.5). Pure."""

from idp.domain.grant import DeviceAuthorization

# Consonants alone: no words come about, nothing looks like a digit, and every keyboard has them.
LETTERS = "BCDFGHJKLMNPQRSTVWXZ"
CODE_LENGTH = 8  # 20^8 codes: with a thousand of them waiting, one guess in 25 million hits
INTERVAL_SECONDS = 5.0
LONGEST_INTERVAL = 60.0
LENIENCE_SECONDS = 0.5  # a device that waits for just the interval is not too soon because the network was quick
LONGEST_TYPED = 40


def canonical(typed: str) -> str | None:
    """What was typed in the one form that is stored: with or without dash and blanks, in either case. None for what can be
    no code."""
    letters = "".join(typed.split()).replace("-", "").upper() if len(typed) <= LONGEST_TYPED else ""
    return letters if len(letters) == CODE_LENGTH and set(letters) <= set(LETTERS) else None


def shown(user_code: str) -> str:
    """`WDJBMJHT` as people read it: WDJB-MJHT."""
    return f"{user_code[:4]}-{user_code[4:]}"


def polled_too_soon(waiting: DeviceAuthorization, now: float) -> bool:
    return waiting.polled_at is not None and now < waiting.polled_at + waiting.interval - LENIENCE_SECONDS

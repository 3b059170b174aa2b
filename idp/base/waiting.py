"""Whether this code may wait for another server: not where short requests are answered one after the other.

Leaves who is answered where to idp.cli.bridge.
"""

import threading
from collections.abc import Callable
from typing import ParamSpec, TypeVar

P = ParamSpec("P")
R = TypeVar("R")


class WouldWait(BaseException):
    """Not an error: the request is answered again, from its beginning, in a thread of its own. A BaseException, so that no
    `except Exception` on the way makes an answer of it."""


class _Here(threading.local):
    hurried = False


_here = _Here()


def hurried(function: Callable[P, R], *args: P.args, **named: P.kwargs) -> R:
    """Calls it here and now. Raises WouldWait when it would wait for the network."""
    _here.hurried = True
    try:
        return function(*args, **named)
    finally:
        _here.hurried = False


def about_to_wait() -> None:
    """Call before waiting, and before anything that must not be done twice when a wait may follow it. Raises WouldWait."""
    if _here.hurried:
        raise WouldWait

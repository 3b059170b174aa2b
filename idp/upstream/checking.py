"""Writes down which check of an upstream's answer held and which did not, in the order in which they were made.

Decides nothing: the check refuses. The words for each code stand in the text catalogue (`upstream_check.CODE`). Leaves keeping
them to idp.services.sign_in_records.
"""

from collections.abc import Iterator
from contextlib import contextmanager

from idp.base.errors import Refused
from idp.domain.checks import Checks


@contextmanager
def checking(checks: Checks | None, code: str, detail: str = "") -> Iterator[None]:
    """Around one check. checks: None when nobody wants to know. detail: of one that held; never a secret."""
    try:
        yield
    except Refused as refused:
        if checks is not None:
            checks.failed(code, refused.reason)
        raise
    if checks is not None:
        checks.passed(code, detail)

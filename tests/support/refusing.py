"""Calling what must refuse."""

from collections.abc import Callable

import pytest

from idp.base.errors import Refused


def refused(function: Callable[..., object], *args: object, **named: object) -> Refused:
    """The refusal; a failure of the test when there is none."""
    with pytest.raises(Refused) as caught:
        function(*args, **named)
    return caught.value

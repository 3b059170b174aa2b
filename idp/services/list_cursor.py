"""The cursor of a list that is paged: the place of the last line of a page, as text that says nothing to people.

Leaves searching and sorting to app_list and user_list.
"""

import base64

from idp.base.errors import Refused

MAX_CURSOR = 2000
Place = tuple[str, str]  # sort key, id
FRONT: Place = ("", "")


def cursor_of(place: Place) -> str:
    return base64.urlsafe_b64encode("\n".join(place).encode()).decode().rstrip("=")


def place_of(cursor: str) -> Place:
    """Raises Refused(bad_cursor)."""
    try:
        if len(cursor) > MAX_CURSOR:
            raise ValueError
        text = base64.b64decode(cursor + "=" * (-len(cursor) % 4), altchars=b"-_", validate=True).decode()
    except ValueError:
        raise Refused("bad_cursor", "This is no cursor of ours. Leave it out to begin at the front.") from None
    name, _, id = text.partition("\n")
    return name, id

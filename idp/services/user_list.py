"""The users as a list that is searched and paged, at a bounded price however many there are.

A whole user name, address or id is found among any number; words only among the first that are read. Leaves users themselves
to idp.services.manage_users.
"""

from dataclasses import dataclass

from idp.domain.user import User
from idp.services.list_cursor import FRONT, Place, cursor_of, place_of
from idp.services.manage_users import Users

MOST_READ = 20_000  # 0.4 s; of more, words are looked for in so many
MAX_SEARCH = 200


@dataclass(frozen=True, slots=True)
class UserPage:
    """total: of those that were found; next: the cursor of the page after it; complete: every user was looked at."""

    lines: tuple[User, ...]
    total: int
    next: str | None
    complete: bool


class UserList:
    def __init__(self, users: Users) -> None:
        self._users = users

    def page(self, words: str = "", *, after: str = "", limit: int = 50) -> UserPage:
        """By user name. Raises Refused(bad_cursor)."""
        place = place_of(after) if after else FRONT
        wanted = words[:MAX_SEARCH].casefold().split()
        read = self._users.all(MOST_READ + 1)
        complete = len(read) <= MOST_READ
        found = {user.id: user for user in read[:MOST_READ] if _fits(user, wanted)}
        if not complete and words.strip():
            exact = self._users.by_login(words[:MAX_SEARCH]) or self._users.get(words[:MAX_SEARCH].strip())
            found |= {exact.id: exact} if exact is not None else {}
        lines = sorted(found.values(), key=_key)
        rest = [user for user in lines if _key(user) > place]
        more = len(rest) > limit
        return UserPage(tuple(rest[:limit]), len(lines), cursor_of(_key(rest[limit - 1])) if more else None, complete)


def _fits(user: User, wanted: list[str]) -> bool:
    if not wanted:
        return True
    text = " ".join((user.username_key, user.email_key or "", user.name, user.id, *user.roles, *user.groups)).casefold()
    return all(word in text for word in wanted)


def _key(user: User) -> Place:
    return user.username_key, user.id

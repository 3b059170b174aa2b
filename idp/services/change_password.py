"""A person changes their own password: the old one is asked, counted and throttled as at the sign-in.

Leaves ending the sessions to idp.services.manage_users, and whether the sign-in was recent to the page.
"""

from idp.base.errors import Refused
from idp.crypto.passwords import Passwords
from idp.domain.user import User
from idp.services.local_login import LocalLogin
from idp.services.manage_users import Users
from idp.services.throttle import Throttles


def change_own_password(
    user: User,
    old: str,
    new: str,
    *,
    users: Users,
    passwords: Passwords,
    throttles: Throttles,
    local_login: LocalLogin,
) -> User:
    """Ends every session and grant of the user. While local login is off for them, no password is right.

    Raises Refused(wrong_old_password | too_many_attempts | weak_password)."""
    key = f"password:{user.id}"
    throttles.check(key)
    matches, _ = passwords.verify(old, user.password_hash if local_login.allows(user) else None)
    if not matches:
        throttles.fail(key)
        raise Refused("wrong_old_password", "The old password is not right.", status=401)
    throttles.clear(key)
    return users.set_password(user, new, actor=user.id)

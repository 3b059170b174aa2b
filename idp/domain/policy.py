"""Who needs a second factor. Pure."""

from dataclasses import dataclass
from typing import Literal

from idp.domain.user import User


@dataclass(frozen=True, slots=True)
class SecondFactorPolicy:
    """scope: everyone, administrators, or roles (then `roles` lists them; administrators are always included)."""

    scope: Literal["everyone", "administrators", "roles"] = "everyone"
    roles: tuple[str, ...] = ()

    def requires(self, user: User) -> bool:
        if self.scope == "everyone" or user.is_administrator:
            return True
        return self.scope == "roles" and any(role in self.roles for role in user.roles)

"""Owns the commands on roles of the companion: who is in them."""

from typing import Annotated, Final, Literal

from pydantic import Field

from idp.api.commands.common import Effect, Message, Nothing, Operation
from idp.base import claims


class NamedRole(Message):
    name: Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._:@-]{0,99}$")]


class Member(Message):
    kind: Literal["user", "client", "role"]
    id: str = Field(min_length=1, max_length=255)


class SetRole(NamedRole, Effect):
    """The role has exactly these members, beside everybody to whom the token gives it."""

    members: list[Member] = Field(max_length=1000)


class GetRole(NamedRole): ...


class DeleteRole(NamedRole, Effect): ...


class ListRoles(Message): ...


class RoleReply(Message):
    name: str
    members: list[Member]


class RolesReply(Message):
    roles: list[RoleReply]


MANAGE: Final = claims.DOCUMENTS_MANAGE
OPERATIONS: Final = (
    Operation("roles.set", SetRole, RoleReply, MANAGE, "Say who is in a role"),
    Operation("roles.get", GetRole, RoleReply, MANAGE, "Read who is in a role"),
    Operation("roles.list", ListRoles, RolesReply, MANAGE, "List the roles that are defined here"),
    Operation("roles.delete", DeleteRole, Nothing, MANAGE, "Take a role away from its members"),
)

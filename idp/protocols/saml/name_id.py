"""The NameID of a person for one service provider: which format, which value, whether it is the subject that was asked for.

Leaves what may be told to idp.services.release_saml and random names to idp.services.name_ids.
"""

import secrets
from collections.abc import Mapping

from idp.domain.relying import ServiceProvider
from idp.domain.user import User
from idp.ports import Repository
from idp.protocols.saml.errors import SamlStatus
from idp.protocols.saml.request import AuthnRequest
from idp.saml import names
from idp.saml.views import SpView
from idp.services.name_ids import persistent_name_id
from idp.services.release_saml import attributes_for, name_id_format, name_id_value

_NAMES = ("username", "email", "claim:preferred_username", "claim:email")  # fields by which people are asked for
NameId = Mapping[str, str]  # `value` and XML attributes, as SamlParticipant.name_id


def name_id_for(
    repo: Repository, request: AuthnRequest, sp: ServiceProvider, view: SpView, user: User, entity_id: str, now: float
) -> NameId:
    """Raises SamlStatus(InvalidNameIDPolicy | UnknownPrincipal)."""
    chosen = name_id_format(sp, view.name_id_formats, request.name_id_format)
    value = _value(repo, chosen, request, sp, user, now)
    if request.subject is not None and not _is_subject(repo, request, sp, user, now):
        raise SamlStatus(request, names.UNKNOWN_PRINCIPAL, f"user {user.id} is not the Subject that the request names")
    if chosen in (names.PERSISTENT, names.TRANSIENT):
        return {"Format": chosen, "NameQualifier": entity_id, "SPNameQualifier": sp.id, "value": value}
    return {"Format": chosen, "value": value}


def _value(repo: Repository, chosen: str, request: AuthnRequest, sp: ServiceProvider, user: User, now: float) -> str:
    if chosen == names.PERSISTENT:
        return persistent_name_id(repo, user.id, sp.id, now)
    if chosen == names.TRANSIENT:
        return f"_{secrets.token_hex(16)}"
    value, why = name_id_value(sp, user, chosen)
    if not value:
        raise SamlStatus(request, names.INVALID_NAME_ID_POLICY, f"no {chosen} for user {user.id} at {sp.id!r}: {why}")
    return value


def _is_subject(repo: Repository, request: AuthnRequest, sp: ServiceProvider, user: User, now: float) -> bool:
    """Core 3.4.1.4: the answer must be about the very subject that was asked for."""
    asked = (request.subject or "").casefold()
    if request.subject_format == names.PERSISTENT:
        return request.subject == persistent_name_id(repo, user.id, request.sp_id, now)
    if not asked or request.subject_format not in ("", names.EMAIL, names.UNSPECIFIED):
        return False
    return asked in {one.casefold() for one in _known_as(sp, user)}


def _known_as(sp: ServiceProvider, user: User) -> list[str]:
    """Only what this service provider may be told: else it could try names until one is right."""
    told = [value for one in attributes_for(sp, user) if one.source_field in _NAMES for value in one.values]
    return [*told, *(name_id_value(sp, user, one)[0] for one in (names.EMAIL, names.UNSPECIFIED))]

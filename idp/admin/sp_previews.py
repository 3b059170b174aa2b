"""What a service provider would be told about a person: NameID and attributes. Nothing is issued and nothing signed.

Leaves which attributes are released to idp.services.release_saml, which the door asks as well.
"""

from typing import Any

from idp.base.errors import Refused
from idp.domain.relying import PersistentNameId, ServiceProvider
from idp.http.parts import Parts
from idp.saml.names import PERSISTENT
from idp.services.release_saml import Preview, preview


def preview_for(parts: Parts, sp: ServiceProvider, login: str) -> tuple[Preview, str]:
    """And the persistent NameID that the person has there already, empty for none. login: user name or e-mail.

    Raises Refused(unknown_user | no_such_app).
    """
    person, known = parts.users.by_login(login), parts.providers.get(sp.id)
    if person is None:
        raise Refused("unknown_user", "There is no user of this name.", status=404)
    found = preview(known[0] if known else sp, known[1] if known else None, person)
    names = (
        parts.repo.find(PersistentNameId, user_id=person.id, sp_id=sp.id) if found.name_id_format == PERSISTENT else []
    )
    return found, names[0].id if names else ""


def as_json(found: Preview, persistent: str) -> dict[str, Any]:
    return {
        "name_id": {
            "format": found.name_id_format,
            "value": found.name_id or persistent or None,
            "why_none": found.name_id_why or None,
        },
        "attributes": [
            {
                "name": one.name,
                "friendly_name": one.friendly_name,
                "name_format": one.name_format,
                "field": one.source_field,
                "values": list(one.values),
                "left_out": list(one.left_out),
                "why": one.why or None,
            }
            for one in found.attributes
        ],
        "wanted": [
            {"name": one.name, "friendly_name": one.friendly_name, "required": one.required} for one in found.wanted
        ],
    }

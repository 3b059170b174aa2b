"""Metadata Query (MDQ, draft-young-md-query and its SAML profile): the address of one entity, and what comes back.

Leaves asking, keeping and bounding how often to idp.services.metadata.query.
"""

from collections.abc import Sequence
from urllib.parse import quote

from idp.saml import xml
from idp.saml.aggregate import Entry
from idp.saml.metadata_document import Found, Problem, find
from idp.saml.signed_metadata import verified
from idp.saml.sp_metadata import ROLE, name_of


def address(base: str, entity_id: str) -> str:
    """base: of the server, with or without a slash at its end."""
    return f"{base.rstrip('/')}/entities/{quote(entity_id, safe='')}"


def answered(text: bytes, certificates: Sequence[str], entity_id: str) -> tuple[Entry, Found]:
    """The service provider that was asked for, as the server has signed it. Raises Problem."""
    found = find(verified(text, certificates, entity_id), ROLE, entity_id)
    try:
        metadata = xml.canonical(found.entity).decode()
    except xml.BadXml as error:
        raise Problem(str(error)) from None
    return Entry(entity_id, name_of(found) or entity_id, metadata, found.valid_until), found

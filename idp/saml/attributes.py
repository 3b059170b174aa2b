"""The attributes of an assertion: reading them, and the names under which identity providers send what we know.

Leaves which of them are trusted, and the person that they make, to idp.upstream. Loads nothing heavy.
"""

from collections.abc import Mapping
from typing import Any

SAML = "urn:oasis:names:tc:SAML:2.0:assertion"
BLANKS = " \t\r\n"  # of XML; `ada` with a U+00A0 behind it may be somebody else
MAX_ATTRIBUTES = 200
MAX_VALUES = 2_000  # of one attribute; group lists of large directories
MAX_VALUE = 2_000

EDU = "urn:oid:1.3.6.1.4.1.5923.1.1.1."
WS = "http://schemas.xmlsoap.org/ws/2005/05/identity/claims/"
MS = "http://schemas.microsoft.com/"
EPPN, SCOPED_AFFILIATION = f"{EDU}6", f"{EDU}9"
SUBJECT_ID = "urn:oasis:names:tc:SAML:attribute:subject-id"
PAIRWISE_ID = "urn:oasis:names:tc:SAML:attribute:pairwise-id"

# Field of ours -> names under which it may come; the first one that has a value counts.
Preset = Mapping[str, tuple[str, ...]]
OID: Preset = {
    "email": ("urn:oid:0.9.2342.19200300.100.1.3", "urn:oid:1.2.840.113549.1.9.1"),
    "name": ("urn:oid:2.16.840.1.113730.3.1.241", "urn:oid:2.5.4.3"),
    "given_name": ("urn:oid:2.5.4.42",),
    "family_name": ("urn:oid:2.5.4.4",),
    "username": ("urn:oid:0.9.2342.19200300.100.1.1",),
    "groups": ("urn:oid:1.3.6.1.4.1.5923.1.5.1.1",),
}
BASIC: Preset = {
    "email": ("mail", "email", "emailAddress", "Email"),
    "name": ("displayName", "cn", "name", "DisplayName"),
    "given_name": ("givenName", "firstName", "first_name", "FirstName"),
    "family_name": ("sn", "surname", "lastName", "last_name", "LastName"),
    "username": ("uid", "username", "preferred_username", "login"),
    "groups": ("isMemberOf", "memberOf", "groups", "Group"),
}
EDUPERSON: Preset = {
    **OID,
    "username": (EPPN, "urn:mace:dir:attribute-def:eduPersonPrincipalName", *OID["username"]),
    "email": (*OID["email"], "urn:mace:dir:attribute-def:mail"),
    "name": (*OID["name"], "urn:mace:dir:attribute-def:displayName", "urn:mace:dir:attribute-def:cn"),
    "groups": (*OID["groups"], f"{EDU}7"),
}
ADFS: Preset = {
    "email": (f"{WS}emailaddress",),
    "name": ("http://schemas.microsoft.com/identity/claims/displayname", f"{WS}name"),
    "given_name": (f"{WS}givenname",),
    "family_name": (f"{WS}surname",),
    "username": (f"{WS}upn", f"{MS}ws/2008/06/identity/claims/windowsaccountname"),
    "groups": (f"{MS}ws/2008/06/identity/claims/groups", f"{WS}Group", f"{MS}ws/2008/06/identity/claims/role"),
}
AZURE_AD: Preset = {
    **ADFS,
    "username": (f"{WS}name", f"{WS}upn"),
    "name": (f"{MS}identity/claims/displayname",),
}
PRESETS: Mapping[str, tuple[Preset, ...]] = {
    "auto": (EDUPERSON, ADFS, BASIC),
    "oid": (OID,),
    "eduperson": (EDUPERSON,),
    "basic": (BASIC,),
    "adfs": (ADFS,),
    "azure_ad": (AZURE_AD,),
}
FIELDS = tuple(OID)

# What people call the attribute that names a person for ever, for the setting subject_attribute -> names under which it comes.
SUBJECTS: Mapping[str, tuple[str, ...]] = {
    "upn": (f"{WS}upn",),
    "nameidentifier": (f"{WS}nameidentifier",),
    "emailaddress": (f"{WS}emailaddress",),
    "windowsaccountname": (f"{MS}ws/2008/06/identity/claims/windowsaccountname",),
    "primarysid": (f"{MS}ws/2008/06/identity/claims/primarysid",),
    "ppid": (f"{WS}privatepersonalidentifier",),
    "objectidentifier": (f"{MS}identity/claims/objectidentifier",),
    "uid": ("urn:oid:0.9.2342.19200300.100.1.1", "urn:mace:dir:attribute-def:uid", "uid"),
    "mail": ("urn:oid:0.9.2342.19200300.100.1.3", "urn:mace:dir:attribute-def:mail", "mail"),
    "employeeNumber": ("urn:oid:2.16.840.1.113730.3.1.3", "employeeNumber"),
    "eppn": (EPPN, "urn:mace:dir:attribute-def:eduPersonPrincipalName", "eduPersonPrincipalName"),
    "eduPersonUniqueId": (f"{EDU}13", "eduPersonUniqueId"),
    "eduPersonTargetedID": (f"{EDU}10", "eduPersonTargetedID"),
    "subject-id": (SUBJECT_ID, "subject-id"),
    "pairwise-id": (PAIRWISE_ID, "pairwise-id"),
}
# `user@scope`: an identity provider may speak only for the scopes that its metadata names.
SCOPED = frozenset(
    {
        SCOPED_AFFILIATION,
        *(name for key in ("eppn", "eduPersonUniqueId", "subject-id", "pairwise-id") for name in SUBJECTS[key]),
    }
)


def read(assertion: Any) -> dict[str, tuple[str, ...]]:
    """Name -> values of every AttributeStatement, bounded; what goes beyond is left out. Encrypted ones are not read."""
    found: dict[str, list[str]] = {}
    for attribute in assertion.iterfind(f"{{{SAML}}}AttributeStatement/{{{SAML}}}Attribute"):
        name = attribute.get("Name", "").strip(BLANKS)
        if not name or len(name) > 500 or (name not in found and len(found) >= MAX_ATTRIBUTES):
            continue
        values = found.setdefault(name, [])
        for value in attribute.iterfind(f"{{{SAML}}}AttributeValue"):
            said = "".join(value.itertext()).strip(BLANKS)
            if said and len(said) <= MAX_VALUE and len(values) < MAX_VALUES:
                values.append(said)
    return {name: tuple(values) for name, values in found.items() if values}

"""Names that SAML peers agree on: name-ID formats, attributes, authentication contexts, status codes. No code.

Imported by the routes and the command line, so it must not load pysaml2.
"""

PERSISTENT = "urn:oasis:names:tc:SAML:2.0:nameid-format:persistent"
TRANSIENT = "urn:oasis:names:tc:SAML:2.0:nameid-format:transient"
EMAIL = "urn:oasis:names:tc:SAML:1.1:nameid-format:emailAddress"
UNSPECIFIED = "urn:oasis:names:tc:SAML:1.1:nameid-format:unspecified"
ENTITY = "urn:oasis:names:tc:SAML:2.0:nameid-format:entity"
NAME_ID_FORMATS = (PERSISTENT, TRANSIENT, EMAIL, UNSPECIFIED)
SHORT_FORMATS = {"persistent": PERSISTENT, "transient": TRANSIENT, "email": EMAIL, "unspecified": UNSPECIFIED}

MDUI = "urn:oasis:names:tc:SAML:metadata:ui"  # namespace of what people see of a peer
FIELDS = ("username", "email", "name", "id", "roles", "groups")
URI_NAME = "urn:oasis:names:tc:SAML:2.0:attrname-format:uri"
BASIC_NAME = "urn:oasis:names:tc:SAML:2.0:attrname-format:basic"
UID, MAIL, DISPLAY_NAME = (
    "urn:oid:0.9.2342.19200300.100.1.1",
    "urn:oid:0.9.2342.19200300.100.1.3",
    "urn:oid:2.16.840.1.113730.3.1.241",
)
DEFAULT_ATTRIBUTES = {UID: "username", MAIL: "email", DISPLAY_NAME: "name"}
FRIENDLY_NAMES = {
    UID: "uid",
    MAIL: "mail",
    DISPLAY_NAME: "displayName",
    "urn:oid:2.5.4.3": "cn",
    "urn:oid:2.5.4.4": "sn",
    "urn:oid:2.5.4.10": "o",
    "urn:oid:2.5.4.20": "telephoneNumber",
    "urn:oid:2.5.4.42": "givenName",
    "urn:oid:2.16.840.1.113730.3.1.3": "employeeNumber",
    "urn:oid:2.16.840.1.113730.3.1.39": "preferredLanguage",
    "urn:oid:1.3.6.1.4.1.5923.1.1.1.1": "eduPersonAffiliation",
    "urn:oid:1.3.6.1.4.1.5923.1.1.1.5": "eduPersonPrimaryAffiliation",
    "urn:oid:1.3.6.1.4.1.5923.1.1.1.6": "eduPersonPrincipalName",
    "urn:oid:1.3.6.1.4.1.5923.1.1.1.7": "eduPersonEntitlement",
    "urn:oid:1.3.6.1.4.1.5923.1.1.1.9": "eduPersonScopedAffiliation",
    "urn:oid:1.3.6.1.4.1.5923.1.1.1.11": "eduPersonAssurance",
    "urn:oid:1.3.6.1.4.1.5923.1.1.1.13": "eduPersonUniqueId",
    "urn:oid:1.3.6.1.4.1.5923.1.1.1.16": "eduPersonOrcid",
    "urn:oid:1.3.6.1.4.1.5923.1.5.1.1": "isMemberOf",
    "urn:oid:1.3.6.1.4.1.25178.1.2.9": "schacHomeOrganization",
    "urn:oasis:names:tc:SAML:attribute:subject-id": "subject-id",
}

CLASSES = "urn:oasis:names:tc:SAML:2.0:ac:classes:"
PASSWORD_TRANSPORT = f"{CLASSES}PasswordProtectedTransport"
UNSPECIFIED_CONTEXT = f"{CLASSES}unspecified"
MFA = "https://refeds.org/profile/mfa"

STATUS = "urn:oasis:names:tc:SAML:2.0:status:"
SUCCESS, REQUESTER, RESPONDER = f"{STATUS}Success", f"{STATUS}Requester", f"{STATUS}Responder"
AUTHN_FAILED = f"{STATUS}AuthnFailed"
INVALID_NAME_ID_POLICY = f"{STATUS}InvalidNameIDPolicy"
NO_AUTHN_CONTEXT = f"{STATUS}NoAuthnContext"
NO_PASSIVE = f"{STATUS}NoPassive"
REQUEST_DENIED = f"{STATUS}RequestDenied"
REQUEST_UNSUPPORTED = f"{STATUS}RequestUnsupported"
UNKNOWN_PRINCIPAL = f"{STATUS}UnknownPrincipal"
UNSUPPORTED_BINDING = f"{STATUS}UnsupportedBinding"

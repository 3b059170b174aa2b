"""SAML as bytes: XML, signatures, encryption, bindings, what metadata says. Both sides build on it: the door for service
providers (idp.protocols.saml) and the upstream kinds. Knows no HTTP, no store and no session.

Importing this package, `names` or `formats` loads neither pysaml2 nor lxml.
"""

"""SAML 2.0 identity provider: foreign XML comes in through `inbound`, answers leave through `outbound`.

Importing `routes` loads neither pysaml2 nor lxml; the first SAML request does.
"""

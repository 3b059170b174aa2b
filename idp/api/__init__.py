"""The companion API: documents and queues, every request under its own token. Imports nothing of Sheaf but idp.base.

It knows the identity provider only as a URL: discovery, JWKS, introspection. The identity provider never calls it.
"""

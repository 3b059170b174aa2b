"""LDAP version 3 as a client that reads people and their groups (RFC 4511): bytes, filters, names, one connection."""

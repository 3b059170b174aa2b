"""Sheaf: an identity provider that ties many logins into one identity."""

__version__ = "0.1.0"

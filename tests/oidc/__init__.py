"""Tests of the OpenID Connect front door and of the keys that sign its tokens."""

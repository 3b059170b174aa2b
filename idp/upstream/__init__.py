"""Upstream kinds: found, checked and opened by registry; one file each in kinds."""

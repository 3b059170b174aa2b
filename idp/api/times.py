"""Owns how the companion writes a time: RFC 3339, UTC, always microseconds, so that it sorts as text."""

from datetime import UTC, datetime


def timestamp(at: float) -> str:
    """`at` in epoch seconds."""
    return datetime.fromtimestamp(at, UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")

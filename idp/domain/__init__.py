"""Frozen dataclasses and pure decisions. No I/O, no framework, no clock: time and randomness are passed in."""

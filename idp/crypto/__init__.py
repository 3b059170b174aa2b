"""Cryptography at rest and of people: passwords, TOTP, sealing, signing keys."""

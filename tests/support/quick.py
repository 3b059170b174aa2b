"""Owns what an application in this process needs and a run makes only once, or only when it is used: signing keys,
compiled templates, functions that build addresses.

Tests of how keys are made, published and rotated make their own (tests/oidc/test_keys.py, and the real installations).
"""

import base64
from typing import Any

from flask import Flask
from jinja2 import BytecodeCache
from jinja2.bccache import Bucket
from werkzeug.routing import Rule

from idp.crypto.algs import ID_TOKEN_ALGS
from idp.crypto.new_keys import make_key
from idp.crypto.seal import Seal
from idp.domain.signing_key import KeyState, KeyUse
from idp.ports import Repository
from tests.support.clock import START

SEAL_KEY = bytes(range(32))
SEAL_KEY_TEXT = base64.b64encode(SEAL_KEY).decode()  # for the setting `seal_key`
KINDS: tuple[tuple[KeyUse, str], ...] = (
    *(("id_token", alg) for alg in ID_TOKEN_ALGS),
    ("access_token", "ES256"),
    ("saml", "RS256"),
)
STATES: tuple[KeyState, ...] = ("current", "next")


def furnish(repo: Repository) -> None:
    """Put a current and a next key for every use and algorithm into an empty store; its settings must name SEAL_KEY_TEXT."""
    for use, alg in KINDS:
        for state in STATES:
            repo.insert(make_key(use, state, Seal(SEAL_KEY), START, alg))


class _Compiled(BytecodeCache):
    """Templates in memory, known by their text."""

    def __init__(self) -> None:
        self.kept: dict[tuple[str, str], bytes] = {}

    def load_bytecode(self, bucket: Bucket) -> None:
        if kept := self.kept.get((bucket.key, bucket.checksum)):
            bucket.bytecode_from_string(kept)

    def dump_bytecode(self, bucket: Bucket) -> None:
        self.kept[bucket.key, bucket.checksum] = bucket.bytecode_to_string()


_COMPILED = _Compiled()


def quick(app: Flask) -> Flask:
    """The same application, with the templates that others have compiled already."""
    app.jinja_env.bytecode_cache = _COMPILED
    return app


def build_addresses_when_asked() -> None:
    """Werkzeug compiles two functions for every route of every application; of 200 routes a test builds the address of none
    or one. Half of the time that tests took went there."""
    at_once = Rule._compile_builder

    def when_asked(rule: Rule, append_unknown: bool = True) -> Any:
        made: list[Any] = []

        def build(rule: Rule, **values: Any) -> Any:
            if not made:
                made.append(at_once(rule, append_unknown))
            return made[0](rule, **values)

        return build

    Rule._compile_builder = when_asked  # type: ignore[method-assign]

"""Owns what an app does to authenticate with a JWT in tests (RFC 7523): good assertions, and such with one thing wrong."""

import json
from typing import Any

from joserfc.jwk import Key
from werkzeug.test import TestResponse

from tests.oidc.house import ISSUER, App, House
from tests.support.proofs import make_key, signed, without_none

TYPE = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"
KEY = make_key("ES256", "k1")
ALGS = ("ES256", "ES384", "PS256", "RS256", "Ed25519", "EdDSA")
NOT_AUTHENTICATED = "The app could not be authenticated."


def jwks(*keys: Key, **more: Any) -> str:
    return json.dumps({"keys": [{**key.as_dict(private=False), **more} for key in keys]})


_COUNT = iter(range(10_000_000))


def claims_of(house: House, app_id: str, **changes: Any) -> dict[str, Any]:
    """A claim that is None is left out."""
    now = int(house.clock())
    usual = {"iss": app_id, "sub": app_id, "aud": ISSUER, "exp": now + 60, "iat": now, "jti": f"j{next(_COUNT)}"}
    return without_none({**usual, **changes})


def assertion(
    house: House,
    app: App,
    key: Key | bytes = KEY,
    alg: str = "ES256",
    header: dict[str, Any] | None = None,
    **changes: Any,
) -> str:
    return signed(without_none({"alg": alg, **(header or {})}), claims_of(house, app.id, **changes), key)


def ask(house: House, given: str | None, path: str = "/token", **form: str | None) -> TestResponse:
    body = {"grant_type": "client_credentials", "client_assertion": given, "client_assertion_type": TYPE, **form}
    return house.app.test_client().post(path, data=without_none(body))


def refused(house: House, answer: TestResponse) -> str:
    return str(house.refused(answer, 401, "invalid_client")["error_description"])

"""Owns how a test gets tokens for what an app asked for, without the pages in between, and keys to encrypt to."""

import json
from collections.abc import Mapping
from typing import Any, cast

from joserfc.jwk import ECKey, RSAKey

from idp.protocols.oidc.door import Door
from idp.services.issue_grant import Allowed
from tests.oidc.house import CALLBACK, CHALLENGE, App, House, Person


def door(house: House) -> Door:
    found: Door = house.app.extensions["sheaf_oidc"]
    return found


def tokens(
    house: House, person: Person, app: App, *scopes: str, claims: Mapping[str, Any] | None = None, **more: Any
) -> dict[str, Any]:
    """The token answer for what was asked and allowed; consent is whatever the store says."""
    allowed = Allowed(
        ("openid", *scopes), app.client.audiences, CALLBACK, CHALLENGE, "n-1", claims=claims or {}, **more
    )
    code = door(house).issue.issue_code(app.client, person.user, person.session, allowed)
    answer = house.redeem(app, code)
    assert answer.status_code == 200, answer.text
    return cast(dict[str, Any], answer.json)


def key_pair(alg: str) -> tuple[RSAKey | ECKey, str]:
    """A private key for this JWE algorithm, and the JWK set that its app registers."""
    key = RSAKey.generate_key(2048) if alg.startswith("RSA") else ECKey.generate_key("P-256")
    public = {**key.as_dict(private=False), "use": "enc", "alg": alg, "kid": "enc-1"}
    return key, json.dumps({"keys": [public]})

"""Owns an app of the FAPI 2.0 Security Profile in tests: it pushes, signs its assertions with PS256 and proves its key.

What each module of the plan claims is left to test_certification_fapi2.
"""

import itertools
from typing import Any

from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from tests.oidc.app_keys import AppKeys
from tests.oidc.certified import ASSERTION_TYPE
from tests.oidc.house import CALLBACK, ISSUER, VERIFIER, House, Person, sent_back
from tests.support.proofs import Prover

_COUNT = itertools.count(1)


class Bank:
    """A change that is None leaves a parameter out."""

    def __init__(self, house: House, id: str = "bank", keys: AppKeys | None = None, **more: Any) -> None:
        self.house, self.keys = house, keys or AppKeys("PS256")
        self.prover = Prover(house.clock, "ES256")
        fields = {
            "profile": "fapi2",
            "auth_method": "private_key_jwt",
            "jwks": self.keys.jwks,
            "grant_types": ("authorization_code", "refresh_token"),
            **more,
        }
        self.app = house.client(id, **fields)
        self.id = self.app.id

    # -- what it signs

    def assertion(self, header: dict[str, Any] | None = None, **changes: Any) -> str:
        now = int(self.house.clock())
        said = {
            "iss": self.id,
            "sub": self.id,
            "aud": ISSUER,
            "iat": now,
            "nbf": now,
            "exp": now + 60,
            "jti": f"a{next(_COUNT)}",
        }
        claims = {name: value for name, value in {**said, **changes}.items() if value is not None}
        return self.keys.sign(claims, **{"typ": None, **(header or {})})

    def proof(self, path: str, method: str = "POST", token: str | None = None, **changes: Any) -> str:
        return self.prover.proof(method, ISSUER + path, token, **changes)

    def authenticated(self, given: str | None = None) -> dict[str, str]:
        return {"client_assertion_type": ASSERTION_TYPE, "client_assertion": given or self.assertion()}

    # -- what it sends

    def post(self, path: str, form: dict[str, str | None], proof: str | None = None) -> TestResponse:
        data = {name: value for name, value in form.items() if value is not None}
        headers = {"DPoP": proof} if proof else {}
        return self.house.app.test_client().post(path, data=data, headers=headers)

    def push(self, proof: str | None = None, **changes: str | None) -> TestResponse:
        asked: dict[str, str | None] = {**self.house.request_of(self.app), **self.authenticated(), **changes}
        return self.post("/par", asked, proof)

    def pushed(self, proof: str | None = None, **changes: str | None) -> str:
        answer = self.push(proof, **changes)
        assert answer.status_code == 201, answer.text
        assert answer.get_json()["expires_in"] < 600
        return str(answer.get_json()["request_uri"])

    def use(self, browser: FlaskClient, uri: str, **outside: str) -> TestResponse:
        return browser.get("/authorize", query_string={"client_id": self.id, "request_uri": uri, **outside})

    def heard(self, person: Person, proof: str | None = None, **changes: str | None) -> dict[str, str]:
        """What it is told after the person was at the authorization endpoint."""
        answer = self.use(person.browser, self.pushed(proof, **changes))
        assert answer.status_code == 303, answer.text
        heard = sent_back(answer)
        assert heard["iss"] == ISSUER
        return heard

    def redeem(self, code: str, *, proof: str | None = "", **changes: str | None) -> TestResponse:
        """proof: None for none."""
        form: dict[str, str | None] = {"grant_type": "authorization_code", "code": code, "redirect_uri": CALLBACK}
        form |= {"code_verifier": VERIFIER, **self.authenticated(), **changes}
        return self.post("/token", form, self.proof("/token") if proof == "" else proof)

    def sign_in(self, person: Person, **changes: str | None) -> dict[str, Any]:
        answer = self.redeem(self.heard(person, **changes)["code"])
        assert answer.status_code == 200, answer.text
        tokens: dict[str, Any] = answer.get_json()
        assert tokens["token_type"] == "DPoP"
        return tokens

    def refresh(self, token: str, proof: str | None = "", **changes: str | None) -> TestResponse:
        form = {"grant_type": "refresh_token", "refresh_token": token, **self.authenticated(), **changes}
        return self.post("/token", form, self.proof("/token") if proof == "" else proof)

    def userinfo(self, token: str, proof: str | None = "", scheme: str = "DPoP") -> TestResponse:
        shown = self.proof("/userinfo", "GET", token) if proof == "" else proof
        headers = {"Authorization": f"{scheme} {token}", **({"DPoP": shown} if shown else {})}
        return self.house.app.test_client().get("/userinfo", headers=headers)

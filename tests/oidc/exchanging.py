"""Owns who exchanges tokens in tests (RFC 8693): an app that people use, a service behind it, and their requests."""

from typing import Any

from werkzeug.test import TestResponse

from tests.oidc.house import API, ISSUER, App, House, basic
from tests.support.proofs import Prover

GRANT = "urn:ietf:params:oauth:grant-type:token-exchange"
TYPES = "urn:ietf:params:oauth:token-type:"
ACCESS, ID = TYPES + "access_token", TYPES + "id_token"
INNER = "urn:example:inner"
SCOPES = ("openid", "profile", "documents.read", "documents.write")


def front(house: House, **more: Any) -> App:
    """The app that people use; its tokens are for the service and the inner one."""
    fields = {
        "scopes": SCOPES,
        "audiences": (API, INNER),
        "grant_types": ("authorization_code", "refresh_token", GRANT),
        **more,
    }
    return house.client("front", **fields)


def service(house: House, id: str = "service", **more: Any) -> App:
    """A service behind it that calls an inner one."""
    fields: dict[str, Any] = {
        "grant_types": ("client_credentials", GRANT),
        "redirect_uris": (),
        "scopes": ("documents.read", "queues.publish"),
        "audiences": (API, INNER),
        **more,
    }
    return house.client(id, **fields)


def exchange(house: House, app: App, token: str, *, prover: Prover | None = None, **form: str) -> TestResponse:
    body = {"grant_type": GRANT, "subject_token": token, "subject_token_type": ACCESS, **form}
    headers = {"Authorization": basic(app.id, app.secret)}
    if prover is not None:
        headers["DPoP"] = prover.proof("POST", f"{ISSUER}/token")
    return house.app.test_client().post("/token", data=body, headers=headers)


def good(house: House, answer: TestResponse) -> dict[str, Any]:
    assert answer.status_code == 200, answer.text
    said = answer.get_json()
    assert said["issued_token_type"] == ACCESS
    assert not {"refresh_token", "id_token"} & set(said)
    return house.read(said["access_token"], "ES256").claims

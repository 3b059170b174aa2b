"""Owns requests of apps that show a certificate to the proxy in front of us, in tests (RFC 8705)."""

from typing import Any
from urllib.parse import quote

from werkzeug.test import TestResponse

from tests.oidc.house import App, House
from tests.support.proofs import Certificate

PROXY, STRANGER = "10.1.2.3", "192.0.2.1"
SERVER = {"client_certificate_header": "X-Client-Cert", "proxy_addresses": ["10.0.0.0/8"]}


def post(
    house: House, app: App, held: Certificate | None, path: str = "/token", peer: str = PROXY, **more: Any
) -> TestResponse:
    headers = dict(more.pop("headers", {}))
    if held is not None:
        headers["X-Client-Cert"] = quote(held.pem)
    body = {"grant_type": "client_credentials", "client_id": app.id, **more}
    return house.app.test_client().post(path, data=body, headers=headers, environ_base={"REMOTE_ADDR": peer})


def by_name(house: House, **names: str) -> App:
    return house.client(
        auth_method="tls_client_auth", **{f"tls_client_auth_{kind}": text for kind, text in names.items()}
    )

"""Owns the claims about tokens that are bound to a client certificate (RFC 8705 3), and what discovery says about them (3.3, 5).

Authentication with certificates is left to test_mtls.
"""

import base64
from collections.abc import Callable
from typing import Any
from urllib.parse import quote

import pytest
from werkzeug.test import TestResponse

from idp.base.errors import Misconfigured
from idp.domain.relying import Client
from tests.oidc.certificates import PROXY, SERVER, STRANGER, by_name, post
from tests.oidc.house import CALLBACK, ISSUER, VERIFIER, App, House
from tests.support.clock import FakeClock
from tests.support.proofs import Certificate, Prover, certificate, readable

# ---------------------------------------------------------------- bound tokens


def bound_app(house: House, **more: Any) -> App:
    return house.client(auth_method="client_secret_post", tls_client_certificate_bound_access_tokens=True, **more)


def token_of(house: House, app: App, held: Certificate, **more: Any) -> str:
    code = house.code(house.person(), app)
    form = {"grant_type": "authorization_code", "code": code, "redirect_uri": CALLBACK, "code_verifier": VERIFIER}
    answer = post(house, app, held, client_secret=app.secret, **form, **more)
    assert answer.status_code == 200, answer.text
    assert answer.json is not None
    return str(answer.json["access_token"])


def info(house: House, token: str, held: Certificate | None, peer: str = PROXY, **headers: str) -> TestResponse:
    sent = {"Authorization": f"Bearer {token}", **headers}
    if held is not None:
        sent["X-Client-Cert"] = quote(held.pem)
    return house.app.test_client().get("/userinfo", headers=sent, environ_base={"REMOTE_ADDR": peer})


def test_a_bound_token_names_the_certificate_and_works_with_it_only(behind_proxy: House) -> None:
    app, held, other = bound_app(behind_proxy), certificate(behind_proxy.clock), certificate(behind_proxy.clock)
    token = token_of(behind_proxy, app, held)
    assert readable(token)[1]["cnf"] == {"x5t#S256": held.thumbprint}
    assert behind_proxy.introspect(app, token)["cnf"] == {"x5t#S256": held.thumbprint}
    assert info(behind_proxy, token, held).status_code == 200
    for wrong in (
        info(behind_proxy, token, other),
        info(behind_proxy, token, None),
        info(behind_proxy, token, held, STRANGER),
    ):
        behind_proxy.refused(wrong, 401, "invalid_token")
        assert wrong.headers["WWW-Authenticate"].startswith("Bearer ")


def test_an_app_whose_tokens_are_bound_gets_none_without_a_certificate(behind_proxy: House) -> None:
    app = bound_app(behind_proxy)
    behind_proxy.refused(post(behind_proxy, app, None, client_secret=app.secret), 400, "invalid_request")


def test_a_token_may_be_bound_to_a_certificate_and_a_dpop_key(behind_proxy: House, clock: FakeClock) -> None:
    app, held, prover = bound_app(behind_proxy), certificate(clock), Prover(clock)
    token = token_of(behind_proxy, app, held, headers={"DPoP": prover.proof("POST", f"{ISSUER}/token")})
    assert readable(token)[1]["cnf"] == {"x5t#S256": held.thumbprint, "jkt": prover.jkt}

    def proof() -> dict[str, str]:
        return {"Authorization": f"DPoP {token}", "DPoP": prover.proof("GET", f"{ISSUER}/userinfo", token)}

    assert info(behind_proxy, token, held, **proof()).status_code == 200
    behind_proxy.refused(info(behind_proxy, token, None, **proof()), 401, "invalid_token")
    behind_proxy.refused(info(behind_proxy, token, held), 401, "invalid_token")


def test_a_certificate_binds_only_where_the_app_or_its_profile_wants_it(behind_proxy: House) -> None:
    held = certificate(behind_proxy.clock)
    plain = by_name(behind_proxy, subject_dn="CN=shop")
    answer = post(behind_proxy, plain, held)
    assert answer.json is not None
    assert "cnf" not in readable(answer.json["access_token"])[1]
    grants = ("client_credentials",)
    bank = Client(
        "bank", "Bank", 0.0, auth_method="tls_client_auth", tls_client_auth_subject_dn="CN=shop", grant_types=grants,
        scopes=("documents.read",), profile="fapi2",
    )  # fmt: skip
    behind_proxy.parts.repo.insert(bank)
    answer = post(behind_proxy, App(bank), held)
    assert answer.json is not None
    assert readable(answer.json["access_token"])[1]["cnf"] == {"x5t#S256": held.thumbprint}


def test_fapi2_gives_no_bearer_tokens(house: House, clock: FakeClock) -> None:
    from tests.oidc.assertions import KEY, TYPE, assertion, jwks

    client = Client(
        "bank", "Bank", 0.0, auth_method="private_key_jwt", jwks=jwks(KEY), grant_types=("client_credentials",),
        scopes=("documents.read",), profile="fapi2",
    )  # fmt: skip
    house.parts.repo.insert(client)
    app = App(client)

    def ask(**headers: str) -> TestResponse:
        body = {
            "grant_type": "client_credentials",
            "client_assertion": assertion(house, app),
            "client_assertion_type": TYPE,
        }
        return house.app.test_client().post("/token", data=body, headers=headers)

    house.refused(ask(), 400, "invalid_request")
    assert ask(DPoP=Prover(clock).proof("POST", f"{ISSUER}/token")).status_code == 200
    rs256 = Prover(clock, "RS256").proof("POST", f"{ISSUER}/token")
    house.refused(ask(DPoP=rs256), 400, "invalid_dpop_proof")


# ---------------------------------------------------------------- discovery and the address for certificates


def metadata(house: House) -> dict[str, Any]:
    told = house.app.test_client().get("/.well-known/openid-configuration").get_json()
    assert isinstance(told, dict)
    return told


def test_nothing_about_certificates_is_promised_where_none_can_arrive(house: House) -> None:
    told = metadata(house)
    assert "tls_client_certificate_bound_access_tokens" not in told
    assert "mtls_endpoint_aliases" not in told
    assert not [name for name in told["token_endpoint_auth_methods_supported"] if "tls" in name]


def test_what_certificates_are_good_for_is_told(house_with: Callable[..., House]) -> None:
    told = metadata(house_with(server={**SERVER, "mtls_url": "https://mtls.example/"}))
    assert told["tls_client_certificate_bound_access_tokens"] is True
    assert told["mtls_endpoint_aliases"]["token_endpoint"] == "https://mtls.example/token"
    assert told["mtls_endpoint_aliases"]["userinfo_endpoint"] == "https://mtls.example/userinfo"
    assert {"tls_client_auth", "self_signed_tls_client_auth"} <= set(told["token_endpoint_auth_methods_supported"])
    assert "mtls_endpoint_aliases" not in metadata(house_with(server=SERVER))


def test_proofs_and_assertions_may_name_the_address_for_certificates(
    house_with: Callable[..., House], clock: FakeClock
) -> None:
    from tests.oidc.assertions import KEY, TYPE, assertion, jwks

    house = house_with(server={**SERVER, "mtls_url": "https://mtls.example"})
    app = house.client(auth_method="private_key_jwt", jwks=jwks(KEY))
    here = "https://mtls.example/token"
    body = {
        "grant_type": "client_credentials",
        "client_assertion": assertion(house, app, aud=here),
        "client_assertion_type": TYPE,
    }
    proof = Prover(clock).proof("POST", here)
    assert house.app.test_client().post("/token", data=body, headers={"DPoP": proof}).status_code == 200


def test_proxies_that_are_no_addresses_stop_the_start(house_with: Callable[..., House]) -> None:
    with pytest.raises(Misconfigured, match=r"server\.proxy_addresses"):
        house_with(server={"proxy_addresses": ["proxy.example"]})


def test_rfc_9440_and_base64_are_taken_as_well(behind_proxy: House) -> None:
    app, held = by_name(behind_proxy, subject_dn="CN=shop"), certificate(behind_proxy.clock)
    der = base64.b64encode(held.der).decode()
    for value in (der, f":{der}:", held.pem.strip().replace("\n", " ")):
        assert post(behind_proxy, app, None, headers={"X-Client-Cert": value}).status_code == 200

"""Owns the claims about authentication with client certificates (RFC 8705 2).

How a proxy spells them is left to tests/base/test_mtls, a real proxy to test_mtls_apache, bound tokens to test_mtls_tokens.
"""

import json
from dataclasses import replace
from typing import Any
from urllib.parse import quote

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID
from werkzeug.test import TestResponse

from idp.domain.relying import Client
from tests.oidc.certificates import PROXY, STRANGER, by_name, post
from tests.oidc.house import App, House
from tests.support.proofs import certificate, dns, email, ip, uri


def self_signed(house: House, *keys: dict[str, Any], **more: Any) -> App:
    return house.client(auth_method="self_signed_tls_client_auth", jwks=json.dumps({"keys": list(keys)}), **more)


def refused(house: House, answer: TestResponse) -> str:
    """The reason that stands in the log."""
    trace = house.refused(answer, 401, "invalid_client")["trace"]
    return str(house.parts.traces.explain(trace))


# ---------------------------------------------------------------- tls_client_auth

SHOP = x509.Name(
    [x509.NameAttribute(NameOID.ORGANIZATION_NAME, "Shop, Inc."), x509.NameAttribute(NameOID.COMMON_NAME, "shop")]
)


@pytest.mark.parametrize(
    ("kind", "registered", "good", "bad"),
    [
        ("subject_dn", r"CN=shop,O=Shop\, Inc.", {"subject": SHOP}, {}),
        (
            "san_dns",
            "Shop.Example",
            {"names": [dns("other.example"), dns("shop.example")]},
            {"names": [dns("*.example")]},
        ),
        ("san_uri", "urn:shop:1", {"names": [uri("urn:shop:1")]}, {"names": [uri("urn:shop:10")]}),
        ("san_ip", "2001:db8::1", {"names": [ip("2001:db8:0::1")]}, {"names": [ip("2001:db8::2")]}),
        (
            "san_email",
            "Ada@Shop.example",
            {"names": [email("Ada@shop.EXAMPLE")]},
            {"names": [email("ada@shop.example")]},
        ),
    ],
)
def test_a_certificate_with_the_registered_name_authenticates(
    behind_proxy: House, kind: str, registered: str, good: dict[str, Any], bad: dict[str, Any]
) -> None:
    app = by_name(behind_proxy, **{kind: registered})
    authority = certificate(behind_proxy.clock, x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "CA")]))
    assert post(behind_proxy, app, certificate(behind_proxy.clock, **good, by=authority)).status_code == 200
    assert kind in refused(behind_proxy, post(behind_proxy, app, certificate(behind_proxy.clock, **bad, by=authority)))


def test_a_name_of_another_kind_is_not_that_name(behind_proxy: House) -> None:
    app = by_name(behind_proxy, san_dns="shop.example")
    for names in ([uri("shop.example")], [email("x@shop.example")], []):
        refused(behind_proxy, post(behind_proxy, app, certificate(behind_proxy.clock, names=names)))
    common = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "shop.example")])
    refused(behind_proxy, post(behind_proxy, app, certificate(behind_proxy.clock, common)))


def test_without_a_certificate_nobody_is_authenticated(behind_proxy: House) -> None:
    app = by_name(behind_proxy, subject_dn="CN=shop")
    assert "no client certificate" in refused(behind_proxy, post(behind_proxy, app, None))
    for value in ("(null)", "", "rubbish", "%00"):
        refused(behind_proxy, post(behind_proxy, app, None, headers={"X-Client-Cert": value}))


def test_a_stranger_cannot_say_which_certificate_there_is(behind_proxy: House) -> None:
    app, held = by_name(behind_proxy, subject_dn="CN=shop"), certificate(behind_proxy.clock)
    assert post(behind_proxy, app, held).status_code == 200
    refused(behind_proxy, post(behind_proxy, app, held, peer=STRANGER))
    # Nor by claiming to come through the proxy.
    forwarded = {"X-Forwarded-For": PROXY, "Forwarded": f"for={PROXY}", "X-Real-IP": PROXY}
    refused(behind_proxy, post(behind_proxy, app, held, peer=STRANGER, headers=forwarded))


def test_the_header_of_a_stranger_is_ignored_and_no_error(behind_proxy: House) -> None:
    app = behind_proxy.client(auth_method="client_secret_post")
    held = certificate(behind_proxy.clock)
    answer = post(behind_proxy, app, held, peer=STRANGER, client_secret=app.secret)
    assert answer.status_code == 200


def test_two_certificates_are_none(behind_proxy: House) -> None:
    app, held = by_name(behind_proxy, subject_dn="CN=shop"), certificate(behind_proxy.clock)
    pem = quote(held.pem)
    body = {"grant_type": "client_credentials", "client_id": app.id}
    twice = [("X-Client-Cert", pem), ("X-Client-Cert", pem)]
    client = behind_proxy.app.test_client()
    refused(behind_proxy, client.post("/token", data=body, headers=twice, environ_base={"REMOTE_ADDR": PROXY}))


@pytest.mark.parametrize("said", ["FAILED:unable to verify the first certificate", "GENEROUS", "NONE", ""])
def test_a_chain_that_the_proxy_could_not_verify_is_refused(behind_proxy: House, said: str) -> None:
    app, held = by_name(behind_proxy, subject_dn="CN=shop"), certificate(behind_proxy.clock)
    answer = post(behind_proxy, app, held, headers={"X-Client-Cert-Verify": said})
    assert "could not verify" in refused(behind_proxy, answer)
    assert post(behind_proxy, app, held, headers={"X-Client-Cert-Verify": "SUCCESS"}).status_code == 200


@pytest.mark.parametrize("days", [(-10, -1), (1, 10)])
def test_a_certificate_that_is_not_valid_now_is_refused(behind_proxy: House, days: tuple[int, int]) -> None:
    held = certificate(behind_proxy.clock, days=days)
    for app in (by_name(behind_proxy, subject_dn="CN=shop"), self_signed(behind_proxy, held.jwk(), id="own")):
        assert "not valid at this time" in refused(behind_proxy, post(behind_proxy, app, held))


def test_a_client_with_two_names_or_none_is_refused(behind_proxy: House) -> None:
    app, held = by_name(behind_proxy, subject_dn="CN=shop"), certificate(behind_proxy.clock, names=[dns("a.example")])
    stored = behind_proxy.parts.repo.get(Client, app.id)
    assert stored is not None
    two = behind_proxy.parts.repo.replace_if(replace(stored, tls_client_auth_san_dns="a.example"))
    assert two is not None
    assert "exactly one" in refused(behind_proxy, post(behind_proxy, app, held))
    none = replace(two, tls_client_auth_san_dns=None, tls_client_auth_subject_dn=None)
    assert behind_proxy.parts.repo.replace_if(none) is not None
    assert "exactly one" in refused(behind_proxy, post(behind_proxy, app, held))


def test_a_certificate_beside_another_credential_does_not_authenticate(behind_proxy: House) -> None:
    app, held = by_name(behind_proxy, subject_dn="CN=shop"), certificate(behind_proxy.clock)
    refused(behind_proxy, post(behind_proxy, app, held, client_secret="x"))
    by_secret = behind_proxy.client("other", auth_method="client_secret_post")
    refused(behind_proxy, post(behind_proxy, by_secret, held))


# ---------------------------------------------------------------- self_signed_tls_client_auth


def test_a_self_signed_certificate_of_a_registered_key_authenticates(behind_proxy: House) -> None:
    held, other = certificate(behind_proxy.clock), certificate(behind_proxy.clock)
    app = self_signed(behind_proxy, other.jwk(kid="a"), held.jwk(kid="b"))
    assert post(behind_proxy, app, held).status_code == 200
    # A new certificate for the same key is as good: RFC 8705 2.2 looks at the key.
    assert post(behind_proxy, app, certificate(behind_proxy.clock, key=held.key)).status_code == 200
    refused(behind_proxy, post(behind_proxy, app, certificate(behind_proxy.clock)))
    # Its chain is nobody's business.
    assert post(behind_proxy, app, held, headers={"X-Client-Cert-Verify": "GENEROUS"}).status_code == 200


def test_a_key_that_is_registered_with_its_certificate_wants_exactly_that_one(behind_proxy: House) -> None:
    held = certificate(behind_proxy.clock)
    app = self_signed(behind_proxy, held.jwk(x5c=held.x5c))
    assert post(behind_proxy, app, held).status_code == 200
    refused(behind_proxy, post(behind_proxy, app, certificate(behind_proxy.clock, key=held.key)))


def test_a_certificate_with_another_curve_is_refused_and_never_a_fault(behind_proxy: House) -> None:
    app = self_signed(behind_proxy, certificate(behind_proxy.clock).jwk())
    odd = certificate(behind_proxy.clock, key=ec.generate_private_key(ec.SECP521R1()))
    refused(behind_proxy, post(behind_proxy, app, odd))

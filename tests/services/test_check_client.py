"""Owns the claims about which clients are accepted: one wrong thing at a time, and the refusal names its field."""

import base64
import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa, x25519
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import NameOID
from joserfc.jwk import ECKey, OKPKey, RSAKey

from idp.base.errors import Refused
from idp.domain.metadata import normal
from idp.domain.relying import Client
from idp.services.check_client import Surroundings, check_client

CALLBACK = "https://app.example/callback"
HERE = Surroundings(certificates=True)
RSA_KEY = RSAKey.import_key(rsa.generate_private_key(65537, 2048))
EC_KEY = ECKey.import_key(ec.generate_private_key(ec.SECP256R1()))
SIGNING_KEY = OKPKey.import_key(ed25519.Ed25519PrivateKey.generate())
AGREEMENT_KEY = OKPKey.import_key(x25519.X25519PrivateKey.generate())


def key_set(*keys: Any) -> str:
    return json.dumps({"keys": [one if isinstance(one, dict) else one.as_dict(private=False) for one in keys]})


KEYS = key_set(RSA_KEY, EC_KEY, SIGNING_KEY, AGREEMENT_KEY)


def client(**more: Any) -> Client:
    fields: dict[str, Any] = {"redirect_uris": (CALLBACK,), "grant_types": ("authorization_code", "refresh_token")}
    return Client(**{"id": "shop", "name": "Shop", "created_at": 1.0, **fields, **more})


def refused(wanted: Client, around: Surroundings = HERE) -> Refused:
    with pytest.raises(Refused) as found:
        check_client(normal(wanted), around)
    return found.value


def certificate(key: Any) -> str:
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "app")])
    now = datetime.now(UTC)
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(now)
        .not_valid_after(now + timedelta(days=1))
        .sign(key, SHA256())
    )
    return base64.b64encode(made.public_bytes(Encoding.DER)).decode()


@pytest.mark.parametrize(
    "fields",
    [
        {},
        {"redirect_uris": ("http://127.0.0.1:8080/cb", "http://localhost/cb", "http://[::1]/cb")},
        {"redirect_uris": ("com.example.app:/cb",), "auth_method": "none", "application_type": "native"},
        {"redirect_uris": ("com.example.app:/cb",), "auth_method": "none"},  # nothing but native is possible
        {"redirect_uris": ("https://app.example/cb?tenant=1&x=%2F",)},
        {"request_uris": ("https://app.example/r.jwt#GkurKxf5T0Y-mnPFCHqWOMiZi4VS138cQO_V7PZHAdM",)},
        {"grant_types": ("client_credentials",), "redirect_uris": (), "scopes": ("api",), "audiences": ("urn:api",)},
        {"grant_types": ("urn:ietf:params:oauth:grant-type:device_code",), "redirect_uris": (), "auth_method": "none"},
        {"auth_method": "private_key_jwt", "jwks": KEYS, "auth_signing_alg": "PS256"},
        {"auth_method": "private_key_jwt", "jwks_uri": "https://app.example/jwks"},
        {"auth_method": "client_secret_jwt", "auth_signing_alg": "HS256"},
        {"auth_method": "tls_client_auth", "tls_client_auth_subject_dn": "CN=app,O=Example"},
        {"auth_method": "tls_client_auth", "tls_client_auth_san_dns": "app.example"},
        {"auth_method": "tls_client_auth", "tls_client_auth_san_ip": "2001:db8::1"},
        {"auth_method": "tls_client_auth", "tls_client_auth_san_email": "ops@app.example"},
        {"auth_method": "tls_client_auth", "tls_client_auth_san_uri": "spiffe://example/app"},
        {"auth_method": "self_signed_tls_client_auth", "jwks": KEYS},
        {"id_token_signed_response_alg": "Ed25519"},
        {"id_token_signed_response_alg": "EdDSA"},
        {"id_token_encrypted_response_alg": "RSA-OAEP-256", "jwks": KEYS},
        {"userinfo_encrypted_response_alg": "ECDH-ES", "jwks": key_set(AGREEMENT_KEY)},
        {"request_object_signing_alg": "none"},
        {"request_object_signing_alg": "ES256", "jwks": KEYS, "require_signed_request_object": True},
        {"subject_type": "pairwise"},
        {"profile": "legacy", "pkce_required": False},
        {"profile": "oauth21"},
        {"profile": "fapi2", "auth_method": "private_key_jwt", "jwks": KEYS},
        {"profile": "fapi2", "auth_method": "self_signed_tls_client_auth", "jwks": KEYS},
        {"backchannel_logout_uri": "https://app.example/bc", "backchannel_logout_session_required": True},
        {"contacts": ("ops@app.example",), "logo_uri": "https://app.example/logo.png", "software_version": "1.2"},
    ],
)
def test_a_client_that_makes_sense_is_accepted(fields: dict[str, Any]) -> None:
    check_client(normal(client(**fields)), HERE)


BAD_URIS = (
    "http://app.example/cb",
    "http://127.0.0.1.app.example/cb",
    "javascript:alert(1)",
    "JavaScript:alert(1)",
    "data:text/html,x",
    "file:///etc/passwd",
    "blob:https://app.example/x",
    "ftp://app.example/cb",
    "vbscript:x",
    "about:blank",
    "https://app.example/cb#fragment",
    "https://app.example/cb#",
    "https://user@app.example/cb",
    "https://user:pass@app.example/cb",
    "https://@app.example/cb",
    "https://*.app.example/cb",
    "https://app.example/*",
    "https://app.example\\@evil.example/cb",
    "https://app.example/c b",
    "https://app.example/cb\n",
    "https://app.example/\x00",
    "https://ä.example/cb",
    "https://",
    "https:///cb",
    "https://app.example:99999/cb",
    "https://[::1/cb",
    "https://[v1.x]/cb",
    "https://[::1]x/cb",
    "https://x[::1]/cb",
    "https://app%2eexample/cb",
    "//app.example/cb",
    "/cb",
    "cb",
    "",
    "https://app.example/" + "x" * 2000,
)


@pytest.mark.parametrize("uri", BAD_URIS)
@pytest.mark.parametrize(
    "field",
    [
        *("redirect_uris", "post_logout_redirect_uris", "jwks_uri", "sector_identifier_uri", "backchannel_logout_uri"),
        *("frontchannel_logout_uri", "initiate_login_uri", "logo_uri", "client_uri", "policy_uri", "tos_uri"),
    ],
)
def test_an_address_that_is_none_is_refused_wherever_it_stands(field: str, uri: str) -> None:
    value: Any = (uri,) if field.endswith("uris") else uri
    for more in ({}, {"auth_method": "none", "application_type": "native"}):  # not even for native apps
        problem = refused(client(**{field: value, **more}))
        assert problem.message.startswith(f"{field}: ")
        assert problem.code == ("invalid_redirect_uri" if field == "redirect_uris" else "invalid_client_metadata")


@pytest.mark.parametrize(
    "fields",
    [
        {"redirect_uris": ("com.example.app:/cb",)},
        {"redirect_uris": ("com.example.app:/cb",), "application_type": "native"},
        {"redirect_uris": ("myapp:/cb",), "auth_method": "none", "application_type": "native"},
    ],
)
def test_a_scheme_of_its_own_is_for_native_apps_without_a_secret(fields: dict[str, Any]) -> None:
    assert refused(client(**fields)).message.startswith("redirect_uris: ")


def test_a_native_app_is_told_what_its_scheme_lacks() -> None:
    native = client(auth_method="none", application_type="native", redirect_uris=("myapp:/cb",))
    assert "with a dot, as org.example.app:/callback" in refused(native).message


def test_a_scheme_of_its_own_is_no_place_for_keys_logos_or_logout_calls() -> None:
    native = client(auth_method="none", application_type="native", redirect_uris=("com.example.app:/cb",))
    check_client(replace(native, post_logout_redirect_uris=("com.example.app:/bye",)), HERE)
    for field in ("jwks_uri", "logo_uri", "backchannel_logout_uri"):
        assert refused(replace(native, **{field: "com.example.app:/x"})).message.startswith(f"{field}: ")


@pytest.mark.parametrize(
    ("field", "fields"),
    [
        # forms
        ("name", {"name": ""}),
        ("name", {"name": "   "}),
        ("name", {"name": "x" * 201}),
        ("name", {"name": "My \u202ebank"}),
        ("name", {"name": "Two\nlines"}),
        ("contacts", {"contacts": ("x",) * 21}),
        ("contacts", {"contacts": ("x" * 255,)}),
        ("redirect_uris", {"redirect_uris": tuple(f"https://app.example/{n}" for n in range(101))}),
        ("redirect_uris", {"redirect_uris": [CALLBACK]}),
        ("scopes", {"scopes": ("two words",)}),
        ("scopes", {"scopes": ('"',)}),
        ("audiences", {"audiences": ("ä",)}),
        ("claims", {"claims": ("",)}),
        ("access_token_seconds", {"access_token_seconds": 5}),
        ("access_token_seconds", {"access_token_seconds": 86_401}),
        ("access_token_seconds", {"access_token_seconds": True}),
        ("access_token_seconds", {"access_token_seconds": "60"}),
        ("refresh_token_seconds", {"refresh_token_seconds": 10**12}),
        ("id_token_seconds", {"id_token_seconds": 0}),
        ("default_max_age", {"default_max_age": -1}),
        ("profile", {"profile": "fapi3"}),
        ("auth_method", {"auth_method": "client_secret_magic"}),
        ("auth_method", {"auth_method": {"a": 1}}),
        ("consent", {"consent": "never"}),
        ("subject_type", {"subject_type": "private"}),
        ("application_type", {"application_type": "desktop"}),
        ("access_token_format", {"access_token_format": "saml"}),
        ("require_auth_time", {"require_auth_time": "yes"}),
        # grants and PKCE
        ("grant_types", {"grant_types": ("password",)}),
        ("grant_types", {"grant_types": ("implicit",)}),
        ("grant_types", {"grant_types": ("client_credentials",), "auth_method": "none"}),
        (
            "grant_types",
            {"grant_types": ("urn:ietf:params:oauth:grant-type:token-exchange",), "auth_method": "none"},
        ),
        ("redirect_uris", {"redirect_uris": ()}),
        ("pkce_required", {"pkce_required": False, "auth_method": "none"}),
        ("pkce_required", {"pkce_required": False, "profile": "oauth21"}),
        (
            "pkce_required",
            {"pkce_required": False, "profile": "fapi2", "auth_method": "private_key_jwt", "jwks": KEYS},
        ),
        # authentication
        ("jwks", {"auth_method": "private_key_jwt"}),
        ("jwks", {"auth_method": "self_signed_tls_client_auth"}),
        ("jwks", {"auth_method": "private_key_jwt", "jwks": key_set(AGREEMENT_KEY)}),
        ("jwks", {"auth_method": "private_key_jwt", "jwks": key_set(EC_KEY), "auth_signing_alg": "RS256"}),
        ("auth_signing_alg", {"auth_method": "private_key_jwt", "jwks": KEYS, "auth_signing_alg": "none"}),
        ("auth_signing_alg", {"auth_method": "private_key_jwt", "jwks": KEYS, "auth_signing_alg": "HS256"}),
        ("auth_signing_alg", {"auth_method": "client_secret_jwt", "auth_signing_alg": "RS256"}),
        ("tls_client_auth_subject_dn", {"auth_method": "tls_client_auth"}),
        (
            "tls_client_auth_san_dns",
            {
                "auth_method": "tls_client_auth",
                "tls_client_auth_subject_dn": "CN=a",
                "tls_client_auth_san_dns": "a.example",
            },
        ),
        ("tls_client_auth_subject_dn", {"auth_method": "tls_client_auth", "tls_client_auth_subject_dn": "app"}),
        ("tls_client_auth_san_dns", {"auth_method": "tls_client_auth", "tls_client_auth_san_dns": "*.example"}),
        ("tls_client_auth_san_ip", {"auth_method": "tls_client_auth", "tls_client_auth_san_ip": "10.0.0.0/8"}),
        ("tls_client_auth_san_email", {"auth_method": "tls_client_auth", "tls_client_auth_san_email": "ops"}),
        ("tls_client_auth_san_uri", {"auth_method": "tls_client_auth", "tls_client_auth_san_uri": "app"}),
        ("tls_client_auth_san_dns", {"tls_client_auth_san_dns": "app.example"}),
        # algorithms
        ("id_token_signed_response_alg", {"id_token_signed_response_alg": "none"}),
        ("id_token_signed_response_alg", {"id_token_signed_response_alg": "HS256"}),
        ("id_token_signed_response_alg", {"id_token_signed_response_alg": "RS512"}),
        ("userinfo_signed_response_alg", {"userinfo_signed_response_alg": "none"}),
        ("authorization_signed_response_alg", {"authorization_signed_response_alg": "HS512"}),
        ("introspection_signed_response_alg", {"introspection_signed_response_alg": "none"}),
        ("request_object_signing_alg", {"request_object_signing_alg": "HS256"}),
        ("request_object_signing_alg", {"request_object_signing_alg": "NONE"}),
        ("request_object_signing_alg", {"request_object_signing_alg": "none", "require_signed_request_object": True}),
        ("jwks", {"require_signed_request_object": True}),
        ("jwks", {"request_object_signing_alg": "ES256"}),
        ("jwks", {"request_object_signing_alg": "ES384", "jwks": KEYS}),
        ("id_token_encrypted_response_alg", {"id_token_encrypted_response_alg": "RSA1_5", "jwks": KEYS}),
        ("id_token_encrypted_response_alg", {"id_token_encrypted_response_alg": "dir", "jwks": KEYS}),
        ("id_token_encrypted_response_enc", {"id_token_encrypted_response_enc": "A256GCM", "jwks": KEYS}),
        (
            "userinfo_encrypted_response_enc",
            {
                "userinfo_encrypted_response_alg": "ECDH-ES",
                "userinfo_encrypted_response_enc": "A192GCM",
                "jwks": KEYS,
            },
        ),
        ("jwks", {"id_token_encrypted_response_alg": "RSA-OAEP-256"}),
        ("jwks", {"id_token_encrypted_response_alg": "RSA-OAEP-256", "jwks": key_set(EC_KEY)}),
        ("jwks", {"userinfo_encrypted_response_alg": "ECDH-ES", "jwks": key_set(RSA_KEY, SIGNING_KEY)}),
        # profiles
        ("auth_method", {"profile": "fapi2"}),
        ("auth_method", {"profile": "fapi2", "auth_method": "none"}),
        (
            "redirect_uris",
            {
                "profile": "fapi2",
                "auth_method": "private_key_jwt",
                "jwks": KEYS,
                "redirect_uris": ("http://127.0.0.1/cb",),
            },
        ),
        *(
            (field, {"profile": "fapi2", "auth_method": "private_key_jwt", "jwks": KEYS, field: "RS256"})
            for field in ("userinfo_signed_response_alg", "request_object_signing_alg", "auth_signing_alg")
        ),
        # pairwise and logout
        (
            "sector_identifier_uri",
            {"subject_type": "pairwise", "redirect_uris": (CALLBACK, "https://other.example/cb")},
        ),
        ("subject_type", {"subject_type": "pairwise", "redirect_uris": (), "grant_types": ("client_credentials",)}),
        (
            "sector_identifier_uri",
            {
                "subject_type": "pairwise",
                "redirect_uris": ("http://127.0.0.1/cb",),
                "auth_method": "none",
                "application_type": "native",
            },
        ),
        ("sector_identifier_uri", {"subject_type": "pairwise", "redirect_uris": ("a.b:/cb",), "auth_method": "none"}),
        ("backchannel_logout_session_required", {"backchannel_logout_session_required": True}),
        ("frontchannel_logout_session_required", {"frontchannel_logout_session_required": True}),
    ],
)
def test_one_wrong_thing_is_refused_by_the_name_of_its_field(field: str, fields: dict[str, Any]) -> None:
    assert refused(client(**fields)).message.startswith(f"{field}: ")


@pytest.mark.parametrize("id", ["", "x" * 257, "a\nb", "ä"])
def test_a_client_id_is_short_and_printable(id: str) -> None:
    assert refused(replace(client(), id=id)).message.startswith("id: ")


@pytest.mark.parametrize(
    ("keys", "said"),
    [
        ("", "not JSON"),
        ("[" * 20_000, "not JSON"),
        ("[]", "not a JWK set"),
        ('{"keys": []}', "at least one"),
        ('{"keys": {}}', "not a JWK set"),
        ('{"keys": ["x"]}', "not an object"),
        (json.dumps({"keys": [{}]}), "its type"),
        (json.dumps({"keys": [{"kty": ["RSA"]}]}), "its type"),
        (json.dumps({"keys": [EC_KEY.as_dict(private=True)]}), "private or secret"),
        (json.dumps({"keys": [RSA_KEY.as_dict(private=True)]}), "private or secret"),
        (json.dumps({"keys": [{"kty": "oct", "k": "A" * 43}]}), "private or secret"),
        (json.dumps({"keys": [EC_KEY.as_dict(private=False)] * 21}), "more than 20"),
        (json.dumps({"keys": [{**EC_KEY.as_dict(private=False), "x": "AA"}]}), "coordinate"),
        (json.dumps({"keys": [{**EC_KEY.as_dict(private=False), "x": "A" * 43}]}), "not a public key"),
        (json.dumps({"keys": [{**EC_KEY.as_dict(private=False), "y": {"a": 1}}]}), "base64url"),
        (json.dumps({"keys": [{**EC_KEY.as_dict(private=False), "kid": 7}]}), "kid"),
        (json.dumps({"keys": [{**EC_KEY.as_dict(private=False), "crv": "secp256k1"}]}), "its type"),
        (json.dumps({"keys": [{**RSA_KEY.as_dict(private=False), "e": "AQ"}]}), "exponent"),
        (json.dumps({"keys": [{**RSA_KEY.as_dict(private=False), "e": "_" * 40}]}), "exponent"),
        (json.dumps({"keys": [{**EC_KEY.as_dict(private=False), "x5c": "x"}]}), "x5c"),
        (json.dumps({"keys": [{**EC_KEY.as_dict(private=False), "x5c": ["AAAA"]}]}), "x5c"),
        (json.dumps({"keys": [{**EC_KEY.as_dict(private=False), "note": "x" * 70_000}]}), "64 KiB"),
    ],
)
def test_a_key_set_that_is_none_or_not_public_is_refused(keys: str, said: str) -> None:
    problem = refused(client(jwks=keys))
    assert problem.message.startswith("jwks: ")
    assert said in problem.message


@pytest.mark.parametrize("curve", [ec.SECP256K1(), ec.SECP224R1()])
def test_a_curve_that_we_do_not_use_is_refused(curve: ec.EllipticCurve) -> None:
    numbers = ec.generate_private_key(curve).public_key().public_numbers()
    size = (curve.key_size + 7) // 8
    x, y = (base64.urlsafe_b64encode(n.to_bytes(size)).rstrip(b"=").decode() for n in (numbers.x, numbers.y))
    assert "its type" in refused(client(jwks=key_set({"kty": "EC", "crv": curve.name, "x": x, "y": y}))).message


def test_a_short_rsa_key_is_refused() -> None:
    n = base64.urlsafe_b64encode(((1 << 1023) + 1).to_bytes(128)).rstrip(b"=").decode()
    assert "2048" in refused(client(jwks=key_set({"kty": "RSA", "n": n, "e": "AQAB"}))).message


def test_the_first_certificate_of_a_key_holds_that_key() -> None:
    own, other = ec.generate_private_key(ec.SECP256R1()), ec.generate_private_key(ec.SECP256R1())
    jwk = ECKey.import_key(own).as_dict(private=False)
    right, wrong = ({**jwk, "x5c": [certificate(key)]} for key in (own, other))
    check_client(client(auth_method="self_signed_tls_client_auth", jwks=key_set(right)), HERE)
    assert "another key" in refused(client(auth_method="self_signed_tls_client_auth", jwks=key_set(wrong))).message


def test_keys_come_in_one_way_only() -> None:
    assert refused(client(jwks=KEYS, jwks_uri="https://app.example/jwks")).message.startswith("jwks_uri: ")


def test_certificates_are_only_for_installations_that_they_can_reach() -> None:
    tls = client(auth_method="tls_client_auth", tls_client_auth_san_dns="app.example")
    assert refused(tls, Surroundings()).message.startswith("auth_method: ")
    bound = client(tls_client_certificate_bound_access_tokens=True)
    assert refused(bound, Surroundings()).message.startswith("tls_client_certificate_bound_access_tokens: ")
    check_client(bound, HERE)


def test_what_is_left_out_gets_what_the_specification_says() -> None:
    made = normal(client(id_token_encrypted_response_alg="RSA-OAEP-256", jwks=KEYS))
    assert made.id_token_encrypted_response_enc == "A128CBC-HS256"
    assert normal(client(profile="fapi2")).id_token_signed_response_alg == "PS256"
    assert normal(client(redirect_uris=("a.b:/cb",), auth_method="none")).application_type == "native"

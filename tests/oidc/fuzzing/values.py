"""Owns odd values for everything that a request can hold, and JWTs that are nearly right.

Strategies draw words and choices only; what needs the world (a token that is good at this moment, a signature) is a Live or
Jwt, filled in when the request is made. So the same requests come in every run.
"""

import json
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from hypothesis import strategies as st

from tests.oidc.app_keys import b64
from tests.oidc.fuzzing.world import World
from tests.oidc.house import CALLBACK


@dataclass(frozen=True)
class Live:
    """Something that is good elsewhere."""

    kind: str


@dataclass(frozen=True)
class Jwt:
    """base: what it is meant to be; shape: what is done to it when it is whole."""

    base: str
    head: dict[str, Any] = field(default_factory=dict)
    said: dict[str, Any] = field(default_factory=dict)
    key: str = "right"
    shape: str = "whole"


Value = str | Live | Jwt

LIVE: dict[str, Callable[[World], str]] = {
    "code": lambda world: world.code(world.apps["shop"]),
    "access": lambda world: str(world.tokens(world.apps["shop"])["access_token"]),
    "opaque": lambda world: str(world.tokens(world.apps["post"])["access_token"]),
    "refresh": lambda world: str(world.tokens(world.apps["post"])["refresh_token"]),
    "id_token": lambda world: str(world.tokens(world.apps["shop"])["id_token"]),
    "device": lambda world: world.device_code(world.apps["public"]),
    "pushed": lambda world: world.pushed(world.apps["shop"]),
    "session": lambda world: world.handle,
    "secret": lambda world: world.apps["post"].secret,
}
BASES = (
    "assertion:keys",
    "assertion:mac",
    "assertion:shop",
    "request:shop",
    "request:fapi",
    "bearer",
    "dpop:POST /token",
)
SHAPES = ("whole", "no signature", "cut", "four", "five", "spaces", "padded", "twice", "unicode", "json", "other body")
NAMES = (
    *("client_id", "client_secret", "client_assertion", "client_assertion_type", "grant_type", "code", "redirect_uri"),
    *("code_verifier", "refresh_token", "scope", "resource", "audience", "device_code", "subject_token", "actor_token"),
    *("subject_token_type", "actor_token_type", "requested_token_type", "assertion", "token", "token_type_hint"),
    *(
        "access_token",
        "request",
        "request_uri",
        "response_type",
        "response_mode",
        "state",
        "nonce",
        "prompt",
        "max_age",
    ),
    *("code_challenge", "code_challenge_method", "dpop_jkt", "claims", "acr_values", "login_hint", "id_token_hint"),
    *(
        "ui_locales",
        "display",
        "registration",
        "post_logout_redirect_uri",
        "logout_hint",
        "user_code",
        "csrf",
        "attempt",
    ),
)
METADATA = (
    *("name", "redirect_uris", "scopes", "audiences", "consent", "roles", "version"),
    *("redirect_uris", "client_name", "grant_types", "response_types", "scope", "token_endpoint_auth_method", "jwks"),
    *("jwks_uri", "sector_identifier_uri", "subject_type", "contacts", "logo_uri", "request_uris", "default_max_age"),
    *("id_token_signed_response_alg", "id_token_encrypted_response_alg", "userinfo_encrypted_response_enc"),
    *(
        "software_statement",
        "client_id",
        "name",
        "redirect_uris",
        "scopes",
        "audiences",
        "consent",
        "roles",
        "version",
        "client_secret",
        "application_type",
        "default_acr_values",
        "profile",
    ),
    *("tls_client_auth_subject_dn", "tls_client_auth_san_ip", "require_auth_time", "registration_access_token"),
)
DEEP = 3000
ODD = (
    *("", " ", "\x00", "a\x00b", "\r\nX-Injected: 1", "\ud800", "é漢😀", "\u202eevil", "\ufeff", "İ", "²", "٣"),
    *("A" * 300, "A" * 5000, "é" * 9000, "A" * 20_000, "a " * 5000, "a." * 5000, "A" * 8000 + "." + "A" * 8000 + ".A"),
    *("-1", "0", "1e309", "NaN", "9" * 400, "true", "null", "[]", "{}", '"', "{", "[" * DEEP, '{"a":' * DEEP),
    *('{"id_token":' + '{"acr":' * 40 + "}" * 41, '{"userinfo":{"\\ud800":null}}', '{"a":1,"a":2}', "[1e999]"),
    *("..", "../../etc/passwd", "%", "%zz", "%00", "+", "&", "=", ";", "a=b&c=d", "<script>alert(1)</script>", "' OR 1=1 --"),
    *("javascript:alert(1)", "data:text/html,x", "//evil.example", "https://evil.example/", "https://a:99999/", "https://[::1"),
    *("http://[v1.x]/", "http://[fe80::1%25eth0]/", CALLBACK + "?", CALLBACK + "#x", CALLBACK.replace("https", "HTTPS")),
    *("https://127.0.0.1:1/", "http://169.254.169.254/latest", "https://xn--a.example/", "com.example.app:/x", "urn:x"),
    *("urn:ietf:params:oauth:request_uri:", "urn:ietf:params:oauth:request_uri:" + "x" * 43, "sheaf_at_", "sheaf_at_" + "x" * 43),
    *("none", "login consent", "S256", "plain", "code", "code id_token", "query.jwt", "form_post", "openid", "RS256", "HS256"),
    *("shop", "post", "public", "keys", "fapi", "nobody", "authorization_code", "refresh_token", "client_credentials", "password"),
)  # fmt: skip
ODD_JSON = (
    *(None, True, False, 0, -1, 1.5, 2**31, 2**63, 10**400, 1e308, "", "x", "\x00", "\ud800", [], {}, [[]], [None], [{}], {"": 1}),
    *(["x"] * 200, "x" * 5000, ["https://app.example/" + "x" * 3000], ["https://app.example/cb"] * 3, {"keys": []}, {"keys": {}}),
    *({"keys": [{}]}, {"keys": [None]}, {"keys": [{"kty": "RSA", "n": "AQAB", "e": "AQAB"}]}, {"keys": [{"kty": "oct", "k": "AA"}]}),
    *({"keys": [{"kty": "EC", "crv": "P-256", "x": "AA", "y": "AA"}]}, {"keys": [{"kty": "OKP", "crv": "Ed25519", "x": "é"}]}),
    *("none", "RS256", "HS256", "RSA-OAEP", "dir", "A256GCM", "https://app.example/x", "http://127.0.0.1:1/x", "javascript:x"),
    *("https://[", "https://app.example:99999/", "com.example.app:/x", "pairwise", "native", "tls_client_auth", "CN=a,", "CN=\\"),
)  # fmt: skip
HEADERS = (
    *("authorization", "dpop", "cookie", "content-type", "accept", "x-client-cert", "host", "origin", "if-none-match"),
    *(
        "accept-language",
        "x-forwarded-for",
        "sec-fetch-site",
        "x-client-cert-verify",
        "if-modified-since",
        "user-agent",
    ),
)
ODD_HEADERS = (
    *("", " ", ",", ";", "=", "Basic", "Basic ", "Basic %%%", "Basic QQ==", "Basic gIA6gIA=", "Basic " + "Q" * 9000, "Basic Og=="),
    *("Bearer", "Bearer ", "Bearer a b", "bearer " + "x" * 9000, "DPoP x", "Digest x", "\xe9", "Bearer \xe9\xff"),
    *("\x7f", "Basic c2hvcDo="),
    *("application/json", "multipart/form-data", "multipart/form-data; boundary=x", "text/plain; charset=utf-16", "x/" + "y" * 5000),
    *("application/x-www-form-urlencoded; charset=utf-16", "application/x-www-form-urlencoded;;;=", 'W/"x"'),
    *("*", '"' * 500, "*/*;q=9"),
    *("application/token-introspection+jwt", "application/jwt;q=0.5, application/json;q=nan", "a," * 400, "de;q=x,en;q=-1,*"),
    *("sheaf_session=" + "x" * 43, "sheaf_session=\xff; sheaf_browser=", "sheaf_session" * 50, '__Host-x="', "a b"),
    *("evil.example", "[::1"),
    *("-----BEGIN CERTIFICATE-----", "MIIB", ":MIIB:", "%", "1, 2", "99999999999999999999", "-1", "cross-site", "null", "http://["),
)  # fmt: skip
ODD_BODIES = (
    *(b"", b"\x00", b"\xff\xfe", b"%", b"%zz=%zz", b"a=%ff", b"=", b"&&&&", b"&".join([b"a=1"] * 300), b"a" * 20_000, b"a=b;c=d"),
    *(b"{", b"[]", b"null", b'"x"', b"1", b"NaN", b'{"a":NaN}', b'{"a":1,"a":2}', b"[" * 100_000, b"\xef\xbb\xbf{}"),
    *(b'{"a":' * 100_000,),
    *(b'{"redirect_uris":["' + b"x" * 50_000 + b'"]}', b"1" * 5000, b'{"a":"\\ud800"}', b"x" * 600_000, b'{"default_max_age":1e999}'),
    *(b'{"redirect_uris":' + b"[" * 5000 + b"]" * 5000 + b"}", b"grant_type=client_credentials&grant_type=x", b"--x\r\n\r\n--x--"),
)  # fmt: skip

texts = st.one_of(
    st.sampled_from(ODD), st.sampled_from(ODD), st.text(max_size=12), st.text(st.characters(codec="ascii"), max_size=12)
)
jsons = st.one_of(
    st.sampled_from(ODD_JSON), st.sampled_from(ODD_JSON), texts, st.integers(), st.floats(), st.lists(texts, max_size=2)
)
members = ("alg", "typ", "kid", "crit", "b64", "jwk", "jku", "x5c", "x5u", "zip", "enc", "cty", "p2c")
claim_names = (
    *("iss", "sub", "aud", "exp", "nbf", "iat", "jti", "htm", "htu", "ath", "nonce", "client_id", "request"),
    *(*NAMES[:12], "claims", "max_age"),
)
algs = st.sampled_from(
    ("none", "None", "HS256", "RS256", "PS256", "ES384", "EdDSA", "RSA-OAEP-256", "dir", "PBES2-HS512+A256KW")
)
heads = st.dictionaries(st.sampled_from(members), st.one_of(algs, jsons), max_size=2)
bodies = st.dictionaries(st.sampled_from(claim_names), jsons, max_size=3)
keys = st.sampled_from(("right", "right", "wrong"))
shapes = st.sampled_from(("whole", "whole", "whole", *SHAPES))
jwts = st.builds(
    Jwt,
    st.sampled_from(BASES),
    heads,
    bodies,
    keys,
    shapes,
)
lives = st.builds(Live, st.sampled_from(sorted(LIVE)))
values: st.SearchStrategy[Value] = st.one_of(texts, texts, lives, jwts)
names = st.one_of(st.sampled_from(NAMES), st.sampled_from(NAMES), texts)
spots = st.integers(0, 11)
latin = st.text(st.characters(codec="latin-1", exclude_categories=["Cc"]), max_size=12)
header_values = st.one_of(st.sampled_from(ODD_HEADERS), st.sampled_from(ODD_HEADERS), latin, lives, jwts)


def filled(world: World, value: Value) -> str:
    if isinstance(value, str):
        return value
    if isinstance(value, Live):
        return LIVE[value.kind](world)
    try:
        whole = world.jwt(value.base, value.head, value.said, value.key)
    except (ValueError, UnicodeError):  # what cannot be written cannot be sent
        return "x.y.z"
    return shaped(whole, value.shape)


def shaped(jwt: str, shape: str) -> str:
    head, body, signature = jwt.split(".")
    bomb = b64(
        json.dumps(
            {"alg": "PBES2-HS512+A256KW", "enc": "A256GCM", "p2c": 2**31 - 1, "p2s": "AA", "zip": "DEF"}
        ).encode()
    )
    return {
        "no signature": f"{head}.{body}.",
        "cut": jwt[: len(jwt) // 2],
        "four": jwt + "." + signature,
        "five": f"{bomb.decode()}.{signature}.{head}.{body}.{signature}",
        "spaces": f" {head} . {body}.{signature}\n",
        "padded": f"{head}==.{body}.{signature}==",
        "twice": f"{head}.{b64(jwt.encode()).decode()}.{signature}",
        "unicode": f"{head}.{body}é.{signature}",
        "json": json.dumps({"payload": body, "signatures": [{"protected": head, "signature": signature}]}),
        "other body": f"{head}.{b64(b'[' * DEEP).decode()}.{signature}",
    }.get(shape, jwt)

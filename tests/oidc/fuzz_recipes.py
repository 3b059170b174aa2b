"""Owns one good request for each thing that can be asked of the OIDC door, with fresh one-time things in it.

What is changed about them is left to fuzz_values, sending them to fuzz_world.
"""

import json
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import quote_plus

from tests.oidc.fuzz_world import ASSERTION_TYPE, BROWSER, DEVICE, EXCHANGE, JWT_BEARER, Wire, World
from tests.oidc.house import API, BYE, CALLBACK, VERIFIER, App

FORM, JSON = "application/x-www-form-urlencoded", "application/json"
ACCESS_TYPE = "urn:ietf:params:oauth:token-type:access_token"
Pairs = list[tuple[str, str]]


@dataclass
class Ask:
    """A request in parts that can be changed one by one. document: sent as JSON. raw: the body as it is."""

    method: str
    path: str
    query: Pairs = field(default_factory=list)
    form: Pairs = field(default_factory=list)
    headers: dict[str, str] = field(default_factory=dict)
    document: Any = None
    raw: bytes | None = None
    query_raw: str | None = None

    def wire(self, serial: int) -> Wire:
        headers, body = dict(self.headers), b""
        if self.raw is not None:
            body = self.raw
        elif self.document is not None:
            body = json.dumps(self.document).encode()
            headers.setdefault("content-type", JSON)
        elif self.form:
            body = encoded(self.form).encode()
            headers.setdefault("content-type", FORM)
        query = encoded(self.query) if self.query_raw is None else self.query_raw
        # Another address each time: who is slowed down sees nothing of what stands behind.
        address = f"10.{serial >> 16 & 255}.{serial >> 8 & 255}.{serial & 255}"
        return Wire(self.method, self.path, query, headers, body, address)


def encoded(pairs: Pairs) -> str:
    """Half a surrogate pair becomes bytes that are no UTF-8."""
    return "&".join(f"{quote_plus(name, errors='surrogatepass')}={quote_plus(value, errors='surrogatepass')}" for name, value in pairs)  # fmt: skip


Recipe = Callable[[World], Ask]
RECIPES: dict[str, Recipe] = {}


def recipe(function: Recipe) -> Recipe:
    RECIPES[function.__name__] = function
    return function


def _post(world: World, path: str, app: App, *, proof: bool = False, **form: str) -> Ask:
    more, headers = world.authenticated(app)
    if proof:
        headers = {**headers, "dpop": world.proof("POST", path)}
    return Ask("POST", path, form=[*form.items(), *more.items()], headers=headers)


def _code(world: World, name: str, *, proof: bool = False) -> Ask:
    app = world.apps[name]
    bound = {"jkt": world.prover.jkt} if proof else {}
    form = {"grant_type": "authorization_code", "code": world.code(app, **bound)}
    return _post(world, "/token", app, proof=proof, redirect_uri=CALLBACK, code_verifier=VERIFIER, **form)


def _code_recipe(name: str, *, proof: bool = False) -> None:
    def made(world: World) -> Ask:
        return _code(world, name, proof=proof)

    RECIPES[f"token_code_{name}"] = made


for one, with_proof in (("shop", False), ("post", False), ("public", False), ("keys", True), ("mac", False)):
    _code_recipe(one, proof=with_proof)
for one in ("tls", "fapi"):
    _code_recipe(one, proof=True)


@recipe
def token_refresh(world: World) -> Ask:
    app = world.apps["post"]
    token = world.tokens(app)["refresh_token"]
    return _post(world, "/token", app, grant_type="refresh_token", refresh_token=token, scope="openid")


@recipe
def token_client_credentials(world: World) -> Ask:
    form = {"grant_type": "client_credentials", "scope": "documents.read", "resource": API}
    return _post(world, "/token", world.apps["shop"], **form)


@recipe
def token_device(world: World) -> Ask:
    app = world.apps["public"]
    return _post(world, "/token", app, grant_type=DEVICE, device_code=world.device_code(app))


@recipe
def token_exchange(world: World) -> Ask:
    app = world.apps["shop"]
    tokens = world.tokens(app)
    form = {"subject_token": tokens["access_token"], "subject_token_type": ACCESS_TYPE, "audience": API}
    actor = {"actor_token": world.tokens(app)["access_token"], "actor_token_type": ACCESS_TYPE}
    return _post(world, "/token", app, grant_type=EXCHANGE, scope="documents.read", **form, **actor)


@recipe
def token_jwt_bearer(world: World) -> Ask:
    form = {"grant_type": JWT_BEARER, "assertion": world.jwt("bearer"), "scope": "openid"}
    return _post(world, "/token", world.apps["shop"], **form)


@recipe
def userinfo_get(world: World) -> Ask:
    token = world.tokens(world.apps["shop"])["access_token"]
    return Ask("GET", "/userinfo", headers={"authorization": f"Bearer {token}"})


@recipe
def userinfo_post(world: World) -> Ask:
    return Ask("POST", "/userinfo", form=[("access_token", world.tokens(world.apps["post"])["access_token"])])


@recipe
def userinfo_dpop(world: World) -> Ask:
    ask = _code(world, "keys", proof=True)
    token = json.loads(world.send(ask.wire(1)).body)["access_token"]
    headers = {"authorization": f"DPoP {token}", "dpop": world.proof("GET", "/userinfo", token)}
    return Ask("GET", "/userinfo", headers=headers)


@recipe
def introspect(world: World) -> Ask:
    token = world.tokens(world.apps["shop"])["access_token"]
    return _post(world, "/introspect", world.apps["shop"], token=token, token_type_hint="access_token")


@recipe
def revoke(world: World) -> Ask:
    return _post(world, "/revoke", world.apps["post"], token=world.tokens(world.apps["post"])["refresh_token"])


@recipe
def par_plain(world: World) -> Ask:
    app = world.apps["keys"]
    said = {**world.house.request_of(app, claims='{"id_token":{"acr":null}}', max_age="60"), "dpop_jkt": world.prover.jkt}
    said.pop("client_id")
    return _post(world, "/par", app, proof=True, **said)


@recipe
def par_object(world: World) -> Ask:
    return _post(world, "/par", world.apps["fapi"], request=world.jwt("request:fapi"))


@recipe
def device_authorization(world: World) -> Ask:
    return _post(world, "/device_authorization", world.apps["public"], scope="openid profile", resource=API)


def metadata(world: World) -> dict[str, Any]:
    return {
        "redirect_uris": [CALLBACK, "https://app.example/other"],
        "post_logout_redirect_uris": [BYE],
        "client_name": "Fuzz",
        "grant_types": ["authorization_code", "refresh_token"],
        "response_types": ["code"],
        "scope": "openid profile",
        "token_endpoint_auth_method": "private_key_jwt",
        "token_endpoint_auth_signing_alg": "ES256",
        "jwks": json.loads(world.keys.jwks),
        "contacts": ["ops@app.example"],
        "default_max_age": 3600,
        "require_auth_time": True,
        "logo_uri": "https://app.example/logo",
        "request_uris": ["https://app.example/request"],
        "subject_type": "pairwise",
        "id_token_signed_response_alg": "ES256",
        "userinfo_signed_response_alg": "ES256",
        "backchannel_logout_uri": "https://app.example/out",
        "backchannel_logout_session_required": True,
    }


@recipe
def register(world: World) -> Ask:
    return Ask("POST", "/register", document=metadata(world))


def _registered(world: World, method: str) -> Ask:
    made = json.loads(world.send(Ask("POST", "/register", document=metadata(world)).wire(next(world.serial))).body)
    path = "/register/" + made["client_id"]
    ask = Ask(method, path, headers={"authorization": f"Bearer {made['registration_access_token']}"})
    if method == "PUT":
        ask.document = {**metadata(world), "client_id": made["client_id"]}
    return ask


@recipe
def manage_get(world: World) -> Ask:
    return _registered(world, "GET")


@recipe
def manage_put(world: World) -> Ask:
    return _registered(world, "PUT")


@recipe
def manage_delete(world: World) -> Ask:
    return _registered(world, "DELETE")


def _published(path: str) -> None:
    RECIPES[f"published_{path.strip('/').replace('/', '_')}"] = lambda world: Ask("GET", path)


for one in ("/jwks", "/.well-known/openid-configuration", "/.well-known/oauth-authorization-server", "/session/check"):
    _published(one)


@recipe
def authorize_get(world: World) -> Ask:
    said = world.house.request_of(world.apps["shop"], prompt="none", max_age="3600", ui_locales="de en", login_hint="ada")
    return Ask("GET", "/authorize", query=list(said.items()), headers={"cookie": world.cookies()})


@recipe
def authorize_post(world: World) -> Ask:
    said = world.house.request_of(world.apps["mac"], response_mode="form_post.jwt", claims='{"userinfo":{"name":null}}')
    return Ask("POST", "/authorize", form=list(said.items()), headers={"cookie": world.cookies()})


@recipe
def authorize_object(world: World) -> Ask:
    query = [("client_id", "shop"), ("redirect_uri", CALLBACK), ("response_type", "code"), ("request", world.jwt("request:shop"))]
    return Ask("GET", "/authorize", query=query, headers={"cookie": world.cookies()})


@recipe
def authorize_pushed(world: World) -> Ask:
    query = [("client_id", "shop"), ("request_uri", world.pushed(world.apps["shop"]))]
    return Ask("GET", "/authorize", query=query, headers={"cookie": world.cookies()})


@recipe
def authorize_resume(world: World) -> Ask:
    said = world.house.request_of(world.apps["shop"], state="s-2")
    path, _, query = world.finished("/authorize?" + encoded(list(said.items()))).partition("?")
    headers = {"cookie": world.cookies(signed_in=False)}
    return Ask("GET", path, query=[("attempt", query.partition("=")[2])], headers=headers)


@recipe
def end_session_get(world: World) -> Ask:
    hint = world.tokens(world.apps["shop"])["id_token"]
    query = [("id_token_hint", hint), ("post_logout_redirect_uri", BYE), ("state", "s"), ("ui_locales", "de")]
    headers = {"cookie": f"sheaf_browser={BROWSER}"}  # without the session, which the others need
    return Ask("GET", "/end_session", query=query, headers=headers)


@recipe
def end_session_post(world: World) -> Ask:
    form = [("client_id", "shop"), ("post_logout_redirect_uri", BYE), ("logout_hint", "ada")]
    return Ask("POST", "/end_session", form=form, headers={"cookie": world.cookies()})


@recipe
def end_session_confirm(world: World) -> Ask:
    form = [("csrf", world.csrf()), ("client_id", "shop"), ("post_logout_redirect_uri", BYE), ("state", "s")]
    return Ask("POST", "/end_session/confirm", form=form, headers={"cookie": f"sheaf_browser={BROWSER}"})


@recipe
def signed_out(world: World) -> Ask:
    return Ask("GET", world.signed_out(), query=[("looked", "1")], headers={"cookie": world.cookies(signed_in=False)})


@recipe
def device_page(world: World) -> Ask:
    return Ask("GET", "/device", query=[("user_code", world.user_code(world.apps["public"]))])


@recipe
def device_typed(world: World) -> Ask:
    browser = f"{next(world.serial):043}"
    form = [("csrf", world.csrf(browser)), ("user_code", world.user_code(world.apps["public"]))]
    return Ask("POST", "/device", form=form, headers={"cookie": f"sheaf_browser={browser}"})


@recipe
def device_resume(world: World) -> Ask:
    form = {"csrf": world.csrf(), "user_code": world.user_code(world.apps["public"])}
    path, _, query = world.finished("/device", form).partition("?")
    headers = {"cookie": world.cookies(signed_in=False)}
    return Ask("GET", path, query=[("attempt", query.partition("=")[2])], headers=headers)


__all__ = ["ASSERTION_TYPE", "RECIPES", "Ask", "Recipe", "metadata"]

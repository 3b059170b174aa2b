"""Owns one good request for each thing that programs ask of the OIDC door, with fresh one-time things in it.

What is changed about them is left to changes, sending them to world.
"""

import json
from typing import Any

from tests.oidc.asserting import GRANT as JWT_BEARER
from tests.oidc.fuzzing.book import RECIPES, recipe
from tests.oidc.fuzzing.wire import Ask
from tests.oidc.fuzzing.world import DEVICE, EXCHANGE, World
from tests.oidc.house import API, BYE, CALLBACK, VERIFIER, App

ACCESS_TYPE = "urn:ietf:params:oauth:token-type:access_token"


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
    said = {
        **world.house.request_of(app, claims='{"id_token":{"acr":null}}', max_age="60"),
        "dpop_jkt": world.prover.jkt,
    }
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

"""The OpenID Connect door with Authlib's OAuth2Session and AssertionSession: every way to authenticate that they know, PKCE,
refresh, introspection and revocation, and the grants for programs that act for people.

Whole sign-ins with Authlib's Flask client are left to test_relying_parties.
"""

from typing import Any

import pytest
import requests
from authlib.common.security import generate_token
from authlib.integrations.base_client import OAuthError
from authlib.integrations.requests_client import AssertionSession, OAuth2Session
from authlib.oauth2.base import OAuth2Error
from authlib.oauth2.rfc7523 import ClientSecretJWT, PrivateKeyJWT
from joserfc.jwk import Key

from tests.journeys.conftest import Partner
from tests.peers.features import add_app
from tests.support.proofs import make_key, readable
from tests.support.sheaf import Sheaf
from tests.support.visitor import Visitor

CALLBACK = "https://app.example.org/callback"
OFFLINE = "openid profile email offline_access"
ORDERS, STOCK, BANK = "urn:example:orders", "urn:example:stock", "urn:example:bank"
EXCHANGE = "urn:ietf:params:oauth:grant-type:token-exchange"
ASSERTION = "urn:ietf:params:oauth:grant-type:jwt-bearer"
ACCESS_TOKEN = "urn:ietf:params:oauth:token-type:access_token"
pytestmark = [pytest.mark.slow, pytest.mark.peer]


def session(made: dict[str, Any], method: str = "client_secret_basic", **more: Any) -> Any:
    secret = more.pop("key", None) or made.get("client_secret")
    settings = {"scope": "openid profile email", "redirect_uri": CALLBACK, "code_challenge_method": "S256", **more}
    opened = OAuth2Session(
        made["client_id"],
        secret,
        token_endpoint_auth_method=method,
        revocation_endpoint_auth_method=method,
        default_timeout=20,
        **settings,
    )
    opened.trust_env = False
    return opened


def came_back(opened: Any, special: Sheaf, grace: Visitor, endpoint: str = "/authorize") -> dict[str, str]:
    """Sends Ada there and gives what the app needs for `fetch_token`."""
    verifier = generate_token(64)
    url, state = opened.create_authorization_url(special.url(endpoint), code_verifier=verifier)
    return {"authorization_response": grace.visit(url)["url"], "state": state, "code_verifier": verifier}


def sign_in(opened: Any, special: Sheaf, grace: Visitor) -> dict[str, Any]:
    return dict(opened.fetch_token(special.url("/token"), **came_back(opened, special, grace)))


def introspect(opened: Any, special: Sheaf, token: str) -> Any:
    return opened.introspect_token(special.url("/introspect"), token=token, token_type_hint="access_token").json()


METHODS = ["client_secret_basic", "client_secret_post", "client_secret_jwt", "private_key_jwt"]


@pytest.mark.parametrize("method", METHODS)
def test_code_refresh_introspection_and_revocation_with_each_authentication(
    special: Sheaf, grace: Visitor, method: str
) -> None:
    key = make_key("ES256", kid="app-1")
    keys: dict[str, Any] = {"public_keys": [key.as_dict(private=False)]} if method == "private_key_jwt" else {}
    grants = "authorization_code refresh_token"
    made = add_app(special, CALLBACK, auth_method=method, grant_types=grants, scopes=OFFLINE, **keys)
    opened = session(made, method, scope=OFFLINE, **({"key": key} if keys else {}))
    opened.register_client_auth_method(ClientSecretJWT())
    opened.register_client_auth_method(PrivateKeyJWT(alg="ES256", headers={"kid": "app-1"}))

    first = sign_in(opened, special, grace)
    who = opened.get(special.url("/userinfo")).json()
    second = dict(opened.refresh_token(special.url("/token")))
    before = introspect(opened, special, second["access_token"])
    opened.revoke_token(special.url("/revoke"), token=second["refresh_token"]).raise_for_status()

    assert readable(first["id_token"])[1]["sub"] == who["sub"] == before["sub"] == grace.id
    assert second["refresh_token"] != first["refresh_token"]
    assert introspect(opened, special, second["access_token"]) == {"active": False}
    assert opened.get(special.url("/userinfo")).status_code == 401
    with pytest.raises(OAuthError, match="invalid_grant"):
        opened.refresh_token(special.url("/token"), refresh_token=second["refresh_token"])
    opened.close()


def test_an_app_without_a_secret_needs_its_verifier(special: Sheaf, grace: Visitor) -> None:
    made = add_app(special, CALLBACK, auth_method="none")
    with session(made, "none") as opened:
        assert sign_in(opened, special, grace)["access_token"]
        came = came_back(opened, special, grace) | {"code_verifier": generate_token(64)}
        with pytest.raises(OAuthError, match="invalid_grant"):
            opened.fetch_token(special.url("/token"), **came)


def test_a_token_is_for_the_resources_that_were_asked_for(special: Sheaf, grace: Visitor) -> None:
    """RFC 8707: two at /authorize, and at /token one of them or none but these."""
    made = add_app(special, CALLBACK, audiences=f"{ORDERS} {STOCK} urn:example:bank", scopes="profile")
    with session(made, scope="profile") as opened:
        came = [came_back(opened, special, grace, f"/authorize?resource={ORDERS}&resource={STOCK}") for _ in range(3)]
        both = opened.fetch_token(special.url("/token"), **came[0])["access_token"]
        one = opened.fetch_token(special.url("/token"), resource=STOCK, **came[1])["access_token"]
        with pytest.raises(OAuthError, match="invalid_target"):
            opened.fetch_token(special.url("/token"), resource="urn:example:bank", **came[2])
    assert sorted(readable(both)[1]["aud"]) == [ORDERS, STOCK]
    assert readable(one)[1]["aud"] == STOCK


def exchange(special: Sheaf, made: dict[str, Any], subject: str, **fields: str | list[str]) -> requests.Response:
    form = {"grant_type": EXCHANGE, "subject_token": subject, "subject_token_type": ACCESS_TOKEN, **fields}
    with requests.Session() as plain:
        plain.trust_env = False
        return plain.post(special.url("/token"), data=form, auth=(made["client_id"], made["client_secret"]), timeout=20)


def test_services_act_for_a_person_and_the_tokens_name_who_acts(special: Sheaf, grace: Visitor) -> None:
    """RFC 8693 section 4.1: a shop signs Grace in; its orders service calls the stock service for her, and that one the bank."""
    shop = add_app(special, CALLBACK, audiences=f"{ORDERS} {STOCK} {BANK}", scopes="profile read")
    grants = f"client_credentials {EXCHANGE}"
    orders = add_app(special, grant_types=grants, audiences=f"{ORDERS} {STOCK} {BANK}", scopes="read write")
    stock = add_app(special, grant_types=grants, audiences=f"{STOCK} {BANK}", scopes="read")
    elsewhere = add_app(special, grant_types=grants, audiences="urn:example:elsewhere", scopes="read")
    with session(shop, scope="profile read") as opened:
        hers = sign_in(opened, special, grace)["access_token"]
    actors = []
    for service in (orders, stock):
        with session(service, scope="read") as opened:
            actors.append(opened.fetch_token(special.url("/token"))["access_token"])

    first = exchange(
        special,
        orders,
        hers,
        actor_token=actors[0],
        actor_token_type=ACCESS_TOKEN,
        resource=[STOCK, BANK],
        scope="read",
    ).json()
    second = exchange(
        special,
        stock,
        first["access_token"],
        actor_token=actors[1],
        actor_token_type=ACCESS_TOKEN,
        resource=BANK,
    ).json()
    beyond = exchange(special, stock, second["access_token"], resource=STOCK).json()
    wider = exchange(special, orders, hers, resource=STOCK, scope="read write").json()
    stranger = exchange(special, elsewhere, hers).json()

    said = readable(first["access_token"])[1]
    assert (said["sub"], said["aud"], said["scope"], said["client_id"]) == (
        grace.id,
        [STOCK, BANK],
        "read",
        orders["client_id"],
    )
    assert said["act"]["sub"] == orders["client_id"]
    acts = readable(second["access_token"])[1]["act"]
    assert (acts["sub"], acts["act"]["sub"]) == (stock["client_id"], orders["client_id"])
    assert "refresh_token" not in first
    assert readable(second["access_token"])[1]["aud"] == BANK
    assert (wider["error"], beyond["error"], stranger["error"]) == (
        "invalid_scope",
        "invalid_target",
        "invalid_request",
    )


def test_an_assertion_of_a_trusted_issuer_stands_for_whoever_linked_that_login(
    special: Sheaf, partner: Partner, grace: Visitor
) -> None:
    """RFC 7523 section 2.1, with Authlib's own assertions as they are: good for an hour by their `exp`."""
    provider = {"issuer": partner.issuer, "client_id": "sheaf", "client_secret": "never used"}
    special.add_upstream("oidc", "partner", label="Partner", **provider)
    special.cli("user", "link", grace.person.username, "partner", "grace-there")
    made = add_app(special, grant_types=ASSERTION, scopes="openid profile", audiences=ORDERS)

    def token(subject: str = "grace-there", key: Key = partner.key, audience: str = special.issuer) -> Any:
        how = {"scope": "openid profile", "header": {"alg": "ES256", "kid": "partner-1"}, "default_timeout": 20}
        with AssertionSession(
            special.url("/token"), partner.issuer, subject, audience=audience, key=key, **how
        ) as opened:
            opened.trust_env = False
            opened.auth = (made["client_id"], made["client_secret"])
            return opened.refresh_token()

    with requests.Session() as plain:
        plain.trust_env = False
        got = token()
        headers = {"Authorization": f"Bearer {got['access_token']}"}
        assert plain.get(special.url("/userinfo"), headers=headers, timeout=20).json()["sub"] == grace.id
    assert "refresh_token" not in got
    forged = make_key("ES256", kid="partner-1")
    for wrong in ({"subject": grace.person.email}, {"key": forged}, {"audience": "https://elsewhere.example"}):
        with pytest.raises(OAuth2Error, match="invalid_grant"):
            token(**wrong)

"""The OpenID Connect door with npm oauth4webapi, where every request and every check of an answer is a call of its own, on an
installation that demands DPoP nonces and lets apps register themselves.

What a library with fewer knobs gets along with is left to test_every_oidc_feature.
"""

from collections.abc import Callable, Iterator
from typing import Any

import pytest

from tests.peers.features import Library, RefusalError, add_app
from tests.support.sheaf import Sheaf
from tests.support.visitor import Visitor

CALLBACK = "https://app.example.org/callback"
API = "urn:example:api"
DEVICE = "urn:ietf:params:oauth:grant-type:device_code"
OFFLINE = "openid profile email offline_access"
pytestmark = [pytest.mark.slow, pytest.mark.peer]


@pytest.fixture(scope="module")
def library(special: Sheaf) -> Iterator[Library]:
    with Library("webapi.mjs") as library:
        library.do("discover", issuer=special.issuer, algorithm="oidc")
        yield library


def be(library: Library, made: dict[str, Any], method: str = "client_secret_basic", **more: Any) -> None:
    auth = {"method": method, "secret": made.get("client_secret"), "key": more.pop("key", None)}
    library.do("be", client_id=made["client_id"], auth=auth, **more)


def begin(library: Library, *, push: bool = False, **params: str) -> str:
    wanted = {"redirect_uri": CALLBACK, "scope": "openid profile email", **params}
    url: str = library.do("authorize", params=wanted, push=push)["url"]
    return url


def refused(library: Library, name: str, **asked: Any) -> Any:
    """Gives the error code that the library was told, else the scheme of the challenge."""
    with pytest.raises(RefusalError) as refusal:
        library.do(name, **asked)
    return refusal.value.error or refusal.value.said["challenge"]


@pytest.fixture(scope="module")
def bank(library: Library, special: Sheaf) -> Callable[[], str]:
    """Become the app with every rule of FAPI 2.0; gives the name of its DPoP key."""
    authenticates, proves = library.do("make_key", alg="ES256"), library.do("make_key", alg="ES256")
    algs = {"id_token_signed_response_alg": "ES256", "authorization_signed_response_alg": "ES256"}
    made = add_app(
        special,
        CALLBACK,
        profile="fapi2",
        auth_method="private_key_jwt",
        dpop_bound_access_tokens="true",
        grant_types="authorization_code refresh_token",
        scopes=OFFLINE,
        audiences=API,
        userinfo_signed_response_alg="ES256",
        introspection_signed_response_alg="ES256",
        public_keys=[authenticates["public"]],
        **algs,
    )
    more = {"userinfo_signed_response_alg": "ES256", "introspection_signed_response_alg": "ES256"}

    def become() -> str:
        be(library, made, "private_key_jwt", key=authenticates["kid"], dpop=proves["kid"], metadata={**algs, **more})
        return str(proves["kid"])

    return become


def bank_sign_in(library: Library, grace: Visitor) -> Any:
    url = begin(library, push=True, response_mode="jwt", scope=OFFLINE, prompt="consent")
    return library.do("redeem", **grace.visit(url), jarm=True)


def test_fapi_2_with_par_dpop_nonces_jarm_and_private_key_jwt(
    library: Library, bank: Callable[[], str], grace: Visitor
) -> None:
    bank()

    result = bank_sign_in(library, grace)
    before = library.do("nonces")["nonces"]

    assert result["claims"]["sub"] == grace.id
    assert result["tokens"]["token_type"].lower() == "dpop"
    assert before == 2  # /par and /token: the code and the pushed request outlived being asked for a nonce
    assert library.do("userinfo")["email"] == grace.person.email
    assert library.do("userinfo_twice")["asked_for_a_nonce"] == 1
    assert library.do("refresh")["tokens"]["token_type"].lower() == "dpop"
    assert library.do("nonces")["nonces"] == before + 3
    assert library.do("userinfo")["sub"] == grace.id


def test_proofs_with_another_key_are_refused_everywhere(
    library: Library, bank: Callable[[], str], grace: Visitor
) -> None:
    bank()
    other = library.do("make_key", alg="ES256")["kid"]
    came = grace.visit(begin(library, push=True, response_mode="jwt", scope=OFFLINE, prompt="consent"))

    assert refused(library, "redeem", **came, jarm=True, key=other) == "invalid_grant"
    bank_sign_in(library, grace)
    assert refused(library, "userinfo", key=other) == "invalid_token"
    assert library.do("userinfo")["sub"] == grace.id
    with pytest.raises(RefusalError, match="confirmation mismatch"):
        library.do("accept", audience=API, key=other)


def test_an_api_checks_access_tokens_with_our_keys_alone(
    library: Library, bank: Callable[[], str], grace: Visitor
) -> None:
    bank()
    bank_sign_in(library, grace)

    claims = library.do("accept", audience=API)

    assert claims["sub"] == grace.id
    assert set(claims["scope"].split()) == set(OFFLINE.split())
    for asked in ({"audience": "urn:example:other"}, {"audience": API, "bearer": True}):
        with pytest.raises(RefusalError):
            library.do("accept", **asked)


def test_introspection_is_signed_and_follows_a_revocation(
    library: Library, bank: Callable[[], str], grace: Visitor
) -> None:
    bank()
    tokens = bank_sign_in(library, grace)["tokens"]

    told = library.do("introspect")
    library.do("revoke", token=tokens["refresh_token"])

    assert (told["active"], told["sub"], told["token_type"]) == (True, grace.id, "DPoP")
    assert set(told["cnf"]) == {"jkt"}
    assert library.do("introspect") == {"active": False}
    assert refused(library, "refresh") == "invalid_grant"
    assert refused(library, "userinfo") == "invalid_token"


def test_a_code_is_good_once_and_its_second_use_ends_what_it_gave(
    library: Library, bank: Callable[[], str], grace: Visitor
) -> None:
    bank()
    bank_sign_in(library, grace)

    assert refused(library, "redeem") == "invalid_grant"
    assert refused(library, "userinfo") == "invalid_token"


def test_an_app_without_a_secret_keeps_its_refresh_token_to_its_key(
    library: Library, special: Sheaf, grace: Visitor
) -> None:
    mine, other = (library.do("make_key", alg="ES256")["kid"] for _ in range(2))
    made = add_app(
        special, CALLBACK, auth_method="none", grant_types="authorization_code refresh_token", scopes=OFFLINE
    )
    be(library, made, "none", dpop=mine)
    first = library.do("redeem", **grace.visit(begin(library)))["tokens"]

    assert refused(library, "refresh", key=other) == "invalid_grant"
    second = library.do("refresh", token=first["refresh_token"])["tokens"]
    assert second["refresh_token"] != first["refresh_token"]
    assert library.do("userinfo", token=second["access_token"])["sub"] == grace.id


@pytest.mark.parametrize("method", ["client_secret_basic", "client_secret_post", "client_secret_jwt"])
def test_a_program_gets_a_token_for_itself_in_each_way_with_a_secret(
    library: Library, special: Sheaf, method: str
) -> None:
    made = add_app(special, auth_method=method, grant_types="client_credentials", scopes="read", audiences=API)
    be(library, made, method)
    library.do("client_credentials", params={"scope": "read", "resource": API})

    claims = library.do("accept", audience=API, bearer=True)
    be(library, {**made, "client_secret": "x" * 43}, method)

    assert (claims["sub"], claims["client_id"], claims["scope"]) == (made["client_id"], made["client_id"], "read")
    # RFC 6749 5.2: who came with Basic gets a challenge, and this library reads that before the body.
    assert refused(library, "client_credentials") == ("basic" if method == "client_secret_basic" else "invalid_client")


def test_a_device_hears_pending_slow_down_denied_and_then_tokens_once(
    library: Library, special: Sheaf, grace: Visitor
) -> None:
    be(library, add_app(special, auth_method="none", grant_types=DEVICE, scopes="openid profile"), "none")
    asked = library.do("device", params={"scope": "openid profile"})

    assert asked["interval"] == 5
    assert refused(library, "poll") == "authorization_pending"
    assert refused(library, "poll") == "slow_down"
    grace.through(asked["verification_uri_complete"], answer="deny")
    assert refused(library, "poll") == "access_denied"

    again = library.do("device", params={"scope": "openid profile"})
    grace.through(again["verification_uri_complete"])
    assert library.do("poll")["claims"]["sub"] == grace.id
    assert refused(library, "poll") == "invalid_grant"
    assert refused(library, "userinfo") == "invalid_token"  # the second use ended what the first one gave


def test_an_app_registers_signs_somebody_in_changes_itself_and_goes(
    library: Library, special: Sheaf, grace: Visitor
) -> None:
    token = special.cli("registration", "token", "add", "--name", "partner", "--uses", "1")["token"]
    wish = {"client_name": "Shop", "redirect_uris": [CALLBACK], "token_endpoint_auth_method": "client_secret_post"}

    made = library.do("register", metadata=wish, token=token)
    place = {"uri": made["registration_client_uri"], "token": made["registration_access_token"]}
    read = library.do("manage", method="GET", **place)
    be(library, made, "client_secret_post")
    signed_in = library.do("redeem", **grace.visit(begin(library)))
    new = {**wish, "client_id": made["client_id"], "client_name": "Better shop"}
    changed = library.do("manage", method="PUT", body=new, **place)

    assert refused(library, "register", metadata=wish, token=token) == "invalid_token"  # it was good once
    assert (read["status"], read["body"]["client_name"]) == (200, "Shop")
    assert signed_in["claims"]["sub"] == grace.id
    assert (changed["status"], changed["body"]["client_name"]) == (200, "Better shop")
    assert library.do("manage", method="GET", **{**place, "token": "wrong"})["status"] == 401
    assert library.do("manage", method="PUT", body={**new, "client_id": "another"}, **place)["status"] == 400
    assert library.do("manage", method="DELETE", **place) == {"status": 204, "body": None}
    assert library.do("manage", method="GET", **place)["status"] == 401
    assert refused(library, "userinfo") == "invalid_token"


@pytest.mark.parametrize("algorithm", ["oidc", "oauth2"])
def test_both_discovery_documents_name_everything_that_is_used_here(
    library: Library, special: Sheaf, algorithm: str
) -> None:
    told = library.do("discover", issuer=special.issuer, algorithm=algorithm)["metadata"]

    assert told["authorization_response_iss_parameter_supported"] is True
    assert {"query", "form_post", "jwt", "query.jwt", "form_post.jwt"} <= set(told["response_modes_supported"])
    assert {"ES256", "PS256", "Ed25519"} <= set(told["dpop_signing_alg_values_supported"])
    for name in ("pushed_authorization_request", "device_authorization", "introspection", "revocation", "registration"):
        assert told[f"{name}_endpoint"].startswith(special.issuer)

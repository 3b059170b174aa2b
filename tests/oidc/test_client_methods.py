"""Owns the claims about which way of authenticating is allowed: the registered one, what a profile wants, rotated secrets.

What an assertion must be like is left to test_client_assertions.
"""

import json
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
from joserfc.jwk import Key
from werkzeug.test import TestResponse

from idp.domain.relying import Client
from idp.protocols.oidc.assertions import BadAssertion, verify
from tests.oidc.assertions import ALGS, KEY, NOT_AUTHENTICATED, ask, assertion, jwks, refused
from tests.oidc.house import ISSUER, App, House, basic
from tests.support.proofs import make_key


@pytest.fixture
def keyed(house: House) -> App:
    return house.client(auth_method="private_key_jwt", jwks=jwks(KEY))


@pytest.fixture
def secret_app(house: House) -> App:
    return house.client(auth_method="client_secret_jwt")


# ---------------------------------------------------------------- the registered method and algorithm


def test_another_method_than_the_registered_one_is_named_only_to_who_has_proved_it(house: House) -> None:
    by_secret = house.client(jwks=jwks(KEY), auth_method="client_secret_basic")
    assert "client_secret_basic" in refused(house, ask(house, assertion(house, by_secret)))
    stranger = make_key("ES256")
    assert refused(house, ask(house, assertion(house, by_secret, stranger))) == NOT_AUTHENTICATED
    # A secret that is kept as a digest only cannot check a MAC at all.
    mac = assertion(house, by_secret, by_secret.secret.encode(), "HS256")
    assert refused(house, ask(house, mac)) == NOT_AUTHENTICATED


def test_an_app_with_keys_has_no_secret_to_guess(house: House, keyed: App) -> None:
    for secret in ("", "no client has this secret", "None"):
        form = {"grant_type": "client_credentials", "client_id": keyed.id, "client_secret": secret}
        house.refused(house.app.test_client().post("/token", data=form), 401, "invalid_client")


def test_an_algorithm_that_is_registered_is_the_only_one(house: House) -> None:
    key = make_key("PS256", "k")
    app = house.client(auth_method="private_key_jwt", jwks=jwks(key), auth_signing_alg="PS256")
    assert ask(house, assertion(house, app, key, "PS256")).status_code == 200
    assert "PS256" in refused(house, ask(house, assertion(house, app, key, "RS256")))


def test_ed25519_may_be_called_by_both_its_names(house: House) -> None:
    key = make_key("EdDSA", "k")
    app = house.client(auth_method="private_key_jwt", jwks=jwks(key, alg="EdDSA"), auth_signing_alg="EdDSA")
    assert ask(house, assertion(house, app, key, "Ed25519")).status_code == 200
    assert ask(house, assertion(house, app, key, "EdDSA")).status_code == 200


def test_the_key_that_the_assertion_names_is_used_and_no_other(house: House) -> None:
    one, other = make_key("ES256", "one"), make_key("ES256", "other")
    app = house.client(auth_method="private_key_jwt", jwks=jwks(one, other))
    assert ask(house, assertion(house, app, other, header={"kid": "other"})).status_code == 200
    assert ask(house, assertion(house, app, other)).status_code == 200
    refused(house, ask(house, assertion(house, app, other, header={"kid": "one"})))
    refused(house, ask(house, assertion(house, app, other, header={"kid": "third"})))


def test_a_key_for_encryption_signs_nothing(house: House) -> None:
    keys = json.dumps(
        {"keys": [KEY.as_dict(private=False), {**make_key("ES256").as_dict(private=False), "use": "enc"}]}
    )
    app = house.client(auth_method="private_key_jwt", jwks=keys)
    only_enc = replace(app.client, jwks=jwks(KEY, use="enc"))
    assert house.parts.repo.replace_if(only_enc) is not None
    refused(house, ask(house, assertion(house, app)))


# ---------------------------------------------------------------- profiles


@pytest.fixture
def fapi(house: House) -> App:
    return _put(house, auth_method="private_key_jwt", jwks=jwks(KEY), profile="fapi2")


def _put(house: House, **fields: Any) -> App:
    """Straight into the store: the checks of registration are not what is tested here."""
    grants = ("client_credentials",)
    client = Client("bank", "Bank", house.clock(), grant_types=grants, scopes=("documents.read",), **fields)
    house.parts.repo.insert(client)
    return App(client)


def authenticated(answer: TestResponse) -> bool:
    """A bank's app must also bind its tokens; that comes after."""
    return bool(answer.status_code == 400 and answer.json and answer.json["error"] == "invalid_request")


def test_fapi2_takes_the_issuer_alone_as_a_string(house: House, fapi: App) -> None:
    assert authenticated(ask(house, assertion(house, fapi)))
    for aud in ([ISSUER], f"{ISSUER}/token", [ISSUER, f"{ISSUER}/token"]):
        assert "one string" in refused(house, ask(house, assertion(house, fapi, aud=aud)))


def test_fapi2_takes_its_algorithms_only(house: House) -> None:
    key = make_key("PS256", "k")
    app = _put(house, auth_method="private_key_jwt", jwks=jwks(key), profile="fapi2")
    assert authenticated(ask(house, assertion(house, app, key, "PS256")))
    assert "RS256" in refused(house, ask(house, assertion(house, app, key, "RS256")))


def test_fapi2_takes_no_secrets(house: House) -> None:
    from idp.base import ids

    app = _put(house, auth_method="client_secret_basic", secret_digest=ids.digest("s" * 43), profile="fapi2")
    form = {"grant_type": "client_credentials"}
    answer = house.app.test_client().post("/token", data=form, headers={"Authorization": basic(app.id, "s" * 43)})
    assert "profile" in refused(house, answer)


# ---------------------------------------------------------------- secrets that are rotated


def test_a_rotated_secret_works_for_its_overlap_in_every_way(house: House) -> None:
    for method in ("client_secret_basic", "client_secret_jwt"):
        app = house.client(method, auth_method=method)

        def answer(secret: str, app: App = app, method: str = method) -> int:
            if method == "client_secret_basic":
                return house.token(App(app.client, secret), grant_type="client_credentials").status_code
            return ask(house, assertion(house, app, secret.encode(), "HS256")).status_code

        _, fresh = house.parts.apps.rotate_secret(app.id, overlap_seconds=3600, actor="test")
        assert answer(app.secret) == 200
        assert answer(fresh.reveal()) == 200
        house.clock.advance(3600)
        assert answer(app.secret) == 401
        assert answer(fresh.reveal()) == 200


# ---------------------------------------------------------------- the jwt-bearer grant's helper


def test_verify_gives_the_claims_of_a_known_issuer_and_nobody_elses(house: House, keyed: App) -> None:
    def keys_for(issuer: str, kid: str | None, alg: str) -> list[Key]:
        assert (issuer, alg) == ("https://partner.example", "ES256")
        return [KEY]

    how: dict[str, Any] = {
        "issuers": ["https://partner.example"],
        "audience": [ISSUER],
        "now": house.clock(),
        "algs": ("ES256",),
    }
    good = assertion(house, keyed, iss="https://partner.example", sub="ada")
    assert verify(good, keys_for, **how)["sub"] == "ada"
    for bad in (
        assertion(house, keyed, iss="https://other.example"),
        assertion(house, keyed, iss="https://partner.example", aud="https://other.example"),
        assertion(house, keyed, iss="https://partner.example", exp=int(house.clock())),
        assertion(house, keyed, make_key("ES256"), iss="https://partner.example"),
        assertion(house, keyed, make_key("ES384"), "ES384", iss="https://partner.example"),
        "rubbish",
    ):
        with pytest.raises(BadAssertion):
            verify(bad, keys_for, **how)


def test_the_reason_in_the_log_holds_no_secret(house: House, secret_app: App) -> None:
    given = assertion(house, secret_app, b"wrong-secret-wrong-secret-wrong", "HS256")
    trace = house.refused(ask(house, given), 401, "invalid_client")["trace"]
    explained = str(house.parts.traces.explain(trace))
    assert given.split(".")[2] not in explained
    assert secret_app.secret not in explained
    assert "HS256" in explained


def test_every_unknown_client_is_answered_as_a_known_one_with_a_wrong_key(
    house: House, keyed: App, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The same words, and a verification each: the time tells nothing."""
    from idp.protocols.oidc import client_auth

    verified: list[str] = []

    def counting(original: Callable[..., bool]) -> Callable[..., bool]:
        def count(jws: Any, key: Any) -> bool:
            verified.append(jws.alg)
            return original(jws, key)

        return count

    monkeypatch.setattr(client_auth, "signed_by", counting(client_auth.signed_by))
    monkeypatch.setattr(client_auth, "mac_by", counting(client_auth.mac_by))
    for alg in (*ALGS, "HS256"):
        key: Key | bytes = b"s" * 43 if alg == "HS256" else make_key(alg)
        for who in (keyed, App(replace(keyed.client, id="nobody"))):
            assert refused(house, ask(house, assertion(house, who, key, alg))) == NOT_AUTHENTICATED
        assert len(verified) == (4 if alg == "HS256" else 2)
        verified.clear()

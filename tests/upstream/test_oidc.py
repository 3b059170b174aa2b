"""Owns what the generic kind `oidc` asks for, accepts and reads out of the claims, and its settings."""

import pytest

from idp.upstream.kinds.oidc import Settings
from tests.upstream.conftest import CALLBACK, CORP
from tests.upstream.openid_double import MISSING, Published, key

# ---------------------------------------------------------------- what works


def test_a_whole_round_trip_gives_the_person(arrive, openid):
    who = arrive(
        email="ada@corp.example",
        email_verified=True,
        name="Ada Lovelace",
        preferred_username="ada",
        acr="urn:strong",
        amr=["pwd", "otp"],
    )

    assert (who.provider_id, who.issuer, who.subject) == ("corp", openid.issuer, "user-1")
    assert (who.email, who.email_verified) == ("ada@corp.example", True)
    assert (who.name, who.username, who.acr, who.amr) == ("Ada Lovelace", "ada", "urn:strong", ("pwd", "otp"))


def test_the_departure_asks_for_what_is_configured(make_kind, openid):
    kind = make_kind(scopes="email groups", authorize_params="hd=corp.example&ui_locales=de en")

    openid.authorize(kind.depart(CORP, CALLBACK, force=False, login_hint="ada@corp.example").url)

    assert openid.last_asked["scope"] == "openid email groups"
    assert openid.last_asked["redirect_uri"] == CALLBACK
    assert openid.last_asked["login_hint"] == "ada@corp.example"
    assert (openid.last_asked["hd"], openid.last_asked["ui_locales"]) == ("corp.example", "de en")
    assert "prompt" not in openid.last_asked


def test_each_departure_has_a_state_nonce_and_verifier_of_its_own(kind):
    first, second = (kind.depart(CORP, CALLBACK, force=False, login_hint=None) for _ in range(2))

    assert set(first.remembered) == {"state", "nonce", "verifier"}
    assert not set(first.remembered.values()) & set(second.remembered.values())
    assert len(set(first.remembered.values())) == 3
    assert first.remembered["verifier"] not in first.url


def test_an_authorization_endpoint_with_a_query_keeps_it(openid, kind):
    openid.metadata["authorization_endpoint"] = f"{openid.issuer}/authorize?tenant=1"

    openid.authorize(kind.depart(CORP, CALLBACK, force=False, login_hint=None).url)

    assert openid.last_asked["tenant"] == "1"


@pytest.mark.parametrize("method", ["client_secret_basic", "client_secret_post", "none"])
def test_we_authenticate_at_the_token_endpoint_as_configured(make_kind, openid, arrive, method):
    openid.auth_method = method

    assert arrive(make_kind(token_endpoint_auth_method=method)).subject == "user-1"


def test_the_secret_of_one_upstream_never_travels_to_another(make_kind, openid, arrive):
    arrive(make_kind())  # client_secret_basic
    openid.auth_method = "none"  # refuses any Authorization header

    assert arrive(make_kind(token_endpoint_auth_method="none", client_secret="")).subject == "user-1"


@pytest.mark.parametrize(
    ("kind_of_key", "alg"),
    [("RSA", "RS256"), ("RSA", "PS256"), ("P-256", "ES256"), ("P-384", "ES384"), ("Ed25519", "Ed25519")],
)
def test_every_allowed_algorithm_verifies(arrive, openid, kind_of_key, alg):
    openid.rotate("other", f"key of {kind_of_key}", kind_of_key, alg)

    assert arrive().subject == "user-1"


def test_a_token_without_a_key_id_is_tried_with_every_key_that_fits(arrive, openid):
    openid.signer = Published(None, key("second"))
    openid.keys = [Published("first", key("first")), Published(None, key("second"))]

    assert arrive().subject == "user-1"


def test_a_long_header_with_a_certificate_chain_is_no_obstacle(arrive, openid):
    openid.header = {"x5c": ["A" * 3000]}

    assert arrive().subject == "user-1"


def test_five_sign_ins_fetch_metadata_and_keys_once(arrive, openid):
    for _ in range(5):
        arrive()

    assert openid.times_asked("/.well-known/openid-configuration") == 1
    assert openid.times_asked("/jwks") == 1


def test_metadata_and_keys_are_fetched_again_after_ten_minutes(arrive, openid, clock):
    arrive()
    clock.advance(601)
    arrive()

    assert openid.times_asked("/.well-known/openid-configuration") == 2
    assert openid.times_asked("/jwks") == 2


# ---------------------------------------------------------------- e-mail and userinfo


@pytest.mark.parametrize("verified", ["true", "True", 1, "yes", None, False, [True], MISSING])
def test_only_the_boolean_true_verifies_an_email(arrive, verified):
    claims = {} if verified is MISSING else {"email_verified": verified}

    who = arrive(email="ada@corp.example", **claims)

    assert (who.email, who.email_verified) == ("ada@corp.example", False)


@pytest.mark.parametrize(
    "email",
    ["a@x@evil.example", "no-at", "", 7, None, ["ada@corp.example"], "ada@corp.example\n", "a" * 260 + "@x.example"],
)
def test_what_is_no_email_is_left_out(arrive, email):
    who = arrive(email=email, email_verified=True)

    assert (who.email, who.email_verified) == (None, False)


def test_an_email_missing_in_the_id_token_is_asked_from_userinfo(arrive, openid):
    openid.userinfo = {"email": "ada@corp.example", "email_verified": True, "name": "Ada", "iss": "https://lie.example"}

    who = arrive()

    assert (who.email, who.email_verified, who.name, who.issuer) == ("ada@corp.example", True, "Ada", openid.issuer)


def test_verified_in_the_id_token_does_not_verify_an_email_from_userinfo(arrive, openid):
    openid.userinfo = {"email": "victim@corp.example"}

    assert arrive(email_verified=True).email_verified is False


def test_userinfo_about_somebody_else_is_refused(refused, openid):
    openid.userinfo = {"sub": "user-2", "email": "ada@corp.example"}

    assert refused() == ("upstream_answer_invalid", "userinfo speaks of another sub than the id_token")


def test_userinfo_is_left_alone_when_the_id_token_has_the_email(arrive, openid):
    openid.userinfo = {"email": "other@corp.example"}

    assert arrive(email="ada@corp.example").email == "ada@corp.example"
    assert openid.times_asked("/userinfo") == 0


def test_names_are_cleaned_of_what_cannot_be_seen(arrive):
    who = arrive(name="Ada\u202e\x00 \ud800 Love\u200blace\n", preferred_username="a\x07da")

    assert (who.name, who.username) == ("Ada Lovelace", "ada")


# ---------------------------------------------------------------- settings


@pytest.mark.parametrize(
    ("given", "kept"),
    [
        ("https://id.example", "https://id.example"),
        ("https://id.example/", "https://id.example/"),
        ("https://id.example/realms/a/.well-known/openid-configuration", "https://id.example/realms/a"),
        ("http://localhost:9000", "http://localhost:9000"),
    ],
)
def test_an_issuer_may_be_given_as_the_address_of_its_document(make_kind, given, kept):
    assert Settings(issuer=given, client_id="c", client_secret="s").issuer == kept


@pytest.mark.parametrize(
    "issuer",
    ["http://id.example", "ftp://id.example", "id.example", "https://a:b@id.example", "https://id.example?x", ""],
)
def test_an_unsafe_issuer_cannot_be_configured(make_kind, issuer):
    with pytest.raises(ValueError):
        Settings(issuer=issuer, client_id="c", client_secret="s")


@pytest.mark.parametrize("params", ["state=1", "nonce=1", "redirect_uri=x", "a=b&code_challenge=x", "request=ey"])
def test_the_parameters_of_the_protocol_cannot_be_overridden(make_kind, params):
    with pytest.raises(ValueError, match="ours alone"):
        make_kind(authorize_params=params)


@pytest.mark.parametrize("name", ["url", "uri", "code_verifier", "client"])
def test_a_further_parameter_may_have_any_other_name(make_kind, openid, name):
    openid.authorize(make_kind(authorize_params=f"{name}=1").depart(CORP, CALLBACK, force=False, login_hint=None).url)

    assert openid.last_asked[name] == "1"

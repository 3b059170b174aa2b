"""Owns the claims about release from end to end: scopes of an installation's own, lists of an app, the claims parameter.

What may be released at all is in tests/services/test_release.
"""

import json
from pathlib import Path

from idp.crypto.algs import ID_TOKEN_ALGS
from idp.crypto.jwe import ENCRYPTION_ALGS, ENCRYPTION_ENCS
from idp.domain.claims import IDENTITY_SCOPES, SCOPE_CLAIMS
from idp.domain.relying import CustomScope
from idp.services.check_token import OPAQUE_PREFIX
from tests.oidc.house import API, House, sent_back

PATH = "/.well-known/openid-configuration"


def test_a_scope_of_our_own_releases_its_claims_in_both_places(house: House) -> None:
    house.parts.scopes.add(CustomScope("employee", "see your number", ("employee_number",)), actor="test")
    app = house.client(scopes=("openid", "employee"))
    person = house.person(claims={"employee_number": "0042", "desk": "7"})
    answer = house.sign_in(person, app, scope="openid employee")
    assert house.read(answer["id_token"], "RS256").claims["employee_number"] == "0042"
    assert house.userinfo(answer["access_token"]).get_json() == {"sub": person.user.id, "employee_number": "0042"}


def test_standard_scopes_release_all_that_is_known(house: House) -> None:
    about = {"given_name": "Ada", "address": {"country": "UK"}, "phone_number": "+44 20 7946 0000", "level": 3}
    app = house.client(scopes=("openid", "profile", "address", "phone", "groups"))
    person = house.person(claims=about, groups=("staff",))
    answer = house.sign_in(person, app, scope="openid profile address phone groups")
    assert house.userinfo(answer["access_token"]).get_json() == {
        "sub": person.user.id,
        "name": "Ada",
        "preferred_username": "ada",
        "given_name": "Ada",
        "address": {"country": "UK"},
        "phone_number": "+44 20 7946 0000",
        "groups": ["staff"],
    }


def test_an_app_with_a_list_of_claims_roles_and_groups_gets_no_others(house: House) -> None:
    app = house.client(
        scopes=("openid", "profile", "roles", "groups"),
        claims=("name", "roles", "groups"),
        roles=("editor",),
        groups=("staff",),
    )
    person = house.person(roles=("editor", "administrator"), groups=("staff", "board"))
    answer = house.sign_in(person, app, scope="openid profile roles groups")
    expected = {"sub": person.user.id, "name": "Ada", "roles": ["editor"], "groups": ["staff"]}
    assert house.userinfo(answer["access_token"]).get_json() == expected
    access = house.read(answer["access_token"], "ES256").claims
    assert API in access["aud"]
    assert (access["roles"], access["groups"]) == (["editor"], ["staff"])


def test_the_claims_parameter_gives_what_it_names_to_a_first_party_app(house: House) -> None:
    app, person = house.client(), house.person()
    asked = {"userinfo": {"name": {"essential": True}, "zoneinfo": None}, "id_token": {"email": None}}
    answer = house.sign_in(person, app, scope="openid", claims=json.dumps(asked))
    assert house.userinfo(answer["access_token"]).get_json() == {"sub": person.user.id, "name": "Ada"}
    said = house.read(answer["id_token"], "RS256").claims
    assert (said["email"], said["email_verified"]) == ("ada@example.org", True)
    assert "name" not in said
    assert answer["scope"] == "openid"


def test_claims_by_name_need_the_consent_of_the_person_like_the_scopes_behind_them(house: House) -> None:
    app, person = house.client(consent="ask"), house.person()
    asked = json.dumps({"userinfo": {"email": None}})
    silent = sent_back(house.authorize(person.browser, app, scope="openid", prompt="none", claims=asked))
    assert silent["error"] == "consent_required"


def test_the_consent_page_asks_in_the_words_of_the_scope_and_they_are_only_text(house: House) -> None:
    house.parts.scopes.add(CustomScope("employee", "see your <b>number</b>", ("employee_number",)), actor="test")
    house.parts.scopes.add(CustomScope("wordless"), actor="test")
    app, person = house.client(consent="ask", scopes=("openid", "groups", "employee", "wordless")), house.person()
    answer = house.authorize(person.browser, app, scope="openid groups employee wordless")
    shown = person.browser.get(answer.headers["Location"], follow_redirects=True).text
    assert "see your &lt;b&gt;number&lt;/b&gt;" in shown
    assert "see which groups you are in" in shown
    assert "use “wordless”" in shown


def test_discovery_follows_the_scopes_within_a_second(house: House) -> None:
    browser = house.app.test_client()
    before = browser.get(PATH)
    assert {"address", "phone", "groups"} <= set(before.get_json()["scopes_supported"])
    assert "employee" not in before.get_json()["scopes_supported"]
    house.parts.scopes.add(CustomScope("employee", "", ("employee_number",)), actor="test")
    house.clock.advance(1)
    after = browser.get(PATH)
    assert "employee" in after.get_json()["scopes_supported"]
    assert {"employee_number", "picture", "phone_number_verified"} <= set(after.get_json()["claims_supported"])
    assert after.headers["ETag"] != before.headers["ETag"]


def test_discovery_promises_the_algorithms_and_subjects_there_are(house: House) -> None:
    document = house.app.test_client().get(PATH).get_json()
    assert document["subject_types_supported"] == ["public", "pairwise"]
    assert {"RS256", "PS256", "ES256", "ES384"} <= set(document["id_token_signing_alg_values_supported"])
    assert "none" not in document["id_token_signing_alg_values_supported"]
    for name in ("id_token", "userinfo"):
        assert {"RSA-OAEP-256", "ECDH-ES"} <= set(document[f"{name}_encryption_alg_values_supported"])
        assert {"A128CBC-HS256", "A256GCM"} <= set(document[f"{name}_encryption_enc_values_supported"])


def test_the_page_about_claims_names_every_scope_claim_and_algorithm() -> None:
    text = (Path(__file__).parents[2] / "docs" / "claims.md").read_text(encoding="utf-8")
    claims = [name for names in SCOPE_CLAIMS.values() for name in names]
    for name in (*IDENTITY_SCOPES, *claims, *ID_TOKEN_ALGS, *ENCRYPTION_ALGS, *ENCRYPTION_ENCS, OPAQUE_PREFIX):
        assert f"`{name}" in text, name

"""Owns the claims about claims of a person: which names and values there may be (OIDC Core 5.1). Pure."""

from typing import Any

import pytest

from idp.base.errors import Refused
from idp.domain.claims import FIELDS, MAX_BYTES, PROTOCOL, SCOPE_CLAIMS, check_claims, check_groups, check_name, facts
from idp.domain.user import User

ADA = User("usr_1", "ada", "ada", "ada@example.org", "ada@example.org", True, "Ada", 1.0)

GOOD: dict[str, Any] = {
    "given_name": "Ada",
    "family_name": "Lovelace",
    "middle_name": "King",
    "nickname": "the Countess",
    "profile": "https://example.org/ada",
    "picture": "https://example.org/ada.png?size=2",
    "website": "http://ada.example.org",
    "gender": "female",
    "birthdate": "0000-12-10",
    "zoneinfo": "America/Argentina/Buenos_Aires",
    "locale": "en-GB",
    "phone_number": "+1 (425) 555-1212;ext=5678",
    "phone_number_verified": True,
    "address": {"formatted": "1 Square\nLondon", "locality": "London", "postal_code": "SW1Y 4JH", "country": "UK"},
    "updated_at": 1_311_280_970,
    "employee_number": "00123",
    "level": 3,
    "ratio": 0.5,
    "https://example.org/claims/desk": {"floor": 2, "rooms": ["a", "b"]},
}


def test_all_standard_claims_and_own_ones_are_taken_as_they_are() -> None:
    assert check_claims(GOOD) == GOOD


def test_every_claim_of_the_profile_scope_can_be_set() -> None:
    wanted = {name for names in SCOPE_CLAIMS.values() for name in names} - FIELDS
    assert wanted <= GOOD.keys()


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("given_name", ""),
        ("given_name", "x" * 257),
        ("given_name", 5),
        ("given_name", None),
        ("given_name", "a\x00b"),
        ("given_name", "\ud800"),
        ("picture", "javascript:alert(1)"),
        ("picture", "data:image/png;base64,AAAA"),
        ("website", "https://"),
        ("profile", "https://example.org/a b"),
        ("birthdate", "10.12.1815"),
        ("birthdate", "1815-13-01"),
        ("birthdate", 1815),
        ("zoneinfo", "../../etc"),
        ("locale", "english please"),
        ("phone_number", "call me"),
        ("phone_number_verified", "true"),
        ("phone_number_verified", 1),
        ("updated_at", "now"),
        ("updated_at", True),
        ("updated_at", -1),
        ("address", "London"),
        ("address", {}),
        ("address", {"planet": "Earth"}),
        ("address", {"country": ["UK"]}),
        ("own", None),
        ("own", float("nan")),
        ("own", float("inf")),
        ("own", 2**60),
        ("own", object()),
        ("own", [[[[["deep"]]]]]),
        ("own", {5: "number as a name"}),
        ("own", [None]),
        ("own", "x" * 257),
        ("", "x"),
        ("a b", "x"),
        ("1a", "x"),
        ("ä", "x"),
        ("x" * 129, "x"),
    ],
)
def test_what_is_no_claim_is_refused_by_name(name: str, value: object) -> None:
    with pytest.raises(Refused) as refused:
        check_claims({name: value})
    assert refused.value.code == "invalid_claim"


@pytest.mark.parametrize("name", sorted(PROTOCOL | FIELDS))
def test_no_claim_of_a_person_takes_the_place_of_one_of_the_protocol_or_of_a_field(name: str) -> None:
    with pytest.raises(Refused):
        check_claims({name: "x"})


def test_a_protocol_name_in_other_letters_is_refused_too() -> None:
    with pytest.raises(Refused):
        check_claims({"SUB": "x"})


def test_the_claims_of_one_person_have_a_size() -> None:
    with pytest.raises(Refused):
        check_claims({f"own{n}": "x" * 250 for n in range(MAX_BYTES // 250)})


def test_names_of_scopes_claims_may_be_fields_but_never_protocol() -> None:
    assert check_name("email") == "email"
    with pytest.raises(Refused):
        check_name("iss")


def test_groups_lose_repetitions_and_have_a_shape() -> None:
    assert check_groups(("a", "b", "a")) == ("a", "b")
    for wrong in (("",), (" ",), ("x" * 129,), ("a\nb",), tuple(f"group {n:0100}" for n in range(50))):
        with pytest.raises(Refused):
            check_groups(wrong)


def test_facts_tell_the_fields_whatever_else_is_stored() -> None:
    odd = User("usr_1", "ada", "ada", None, None, False, "Ada", 1.0, claims={"name": "Eve", "nickname": "A"})
    assert facts(odd) == {"name": "Ada", "preferred_username": "ada", "nickname": "A", "roles": [], "groups": []}
    assert facts(ADA)["email_verified"] is True

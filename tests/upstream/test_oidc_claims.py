"""Owns what an OpenID Provider says besides who it is: groups, all other claims, how old the sign-in is, and the checks as noted."""

import base64
import hashlib
from dataclasses import replace

import pytest

from idp.domain.checks import Checks
from idp.upstream import person
from tests.upstream.conftest import CALLBACK, CORP
from tests.upstream.openid_double import MISSING


def test_all_claims_are_kept_as_texts_but_those_of_the_protocol(arrive):
    who = arrive(
        department="R & D\u200b",
        address={"country": "DE", "deeper": {"still": "here", "and": {"no": "further"}}},
        badge=4711,
        active=True,
        languages=["de", "en", None, {"no": 1}],
        nothing=None,
        amr=["otp"],
    )

    told = {name: value for name, value in who.attributes.items() if name not in ("iss", "sub", "amr")}
    assert told == {
        "department": ("R & D",),
        "address.country": ("DE",),
        "address.deeper.still": ("here",),
        "badge": ("4711",),
        "active": ("true",),
        "languages": ("de", "en"),
    }
    assert not person.NOT_KEPT & set(who.attributes)


def test_a_flood_of_claims_is_cut_short():
    flood = {f"claim_{number}": ["x" * 300] * 100 for number in range(200)}

    kept = person.attributes({**flood, "n" * 500: "long name", "big": 10**6000})

    assert 0 < len(kept) <= person.MAX_ATTRIBUTES
    assert sum(len(text) for values in kept.values() for text in values) <= person.MAX_ALL
    assert len(person.attributes({f"c{number}": "x" for number in range(200)})) == person.MAX_ATTRIBUTES


@pytest.mark.parametrize(
    ("claim", "said", "groups"),
    [
        ("groups", ["staff", "Finance (EU)", "staff"], ("staff", "Finance (EU)")),
        ("groups", "staff", ("staff",)),
        ("realm_access", {"roles": ["ops"]}, ()),
        ("groups", [7, None, ["staff"], "", "ad\u200bmins", "x" * 201], ()),
        ("groups", [f"g{number}" for number in range(2000)], tuple(f"g{number}" for number in range(1000))),
    ],
)
def test_groups_are_read_from_their_claim(arrive, claim, said, groups):
    assert arrive(**{claim: said}).groups == groups


def test_the_claim_with_the_groups_can_lie_in_an_object_or_have_dots_in_its_name(make_kind, arrive):
    assert arrive(make_kind(groups_claim="realm_access.roles"), realm_access={"roles": ["ops"]}).groups == ("ops",)
    name = "https://corp.example/groups"
    assert arrive(make_kind(groups_claim=name), **{name: ["ops"]}).groups == ("ops",)


def test_userinfo_is_asked_for_groups_and_claims_only_when_they_are_used(kind, openid):
    openid.userinfo = {"groups": ["staff"], "department": "R&D", "email": "other@corp.example", "email_verified": True}

    def groups(provider):
        departure = kind.depart(provider, CALLBACK, force=False, login_hint=None)
        params = openid.authorize(departure.url, email="ada@corp.example", email_verified=False)
        return kind.arrive(provider, CALLBACK, params, departure.remembered)

    assert groups(CORP).groups == ()
    assert openid.times_asked("/userinfo") == 0
    found = groups(replace(CORP, keep_groups=("*",)))
    assert found.groups == ("staff",)
    assert (found.email, found.email_verified) == ("ada@corp.example", False)
    assert groups(replace(CORP, claim_map={"department": "department"})).attributes["department"] == ("R&D",)


def test_every_check_is_noted_in_order(arrive_with_checks):
    _, checks = arrive_with_checks()

    assert [one.code for one in checks.made] == [
        "state", "metadata", "code", "token", "signature", "issuer", "audience", "expiry", "nonce", "subject", "auth_time",
        "admitted", "person",
    ]  # fmt: skip
    assert all(one.ok for one in checks.made)


@pytest.mark.parametrize(
    ("lie", "code"),
    [
        ({"iss": "https://evil.example"}, "issuer"),
        ({"aud": "other"}, "audience"),
        ({"exp": 1}, "expiry"),
        ({"nonce": "x"}, "nonce"),
        ({"sub": ""}, "subject"),
        ({"at_hash": "AAAA"}, "at_hash"),
    ],
)
def test_the_first_check_that_fails_is_the_last_one_noted(openid, arrive_with_checks, lie, code):
    openid.lies = lie

    refused, checks = arrive_with_checks()

    assert (checks.made[-1].code, checks.made[-1].ok) == (code, False)
    assert checks.made[-1].detail == refused.reason
    assert all(one.ok for one in checks.made[:-1])


def test_the_right_at_hash_is_accepted(openid, arrive_with_checks):
    digest = hashlib.sha256(b"the-token").digest()[:16]
    openid.token_answer = {"access_token": "the-token"}
    openid.lies = {"at_hash": base64.urlsafe_b64encode(digest).decode().rstrip("=")}

    who, _ = arrive_with_checks()

    assert who.subject == "user-1"


def test_max_age_is_asked_for_and_held_against_auth_time(kind, openid, refusal, clock):
    def go(max_age, auth_time):
        departure = kind.depart(CORP, CALLBACK, force=False, login_hint=None, max_age=max_age)
        params = openid.authorize(departure.url, auth_time=auth_time)
        return kind.arrive(CORP, CALLBACK, params, departure.remembered)

    now = int(clock())
    assert go(600.0, now - 500).auth_time == now - 500
    assert openid.last_asked["max_age"] == "600"
    assert "prompt" not in openid.last_asked
    assert "auth_time is older" in refusal(go, 600.0, now - 700).reason
    assert "auth_time is missing" in refusal(go, 600.0, MISSING).reason
    assert go(0.0, now).auth_time == now
    assert (openid.last_asked["max_age"], openid.last_asked["prompt"]) == ("0", "login")


def test_who_never_shows_auth_time_is_made_to_ask_again(make_kind, openid):
    lenient = make_kind(auth_time="optional")

    departure = lenient.depart(CORP, CALLBACK, force=False, login_hint=None, max_age=600.0)

    openid.authorize(departure.url)
    assert (openid.last_asked["max_age"], openid.last_asked["prompt"]) == ("0", "login")


@pytest.mark.parametrize("at", [float("nan"), 1e300, -5, True, "1800000000"])
def test_an_odd_auth_time_that_nobody_asked_for_is_left_out(arrive, at):
    assert arrive(auth_time=at).auth_time is None


@pytest.fixture
def arrive_with_checks(openid, kind):
    """The identity or the refusal, and the checks."""
    from idp.base.errors import Refused

    def go():
        checks = Checks()
        departure = kind.depart(CORP, CALLBACK, force=False, login_hint=None)
        params = openid.authorize(departure.url)
        try:
            return kind.arrive(CORP, CALLBACK, params, departure.remembered, checks), checks
        except Refused as refused:
            return refused, checks

    return go


def test_of_a_text_of_a_megabyte_only_the_beginning_is_looked_at(monkeypatch):
    looked: list[str] = []
    monkeypatch.setattr(person.unicodedata, "category", lambda c: looked.append(c) or "Ll")

    assert person.text("\u00e9" * 1_000_000, 200) == "\u00e9" * 200
    assert person.groups(["\u00e9" * 1_000_000]) == ()
    assert person.email({"email": "\u00e9" * 1_000_000 + "@corp.example"}) == (None, False)
    assert len(looked) < 2000

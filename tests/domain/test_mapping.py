"""What an upstream's groups and attributes give and take: against a small model of who gave what."""

from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from idp.domain.mapping import MAX_GIVEN, Given, applied, given_by, owed
from idp.domain.upstream import FederatedLogin, UpstreamIdentity, UpstreamProvider
from idp.domain.user import User

CORP = UpstreamProvider(
    "corp",
    "oidc",
    "Corp",
    0.0,
    claim_map={"given_name": "givenName", "costs": "cc"},
    keep_groups=("eng-*",),
    group_names={"S-1-5-21": "staff"},
    group_roles={"Finance": ("clerk", "administrator"), "Boss": ("clerk", "boss")},
    administrator_groups=("Admins",),
)


def says(*groups, **attributes):
    return UpstreamIdentity("corp", "i", "s", groups=groups, attributes=attributes)


def user(roles=(), groups=(), **claims):
    return User("u", "u", "u", None, None, False, "u", 0.0, roles=roles, groups=groups, claims=claims)


def login(id="one", given=None):
    given = given or Given()
    return FederatedLogin(id, "u", "corp", "i", id, 0.0, roles=given.roles, groups=given.groups, claims=given.claims)


def test_only_what_is_listed_is_taken_over():
    found = given_by(says("eng-web", "ENG-web", "sales", "S-1-5-21", givenName=("Ada",), sn=("L",)), CORP)

    assert (found.roles, found.groups, found.claims) == ((), ("eng-web", "staff"), {"given_name": "Ada"})


def test_nobody_administers_by_an_ordinary_mapping():
    assert given_by(says("Finance", "administrator"), CORP).roles == ("clerk",)
    assert given_by(says("Admins"), CORP).roles == ("administrator",)
    assert given_by(says("admins", "Admins "), CORP).roles == ()


def test_a_claim_with_a_field_of_its_own_or_of_the_protocol_is_not_mapped():
    bad = replace(
        CORP, claim_map={"email": "x", "email_verified": "x", "roles": "x", "sub": "x", "iss": "x", "name": "x"}
    )

    assert given_by(says(x=("administrator",)), bad).claims == {}


def test_values_that_do_not_fit_are_left_out_and_named():
    found = given_by(says(givenName=("A" * 300,), cc=("1", "2")), CORP)

    assert (found.claims, found.left_out) == ({"costs": ["1", "2"]}, ("given_name",))


@pytest.mark.parametrize("name", ["", " ", "a\x00b", "a\nb", "x" * 129, "\u202e"])
def test_a_group_that_cannot_be_one_here_is_left_out_and_the_others_stay(name):
    everything = replace(CORP, keep_groups=("*",))

    assert given_by(says("first", name, "last"), everything).groups == ("first", "last")


def test_thousands_of_groups_are_bounded():
    everything = replace(CORP, keep_groups=("*",))
    found = given_by(says(*(f"g-{number:05}" for number in range(5000))), everything)

    assert 0 < len(found.groups) <= MAX_GIVEN


def test_what_there_is_no_room_for_is_left_out_and_what_was_there_stays():
    have = tuple(f"by hand {number:03}-{'x' * 100}" for number in range(30))
    found = applied(user(groups=have), None, Given(groups=tuple(f"new-{n}-{'y' * 100}" for n in range(30))), ())

    assert found.groups[:30] == have
    assert found.left_out


def test_a_claim_given_by_hand_stays_as_it_is():
    mine = owed(user(given_name="Countess"), None, Given(claims={"given_name": "Ada"}), ())

    assert mine.claims == {}
    assert applied(user(given_name="Countess"), None, Given(claims={"given_name": "Ada"}), ()).claims == {
        "given_name": "Countess"
    }


def test_what_one_login_no_longer_says_goes_back_to_what_another_one_says():
    first, second = login("one", Given(claims={"given_name": "Ada"})), login("two", Given(claims={"given_name": "A."}))

    left = applied(user(given_name="Ada"), first, Given(), [second])

    assert left.claims == {"given_name": "A."}


ROLES = ("clerk", "boss", "staff")
said = st.lists(st.sampled_from(ROLES), unique=True, max_size=3).map(tuple)
steps = st.lists(
    st.one_of(
        st.tuples(st.sampled_from(["one", "two", "three"]), said),
        st.tuples(st.just("unlink"), st.sampled_from(["one", "two", "three"])),
    ),
    max_size=12,
)


@settings(max_examples=400, deadline=None)
@given(said, steps)
def test_who_has_what_is_always_what_was_given_by_hand_or_is_said_by_a_login(by_hand, happened):
    """The model: hand | union of what each login says now. Names given by hand stay, whatever logins say or cease to say."""
    person, logins, model = user(roles=by_hand, groups=by_hand), {}, {}
    for who, what in happened:
        before = logins.get(what if who == "unlink" else who)
        key = what if who == "unlink" else who
        now = Given() if who == "unlink" else Given(roles=what, groups=what)
        others = [one for name, one in logins.items() if name != key]
        mine, has = owed(person, before, now, others), applied(person, before, now, others)
        person = replace(person, roles=has.roles, groups=has.groups)
        if who == "unlink":
            logins.pop(key, None)
            model.pop(key, None)
        else:
            logins[key] = login(key, mine)
            model[key] = set(what)
        assert set(person.roles) == set(by_hand) | {role for roles in model.values() for role in roles}
        assert set(person.groups) == set(person.roles)

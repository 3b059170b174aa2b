"""The table of whose a login is: no store, no clock; and the promises that hold whatever is asked."""

from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from idp.domain.link_change import Invitation
from idp.domain.linking import RULES, Known, decide, login_key, trusts_factor, vouches
from idp.domain.upstream import UpstreamIdentity, UpstreamProvider
from idp.domain.user import User

CORP = UpstreamProvider("corp", "oidc", "Corp", 0.0)
TRUSTED = replace(CORP, trusted_domains=("corp.example",))
SAID = UpstreamIdentity("corp", "https://corp.example", "s-1", "ada@corp.example", True)


def user(id="ada", **values):
    base = {"email": "ada@corp.example", "email_key": "ada@corp.example", "email_verified": True}
    return User(id, id, id, **{**base, "name": id, "created_at": 0.0, **values})


def invitation(**values):
    return Invitation("digest", 0.0, 1.0, "admin", **values)


ADA = user()
SQUATTER = user("squatter", email_verified=False)
ADMIN = user(roles=("administrator",))


NOBODY_NEW = replace(TRUSTED, may_create="nobody")
LISTED = user(never_auto_link=True)
GONE = user(disabled=True)
EVE = user("eve")
FOR_EVE = invitation(user_id="eve")
UNPROVED = user("rest", email="rest@else.example", email_key="rest@else.example", email_verified=False)
MERGED = Known(by_email=user(disabled=True, merged_into="rest"), heir=EVE)


def by(who, **values):
    return Known(by_email=who, **values)


def row(claim, rule, action, known, provider=TRUSTED, owner=None, **said):
    return pytest.param(provider, replace(SAID, **said), known, owner, rule, action, id=claim)


@pytest.mark.parametrize(
    ("provider", "identity", "known", "owner", "rule", "action"),
    [
        row("nobody by one that is off", "upstream_off", "refuse", Known(True, ADA), replace(CORP, enabled=False)),
        row("nor by one for linking only", "link_only", "refuse", Known(True, ADA), replace(CORP, mode="link_only")),
        row("a known login is its user's", "known_login", "sign_in", Known(True, ADA), CORP),
        row("whatever address it has", "known_login", "sign_in", Known(True, EVE, ADA)),
        row("a user who is gone leaves nothing", "orphaned", "refuse", Known(True, None)),
        row("a disabled one does not come in", "disabled", "refuse", Known(True, GONE)),
        row("only the owner proves", "login_of_another", "refuse", Known(True, EVE), owner="ada"),
        row("an unknown login proves nothing", "not_of_the_owner", "refuse", by(ADA), owner="ada"),
        row("the owner is asked", "owner_must_confirm", "ask_owner", by(ADA), CORP),
        row("both sides verified and trusted", "trusted_address", "join", by(ADA)),
        row("not verified there", "owner_must_confirm", "ask_owner", by(ADA), email_verified=False),
        row("an administrator is asked", "owner_never_auto_linked", "ask_owner", by(ADMIN)),
        row("who is on the list is asked", "owner_never_auto_linked", "ask_owner", by(LISTED)),
        row("who was switched off stays out", "disabled", "refuse", by(GONE)),
        row("and is not told to strangers", "owner_must_confirm", "ask_owner", by(GONE), CORP),
        row("a squatter goes", "squatter_displaced", "create", by(SQUATTER)),
        row("not for a stranger's word", "owner_must_confirm", "ask_owner", by(SQUATTER), CORP),
        row(
            "an administrator is no squatter", "holder_protected", "ask_owner", by(replace(ADMIN, email_verified=False))
        ),
        row("who may not be created may prove", "owner_must_confirm", "ask_owner", by(SQUATTER), NOBODY_NEW),
        row("somebody new", "new_user", "create", Known()),
        row("who may not be created", "not_invited", "refuse", Known(), NOBODY_NEW),
        row("who was invited may", "invited", "create", Known(invitation=invitation()), NOBODY_NEW),
        row(
            "an invitation for another upstream",
            "invited_elsewhere",
            "refuse",
            Known(invitation=invitation(provider_id="x")),
        ),
        row("an invitation to a user", "invited_to_user", "join", Known(invitation=FOR_EVE, invited=EVE)),
        row("who is gone", "invited_gone", "refuse", Known(invitation=FOR_EVE)),
        row("or disabled", "invited_gone", "refuse", Known(invitation=FOR_EVE, invited=replace(EVE, disabled=True))),
        row("an invitation to another user", "invited_another", "refuse", Known(True, ADA, invitation=FOR_EVE)),
        row("an invitation of who is here", "known_login", "sign_in", Known(True, ADA, invitation=invitation())),
        row("an invitation and an account", "trusted_address", "join", by(ADA, invitation=invitation())),
        row("who was merged is whom they were merged into", "trusted_address", "join", MERGED),
        row("also when that one has proved no address", "trusted_address", "join", replace(MERGED, heir=UNPROVED)),
        row("but not for a stranger's word", "owner_must_confirm", "ask_owner", MERGED, CORP),
        row("nor when that one is listed", "owner_never_auto_linked", "ask_owner", replace(MERGED, heir=LISTED)),
        row("nor when that one is switched off", "disabled", "refuse", replace(MERGED, heir=GONE)),
        row(
            "an invitation and a squatter",
            "squatter_displaced",
            "create",
            by(SQUATTER, invitation=invitation()),
            NOBODY_NEW,
        ),
    ],
)
def test_whose_a_login_is(provider, identity, known, owner, rule, action):
    ruling = decide(identity, provider, known, owner_id=owner)

    assert (ruling.rule, ruling.action) == (rule, action)


@pytest.mark.parametrize(
    ("create", "identity", "may"),
    [
        ("corp.example", {}, True),
        ("corp.example", {"email": "a@CORP.example"}, True),
        ("corp.example", {"email_verified": False}, False),
        ("corp.example", {"email": None}, False),
        ("corp.example", {"email": "a@sub.corp.example"}, False),
        ("corp.example", {"email": "a@evil.example@corp.example"}, False),
        ("corp.example", {"email": "a@notcorp.example"}, False),
        ("corp.example", {"email": "a@corp.example."}, False),
        ("", {}, False),
    ],
)
def test_who_may_be_created_by_domain(create, identity, may):
    provider = replace(CORP, may_create="domains", create_domains=tuple(filter(None, [create])))

    assert (decide(replace(SAID, **identity), provider, Known()).action == "create") is may


@pytest.mark.parametrize("said", ["true", "True", "yes", 1, None, "false", [True], {}])
def test_what_is_not_the_boolean_true_verifies_nothing(said):
    """B57: absent or a text is unverified, whatever a kind has made of it."""
    provider = replace(TRUSTED, may_create="domains", create_domains=("corp.example",))
    identity = replace(SAID, email_verified=said)

    assert not vouches(provider, identity)
    assert decide(identity, provider, Known()).rule == "not_invited"
    assert decide(identity, provider, Known(by_email=ADA)).action == "ask_owner"


@pytest.mark.parametrize(
    "email",
    [*("a@sub.corp.example", "a@corp.example.evil.example", "corp.example", "a@@corp.example", "a@corp.example@x.example"), None, ""],
)  # fmt: skip
def test_an_upstream_vouches_for_addresses_of_its_domains_only(email):
    assert not vouches(TRUSTED, replace(SAID, email=email))


def test_the_address_of_an_invitation_is_what_the_new_user_gets():
    free = decide(SAID, CORP, Known(invitation=invitation(email="new@corp.example")))
    taken = decide(SAID, CORP, Known(invitation=invitation(email="new@corp.example"), invited_email_taken=True))

    assert (free.with_email, free.verified) == (True, True)
    assert (taken.with_email, taken.verified) == (False, False)


def test_a_known_user_gets_the_address_that_an_upstream_vouches_for_and_nobody_has_proved():
    bare = user("eve", email=None, email_key=None, email_verified=False)

    assert decide(SAID, CORP, Known(True, bare)).with_email is False
    assert decide(SAID, TRUSTED, Known(True, bare, ADA)).with_email is False
    given = decide(SAID, TRUSTED, Known(True, bare, SQUATTER))
    assert (given.with_email, given.verified, given.displaced) == (True, True, SQUATTER)


@pytest.mark.parametrize(
    ("provider", "identity", "trusted"),
    [
        ({}, {"amr": ("mfa",), "acr": "strong"}, False),
        ({"trusted_amr": ("mfa", "otp")}, {"amr": ("pwd", "mfa")}, True),
        ({"trusted_amr": ("mfa",)}, {"amr": ("pwd",)}, False),
        ({"trusted_amr": ("mfa",)}, {"acr": "mfa"}, False),
        ({"trusted_amr": ("mfa",)}, {}, False),
        ({"trusted_acr": ("strong",)}, {"acr": "strong"}, True),
        ({"trusted_acr": ("strong",)}, {"acr": "Strong"}, False),
        ({"trusted_acr": ("",)}, {"acr": ""}, False),
        ({"trusted_acr": ("strong",)}, {"amr": ("strong",)}, False),
    ],
)
def test_which_second_factor_of_an_upstream_is_trusted(provider, identity, trusted):
    assert trusts_factor(replace(CORP, **provider), replace(SAID, **identity)) is trusted


def test_no_two_logins_share_a_key():
    pairs = [("a", "b|c", "d"), ("a|1:b", "c", "d"), ("a", "b", "c|d"), ("a", "b|1:c", "d")]

    assert len({login_key(UpstreamIdentity(*one)) for one in pairs}) == len(pairs)


# ---------------------------------------------------------------- whatever is asked

ADDRESSES = ("ada@corp.example", "eve@other.example", "a@b@c", None)
people = st.one_of(
    st.none(),
    st.builds(
        user,
        st.sampled_from(["ada", "eve", "squatter"]),
        email_verified=st.booleans(),
        disabled=st.booleans(),
        never_auto_link=st.booleans(),
        roles=st.sampled_from([(), ("administrator",), ("staff",)]),
        email=st.just("ada@corp.example"),
    ),
)
providers = st.builds(
    replace,
    st.just(CORP),
    enabled=st.booleans(),
    mode=st.sampled_from(["sign_in", "link_only"]),
    may_create=st.sampled_from(["nobody", "anybody", "domains"]),
    create_domains=st.sampled_from([(), ("corp.example",)]),
    trusted_domains=st.sampled_from([(), ("corp.example",), ("*",), ("evil.example",)]),
)
identities = st.builds(
    replace,
    st.just(SAID),
    email=st.sampled_from(ADDRESSES),
    email_verified=st.sampled_from([True, False, "true", None]),
)
invitations = st.one_of(
    st.none(),
    st.builds(
        invitation,
        user_id=st.sampled_from([None, "eve"]),
        provider_id=st.sampled_from([None, "corp", "other"]),
        email=st.sampled_from([None, "new@corp.example"]),
    ),
)
knowns = st.builds(Known, st.booleans(), people, people, invitations, people, st.booleans(), people)


@settings(max_examples=1500, deadline=None)
@given(identities, providers, knowns, st.sampled_from([None, "ada"]), st.sampled_from([("administrator",), ()]))
def test_the_promises_hold_whatever_is_asked(identity, provider, known, owner, never):
    ruling = decide(identity, provider, known, owner_id=owner, never_auto_link=never)
    vouched = vouches(provider, identity)

    assert ruling.rule in RULES
    assert (ruling.action == "refuse") == bool(ruling.code)
    if not provider.enabled or provider.mode != "sign_in":
        assert ruling.action == "refuse"
    if ruling.action in ("sign_in", "join"):
        assert ruling.user is not None
        assert not ruling.user.disabled
        assert ruling.user.id == owner or owner is None
    if ruling.action == "sign_in":
        assert known.linked
        assert ruling.user == known.user
    if ruling.action == "join":
        by_invitation = known.invitation is not None and ruling.user == known.invited
        holder = known.by_email
        by_address = vouched and holder is not None and holder.email_verified and ruling.user == (known.heir or holder)
        assert by_invitation or by_address
        if not by_invitation:
            assert not ruling.user.never_auto_link
            assert not set(ruling.user.roles) & set(never)
    if ruling.displaced is not None:
        assert vouched
        assert not ruling.displaced.email_verified
        assert not ruling.displaced.disabled
        assert not ruling.displaced.is_administrator
        assert ruling.displaced == known.by_email
        assert ruling.displaced != ruling.user
    if ruling.verified:
        assert vouched or (known.invitation is not None and known.invitation.email)
    if ruling.action == "create":
        assert not known.linked
        invited = known.invitation is not None and known.invitation.user_id is None
        assert invited or provider.may_create != "nobody"

"""Owns what an invitation that was opened in a browser does to the sign-in there: once, for one login, by the way it names."""

from dataclasses import replace

import pytest

from idp.domain.audit_event import AuditEvent
from idp.domain.link_change import Invitation, LinkChange
from idp.domain.upstream import FederatedLogin
from idp.domain.user import User
from tests.upstream.conftest import says
from tests.upstream.test_linking import together

CLOSED = {"may_create": "nobody"}


@pytest.fixture
def invite(repo, clock):
    def invite(id="inv", **values):
        repo.insert(Invitation(id, clock(), clock() + 3600, "admin", **values))
        return id

    return invite


@pytest.fixture
def comes(services, begin):
    """Somebody who opened the invitation comes back from an upstream."""

    def come(provider, invitation, **values):
        attempt = services.sign_in.store(replace(begin(), invitation=invitation))
        return services.sign_in.arrive(attempt, says(provider_id=provider.id, **values), provider)

    return come


def test_who_was_invited_gets_what_the_invitation_says(services, add_provider, invite, comes, repo):
    invitation = invite(
        email="ada@work.example", username="countess", name="Ada Lovelace", roles=("clerk",), groups=("staff",)
    )

    user = services.users.get(comes(add_provider(**CLOSED), invitation).proof.user_id)

    assert (user.username, user.name, user.roles, user.groups) == ("countess", "Ada Lovelace", ("clerk",), ("staff",))
    assert (user.email, user.email_verified) == ("ada@work.example", True)
    assert "invitation.used" in {one.name for one in repo.find(AuditEvent, subject=user.id)}


def test_what_the_invitation_gave_stays_whatever_the_upstream_says_later(services, add_provider, invite, comes):
    corp = add_provider(group_roles={"Finance": ("clerk", "boss")}, **CLOSED)
    invitation = invite(roles=("clerk",))
    assert set(services.users.get(comes(corp, invitation, groups=("Finance",)).proof.user_id).roles) == {
        "clerk",
        "boss",
    }

    assert services.users.get(comes(corp, invitation).proof.user_id).roles == ("clerk",)


def test_it_is_good_once(add_provider, invite, comes, refusal, repo):
    corp, invitation = add_provider(**CLOSED), invite()
    comes(corp, invitation)

    assert refusal(comes, corp, invitation, subject="s-2", email="eve@corp.example").code == "not_invited"
    assert len(repo.find(User)) == 1


def test_of_two_who_use_it_at_once_one_comes_in(add_provider, invite, comes, repo):
    corp = add_provider(**CLOSED)
    for number in range(8):
        invitation = invite(f"inv-{number}")
        given = together(
            *[
                lambda one=one, invitation=invitation: comes(corp, invitation, subject=one, email=f"{one}@corp.example")
                for one in (f"a-{number}", f"b-{number}")
            ]
        )

        assert len([one for one in given if isinstance(one, Exception)]) == 1
        assert len(repo.find(User)) == len(repo.find(FederatedLogin)) == number + 1


def test_one_that_has_expired_or_never_was_opens_nothing(add_provider, invite, comes, refusal, clock):
    corp, invitation = add_provider(**CLOSED), invite()
    clock.advance(3601)

    for one in (invitation, "inv-unknown"):
        assert refusal(comes, corp, one).code == "not_invited"


def test_another_way_than_the_one_it_names_is_refused_and_does_not_use_it_up(add_provider, invite, comes, refusal):
    other, corp, invitation = add_provider("other", **CLOSED), add_provider(**CLOSED), invite(provider_id="corp")

    assert refusal(comes, other, invitation).code == "invitation_elsewhere"
    assert comes(corp, invitation).proof


def test_one_for_a_user_joins_the_login_to_them(make_user, add_provider, invite, comes, links, repo):
    ada = make_user("ada")

    attempt = comes(add_provider(**CLOSED), invite(user_id=ada.id), email="private@mail.example")

    assert attempt.proof.user_id == ada.id
    assert [one.subject for one in links.of(ada.id)] == ["s-1"]
    assert [one.what for one in repo.find(LinkChange, user_id=ada.id)] == ["linked"]


def test_one_for_a_user_does_not_move_a_login_of_somebody_else(make_user, corp, invite, comes, links, refusal):
    ada, eve = make_user("ada"), make_user("eve")
    links.link(eve, says(), actor="test")

    assert refusal(comes, corp, invite(user_id=ada.id)).code == "login_taken"
    assert links.of(ada.id) == []


@pytest.mark.parametrize("gone", ["disabled", "deleted"])
def test_one_for_a_user_who_is_gone_is_dead(services, make_user, corp, invite, comes, refusal, repo, gone):
    ada = make_user("ada")
    if gone == "disabled":
        services.users.set_disabled(ada, True, actor="test")
    else:
        repo.delete(User, ada.id)

    assert refusal(comes, corp, invite(user_id=ada.id)).code == "invitation_dead"


def test_who_has_an_account_already_signs_in_and_the_invitation_stays(make_user, corp, invite, comes, links, services):
    ada, invitation = make_user("ada"), invite()
    links.link(ada, says(), actor="test")

    assert comes(corp, invitation).proof.user_id == ada.id
    assert services.invitations.live(invitation) is not None


def test_an_invitation_is_no_proof_of_owning_an_address(make_user, corp, invite, comes):
    ada = make_user("ada")

    attempt = comes(corp, invite())

    assert (attempt.owner_id, attempt.proof) == (ada.id, None)


def test_who_was_invited_may_keep_apart_from_the_account_with_the_same_address(
    services, make_user, add_provider, invite, comes
):
    make_user("ada")
    corp, invitation = add_provider(**CLOSED), invite()
    waiting = comes(corp, invitation)

    apart = services.sign_in.keep_separate(waiting, corp)

    assert services.users.get(apart.proof.user_id).email is None
    assert services.invitations.live(invitation) is None

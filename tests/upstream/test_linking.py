"""Owns whom an upstream login belongs to: every rule of knowing, making and asking, on the services.

Taking a login off is in test_unlinking; what next_step makes of it is tested with the sign-in.
"""

import threading

import pytest

from idp.domain.attempt import Step
from idp.domain.audit_event import AuditEvent
from idp.domain.upstream import FederatedLogin
from idp.domain.user import User
from idp.services.link_login import AskOwner, Known, Unknown
from tests.upstream.browser import PASSWORD
from tests.upstream.conftest import says

# ---------------------------------------------------------------- whose is it


@pytest.mark.parametrize("verified", [True, False])
def test_an_email_alone_never_joins_whether_verified_or_not(links, make_user, corp, repo, verified):
    ada = make_user("ada")

    found = links.whose(says(email_verified=verified), corp)

    assert found == AskOwner(ada)
    assert repo.find(FederatedLogin, user_id=ada.id) == []


def test_the_owner_is_asked_however_the_address_is_written(links, make_user, corp):
    ada = make_user("ada")

    assert links.whose(says(email="ADA@Corp.Example"), corp) == AskOwner(ada)


@pytest.mark.parametrize(
    "email", ["ada@corp.example.", "ada@corp.example@evil.example", '"ada"@corp.example', "ada @corp.example"]
)
def test_an_address_that_two_systems_read_differently_is_nobodys(links, make_user, corp, email):
    make_user("ada")

    assert links.whose(says(email=email), corp) == Unknown(may_create=True)


def test_a_linked_login_is_known_without_any_email(links, make_user, corp):
    ada = make_user("ada")
    links.link(ada, says(), actor="test")

    assert links.whose(says(email=None), corp) == Known(ada)


def test_a_linked_login_stays_with_its_user_when_its_email_becomes_that_of_another(links, make_user, corp):
    ada, eve = make_user("ada"), make_user("eve")
    links.link(eve, says(email="eve@corp.example"), actor="test")

    assert links.whose(says(email="ada@corp.example"), corp) == Known(eve)
    assert ada.id != eve.id


@pytest.mark.parametrize(
    "other", [{"issuer": "https://other.example"}, {"subject": "S-1"}, {"subject": "s-1 "}, {"provider_id": "other"}]
)
def test_the_same_subject_elsewhere_is_somebody_else(links, make_user, corp, other):
    links.link(make_user("ada"), says(), actor="test")

    assert links.whose(says(email=None, **other), corp) == Unknown(may_create=True)


def test_a_login_has_one_owner(links, make_user, corp, refusal):
    ada, eve = make_user("ada"), make_user("eve")
    links.link(ada, says(), actor="test")

    assert refusal(links.link, eve, says(), actor="test").code == "login_taken"
    assert links.link(ada, says(), actor="test").user_id == ada.id
    assert len(links.of(ada.id)) == 1


def test_removing_a_provider_leaves_nothing_for_a_later_one_of_the_same_id(
    links, services, make_user, corp, add_provider
):
    links.link(make_user("ada"), says(), actor="test")
    services.upstreams.remove("corp", actor="test")

    assert links.whose(says(email=None), add_provider("corp")) == Unknown(may_create=True)


def test_linking_and_unlinking_are_audited(links, make_user, corp, repo):
    ada = make_user("ada")
    login = links.link(ada, says(), actor=ada.id)
    links.unlink(ada, login.id, actor=ada.id, local_login=True)

    names = {event.name for event in repo.find(AuditEvent, subject=ada.id)}
    assert {"login.linked", "login.unlinked"} <= names


# ---------------------------------------------------------------- new users


@pytest.mark.parametrize(
    ("provider", "identity", "may"),
    [
        ({}, {}, True),
        ({"may_create": "nobody"}, {}, False),
        ({"mode": "link_only"}, {}, False),
        ({"may_create": "domains", "create_domains": ("corp.example",)}, {}, True),
        ({"may_create": "domains", "create_domains": ("corp.example",)}, {"email": "a@CORP.example"}, True),
        ({"may_create": "domains", "create_domains": ("corp.example",)}, {"email_verified": False}, False),
        ({"may_create": "domains", "create_domains": ("corp.example",)}, {"email": None}, False),
        ({"may_create": "domains", "create_domains": ("corp.example",)}, {"email": "a@sub.corp.example"}, False),
        (
            {"may_create": "domains", "create_domains": ("corp.example",)},
            {"email": "a@evil.example@corp.example"},
            False,
        ),
        ({"may_create": "domains", "create_domains": ("corp.example",)}, {"email": "a@notcorp.example"}, False),
        ({"may_create": "domains"}, {}, False),
    ],
)
def test_who_may_be_created(links, add_provider, provider, identity, may):
    assert links.whose(says(**identity), add_provider("corp", **provider)) == Unknown(may_create=may)


def test_a_new_user_has_a_verified_email_only_if_the_upstream_verified_it(links, corp):
    sure = links.create_user(says(), with_email=True)
    unsure = links.create_user(says(subject="s-2", email="bob@corp.example", email_verified=False), with_email=True)

    assert (sure.email, sure.email_verified) == ("ada@corp.example", True)
    assert (unsure.email, unsure.email_verified) == ("bob@corp.example", False)
    assert sure.password_hash is None


def test_an_unusable_address_makes_a_user_without_one(links, corp):
    user = links.create_user(says(email="a@b@c"), with_email=True)

    assert (user.email, user.email_verified) == (None, False)


def test_a_taken_user_name_is_varied_and_never_joined(links, make_user, corp):
    make_user("grace", email=None)

    user = links.create_user(says(username="grace", email=None), with_email=True)

    assert user.username.startswith("grace-")


@pytest.mark.parametrize(
    ("username", "expected"),
    [("victim@corp.example", "victim"), ("Ünïcödé !", "ada"), ("", "ada"), ("x" * 400, "ada"), ("a/../b", "ada")],
)
def test_a_suggested_user_name_is_never_an_address_and_always_valid(links, corp, username, expected):
    assert links.create_user(says(username=username), with_email=True).username == expected


def test_somebody_without_any_name_gets_a_random_one(links, corp):
    assert links.create_user(says(email=None), with_email=True).username.startswith("user_")


def test_two_first_sign_ins_at_once_make_one_user(links, corp, repo):
    made, start = [], threading.Barrier(2)

    def sign_in():
        start.wait()
        made.append(links.create_user(says(email=None, username="new"), with_email=True))

    threads = [threading.Thread(target=sign_in) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(10)

    assert len({user.id for user in made}) == 1
    assert [user.id for user in repo.find(User)] == [made[0].id]


# ---------------------------------------------------------------- the owner is asked, in an attempt


def test_the_owner_proves_by_password_and_the_login_is_joined_at_the_end_only(services, links, make_user, corp, begin):
    ada = make_user("ada")
    waiting = services.sign_in.arrive(begin(), says(), corp)
    proved = services.sign_in.prove_password(waiting, "ada", PASSWORD, "127.0.0.1")
    assert links.of(ada.id) == []

    services.sign_in.finish(proved, None, "test")

    assert [login.subject for login in links.of(ada.id)] == ["s-1"]
    assert links.whose(says(), corp) == Known(ada)


def test_the_owner_may_prove_by_another_login_that_is_already_theirs(
    services, links, make_user, corp, add_provider, begin
):
    other = add_provider("other")
    ada = make_user("ada", password=None)
    links.link(ada, says(provider_id="other", subject="o-1"), actor="test")
    waiting = services.sign_in.arrive(begin(), says(), corp)
    assert links.ways_to_prove(ada, local_login=True) == (False, ("other",))

    proved = services.sign_in.arrive(waiting, says(provider_id="other", subject="o-1"), other)
    services.sign_in.finish(proved, None, "test")

    assert links.whose(says(), corp) == Known(ada)


def test_a_second_unknown_login_of_the_same_upstream_proves_nothing(services, links, make_user, corp, begin, refusal):
    """CVE-2026-9087: the proof belongs to one upstream login, in one browser."""
    ada = make_user("ada")
    waiting = services.sign_in.arrive(begin(), says(), corp)

    assert refusal(services.sign_in.arrive, waiting, says(subject="attacker"), corp).code == "not_the_owner"
    assert links.of(ada.id) == []


def test_another_users_login_does_not_prove_for_the_owner(services, links, make_user, corp, begin, refusal):
    ada, eve = make_user("ada"), make_user("eve")
    links.link(eve, says(subject="eve"), actor="test")
    waiting = services.sign_in.arrive(begin(), says(), corp)

    assert refusal(services.sign_in.arrive, waiting, says(subject="eve"), corp).code == "not_the_owner"
    assert links.of(ada.id) == []


def test_a_squatter_on_an_address_gains_nothing_when_its_true_owner_comes(services, links, make_user, corp, begin):
    """B56: whoever registered the address first, unverified, is not joined with the true owner, who stays apart."""
    squatter = make_user("squatter", email="ada@corp.example", email_verified=False)
    waiting = services.sign_in.arrive(begin(), says(), corp)
    assert services.sign_in.decide(waiting, None).step is Step.LINK

    apart = services.sign_in.keep_separate(waiting, corp)

    user = services.users.get(apart.proof.user_id)
    assert (user.id != squatter.id, user.email, user.email_verified) == (True, None, False)
    assert links.whose(says(), corp) == Known(user)
    assert links.of(squatter.id) == []


@pytest.mark.parametrize(
    "values", [{"may_create": "nobody"}, {"may_create": "domains", "create_domains": ("corp.example",)}]
)
def test_keeping_apart_needs_the_right_to_a_new_account(services, make_user, add_provider, begin, refusal, values):
    make_user("ada")
    corp = add_provider("corp", **values)
    waiting = services.sign_in.arrive(begin(), says(), corp)

    assert refusal(services.sign_in.keep_separate, waiting, corp).code == "not_invited"

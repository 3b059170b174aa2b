"""Owns a login that waits for its owner, on the services: joined by a proof made for this very one (B59), or kept apart."""

from dataclasses import replace

import pytest

from idp.domain.upstream import FederatedLogin
from idp.domain.user import User
from tests.upstream.browser import PASSWORD
from tests.upstream.conftest import says
from tests.upstream.test_linking import together


@pytest.fixture
def user_of(services):
    return lambda attempt: services.users.get(attempt.proof.user_id)


# ---------------------------------------------------------------- the owner is asked, in an attempt


def test_the_owner_proves_by_password_and_the_login_is_joined_at_the_end_only(services, links, make_user, corp, begin):
    ada = make_user("ada")
    waiting = services.sign_in.arrive(begin(), says(), corp)
    proved = services.sign_in.prove_password(waiting, "ada", PASSWORD, "127.0.0.1")
    assert links.of(ada.id) == []

    closed, _ = services.sign_in.finish(proved, None, "test")

    assert [login.subject for login in links.of(ada.id)] == ["s-1"]
    assert (closed.proof.amr, closed.proof.provider_id) == (("pwd", "fed"), "corp")


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

    assert links.known(says()).user.id == ada.id


def test_a_second_unknown_login_of_the_same_upstream_proves_nothing(services, links, make_user, corp, begin, refusal):
    """CVE-2026-9087: the proof belongs to one upstream login, in one browser."""
    ada = make_user("ada")
    waiting = services.sign_in.arrive(begin(), says(), corp)

    assert refusal(services.sign_in.arrive, waiting, says(subject="attacker"), corp).code == "not_the_owner"
    assert links.of(ada.id) == []


def test_a_proof_that_was_made_for_another_login_joins_nothing(services, links, make_user, corp, begin, refusal):
    """B59, at the last moment: whatever was put in the place of the login that the owner has confirmed."""
    ada = make_user("ada")
    waiting = services.sign_in.arrive(begin(), says(), corp)
    proved = services.sign_in.prove_password(waiting, "ada", PASSWORD, "127.0.0.1")
    swapped = services.sign_in.store(replace(proved, waiting=says(subject="attacker")))

    assert refusal(services.sign_in.finish, swapped, None, "test").code == "link_proof_other"
    assert links.of(ada.id) == []


def test_a_proof_from_before_the_login_came_does_not_join_it(services, links, make_user, corp, begin, refusal):
    ada = make_user("ada")
    proved = services.sign_in.prove_password(begin(), "ada", PASSWORD, "127.0.0.1")
    later = services.sign_in.store(replace(proved, waiting=says(), owner_id=ada.id))

    assert refusal(services.sign_in.finish, later, None, "test").code == "link_proof_other"
    assert links.of(ada.id) == []


@pytest.mark.parametrize(
    ("change", "code"), [({"enabled": False}, "unknown_upstream"), ({"mode": "link_only"}, "upstream_not_for_sign_in")]
)
def test_an_upstream_that_is_switched_off_while_the_owner_proves_joins_nothing(
    services, links, make_user, corp, begin, refusal, set_upstream, change, code
):
    ada = make_user("ada")
    waiting = services.sign_in.arrive(begin(), says(), corp)
    proved = services.sign_in.prove_password(waiting, "ada", PASSWORD, "127.0.0.1")
    set_upstream(**change)

    assert refusal(services.sign_in.finish, proved, None, "test").code == code
    assert (links.of(ada.id), services.sessions.of(ada.id)) == ([], [])


def test_a_login_that_somebody_else_got_meanwhile_is_not_joined(services, links, make_user, corp, begin, refusal):
    ada, eve = make_user("ada"), make_user("eve")
    waiting = services.sign_in.arrive(begin(), says(), corp)
    proved = services.sign_in.prove_password(waiting, "ada", PASSWORD, "127.0.0.1")
    links.link(eve, says(), actor="test")

    assert refusal(services.sign_in.finish, proved, None, "test").code == "login_taken"
    assert [one.user_id for one in links.of(eve.id)] == [eve.id]
    assert services.sessions.of(ada.id) == []


def test_another_users_login_does_not_prove_for_the_owner(services, links, make_user, corp, begin, refusal):
    ada, eve = make_user("ada"), make_user("eve")
    links.link(eve, says(subject="eve"), actor="test")
    waiting = services.sign_in.arrive(begin(), says(), corp)

    assert refusal(services.sign_in.arrive, waiting, says(subject="eve"), corp).code == "not_the_owner"
    assert links.of(ada.id) == []


# ---------------------------------------------------------------- kept apart


def test_who_keeps_apart_is_a_new_user_without_the_address(services, links, make_user, corp, begin, user_of):
    ada = make_user("ada")
    apart = services.sign_in.keep_separate(services.sign_in.arrive(begin(), says(), corp), corp)

    made = user_of(apart)
    assert (made.id != ada.id, made.email, made.email_verified) == (True, None, False)
    assert links.known(says()).user == made
    assert links.of(ada.id) == []


@pytest.mark.parametrize(
    "values", [{"may_create": "nobody"}, {"may_create": "domains", "create_domains": ("corp.example",)}]
)
def test_keeping_apart_needs_the_right_to_a_new_account(services, make_user, add_provider, begin, refusal, values):
    make_user("ada")
    corp = add_provider("corp", **values)
    waiting = services.sign_in.arrive(begin(), says(), corp)

    assert refusal(services.sign_in.keep_separate, waiting, corp).code == "not_invited"


def test_keeping_apart_and_joining_at_once_ends_in_one_of_both(services, links, make_user, corp, begin, repo):
    for number in range(8):
        ada = make_user(f"ada-{number}")
        identity = says(subject=f"s-{number}", email=ada.email)
        waiting = services.sign_in.arrive(begin(), identity, corp)
        other = services.sign_in.arrive(begin(), identity, corp)
        proved = services.sign_in.prove_password(other, ada.username, PASSWORD, "127.0.0.1")

        together(
            lambda waiting=waiting: services.sign_in.keep_separate(waiting, corp),
            lambda proved=proved: services.sign_in.join(proved),
        )

        assert len(repo.find(FederatedLogin, provider_id="corp", issuer=identity.issuer, subject=identity.subject)) == 1
        assert all(links.of(user.id) for user in repo.find(User) if user.password_hash is None)

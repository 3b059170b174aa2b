"""Owns whom an upstream login belongs to: knowing, making, asking and joining, on the services.

The table of the rules is in tests/domain/test_linking; a login that waits for its owner in test_waiting_logins; taking one
off in test_unlinking; pre-hijacking, trusted second factors and mapping in files of their own.
"""

import threading

import pytest

from idp.domain.attempt import Step
from idp.domain.audit_event import AuditEvent
from idp.domain.link_change import LinkChange
from idp.domain.linking import Known
from idp.domain.upstream import FederatedLogin
from idp.domain.user import User
from idp.services.manage_users import Users
from tests.upstream.conftest import says

TRUSTED = {"trusted_domains": ("corp.example",)}


@pytest.fixture
def arrived(services, begin):
    """Somebody comes back from an upstream: gives the attempt."""

    def arrive(provider, **values):
        return services.sign_in.arrive(begin(), says(provider_id=provider.id, **values), provider)

    return arrive


@pytest.fixture
def user_of(services):
    return lambda attempt: services.users.get(attempt.proof.user_id)


# ---------------------------------------------------------------- an address alone


@pytest.mark.parametrize("verified", [True, False])
def test_an_address_that_the_upstream_may_not_vouch_for_joins_nothing(arrived, make_user, corp, links, verified):
    ada = make_user("ada")

    attempt = arrived(corp, email_verified=verified)

    assert (attempt.owner_id, attempt.proof) == (ada.id, None)
    assert links.of(ada.id) == []


@pytest.mark.parametrize("domains", [("other.example",), ("example",), ("p.example",), ("sub.corp.example",), ()])
def test_an_upstream_vouches_for_its_own_domains_only(arrived, make_user, add_provider, links, domains):
    ada = make_user("ada")

    assert arrived(add_provider(trusted_domains=domains)).owner_id == ada.id
    assert links.of(ada.id) == []


@pytest.mark.parametrize("domains", [("corp.example",), ("other.example", "corp.example"), ("*",)])
def test_verified_on_both_sides_and_trusted_joins_by_itself(arrived, make_user, add_provider, links, user_of, domains):
    ada = make_user("ada")

    attempt = arrived(add_provider(trusted_domains=domains))

    assert user_of(attempt).id == ada.id
    assert [one.subject for one in links.of(ada.id)] == ["s-1"]


def test_joining_by_itself_is_audited_and_the_owner_can_undo_it(arrived, make_user, add_provider, repo):
    ada = make_user("ada")
    arrived(add_provider(**TRUSTED))

    event = next(one for one in repo.find(AuditEvent, subject=ada.id) if one.name == "login.linked")
    assert (event.actor, event.detail["why"]) == ("upstream:corp", "trusted_address")
    assert (event.detail["before"], event.detail["after"]) == ("", "corp")
    assert [(one.what, one.user_id) for one in repo.find(LinkChange, user_id=ada.id)] == [("linked", ada.id)]


@pytest.mark.parametrize("guard", ["flag", "role", "setting"])
def test_privileged_people_are_never_joined_by_themselves(services, arrived, make_user, add_provider, links, guard):
    ada = make_user("ada")
    if guard == "flag":
        services.users.set_never_auto_link(ada, True, actor="test")
    elif guard == "role":
        services.users.make_administrator(ada, actor="test")
    else:
        services.users.edit(ada, roles=("treasurer",), actor="test")
        object.__setattr__(services.sign_in._joining, "never_auto_link", ("treasurer",))

    attempt = arrived(add_provider(**TRUSTED))

    assert (attempt.owner_id, attempt.proof, links.of(ada.id)) == (ada.id, None, [])
    assert services.sign_in.decide(attempt, None).step is Step.LINK


def test_the_owner_is_asked_however_the_address_is_written(arrived, make_user, corp):
    ada = make_user("ada")

    assert arrived(corp, email="ADA@Corp.Example").owner_id == ada.id


@pytest.mark.parametrize(
    "email", ["ada@corp.example.", "ada@corp.example@evil.example", '"ada"@corp.example', "ada @corp.example"]
)
def test_an_address_that_two_systems_read_differently_is_nobodys(arrived, make_user, add_provider, user_of, email):
    ada = make_user("ada")
    made = user_of(arrived(add_provider(trusted_domains=("*",)), email=email))

    assert made.id != ada.id
    assert (made.email, made.email_verified) == (None, False)


# ---------------------------------------------------------------- a known login


def test_a_linked_login_is_known_without_any_email(links, make_user, corp):
    ada = make_user("ada")
    links.link(ada, says(), actor="test")

    assert links.known(says(email=None)) == Known(linked=True, user=ada)


def test_a_linked_login_stays_with_its_user_when_its_email_becomes_that_of_another(
    arrived, links, make_user, add_provider, services
):
    ada, eve = make_user("ada"), make_user("eve")
    links.link(eve, says(email="eve@corp.example"), actor="test")

    attempt = arrived(add_provider(**TRUSTED), email="ada@corp.example")

    assert attempt.proof.user_id == eve.id
    assert services.users.get(ada.id) == ada
    assert services.users.get(eve.id).email == "eve@corp.example"


@pytest.mark.parametrize(
    "other", [{"issuer": "https://other.example"}, {"subject": "S-1"}, {"subject": "s-1 "}, {"provider_id": "other"}]
)
def test_the_same_subject_elsewhere_is_somebody_else(links, make_user, corp, other):
    links.link(make_user("ada"), says(), actor="test")

    assert links.known(says(email=None, **other)) == Known()


def test_a_login_has_one_owner(links, make_user, corp, refusal):
    ada, eve = make_user("ada"), make_user("eve")
    links.link(ada, says(), actor="test")

    assert refusal(links.link, eve, says(), actor="test").code == "login_taken"
    assert links.link(ada, says(), actor="test").user_id == ada.id
    assert len(links.of(ada.id)) == 1


def test_an_address_becomes_verified_once_its_upstream_may_vouch_for_it(arrived, user_of, corp, services, set_upstream):
    made = user_of(arrived(corp))
    assert (made.email, made.email_verified) == ("ada@corp.example", False)
    set_upstream(**TRUSTED)

    again = user_of(arrived(services.upstreams.get("corp")))
    assert (again.id, again.email_verified) == (made.id, True)


def test_removing_a_provider_leaves_nothing_for_a_later_one_of_the_same_id(
    links, services, make_user, corp, add_provider
):
    links.link(make_user("ada"), says(), actor="test")
    services.remove_upstream.remove("corp", actor="test")
    add_provider("corp")

    assert links.known(says(email=None)) == Known()


def test_linking_and_unlinking_are_audited(links, make_user, corp, repo):
    ada = make_user("ada")
    login = links.link(ada, says(), actor=ada.id)
    links.unlink(ada, login.id, actor=ada.id, local_login=True)

    told = {
        one.name: (one.detail.get("before"), one.detail.get("after")) for one in repo.find(AuditEvent, subject=ada.id)
    }
    assert told["login.linked"] == ("", "corp")
    assert told["login.unlinked"] == ("corp", "")


# ---------------------------------------------------------------- new users


def test_a_new_user_has_a_verified_email_only_if_its_upstream_may_vouch_for_it(arrived, user_of, add_provider):
    sure = user_of(arrived(add_provider(**TRUSTED)))
    unsure = user_of(arrived(add_provider("other"), subject="s-2", email="bob@corp.example"))

    assert (sure.email, sure.email_verified) == ("ada@corp.example", True)
    assert (unsure.email, unsure.email_verified) == ("bob@corp.example", False)
    assert sure.password_hash is None


def test_a_taken_user_name_is_varied_and_never_joined(arrived, user_of, make_user, corp):
    make_user("grace", email=None)

    assert user_of(arrived(corp, username="grace", email=None)).username.startswith("grace-")


@pytest.mark.parametrize(
    ("username", "expected"),
    [("victim@corp.example", "victim"), ("Ünïcödé !", "ada"), ("", "ada"), ("x" * 400, "ada"), ("a/../b", "ada")],
)
def test_a_suggested_user_name_is_never_an_address_and_always_valid(arrived, user_of, corp, username, expected):
    assert user_of(arrived(corp, username=username)).username == expected


def test_somebody_without_any_name_gets_a_random_one(arrived, user_of, corp):
    assert user_of(arrived(corp, email=None)).username.startswith("user_")


def test_a_name_that_nobody_can_show_is_left_out(arrived, user_of, corp):
    assert user_of(arrived(corp, name="Ada\x00\u202e")).name == "ada"


def together(*calls):
    """All at once; gives what they gave, or the refusals."""
    start, given = threading.Barrier(len(calls)), []

    def run(call):
        start.wait()
        try:
            given.append(call())
        except Exception as fault:
            given.append(fault)

    threads = [threading.Thread(target=run, args=(call,)) for call in calls]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(20)
    return given


def test_a_login_that_another_tab_makes_at_this_moment_is_known_and_needs_no_proof(arrived, corp, repo, monkeypatch):
    one, by_email, tabs = {"subject": "new", "email": "new@corp.example"}, Users.by_email, []

    def between_two_looks(users, email):
        if not tabs:
            tabs.append("other")
            tabs[0] = arrived(corp, **one)
        return by_email(users, email)

    monkeypatch.setattr(Users, "by_email", between_two_looks)
    attempt = arrived(corp, **one)
    assert attempt.proof is not None
    assert attempt.proof.user_id == tabs[0].proof.user_id
    assert len(repo.find(User)) == len(repo.find(FederatedLogin)) == 1


def test_two_first_sign_ins_of_one_login_at_once_make_one_user(arrived, corp, repo):
    for number in range(10):
        one = {"subject": f"new-{number}", "email": f"new-{number}@corp.example"}
        given = together(*[lambda one=one: arrived(corp, **one)] * 3)

        assert len({attempt.proof.user_id for attempt in given}) == 1
        assert len(repo.find(User)) == len(repo.find(FederatedLogin)) == number + 1


def test_one_person_by_two_trusted_upstreams_at_once_is_one_user(arrived, add_provider, repo):
    first, second = add_provider("first", **TRUSTED), add_provider("second", **TRUSTED)
    for number in range(10):
        email = f"new-{number}@corp.example"
        given = together(
            lambda email=email: arrived(first, subject=email, email=email),
            lambda email=email: arrived(second, subject=email, email=email),
        )

        assert len({attempt.proof.user_id for attempt in given}) == 1
        assert (len(repo.find(User)), len(repo.find(FederatedLogin))) == (number + 1, 2 * number + 2)


def test_a_store_that_fails_between_login_and_user_leaves_neither(services, begin, corp, repo, monkeypatch):
    class Cut(Exception):  # noqa: N818
        pass

    def cut_off(*records):
        raise Cut

    with monkeypatch.context() as patched:
        patched.setattr(services.sign_in._joining.makes._repo, "insert_all", cut_off)
        with pytest.raises(Cut):
            services.sign_in.arrive(begin(), says(), corp)

    assert (repo.find(User), repo.find(FederatedLogin)) == ([], [])


def test_a_login_whose_user_never_came_into_being_does_not_stand_in_the_way(arrived, user_of, corp, repo, clock):
    """Without transactions the login is stored first: a crash right after leaves one that opens nothing."""
    repo.insert(FederatedLogin("fed_cut", "usr_cut", "corp", "https://corp.example", "s-1", clock()))
    clock.advance(61)

    made = user_of(arrived(corp))

    assert made.id != "usr_cut"
    assert [one.user_id for one in repo.find(FederatedLogin)] == [made.id]

"""Owns what a sign-in gives somebody and takes away: roles, groups and claims of an upstream, on the services."""

import pytest

from idp.domain.audit_event import AuditEvent
from idp.domain.upstream import FederatedLogin
from idp.domain.user import User
from tests.upstream.conftest import says

RULES = {
    "group_roles": {"Finance": ("clerk",), "Boss": ("clerk", "boss")},
    "keep_groups": ("eng-*",),
    "claim_map": {"given_name": "givenName"},
    "administrator_groups": ("Admins",),
    "trusted_domains": ("corp.example",),
}


@pytest.fixture
def corp(add_provider):
    return add_provider(**RULES)


@pytest.fixture
def comes(services, begin, corp):
    """Somebody signs in with these groups; gives the user as they are then."""

    def come(*groups, provider=corp, given=(), **values):
        attributes = {"givenName": given} if given else {}
        said = says(provider_id=provider.id, groups=groups, attributes=attributes, **values)
        return services.users.get(services.sign_in.arrive(begin(), said, provider).proof.user_id)

    return come


def test_what_the_upstream_says_comes_with_the_first_sign_in(comes):
    user = comes("Finance", "eng-web", "other", given=("Ada",))

    assert (user.roles, user.groups, dict(user.claims)) == (("clerk",), ("eng-web",), {"given_name": "Ada"})


def test_what_it_no_longer_says_goes_at_the_next_one(comes):
    comes("Boss", "eng-web", given=("Ada",))

    user = comes("Finance")

    assert (user.roles, user.groups, dict(user.claims)) == (("clerk",), (), {})
    assert comes().roles == ()


def test_what_was_given_by_hand_stays(services, make_user, comes):
    ada = make_user("ada")
    services.users.edit(ada, roles=("clerk", "auditor"), groups=("eng-web",), actor="test")

    assert set(comes("Boss", "eng-web").roles) == {"clerk", "auditor", "boss"}
    after = comes()

    assert (set(after.roles), after.groups) == ({"clerk", "auditor"}, ("eng-web",))


def test_what_another_login_still_says_stays(comes, add_provider):
    other = add_provider("other", **RULES)
    comes("Finance")
    comes("Finance", "Boss", provider=other)

    assert set(comes().roles) == {"clerk", "boss"}
    assert comes(provider=other).roles == ()


def test_taking_the_login_off_takes_away_what_it_gave(services, make_user, comes, links):
    ada = make_user("ada")
    services.users.edit(ada, roles=("auditor",), actor="test")
    comes("Boss", "eng-web", given=("Ada",))

    links.unlink(services.users.get(ada.id), links.of(ada.id)[0].id, actor="test", local_login=True)

    left = services.users.get(ada.id)
    assert (left.roles, left.groups, left.claims.get("given_name")) == (("auditor",), (), None)


def test_a_rule_that_is_gone_gives_nothing_any_more(comes, set_upstream, services):
    comes("Boss")
    set_upstream(group_roles={})

    assert comes("Boss", provider=services.upstreams.get("corp")).roles == ()


def test_removing_the_upstream_takes_away_what_its_logins_gave(services, comes, repo):
    user = comes("Boss", "eng-web", given=("Ada",))

    services.remove_upstream.remove("corp", actor="test")

    left = services.users.get(user.id)
    assert (left.roles, left.groups, "given_name" in left.claims) == ((), (), False)
    assert repo.find(FederatedLogin, user_id=user.id) == []
    assert [one.name for one in repo.find(AuditEvent, subject="corp", name="upstream.removed")] == ["upstream.removed"]


def test_nobody_administers_but_by_the_list_made_for_it(comes, set_upstream, services):
    assert not comes("administrator", "Finance").is_administrator
    set_upstream(group_roles={"Finance": ("administrator",)})

    assert not comes("Finance", provider=services.upstreams.get("corp")).is_administrator
    assert comes("Admins", provider=services.upstreams.get("corp")).is_administrator


def test_who_becomes_an_administrator_by_a_group_closes_the_set_up(services, comes):
    assert not services.users.there_is_an_administrator
    comes("Admins")

    assert services.users.there_is_an_administrator


def test_who_leaves_the_group_no_longer_administers(services, comes, make_user):
    services.users.make_administrator(make_user("other"), actor="test")
    assert comes("Admins").is_administrator

    assert not comes().is_administrator


def test_the_last_administrator_keeps_the_role_until_there_is_another(services, comes, make_user):
    assert comes("Admins").is_administrator
    assert comes().is_administrator

    services.users.make_administrator(make_user("other"), actor="test")

    assert not comes().is_administrator


def test_who_needs_a_second_step_from_now_on_has_no_session_without_one(services, comes, make_user, clock):
    from idp.domain.attempt import Proof

    ada = make_user("ada")
    services.users.make_administrator(make_user("other"), actor="test")
    _, weak = services.sessions.establish(Proof(ada.id, clock(), ("pwd",)), None, "test")
    _, strong = services.sessions.establish(Proof(ada.id, clock(), ("pwd", "otp"), clock()), None, "test")

    assert comes("Admins").id == ada.id

    assert services.sessions.load(weak) is None
    assert services.sessions.load(strong) is not None


def test_each_change_is_audited_with_before_and_after_and_no_change_is_not(comes, repo):
    user = comes("Finance")
    comes("Finance")
    comes("Boss")

    told = [one.detail for one in repo.find(AuditEvent, subject=user.id) if one.name == "login.mapped"]
    assert sorted((one["before"], one["after"]) for one in told) == [("", "clerk"), ("clerk", "clerk boss")]


def test_a_sign_in_that_changes_nothing_writes_neither_user_nor_login(comes, repo):
    user = comes("Finance", given=("Ada",))
    before = (repo.get(User, user.id), repo.find(FederatedLogin))

    comes("Finance", given=("Ada",))

    assert (repo.get(User, user.id), repo.find(FederatedLogin)) == before


def test_the_store_failing_in_the_middle_leaves_nobody_with_a_role_for_ever(services, comes, repo, monkeypatch):
    """Whatever write is the last one, the next sign-in without the group takes the role away."""
    user = comes()
    maps = services.sign_in._joining.maps
    for allowed in range(4):
        left = [allowed]

        class Failing:
            def __getattr__(self, name):
                return getattr(repo, name)

            def replace_if(self, record, left=left):
                if isinstance(record, User | FederatedLogin):
                    left[0] -= 1
                    if left[0] < 0:
                        raise KeyboardInterrupt
                return repo.replace_if(record)

        with monkeypatch.context() as patched:
            patched.setattr(maps, "_repo", Failing())
            try:
                comes("Boss")
                comes()
            except KeyboardInterrupt:
                pass

        assert comes().roles == ()
        assert repo.get(User, user.id).roles == ()


def test_joining_by_the_owner_brings_the_roles_and_asks_for_the_step_they_need(
    services, make_user, begin, add_provider
):
    """The login makes an administrator of its owner: not with a password alone, where administrators need a second step."""
    from idp.domain.attempt import Step
    from tests.upstream.browser import PASSWORD

    ada = make_user("ada")
    services.users.make_administrator(make_user("other"), actor="test")
    provider = add_provider("strict", administrator_groups=("Admins",))
    waiting = services.sign_in.arrive(begin(), says(provider_id="strict", groups=("Admins",)), provider)
    proved = services.sign_in.prove_password(waiting, "ada", PASSWORD, "127.0.0.1")
    assert services.sign_in.decide(proved, None).step is Step.DONE

    joined = services.sign_in.join(proved)

    assert services.users.get(ada.id).is_administrator
    assert services.sign_in.decide(joined, None).step is Step.ENROL
    assert services.sessions.of(ada.id) == []

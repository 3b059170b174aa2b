"""Owns what becomes of somebody who took an address before its owner came: neither joined nor left with access (B56)."""

from dataclasses import replace

import pytest

from idp.domain.attempt import Proof, Step
from idp.domain.audit_event import AuditEvent
from idp.domain.grant import Grant
from idp.domain.session import Session
from idp.domain.user import User
from tests.upstream.browser import PASSWORD, Browser
from tests.upstream.conftest import says
from tests.upstream.test_linking import together

TRUSTED = {"trusted_domains": ("corp.example",)}


@pytest.fixture
def squatter(make_user):
    return make_user("squatter", email="ada@corp.example", email_verified=False)


@pytest.fixture
def trusted(add_provider):
    return add_provider(**TRUSTED)


@pytest.fixture
def ada_comes(services, begin, trusted):
    return lambda **values: services.sign_in.arrive(begin(), says(**values), trusted)


def test_the_owner_gets_an_account_of_her_own_with_the_address(services, ada_comes, squatter, links):
    made = services.users.get(ada_comes().proof.user_id)

    assert made.id != squatter.id
    assert (made.email, made.email_verified) == ("ada@corp.example", True)
    assert links.of(squatter.id) == []


def test_the_squatter_loses_address_sessions_and_grants_and_is_quarantined(services, ada_comes, squatter, repo, clock):
    session, handle = services.sessions.establish(Proof(squatter.id, clock(), ("pwd",)), None, "test")
    ends = clock() + 9999
    grant = Grant(
        "gr", "app", clock(), ends, user_id=squatter.id, scopes=("openid", "offline_access"), session_sid=session.sid
    )
    repo.insert(grant)

    ada_comes()

    left = services.users.get(squatter.id)
    assert (left.email, left.email_key, left.email_verified) == (None, None, False)
    assert (left.disabled, left.quarantined_at) == (True, clock())
    assert services.sessions.load(handle) is None
    assert repo.find(Session, user_id=squatter.id) == []
    assert repo.get(Grant, "gr").revoked_at is not None


def test_the_password_of_the_squatter_opens_nothing_any_more(services, ada_comes, squatter, begin, refusal):
    half_way = services.sign_in.prove_password(begin(), "squatter", PASSWORD, "127.0.0.1")

    ada_comes()

    assert services.sign_in.decide(half_way, None).step is Step.CHOOSE
    assert (
        refusal(services.sign_in.prove_password, begin(), "squatter", PASSWORD, "127.0.0.1").code == "wrong_credentials"
    )
    assert refusal(services.sign_in.prove_password, begin(), "ada@corp.example", PASSWORD, "127.0.0.1").code == (
        "wrong_credentials"
    )


def test_a_login_that_the_squatter_had_linked_opens_nothing_either(
    services, ada_comes, squatter, links, begin, refusal, trusted
):
    links.link(squatter, says(subject="evil"), actor="test")

    ada_comes()

    evil = says(subject="evil", email="evil@corp.example")
    assert refusal(services.sign_in.arrive, begin(), evil, trusted).code == "user_disabled"


def test_it_is_audited_with_what_was_before(ada_comes, squatter, repo):
    ada_comes()

    event = next(one for one in repo.find(AuditEvent, subject=squatter.id) if one.name == "user.quarantined")
    assert (event.actor, event.detail["before"], event.detail["after"]) == ("upstream:corp", "ada@corp.example", "")


@pytest.mark.parametrize(
    "values",
    [{"email_verified": False}, {"email": "ada@other.example", "email_verified": True}],
    ids=["not verified there", "a domain that it may not vouch for"],
)
def test_a_word_that_does_not_count_displaces_nobody(services, ada_comes, squatter, values):
    if "email" in values:
        services.users.edit(squatter, email=values["email"], actor="test")
        squatter = services.users.get(squatter.id)
    before = services.users.get(squatter.id)

    ada_comes(**values)

    assert services.users.get(squatter.id) == before


def test_whoever_has_proved_the_address_at_that_very_moment_keeps_it(services, ada_comes, squatter, monkeypatch, repo):
    """The write that takes the address away holds against what was read; else the world is looked at again."""
    joining = services.sign_in._joining
    displace = type(joining.quarantine).displace

    def first_proved(self, holder, arrived):
        current = repo.get(User, holder.id)
        if not current.email_verified:
            repo.replace_if(replace(current, email_verified=True))
        return displace(self, holder, arrived)

    monkeypatch.setattr(type(joining.quarantine), "displace", first_proved)
    attempt = ada_comes()

    assert attempt.proof.user_id == squatter.id  # by now the address is verified on both sides
    assert services.users.get(squatter.id).quarantined_at is None


def test_two_tabs_of_the_owner_displace_once_and_make_one_user(services, begin, make_user, trusted, repo):
    for number in range(8):
        email = f"new-{number}@corp.example"
        held = make_user(f"squatter-{number}", email=email, email_verified=False)
        given = together(
            *[
                lambda email=email: services.sign_in.arrive(begin(), says(subject=email, email=email), trusted)
                for _ in range(3)
            ]
        )

        assert len({attempt.proof.user_id for attempt in given}) == 1
        assert [one.name for one in repo.find(AuditEvent, subject=held.id)].count("user.quarantined") == 1


def test_cut_off_after_displacing_the_owner_simply_comes_again(services, ada_comes, squatter, monkeypatch):
    makes = services.sign_in._joining.makes
    with monkeypatch.context() as patched:
        patched.setattr(type(makes), "make", lambda *_args, **_named: (_ for _ in ()).throw(KeyboardInterrupt))
        with pytest.raises(KeyboardInterrupt):
            ada_comes()
    assert services.users.get(squatter.id).disabled

    assert services.users.get(ada_comes().proof.user_id).email_verified


def test_an_administrator_whose_address_was_never_verified_is_asked_and_not_displaced(services, ada_comes, squatter):
    services.users.make_administrator(squatter, actor="test")

    attempt = ada_comes()

    assert attempt.owner_id == squatter.id
    assert services.users.get(squatter.id).disabled is False


def test_who_was_switched_off_does_not_come_back_as_somebody_new(services, ada_comes, squatter, refusal, repo):
    services.users.set_disabled(squatter, True, actor="test")

    assert refusal(ada_comes).code == "user_disabled"
    assert len(repo.find(User)) == 1


def test_through_the_pages_the_owner_is_in_and_the_squatter_is_out(app, browser, openid, add_upstream, make_user):
    add_upstream(trusted_domains="corp.example")
    make_user("squatter", email="ada@corp.example", email_verified=False)
    theirs = Browser(app)
    theirs.sign_in("squatter")
    assert theirs.is_signed_in

    flow = browser.begin()
    params = openid.authorize(browser.leave(flow), "ada-there", email="ada@corp.example", email_verified=True)
    browser.follow(browser.come_back(params))

    assert browser.is_signed_in
    assert not theirs.is_signed_in

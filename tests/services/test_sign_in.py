"""A sign-in from beginning to collection: bound to its browser, each step once, nothing skipped."""

from dataclasses import replace

import pytest

from idp.base import ids
from idp.base.errors import Refused
from idp.crypto import totp
from idp.domain.attempt import Step, Wants
from idp.domain.grant import Grant
from idp.domain.upstream import FederatedLogin, UpstreamIdentity, UpstreamProvider

BROWSER = ids.digest("browser one")
CORP = UpstreamProvider("corp", "oidc", "Corporate login", 0.0)


@pytest.fixture
def sign_in(services):
    return services.sign_in


@pytest.fixture
def ada_secret(services, ada, clock):
    secret = services.factors.enrolment(ada, BROWSER).secret
    services.factors.confirm(ada, BROWSER, totp.code_at(secret, int(clock() // 30)))
    clock.advance(60)
    return secret


def begin(sign_in, **values):
    return sign_in.save(sign_in.draft("oidc", "/authorize/resume", {"client_id": "app"}, app_id="app", **values))


def refusal(call, *args, **values):
    with pytest.raises(Refused) as refused:
        call(*args, **values)
    return refused.value.code


def whole(services, secret, clock, session=None, **values):
    """Password and TOTP up to a finished attempt; gives (handle, session handle)."""
    sign_in = services.sign_in
    handle = begin(sign_in, **values)
    attempt = sign_in.prove_password(sign_in.load(handle, BROWSER), "ada", "correct horse", "127.0.0.1")
    clock.advance(30)
    attempt = sign_in.prove_factor(attempt, session, totp.code_at(secret, int(clock() // 30)))
    _, session_handle = sign_in.finish(attempt, session, "test")
    return handle, session_handle


def test_password_then_factor_then_done_and_the_front_door_collects_once(services, sign_in, ada, ada_secret, clock):
    handle, session_handle = whole(services, ada_secret, clock)

    finished = sign_in.collect(handle, BROWSER)

    assert finished.user.id == ada.id
    assert finished.session.amr == ("pwd", "otp")
    assert finished.session.factor_at == clock()
    assert services.sessions.load(session_handle)[1].id == ada.id
    assert refusal(sign_in.collect, handle, BROWSER) == "attempt_used"


def test_there_is_no_session_before_the_factor(services, sign_in, ada, ada_secret):
    handle = begin(sign_in)
    attempt = sign_in.prove_password(sign_in.load(handle, BROWSER), "ada@EXAMPLE.org", "correct horse", "127.0.0.1")

    assert sign_in.decide(attempt, None).step is Step.FACTOR
    assert refusal(sign_in.finish, attempt, None, "test") == "wrong_step"
    assert refusal(sign_in.collect, handle, BROWSER) == "attempt_unfinished"
    assert services.sessions.of(ada.id) == []


def test_an_attempt_belongs_to_the_browser_that_opened_it(sign_in):
    handle = begin(sign_in)
    sign_in.load(handle, BROWSER)

    assert refusal(sign_in.load, handle, ids.digest("browser two")) == "attempt_other_browser"
    assert refusal(sign_in.load, handle, None) == "attempt_other_browser"


def test_a_finished_attempt_is_not_collected_by_another_browser(services, sign_in, ada_secret, clock):
    handle, _ = whole(services, ada_secret, clock)

    assert refusal(sign_in.collect, handle, ids.digest("browser two")) == "attempt_other_browser"
    assert refusal(sign_in.load, handle, BROWSER) == "attempt_used"


@pytest.mark.parametrize("handle", ["", "x", "x" * 43, "' OR 1=1 --" + "x" * 20, "x" * 5000])
def test_an_unknown_handle_is_an_expired_attempt(sign_in, handle):
    assert refusal(sign_in.load, handle, BROWSER) == "attempt_expired"


def test_an_attempt_expires_after_ten_minutes(sign_in, clock):
    handle = begin(sign_in)
    sign_in.load(handle, BROWSER)
    clock.advance(601)

    assert refusal(sign_in.load, handle, BROWSER) == "attempt_expired"


def test_two_tabs_cannot_both_move_one_attempt(sign_in, ada):
    handle = begin(sign_in)
    first = second = sign_in.load(handle, BROWSER)
    sign_in.prove_password(first, "ada", "correct horse", "127.0.0.1")

    assert refusal(sign_in.prove_password, second, "ada", "correct horse", "127.0.0.1") == "attempt_moved_on"


def test_wrong_user_and_wrong_password_are_refused_alike(sign_in, ada):
    attempt = sign_in.load(begin(sign_in), BROWSER)
    answers = set()
    for login, password in (("ada", "wrong horse"), ("nobody", "correct horse"), ("", "x"), ("ada\x00", "x")):
        with pytest.raises(Refused) as refused:
            sign_in.prove_password(attempt, login, password, "127.0.0.1")
        answers.add((refused.value.code, refused.value.message, refused.value.status))

    assert len(answers) == 1


def test_failures_back_off_per_account_for_known_and_unknown_users_alike(sign_in, ada, clock):
    for login in ("ada", "nobody"):
        attempt = sign_in.load(begin(sign_in), BROWSER)
        for _ in range(5):
            assert refusal(sign_in.prove_password, attempt, login, "wrong", "127.0.0.1") == "wrong_credentials"
        assert refusal(sign_in.prove_password, attempt, login, "correct horse", "10.0.0.9") == "too_many_attempts"
    clock.advance(125)
    attempt = sign_in.load(begin(sign_in), BROWSER)
    assert sign_in.prove_password(attempt, "ada", "correct horse", "127.0.0.1").proof


@pytest.mark.parametrize(
    "spelling", ["{}@example.org", "{}@EXAMPLE.org", " {} ", "\N{FULLWIDTH LATIN SMALL LETTER A}{}"]
)
def test_a_block_does_not_tell_which_user_names_and_addresses_exist(services, sign_in, spelling):
    services.users.add("ada", email="ada@example.org", password="correct horse", actor="test")
    services.users.add("aada", email="aada@example.org", password="correct horse", actor="test")
    answers = set()
    for login in ("ada", "bob"):
        attempt = sign_in.load(begin(sign_in), BROWSER)
        for blocked in (login, f"a{login}"):
            for _ in range(5):
                assert refusal(sign_in.prove_password, attempt, blocked, "wrong", "127.0.0.1") == "wrong_credentials"
        answers.add(refusal(sign_in.prove_password, attempt, spelling.format(login), "wrong", "127.0.0.1"))

    assert len(answers) == 1


def test_a_password_that_was_proved_before_it_was_changed_finishes_nothing(services, sign_in, ada, ada_secret, clock):
    attempt = sign_in.load(begin(sign_in), BROWSER)
    attempt = sign_in.prove_password(attempt, "ada", "correct horse", "127.0.0.1")
    clock.advance(30)
    attempt = sign_in.prove_factor(attempt, None, totp.code_at(ada_secret, int(clock() // 30)))
    services.users.set_password(ada, "another battery", actor="cli")

    assert sign_in.decide(attempt, None).step is Step.CHOOSE
    assert refusal(sign_in.finish, attempt, None, "test") == "wrong_step"


def test_a_disabled_user_cannot_sign_in_and_loses_sessions_and_grants(services, sign_in, ada, ada_secret, clock, repo):
    handle, session_handle = whole(services, ada_secret, clock)
    session = sign_in.collect(handle, BROWSER).session
    grant = Grant("g", "app", clock(), clock() + 1000, ada.id, session.sid)
    offline = Grant("g2", "app", clock(), clock() + 1000, ada.id, None)
    repo.insert(grant)
    repo.insert(offline)

    services.users.set_disabled(ada, True, actor="test")

    assert services.sessions.load(session_handle) is None
    assert repo.get(Grant, "g").revoked_at
    assert repo.get(Grant, "g2").revoked_at
    attempt = sign_in.load(begin(sign_in), BROWSER)
    assert refusal(sign_in.prove_password, attempt, "ada", "correct horse", "127.0.0.1") == "wrong_credentials"


def test_a_user_disabled_between_finishing_and_collecting_gets_nothing(services, sign_in, ada, ada_secret, clock):
    handle, _ = whole(services, ada_secret, clock)
    services.users.set_disabled(ada, True, actor="test")

    assert refusal(sign_in.collect, handle, BROWSER) == "session_ended"


def test_a_live_session_is_done_at_once_and_a_forced_one_is_not(services, sign_in, ada, ada_secret, clock):
    _, session_handle = whole(services, ada_secret, clock)
    session = services.sessions.load(session_handle)[0]

    assert sign_in.decide(sign_in.draft("oidc", "/r", {}).attempt, session).step is Step.DONE
    assert sign_in.decide(sign_in.draft("oidc", "/r", {}, wants=Wants(force=True)).attempt, session).step is Step.CHOOSE


def test_signing_in_again_changes_the_handle_and_keeps_the_public_sid(services, ada, ada_secret, clock):
    _, first = whole(services, ada_secret, clock)
    session = services.sessions.load(first)[0]
    _, second = whole(services, ada_secret, clock, session=session, wants=Wants(force=True))

    assert services.sessions.load(first) is None
    assert services.sessions.load(second)[0].sid == session.sid


def test_consent_is_remembered_by_app_and_scope(services, sign_in, ada, ada_secret, clock):
    wants = Wants(scopes=("openid", "email"))
    handle = begin(sign_in, wants=wants)
    attempt = sign_in.prove_password(sign_in.load(handle, BROWSER), "ada", "correct horse", "127.0.0.1")
    attempt = sign_in.prove_factor(attempt, None, totp.code_at(ada_secret, int(clock() // 30)))
    assert sign_in.decide(attempt, None).step is Step.CONSENT
    attempt = sign_in.answer_consent(attempt, None, allow=True)
    _, session_handle = sign_in.finish(attempt, None, "test")
    session = services.sessions.load(session_handle)[0]

    again = sign_in.draft("oidc", "/r", {}, app_id="app", wants=wants).attempt
    more = sign_in.draft("oidc", "/r", {}, app_id="app", wants=Wants(scopes=("openid", "phone"))).attempt
    other = sign_in.draft("oidc", "/r", {}, app_id="other", wants=wants).attempt
    assert sign_in.decide(again, session).step is Step.DONE
    assert sign_in.decide(more, session).step is Step.CONSENT
    assert sign_in.decide(other, session).step is Step.CONSENT


def test_the_consent_of_one_person_is_not_that_of_the_next_in_the_same_attempt(
    services, sign_in, ada, ada_secret, clock
):
    handle = begin(sign_in, wants=Wants(scopes=("openid",), force_consent=True))
    attempt = sign_in.prove_password(sign_in.load(handle, BROWSER), "ada", "correct horse", "127.0.0.1")
    attempt = sign_in.prove_factor(attempt, None, totp.code_at(ada_secret, int(clock() // 30)))
    attempt = sign_in.answer_consent(attempt, None, allow=True)
    assert sign_in.decide(attempt, None).step is Step.DONE
    eve = services.users.add("eve", email="eve@example.org", password="correct horse", actor="test")
    secret = services.factors.enrol_for(eve, actor="test")[0].secret

    attempt = sign_in.prove_password(sign_in.start_over(attempt), "eve", "correct horse", "127.0.0.1")
    attempt = sign_in.prove_factor(attempt, None, totp.code_at(secret, int(clock() // 30)))

    assert sign_in.decide(attempt, None).step is Step.CONSENT


def test_a_no_reaches_the_front_door_without_a_user(services, sign_in, ada, ada_secret, clock):
    handle = begin(sign_in, wants=Wants(scopes=("openid",)))
    attempt = sign_in.prove_password(sign_in.load(handle, BROWSER), "ada", "correct horse", "127.0.0.1")
    attempt = sign_in.prove_factor(attempt, None, totp.code_at(ada_secret, int(clock() // 30)))
    attempt = sign_in.answer_consent(attempt, None, allow=False)
    sign_in.finish(attempt, None, "test")

    finished = sign_in.collect(handle, BROWSER)

    assert finished.attempt.denied
    assert finished.user is None
    assert len(services.sessions.of(ada.id)) == 1  # who proved everything is signed in with us all the same


def test_turning_back_half_way_makes_no_session(services, sign_in, ada, ada_secret):
    handle = begin(sign_in)
    attempt = sign_in.prove_password(sign_in.load(handle, BROWSER), "ada", "correct horse", "127.0.0.1")
    attempt = sign_in.deny(attempt)

    assert sign_in.finish(attempt, None, "test")[1] is None
    assert services.sessions.of(ada.id) == []


# ------------------------------------------------------------------ upstream logins


def identity(**values):
    return replace(
        UpstreamIdentity("corp", "https://corp.example", "sub-1", "ada@example.org", True, "Ada", "ada"), **values
    )


def test_a_first_federated_login_with_the_email_of_a_user_is_never_joined_by_that_email(services, sign_in, ada, repo):
    for verified in (True, False):
        attempt = sign_in.load(begin(sign_in), BROWSER)
        attempt = sign_in.arrive(attempt, identity(email_verified=verified), CORP)

        assert sign_in.decide(attempt, None).step is Step.LINK
        assert repo.find(FederatedLogin, user_id=ada.id) == []


def test_the_owner_of_the_email_proves_and_the_login_is_theirs(services, sign_in, ada, ada_secret, clock, repo):
    repo.insert(CORP)
    attempt = sign_in.arrive(sign_in.load(begin(sign_in), BROWSER), identity(), CORP)
    attempt = sign_in.prove_password(attempt, "ada", "correct horse", "127.0.0.1")
    assert repo.find(FederatedLogin, user_id=ada.id) == []  # not before the factor
    attempt = sign_in.prove_factor(attempt, None, totp.code_at(ada_secret, int(clock() // 30)))
    sign_in.finish(attempt, None, "test")

    assert [login.subject for login in repo.find(FederatedLogin, user_id=ada.id)] == ["sub-1"]
    again = sign_in.arrive(sign_in.load(begin(sign_in), BROWSER), identity(email="new@example.org"), CORP)
    assert again.proof.user_id == ada.id
    assert sign_in.decide(again, None).step is Step.FACTOR


def test_somebody_else_cannot_prove_in_place_of_the_owner(services, sign_in, ada):
    services.users.add("eve", email=None, password="evil password", actor="test")
    attempt = sign_in.arrive(sign_in.load(begin(sign_in), BROWSER), identity(), CORP)

    assert refusal(sign_in.prove_password, attempt, "eve", "evil password", "127.0.0.1") == "wrong_credentials"


def test_a_browser_that_is_signed_in_does_not_join_a_login_without_asking(services, sign_in, ada, ada_secret, clock):
    _, session_handle = whole(services, ada_secret, clock)
    session = services.sessions.load(session_handle)[0]
    attempt = sign_in.arrive(sign_in.load(begin(sign_in), BROWSER), identity(), CORP)

    assert sign_in.decide(attempt, session).step is Step.LINK


def test_keeping_separate_makes_a_user_without_that_email(services, sign_in, ada):
    attempt = sign_in.arrive(sign_in.load(begin(sign_in), BROWSER), identity(), CORP)
    attempt = sign_in.keep_separate(attempt, CORP)

    made = services.users.get(attempt.proof.user_id)
    assert made.id != ada.id
    assert made.email is None
    assert services.users.by_email("ada@example.org").id == ada.id


def test_the_same_subject_of_another_issuer_or_provider_is_another_user(services, sign_in):
    users = set()
    for values in ({}, {"issuer": "https://other.example"}, {"provider_id": "second"}):
        mine = identity(email=None, **values)
        provider = replace(CORP, id=mine.provider_id)
        attempt = sign_in.arrive(sign_in.load(begin(sign_in), BROWSER), mine, provider)
        users.add(attempt.proof.user_id)

    assert len(users) == 3


@pytest.mark.parametrize(
    ("provider", "given", "allowed"),
    [
        ({"may_create": "nobody"}, {}, False),
        ({"may_create": "domains", "create_domains": ("example.com",)}, {"email": "x@example.com"}, True),
        ({"may_create": "domains", "create_domains": ("example.com",)}, {"email": "x@example.com.evil.example"}, False),
        (
            {"may_create": "domains", "create_domains": ("example.com",)},
            {"email": "x@example.com", "email_verified": False},
            False,
        ),
        ({"may_create": "anybody", "mode": "link_only"}, {}, False),
    ],
)
def test_a_provider_creates_only_whom_it_may(sign_in, provider, given, allowed):
    mine = identity(**{"email": "new@example.net", **given})
    attempt = sign_in.load(begin(sign_in), BROWSER)

    if allowed:
        assert sign_in.arrive(attempt, mine, replace(CORP, **provider)).proof
    else:
        assert refusal(sign_in.arrive, attempt, mine, replace(CORP, **provider)) in (
            "not_invited",
            "upstream_not_for_sign_in",
        )


def test_a_link_only_provider_signs_nobody_in_even_when_linked(services, sign_in, ada):
    services.links.link(ada, identity(), actor="test")

    attempt = sign_in.load(begin(sign_in), BROWSER)
    assert refusal(sign_in.arrive, attempt, identity(), replace(CORP, mode="link_only")) == "upstream_not_for_sign_in"


def test_a_disabled_user_does_not_come_in_by_an_upstream(services, sign_in, ada):
    services.links.link(ada, identity(), actor="test")
    services.users.set_disabled(ada, True, actor="test")

    assert refusal(sign_in.arrive, sign_in.load(begin(sign_in), BROWSER), identity(), CORP) == "user_disabled"


def test_a_deleted_user_leaves_a_login_that_opens_nothing(services, sign_in, ada, repo):
    from idp.domain.user import User

    services.links.link(ada, identity(), actor="test")
    repo.delete(User, ada.id)

    assert refusal(sign_in.arrive, sign_in.load(begin(sign_in), BROWSER), identity(), CORP) == "login_orphaned"

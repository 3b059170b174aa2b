"""Owns whether the second factor of an upstream counts here (B70), and how honest the times of a federated sign-in are."""

import pytest

from idp.crypto import totp
from idp.domain.attempt import Step, Wants
from tests.upstream.conftest import BROWSER, says

MFA = {"trusted_amr": ("mfa",), "trusted_acr": ("strong",)}


@pytest.fixture
def ada(services, make_user, links, clock):
    """Ada, linked at corp, with a second factor of ours."""
    ada = make_user("ada")
    links.link(ada, says(), actor="test")
    secret = services.factors.enrolment(ada, BROWSER).secret
    services.factors.confirm(ada, BROWSER, totp.code_at(secret, int(clock() // 30)))
    clock.advance(60)
    return ada


@pytest.fixture
def comes(services, begin):
    def come(provider, wants=None, forced=False, **values):
        attempt = begin()
        if wants is not None:
            draft = services.sign_in.draft("oidc", "/resume", {}, app_id="app", wants=wants)
            attempt = services.sign_in.load(services.sign_in.save(draft), BROWSER)
        return services.sign_in.arrive(attempt, says(**values), provider, forced=forced)

    return come


def step(services, attempt):
    return services.sign_in.decide(attempt, None).step


@pytest.mark.parametrize(
    ("trust", "said"),
    [({}, {"amr": ("mfa",), "acr": "strong"}), (MFA, {"amr": ("pwd",)}), (MFA, {}), (MFA, {"acr": "mfa"})],
)
def test_our_second_factor_is_asked_unless_the_one_there_is_trusted(services, ada, add_provider, comes, trust, said):
    attempt = comes(add_provider(**trust), **said)

    assert (attempt.proof.factor_at, attempt.proof.amr) == (None, ("fed",))
    assert step(services, attempt) is Step.FACTOR


@pytest.mark.parametrize("said", [{"amr": ("pwd", "mfa")}, {"acr": "strong"}])
def test_a_trusted_one_needs_no_other_and_the_session_says_so(services, ada, add_provider, comes, clock, said):
    attempt = comes(add_provider(**MFA), auth_time=clock() - 5, **said)
    assert step(services, attempt) is Step.DONE

    closed, handle = services.sign_in.finish(attempt, None, "test")

    session = services.sessions.load(handle)[0]
    assert (session.amr, session.factor_at) == (("fed", "mfa"), clock() - 5)
    assert any(note.step == "factor" and note.result == "trusted" for note in closed.notes)


def test_a_trusted_one_counts_for_an_app_that_demands_a_second_factor(services, ada, add_provider, comes):
    attempt = comes(add_provider(**MFA), wants=Wants(second_factor=True), amr=("mfa",))

    assert step(services, attempt) is Step.DONE


def test_one_of_long_ago_is_no_recent_proof(app, services, ada, add_provider, comes, clock):
    """Signing in needs no other one; taking a login off or administering does."""
    from idp.http.own_pages import is_recent

    provider = add_provider(**MFA)
    for values in ({"auth_time": clock() - 7200}, {"auth_time": None}):
        _, handle = services.sign_in.finish(comes(provider, amr=("mfa",), **values), None, "test")
        session, user = services.sessions.load(handle)
        with app.app_context():
            assert not is_recent(session, user)


def test_one_that_was_asked_for_just_now_is_recent(app, services, ada, add_provider, comes, clock):
    from idp.http.own_pages import is_recent

    attempt = comes(add_provider(**MFA), forced=True, amr=("mfa",), auth_time=None)
    _, handle = services.sign_in.finish(attempt, None, "test")
    with app.app_context():
        assert is_recent(*services.sessions.load(handle))


@pytest.mark.parametrize(
    ("said", "forced", "expected"),
    [(-3600, False, -3600), (None, False, 0), (+600, False, 0), (-3600, True, 0)],
    ids=["long ago", "not said", "a clock ahead of ours", "asked for just now"],
)
def test_the_time_of_the_proof_is_what_the_upstream_says_and_never_later_than_now(
    services, ada, corp, comes, clock, said, forced, expected
):
    at = None if said is None else clock() + said

    assert comes(corp, auth_time=at, forced=forced).proof.auth_time == clock() + expected


def test_an_app_that_limits_the_age_of_a_proof_does_not_get_an_older_one_from_the_session(
    services, ada, add_provider, comes, clock
):
    attempt = comes(add_provider(**MFA), amr=("mfa",), auth_time=clock() - 3600)
    _, handle = services.sign_in.finish(attempt, None, "test")
    session, user = services.sessions.load(handle)

    asked = services.sign_in.draft("oidc", "/resume", {}, app_id="app", wants=Wants(max_age=600)).attempt
    assert services.sign_in.decide(asked, session, known=user).step is Step.CHOOSE


def test_a_password_changed_since_the_upstream_asked_does_not_shut_its_owner_out(
    services, ada, add_provider, comes, clock
):
    before = clock()
    clock.advance(100)
    services.users.set_password(ada, "another long password", actor="test")
    clock.advance(1)

    attempt = comes(add_provider(**MFA), amr=("mfa",), auth_time=before)
    assert step(services, attempt) is Step.DONE
    _, handle = services.sign_in.finish(attempt, None, "test")
    assert services.sessions.load(handle) is not None


def test_a_trusted_factor_of_a_login_that_is_still_to_be_joined_proves_nothing_of_its_owner(
    services, ada, add_provider, begin
):
    from tests.upstream.browser import PASSWORD

    other = add_provider("other", **MFA)
    waiting = services.sign_in.arrive(begin(), says(provider_id="other", amr=("mfa",)), other)
    proved = services.sign_in.prove_password(waiting, "ada", PASSWORD, "127.0.0.1")

    assert step(services, proved) is Step.FACTOR

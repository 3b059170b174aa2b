"""The table of the one decision: no Flask, no store, no clock."""

import itertools

import pytest

from idp.domain.attempt import Facts, LoginAttempt, Proof, Step, Wants, effective_proof, next_step
from idp.domain.policy import SecondFactorPolicy
from idp.domain.session import Session
from idp.domain.upstream import UpstreamIdentity
from idp.domain.user import User

NOW = 1_000_000.0


def attempt(**values):
    base = {
        "id": "a",
        "front_door": "oidc",
        "resume_path": "/authorize/resume",
        "request": {},
        "created_at": NOW,
        "expires_at": NOW + 600,
    }
    return LoginAttempt(**{**base, **values})


def user(**values):
    base = {"id": "u", "username": "ada", "username_key": "ada", "email": None, "email_key": None}
    return User(**{**base, "email_verified": False, "name": "Ada", "created_at": NOW, **values})


def session(**values):
    base = {"id": "s", "sid": "sid", "user_id": "u", "created_at": NOW - 100, "expires_at": NOW + 100}
    return Session(**{**base, "last_seen_at": NOW, "auth_time": NOW - 100, "amr": ("pwd",), **values})


def facts(who=None, *, has_factor=False, consented=(), scope="everyone", roles=()):
    return Facts(who, has_factor, frozenset(consented), SecondFactorPolicy(scope, roles))


PWD = Proof("u", NOW, ("pwd",))
FED = Proof("u", NOW, ("fed",), None, "corp")
BOTH = Proof("u", NOW, ("pwd", "otp"), NOW)


@pytest.mark.parametrize(
    ("claim", "given", "proof", "known", "step"),
    [
        ("nobody has proved anything", attempt(), None, facts(), Step.CHOOSE),
        ("a disabled user is as good as nobody", attempt(), BOTH, facts(user(disabled=True)), Step.CHOOSE),
        ("a deleted user is as good as nobody", attempt(), BOTH, facts(None), Step.CHOOSE),
        ("a password is followed by the factor", attempt(), PWD, facts(user(), has_factor=True), Step.FACTOR),
        ("who has no factor enrols first", attempt(), PWD, facts(user()), Step.ENROL),
        ("a federated sign-in is not exempt", attempt(), FED, facts(user(), has_factor=True), Step.FACTOR),
        ("a federated newcomer enrols too", attempt(), FED, facts(user()), Step.ENROL),
        ("both factors and no consent needed", attempt(), BOTH, facts(user(), has_factor=True), Step.DONE),
        (
            "a relaxed policy asks nobody without a factor",
            attempt(),
            PWD,
            facts(user(), scope="administrators"),
            Step.DONE,
        ),
        (
            "a relaxed policy still asks who has one",
            attempt(),
            PWD,
            facts(user(), has_factor=True, scope="administrators"),
            Step.FACTOR,
        ),
        (
            "a relaxed policy still asks administrators",
            attempt(),
            PWD,
            facts(user(roles=("administrator",)), scope="administrators"),
            Step.ENROL,
        ),
        (
            "a policy by roles asks administrators too",
            attempt(),
            PWD,
            facts(user(roles=("administrator",)), scope="roles", roles=("finance",)),
            Step.ENROL,
        ),
        (
            "a policy by roles asks those roles",
            attempt(),
            PWD,
            facts(user(roles=("finance",)), scope="roles", roles=("finance",)),
            Step.ENROL,
        ),
        (
            "an app may ask for more than the policy",
            attempt(wants=Wants(second_factor=True)),
            PWD,
            facts(user(), scope="administrators"),
            Step.ENROL,
        ),
        (
            "scopes that were never allowed need consent",
            attempt(wants=Wants(scopes=("openid", "email"))),
            BOTH,
            facts(user(), has_factor=True, consented=("openid",)),
            Step.CONSENT,
        ),
        (
            "scopes that were allowed need none",
            attempt(wants=Wants(scopes=("openid",))),
            BOTH,
            facts(user(), has_factor=True, consented=("openid",)),
            Step.DONE,
        ),
        (
            "prompt=consent asks again",
            attempt(wants=Wants(scopes=("openid",), force_consent=True)),
            BOTH,
            facts(user(), has_factor=True, consented=("openid",)),
            Step.CONSENT,
        ),
        (
            "consent comes after the factor, never before",
            attempt(wants=Wants(scopes=("openid",))),
            PWD,
            facts(user(), has_factor=True),
            Step.FACTOR,
        ),
        (
            "an answer in the attempt does not stand in for what this user has allowed",
            attempt(wants=Wants(scopes=("openid",)), consented=True),
            BOTH,
            facts(user(), has_factor=True),
            Step.CONSENT,
        ),
        (
            "an answered prompt=consent does not ask twice",
            attempt(wants=Wants(scopes=("openid",), force_consent=True), consented=True),
            BOTH,
            facts(user(), has_factor=True, consented=("openid",)),
            Step.DONE,
        ),
        (
            "a proof from before the password was changed is none",
            attempt(),
            BOTH,
            facts(user(password_changed_at=NOW + 1), has_factor=True),
            Step.CHOOSE,
        ),
        (
            "a proof after the password was changed counts",
            attempt(),
            BOTH,
            facts(user(password_changed_at=NOW), has_factor=True),
            Step.DONE,
        ),
        ("a no is a no", attempt(denied=True), BOTH, facts(user(), has_factor=True), Step.DENIED),
        (
            "a waiting login needs its owner's proof",
            attempt(waiting=UpstreamIdentity("corp", "i", "s"), owner_id="u"),
            None,
            facts(),
            Step.LINK,
        ),
    ],
)
def test_next_step(claim, given, proof, known, step):
    assert next_step(given, proof, known) is step, claim


def test_nothing_is_ever_done_without_a_second_factor_that_the_policy_requires():
    """All combinations of what an attempt can hold: DONE implies a proved factor under `everyone`."""
    waiting = UpstreamIdentity("corp", "i", "s")
    for proof, has_factor, consented, linking, wait in itertools.product(
        [None, PWD, FED], [True, False], [True, False], [True, False], [None, waiting]
    ):
        given = attempt(consented=consented, linking=linking, waiting=wait, owner_id="u" if wait else None)
        assert next_step(given, proof, facts(user() if proof else None, has_factor=has_factor)) is not Step.DONE


def test_a_live_session_vouches_unless_the_app_forces_a_new_proof():
    assert effective_proof(attempt(), session(), NOW) is not None
    assert effective_proof(attempt(wants=Wants(force=True)), session(), NOW) is None


def test_max_age_counts_from_the_first_factor():
    assert effective_proof(attempt(wants=Wants(max_age=100)), session(), NOW) is not None
    assert effective_proof(attempt(wants=Wants(max_age=99)), session(), NOW) is None
    assert effective_proof(attempt(wants=Wants(max_age=0)), session(), NOW) is None


def test_a_session_never_joins_a_waiting_login_by_itself():
    given = attempt(waiting=UpstreamIdentity("corp", "i", "s"), owner_id="u")

    assert effective_proof(given, session(factor_at=NOW), NOW) is None


def test_the_proof_of_the_attempt_counts_before_the_session():
    other = Proof("other", NOW, ("pwd",))

    assert effective_proof(attempt(proof=other), session(), NOW) == other

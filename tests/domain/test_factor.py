"""Back-off of the factor and of accounts."""

from idp.domain.factor import ConfirmedTotp, after_failure, after_success, candidate_steps
from idp.domain.throttle import LONGEST_WAIT_SECONDS, failed

NOW = 1_000_000.0


def test_five_wrong_codes_lock_the_factor_and_each_further_one_locks_it_longer():
    totp = ConfirmedTotp("u", "sealed")
    for _ in range(4):
        totp = after_failure(totp, NOW)
        assert totp.locked_until == 0

    waits = []
    for _ in range(10):
        totp = after_failure(totp, NOW)
        waits.append(totp.locked_until - NOW)

    assert waits[0] == 60
    assert waits == sorted(waits)
    assert waits[-1] == 3600


def test_a_right_code_forgets_the_failures_and_remembers_the_step():
    totp = after_success(after_failure(ConfirmedTotp("u", "sealed"), NOW), 77)

    assert (totp.failures, totp.locked_until, totp.last_step) == (0, 0.0, 77)


def test_the_window_is_one_step_before_and_one_after():
    assert list(candidate_steps(90.0)) == [2, 3, 4]


def test_an_account_waits_longer_after_each_failure_but_never_long_enough_to_lock_its_owner_out():
    state = None
    for _ in range(40):
        state = failed(state, "password:u", NOW)

    assert state is not None
    assert state.blocked_until - NOW == LONGEST_WAIT_SECONDS


def test_a_sealed_secret_is_not_in_the_repr():
    assert "sealed-value" not in repr(ConfirmedTotp("u", "sealed-value"))

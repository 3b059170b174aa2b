"""TOTP and recovery codes: enrolled with proof, each used once, counted per user."""

import re
import threading

import pytest

from idp.base.errors import Refused
from idp.crypto import totp
from idp.domain.factor import ConfirmedTotp, RecoveryCode

BROWSER = "browser one"


@pytest.fixture
def enrolled(services, ada, clock):
    secret = services.factors.enrolment(ada, BROWSER).secret
    codes = services.factors.confirm(ada, BROWSER, totp.code_at(secret, int(clock() // 30)))
    clock.advance(30)
    return secret, codes


def code_now(secret, clock, offset=0):
    return totp.code_at(secret, int(clock() // 30) + offset)


def refusal(call, *args):
    with pytest.raises(Refused) as refused:
        call(*args)
    return refused.value.code


def test_an_enrolment_is_good_only_after_one_proof(services, ada, clock):
    enrolment = services.factors.enrolment(ada, BROWSER)

    assert services.factors.enrolment(ada, BROWSER) == enrolment
    assert not services.factors.has(ada.id)
    assert refusal(services.factors.confirm, ada, BROWSER, "000000") == "wrong_code"
    assert not services.factors.has(ada.id)
    codes = services.factors.confirm(ada, BROWSER, code_now(enrolment.secret, clock))

    assert services.factors.has(ada.id)
    assert len(set(codes)) == 10
    assert all(re.fullmatch(r"[a-z0-9]{10}", code) for code in codes)


def test_the_code_that_proved_the_enrolment_does_not_sign_in_as_well(services, ada, clock):
    secret = services.factors.enrolment(ada, BROWSER).secret
    code = code_now(secret, clock)
    services.factors.confirm(ada, BROWSER, code)

    assert refusal(services.factors.prove, ada, code) == "used_code"


def test_a_factor_is_not_replaced_by_a_second_enrolment(services, ada, enrolled, clock):
    other = services.factors.enrolment(ada, BROWSER)

    assert refusal(services.factors.confirm, ada, BROWSER, code_now(other.secret, clock)) == "factor_exists"


def test_whoever_opened_the_enrolment_elsewhere_does_not_know_the_secret_that_is_confirmed(services, ada, clock):
    seen_elsewhere = services.factors.enrolment(ada, "browser of a thief who knows the password").secret
    mine = services.factors.enrolment(ada, BROWSER).secret

    assert seen_elsewhere != mine
    assert refusal(services.factors.confirm, ada, BROWSER, code_now(seen_elsewhere, clock)) == "wrong_code"
    services.factors.confirm(ada, BROWSER, code_now(mine, clock))
    clock.advance(30)
    assert refusal(services.factors.prove, ada, code_now(seen_elsewhere, clock)) == "wrong_code"


def test_an_enrolment_that_was_left_lying_expires(services, ada, clock):
    enrolment = services.factors.enrolment(ada, BROWSER)
    clock.advance(901)

    assert refusal(services.factors.confirm, ada, BROWSER, code_now(enrolment.secret, clock)) == "enrolment_expired"


@pytest.mark.parametrize("offset", [-1, 0, 1])
def test_a_code_is_good_one_step_before_and_after(services, ada, enrolled, clock, offset):
    clock.advance(90)

    assert services.factors.prove(ada, code_now(enrolled[0], clock, offset)) == "otp"


@pytest.mark.parametrize("offset", [-2, 2])
def test_a_code_two_steps_away_is_wrong(services, ada, enrolled, clock, offset):
    clock.advance(90)

    assert refusal(services.factors.prove, ada, code_now(enrolled[0], clock, offset)) == "wrong_code"


def test_a_used_totp_code_is_refused_a_second_time_within_its_window(services, ada, enrolled, clock):
    code = code_now(enrolled[0], clock)
    services.factors.prove(ada, code)

    assert refusal(services.factors.prove, ada, code) == "used_code"
    clock.advance(30)
    assert refusal(services.factors.prove, ada, code) == "used_code"


def test_an_older_step_is_refused_once_a_newer_one_was_used(services, ada, enrolled, clock):
    older, newer = code_now(enrolled[0], clock), code_now(enrolled[0], clock, 1)
    services.factors.prove(ada, newer)

    assert refusal(services.factors.prove, ada, older) == "used_code"


def test_of_twenty_tries_with_one_code_at_once_exactly_one_wins(services, ada, enrolled, clock):
    code, results = code_now(enrolled[0], clock), []

    def attempt():
        try:
            results.append(services.factors.prove(ada, code))
        except Refused as refused:
            results.append(refused.code)

    threads = [threading.Thread(target=attempt) for _ in range(20)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert sorted(results) == ["otp"] + ["used_code"] * 19


def test_people_may_type_blanks_and_dashes(services, ada, enrolled, clock):
    code = code_now(enrolled[0], clock)

    assert services.factors.prove(ada, f" {code[:3]} {code[3:]} ") == "otp"


def test_five_wrong_codes_lock_the_factor_whatever_the_browser_and_a_right_one_does_not_help(
    services, ada, enrolled, clock
):
    for _ in range(5):
        assert refusal(services.factors.prove, ada, "000000") == "wrong_code"

    assert refusal(services.factors.prove, ada, code_now(enrolled[0], clock)) == "factor_locked"
    clock.advance(61)
    assert services.factors.prove(ada, code_now(enrolled[0], clock)) == "otp"


def test_a_locked_factor_leaves_the_recovery_codes_to_its_owner(services, ada, enrolled):
    for _ in range(5):
        refusal(services.factors.prove, ada, "000000")

    assert services.factors.prove(ada, enrolled[1][0]) == "recovery"


def test_a_recovery_code_works_once_and_in_any_spelling(services, ada, enrolled):
    code = enrolled[1][3]

    assert services.factors.prove(ada, f"{code[:5].upper()}-{code[5:]}") == "recovery"
    assert refusal(services.factors.prove, ada, code) == "wrong_code"
    assert services.factors.recovery_codes_left(ada.id) == 9


def test_recovery_codes_cannot_be_guessed_at_leisure(services, ada, enrolled):
    codes = [refusal(services.factors.prove, ada, f"wrongcode{n}") for n in range(8)]

    assert "too_many_attempts" in codes


def test_fresh_recovery_codes_kill_the_old_ones(services, ada, enrolled):
    services.factors.renew_recovery_codes(ada)

    assert refusal(services.factors.prove, ada, enrolled[1][0]) == "wrong_code"
    assert services.factors.recovery_codes_left(ada.id) == 10


def test_neither_the_secret_nor_a_recovery_code_stands_in_the_store(services, ada, enrolled, repo):
    stored = repo.get(ConfirmedTotp, ada.id).sealed_secret + "".join(code.id for code in repo.find(RecoveryCode))

    assert enrolled[0] not in stored
    assert not any(code in stored for code in enrolled[1])


def test_a_secret_moved_to_another_user_does_not_open(services, ada, enrolled, repo):
    other = services.users.add("bob", email=None, actor="test")
    stolen = repo.get(ConfirmedTotp, ada.id)
    repo.insert(ConfirmedTotp(other.id, stolen.sealed_secret, 0.0))

    with pytest.raises(Exception, match="moved"):
        services.factors.prove(other, "123456")

"""argon2id: parameters, re-hash, and equal cost for users who do not exist."""

import pytest

from idp.base.errors import Refused
from idp.base.sections import Passwords as PasswordSettings
from idp.crypto.passwords import Passwords


@pytest.fixture
def passwords():
    return Passwords(PasswordSettings(time_cost=1, memory_kib=8192))


def test_a_password_verifies_and_another_one_does_not(passwords):
    stored = passwords.hash("correct horse")

    assert stored.startswith("$argon2id$v=19$m=8192,t=1,p=1$")
    assert passwords.verify("correct horse", stored) == (True, None)
    assert passwords.verify("correct horsf", stored) == (False, None)


def test_a_change_of_parameters_gives_a_new_hash_at_the_next_sign_in(passwords):
    stored = passwords.hash("correct horse")
    stronger = Passwords(PasswordSettings(time_cost=2, memory_kib=8192))

    matches, fresh = stronger.verify("correct horse", stored)

    assert matches
    assert fresh
    assert "t=2" in fresh


def test_the_unknown_user_costs_a_hash_and_never_matches(passwords):
    assert passwords.verify("no password is this one", None) == (False, None)


def test_two_spellings_of_one_character_are_one_password(passwords):
    assert passwords.verify("Zoe\u0308 has ten", passwords.hash("Zo\u00eb has ten"))[0]


@pytest.mark.parametrize("given", ["short", "x" * 513, "aaaaaaaaaaaaaa"])
def test_weak_and_endless_passwords_are_refused(passwords, given):
    with pytest.raises(Refused) as refused:
        passwords.check_new(given)
    assert refused.value.code == "weak_password"
    assert given not in str(refused.value)


def test_an_endless_password_is_not_even_hashed(passwords):
    assert passwords.verify("x" * 100_000, passwords.hash("correct horse")) == (False, None)

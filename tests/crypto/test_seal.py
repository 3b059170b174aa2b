"""Sealed values open only where they were put."""

import os

import pytest

from idp.base.errors import Misconfigured
from idp.crypto.seal import Seal, SealBroken


def test_a_sealed_value_opens_for_its_owner_and_field_only():
    seal = Seal(os.urandom(32))
    sealed = seal.close("JBSWY3DP", owner="usr_1", field="totp")

    assert seal.open(sealed, owner="usr_1", field="totp") == "JBSWY3DP"
    for owner, field in (("usr_2", "totp"), ("usr_1", "other"), ("usr_1|to", "tp")):
        with pytest.raises(SealBroken):
            seal.open(sealed, owner=owner, field=field)


def test_a_changed_or_cut_value_does_not_open():
    seal = Seal(os.urandom(32))
    sealed = seal.close("secret", owner="u", field="f")

    for bad in (
        sealed[:-4],
        sealed[:-1] + ("A" if sealed[-1] != "A" else "B"),
        "",
        "s1",
        "s1..",
        "s1.x.y",
        sealed[3:],
        "s2" + sealed[2:],
    ):
        with pytest.raises(SealBroken):
            seal.open(bad, owner="u", field="f")


def test_another_key_does_not_open_and_says_which_key_it_is_not():
    one, two = Seal(os.urandom(32)), Seal(os.urandom(32))

    with pytest.raises(SealBroken, match=two.key_id):
        two.open(one.close("x", owner="u", field="f"), owner="u", field="f")


def test_the_same_value_never_seals_the_same_way_twice():
    seal = Seal(os.urandom(32))

    assert seal.close("x", owner="u", field="f") != seal.close("x", owner="u", field="f")


def test_a_key_of_another_size_is_refused_and_no_key_is_in_a_repr():
    with pytest.raises(Misconfigured):
        Seal(b"short")
    key = b"k" * 32
    assert "kkkk" not in repr(Seal(key))


def test_derived_keys_differ_by_purpose():
    seal = Seal(os.urandom(32))

    assert seal.derive("csrf") == seal.derive("csrf") != seal.derive("cursor")

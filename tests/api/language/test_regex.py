"""Regular expressions: what is accepted, that it means the same in Python and PCRE, and that nothing takes long."""

import re
from contextlib import suppress
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from idp.api.language.regex import MAX_SIZE, STRIDE, parse_regex
from idp.base.errors import Refused


def found(pattern: str, text: str, options: str = "") -> bool:
    return parse_regex(pattern, options).found_in(text, lambda: None)


@pytest.mark.parametrize(
    ("pattern", "text", "expected"),
    [
        ("", "anything", True),
        ("b", "abc", True),
        ("^b", "abc", False),
        ("^$", "", True),
        ("^$", "\n", False),
        ("c$", "abc", True),
        ("c$", "abc\n", False),
        (r"c\$", "c$", True),
        (r"\\$", "\\", True),
        ("a.c", "abc", True),
        ("a.c", "a\nc", False),
        (r"^\d{4}-\d{2}$", "2026-11", True),
        (r"^\d{2}$", "١٢", False),
        (r"^\w{1,5}$", "naïve", False),
        (r"^\S{3}$", "a c", False),
        ("^(foo|bar){1,3}$", "foobar", True),
        ("^(?:a|)b$", "b", True),
        ("[a-c]?x", "x", True),
        ("^[^a-c]$", "b", False),
        (r"^[\]\-\\^]{4}$", "]-\\^", True),
        ("^[-a]$", "-", True),
        ("^[a-]$", "-", True),
        ("^[.]$", "x", False),
        ("é☃", "é☃", True),
        ("a b", "a b", True),
        ("a{2}", "aa", True),
        ("^a{0}$", "", True),
    ],
)
def test_a_pattern_means_what_it_says(pattern: str, text: str, expected: bool) -> None:
    assert found(pattern, text) is expected


@pytest.mark.parametrize(
    ("pattern", "text", "expected"),
    [
        ("straße", "STRAßE", True),
        ("É", "é", True),
        ("^[a-f0]{2}$", "A0", True),
        ("^[A-F]$", "g", False),
        ("^[^a]$", "A", False),
        ("k", "\u212a", False),  # the Kelvin sign: engines differ, so neither case of k is it
        ("i", "İ", False),
    ],
)
def test_the_option_i_is_written_out_so_that_all_engines_agree(pattern: str, text: str, expected: bool) -> None:
    assert found(pattern, text, "i") is expected


@pytest.mark.parametrize(
    ("pattern", "construct"),
    [
        ("(a+)+$", "+"),
        ("a*", "*"),
        (".*", "*"),
        ("a{2,}", "{2,}"),
        ("a{,2}", "{,2}"),
        ("a??", "??"),
        ("a{1,2}+", "{1,2}+"),
        ("a{3}{3}", "{3,3}{"),
        ("a{5,2}", "{5,2}"),
        ("*a", "*"),
        ("(?=a)", "(?=a"),
        ("(?!a)", "(?!a"),
        ("(?<=a)", "(?<="),
        ("(?P<x>a)", "(?P<"),
        ("(?i)a", "(?i)"),
        (r"(a)\1", "\\1"),
        (r"\ba", "\\b"),
        (r"\Aa", "\\A"),
        (r"\pL", "\\p"),
        (r"\x41", "\\x"),
        ("a\\", "\\"),
        ("(a", "("),
        ("a)", ")"),
        ("[a", "["),
        ("[[:alpha:]]", "["),
        ("[]", "[]"),
        ("[b-a]", "b-a"),
        (r"[\D]", "\\D"),
        ("a^b", "^"),
        ("a$b", "$"),
        ("^a|b", "|"),
        ("a|b$", "|"),
        ("\0", "\\0"),
        ("(a?){30}", "(?:a?){30,30}"),
        ("a?" * 20, "a?" * 10),
        ("(a|a){20}", "(?:a|a){20,20}"),
        ("(a{0,50}b?){3}", "(?:a{0,50}b?){3,3}"),
        ("((abc){20}){40}", "(?:(?:abc){20,20}){40,4"),
    ],
)
def test_what_is_not_linear_or_not_the_same_everywhere_is_refused_by_name(pattern: str, construct: str) -> None:
    with pytest.raises(Refused) as refused:
        parse_regex(pattern, "")
    assert (refused.value.code, refused.value.status) == ("bad_pattern", 400)
    assert str(refused.value.detail["construct"]).startswith(construct[:20])


def test_a_range_beyond_ascii_has_no_other_case() -> None:
    with pytest.raises(Refused, match="bad_pattern"):
        parse_regex("[à-ö]", "i")
    assert found("[à-ö]", "é")


def test_a_long_text_is_looked_through_in_strides_and_nothing_between_them_is_missed() -> None:
    ticks: list[Any] = []
    regex = parse_regex("ab{3}c", "")
    for begin in range(STRIDE - 5, STRIDE + 2):
        assert regex.found_in("x" * begin + "abbbc" + "x" * STRIDE, lambda: ticks.append(1))
    assert not regex.found_in("x" * 3 * STRIDE, lambda: ticks.append(1))
    assert ticks


def test_the_end_is_the_end_of_the_text_not_of_a_stride() -> None:
    assert not found("x{1,3}$", "x" * STRIDE + "y" * STRIDE)
    assert found("y{1,3}$", "x" * STRIDE + "y" * STRIDE)


def test_the_worst_patterns_do_a_bounded_number_of_steps() -> None:
    """All ways at each place, each way as long as the pattern: a text of evil letters is answered, not hung upon."""
    for pattern in ("a{0,999}b", "a{0,30}a{0,30}b", "(a|a){1,8}b", "(a{1,30}){2}b"):
        assert not found(pattern, "a" * 2000)


PIECES = st.sampled_from(["a", "b", ".", "[ab]", "[^a]", "(a|b)", "(?:ab|b)", r"\d", r"\.", "é", " "])
QUANTIFIERS = st.sampled_from(["", "", "?", "{2}", "{0,2}", "{1,3}"])


@settings(deadline=None, derandomize=True)
@given(
    st.lists(st.tuples(PIECES, QUANTIFIERS), max_size=4), st.booleans(), st.booleans(), st.text("ab1.é \n", max_size=8)
)
def test_what_is_accepted_means_the_same_as_in_python(
    pieces: list[tuple[str, str]], start: bool, end: bool, text: str
) -> None:
    pattern = "^" * start + "".join(piece + quantifier for piece, quantifier in pieces) + "$" * end
    plain = re.compile(pattern.removesuffix("$") + r"\Z" if end else pattern)
    with suppress(Refused):  # too many ways
        assert found(pattern, text) == bool(plain.search(text))


@settings(deadline=None, derandomize=True)
@given(st.text(max_size=30), st.sampled_from(["", "i"]))
def test_whatever_is_given_is_accepted_or_refused(pattern: str, options: str) -> None:
    with suppress(Refused):
        assert parse_regex(pattern, options).longest <= MAX_SIZE

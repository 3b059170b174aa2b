"""Break-glass without a shell: the sheet of codes. And showing that a way back in works, by a code or by a word."""

from threading import Barrier, Thread

import pytest

from idp.assemble import build_parts
from idp.base.errors import Refused
from idp.domain.local_login import BreakGlass, BreakGlassCode
from tests.support.federated import audited, turn_off
from tests.support.refusing import refused

PASSWORD = "correct horse"
WHY = "the directory is down"


@pytest.fixture
def hana(services):
    return services.users.add("hana", email="hana@example.org", password=PASSWORD, administrator=True, actor="test")


@pytest.fixture
def off(services, grace):
    return turn_off(services, grace)


def code_of(function, *args, **named):
    return refused(function, *args, **named).code


# ---------------------------------------------------------------- offline codes


def come_in(services, code, login="grace", password=PASSWORD, reason=WHY):
    return services.break_glass.come_in(code, login, password, reason, "192.0.2.1")


def test_a_sheet_has_ten_codes_none_of_which_is_in_the_store(services):
    codes = services.break_glass.new_codes(actor="cli")
    assert len(set(codes)) == 10
    assert all(len(code) == 19 for code in codes)
    assert services.break_glass.codes_left() == 10
    stored = repr(services.repo.find(BreakGlassCode, set_id=audited(services, "break_glass.codes_made")[0].subject))
    assert not any(code in stored or code.replace("-", "") in stored for code in codes)


def test_a_code_with_name_and_password_opens_local_login_for_that_administrator_once(services, off, grace, hana):
    code, *_ = services.break_glass.new_codes(actor="cli")
    assert come_in(services, f" {code.lower().replace('-', ' ')} ").id == grace.id
    assert services.local_login.allows(grace)
    assert not services.local_login.allows(hana)
    assert [(one.by, one.reason, one.users) for one in services.repo.find(BreakGlass)] == [
        ("offline code", WHY, (grace.id,))
    ]
    assert code_of(come_in, services, code) == "break_glass_refused"
    assert services.break_glass.codes_left() == 9


@pytest.mark.parametrize(
    "wrong",
    [
        {"password": "wrong horse"},
        {"login": "ada"},
        {"login": "nobody"},
        {"login": "no-password"},
        {"code": "AAAA-AAAA-AAAA-AAAA"},
        {"code": ""},
        {"code": "A" * 10_000},
        {"code": "\x00"},
        {"code": "Ä" * 16},
    ],
    ids=["password", "no administrator", "nobody", "no password", "code", "empty", "long", "NUL", "not ASCII"],
)
def test_whatever_is_wrong_is_told_alike_and_uses_nothing_up(services, off, ada, wrong):
    services.users.add("no-password", email=None, administrator=True, actor="test")
    good = {"code": services.break_glass.new_codes(actor="cli")[0]}
    with pytest.raises(Refused) as caught:
        come_in(services, **{**good, **wrong})
    assert (caught.value.code, caught.value.message, caught.value.status) == (
        "break_glass_refused",
        "The code, the user name or the password is not right.",
        401,
    )
    assert services.break_glass.codes_left() == 10
    assert services.local_login.opened() == []


def test_a_code_without_a_reason_is_not_used_up(services, off):
    code, *_ = services.break_glass.new_codes(actor="cli")
    assert code_of(come_in, services, code, reason=" ") == "reason_missing"
    assert services.break_glass.codes_left() == 10


def test_a_new_sheet_ends_the_old_one(services, off):
    old, *_ = services.break_glass.new_codes(actor="cli")
    new, *_ = services.break_glass.new_codes(actor="cli")
    assert code_of(come_in, services, old) == "break_glass_refused"
    assert come_in(services, new)


def test_two_sheets_made_at_once_leave_one_that_works(services, settings, repo, clock, off):
    nodes = [build_parts(settings, repo=repo, clock=clock) for _ in range(4)]
    start, sheets, others = Barrier(4), [], []

    def make(node):
        start.wait()
        try:
            sheets.append(node.break_glass.new_codes(actor="cli"))
        except Refused as told:
            others.append(told.code)

    threads = [Thread(target=make, args=(node,)) for node in nodes]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert {*others} <= {"changed_meanwhile"}
    assert services.break_glass.codes_left() == 10
    assert sum(1 for sheet in sheets if _works(services, sheet[0])) == 1


def _works(services, code):
    try:
        return bool(come_in(services, code))
    except Refused:
        return False


def test_one_code_sent_many_times_at_once_opens_once(services, settings, repo, clock, off):
    code, *_ = services.break_glass.new_codes(actor="cli")
    start, outcomes = Barrier(6), []

    def send():
        start.wait()
        outcomes.append(_works(services, code))

    threads = [Thread(target=send) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert outcomes.count(True) == 1
    assert len(services.repo.find(BreakGlass)) == 1


def test_guessing_a_password_with_a_stolen_code_is_slowed_down(services, off):
    code, *_ = services.break_glass.new_codes(actor="cli")
    for _ in range(5):
        assert code_of(come_in, services, code, password="guess") == "break_glass_refused"
    assert code_of(come_in, services, code) == "too_many_attempts"


def test_strangers_who_guess_do_not_make_the_holder_of_a_code_wait(services, off):
    code, *_ = services.break_glass.new_codes(actor="cli")
    for _ in range(20):
        code_of(services.break_glass.come_in, "guess", "grace", "guess", WHY, "198.51.100.7")
    assert come_in(services, code)


# ---------------------------------------------------------------- showing that a way works


def test_a_code_used_up_for_it_shows_that_the_sheet_works(services, grace):
    codes = services.break_glass.new_codes(actor="cli")
    assert services.break_glass.proof() is None
    services.break_glass.rehearse_code(codes[0], actor=grace.id)
    assert services.break_glass.proof().id == "codes"
    assert services.break_glass.codes_left() == 9
    assert code_of(services.break_glass.rehearse_code, codes[0], actor=grace.id) == "wrong_break_glass_code"
    assert [(event.actor, event.subject) for event in audited(services, "break_glass.proved")] == [(grace.id, "codes")]
    assert services.local_login.opened() == []


def test_a_new_sheet_must_be_shown_anew(services, grace):
    services.break_glass.rehearse_code(services.break_glass.new_codes(actor="cli")[0], actor=grace.id)
    services.break_glass.new_codes(actor="cli")
    assert services.break_glass.proof() is None


def test_an_empty_sheet_shows_nothing(services, grace):
    for code in services.break_glass.new_codes(actor="cli"):
        services.break_glass.rehearse_code(code, actor=grace.id)
    assert services.break_glass.proof() is None


def test_the_word_that_the_command_printed_shows_that_the_shell_works(services, grace):
    word = services.break_glass.word(actor="cli")
    services.break_glass.rehearse_word(word.lower(), actor=grace.id)
    assert services.break_glass.proof().id == "cli"
    assert code_of(services.break_glass.rehearse_word, word, actor=grace.id) == "wrong_break_glass_word"


def test_a_word_lasts_a_quarter_of_an_hour_and_the_one_before_is_dead(services, grace):
    first = services.break_glass.word(actor="cli")
    second = services.break_glass.word(actor="cli")
    assert code_of(services.break_glass.rehearse_word, first, actor=grace.id) == "wrong_break_glass_word"
    services.clock.advance(901)
    assert code_of(services.break_glass.rehearse_word, second, actor=grace.id) == "wrong_break_glass_word"
    assert code_of(services.break_glass.rehearse_word, "", actor=grace.id) == "wrong_break_glass_word"


def test_guessing_words_is_slowed_down(services, grace):
    services.break_glass.word(actor="cli")
    for _ in range(5):
        code_of(services.break_glass.rehearse_word, "AAAA-AAAA", actor=grace.id)
    assert code_of(services.break_glass.rehearse_word, "AAAA-AAAA", actor=grace.id) == "too_many_attempts"


def test_what_was_shown_long_ago_counts_no_more(services, grace):
    services.break_glass.shown_to_work("cli", actor=grace.id)
    services.clock.advance(30 * 86_400)
    assert services.break_glass.proof() is not None
    services.clock.advance(1)
    assert services.break_glass.proof() is None

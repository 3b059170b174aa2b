"""`idp local-login …` and `idp break-glass …` as somebody on the server's shell uses them."""

import pytest

from idp.assemble import build_parts
from idp.base.config import Settings
from idp.http.parts import Parts
from tests.cli.conftest import Shell
from tests.support.federated import add_login, add_upstream, came_in

WHY = ("--reason", "the directory is down")


@pytest.fixture
def ada(shell: Shell) -> str:
    """An administrator with a password."""
    words = ("user", "add", "ada", "--email", "ada@example.org", "--admin", "--password-stdin")
    return str(shell.json(*words, stdin="correct horse battery\n")["id"])


def parts_of(shell: Shell) -> Parts:
    """The same installation, as its server would have it."""
    return build_parts(Settings(data=str(shell.data)))


def sign_in_federated(shell: Shell, user_id: str) -> None:
    parts = parts_of(shell)
    user = parts.users.get(user_id)
    assert user is not None
    if parts.upstreams.get("corp") is None:
        add_upstream(parts)
        add_login(parts, user)
    came_in(parts, user)
    parts.repo.close()


def test_a_new_installation_says_that_it_is_on_and_what_turning_it_off_needs(shell: Shell, ada: str) -> None:
    found = shell.json("local-login", "status")
    assert (found["local_login"], found["setting_in_force"], found["break_glass_for"]) == ("on", True, ["ada"])
    assert len(found["still_missing"]) == 1
    assert "signs in through an upstream" in found["still_missing"][0]


def test_turning_it_off_is_refused_with_what_is_missing(shell: Shell, ada: str) -> None:
    code, line = shell.refused("local-login", "off")
    assert code == 1
    assert "An administrator must first sign in through an upstream" in line
    assert "way back" not in line  # whoever runs the command has one
    assert shell.json("local-login", "status")["local_login"] == "on"


def test_off_is_a_trial_and_on_is_always_possible(shell: Shell, ada: str) -> None:
    sign_in_federated(shell, ada)
    done = shell("local-login", "off")
    assert done.returncode == 0
    assert "comes back by itself" in done.stderr
    assert "/admin/local-login" in done.stderr
    found = shell.json("local-login", "status")
    assert (found["local_login"], found["by"]) == ("trial", "cli")
    assert found["on_again_at"]
    assert shell.refused("local-login", "off")[1].startswith("Local login is off already")
    assert shell.json("local-login", "on")["local_login"] == "on"
    assert shell.json("local-login", "on")["local_login"] == "on"


def test_a_setting_that_says_off_is_not_in_force_by_itself(shell: Shell, ada: str) -> None:
    env = {"IDP_LOCAL_LOGIN": "false"}
    found = shell.json("local-login", "status", env=env)
    assert (found["local_login"], found["setting"], found["setting_in_force"]) == ("on", False, False)


def test_exceptions_are_shown_set_and_cleared(shell: Shell, ada: str) -> None:
    assert shell.json("local-login", "exceptions") == {"users": [], "roles": []}
    given = shell.json("local-login", "exceptions", "--user", "ada@example.org", "--role", "kiosk")
    assert given == {"users": ["ada"], "roles": ["kiosk"]}
    assert shell.json("local-login", "status")["excepted_users"] == ["ada"]
    assert shell.refused("local-login", "exceptions", "--user", "nobody")[0] == 1
    assert shell.refused("local-login", "exceptions", "--clear", "--role", "x")[0] == 2
    assert shell.json("local-login", "exceptions", "--clear") == {"users": [], "roles": []}


def test_break_glass_opens_with_a_reason_and_a_time_and_closes(shell: Shell, ada: str) -> None:
    found = shell.json("break-glass", "--ttl", "2m", *WHY)
    assert (found["users"], found["reason"], found["by"]) == (["ada"], "the directory is down", "cli")
    assert [one["users"] for one in shell.json("local-login", "status")["break_glass_open"]] == [["ada"]]
    done = shell("break-glass", "--user", "ada", *WHY)
    assert "No mail server is configured" in done.stderr
    assert shell.json("break-glass", "close") == {"closed": 2}
    assert shell.json("break-glass", "close") == {"closed": 0}


@pytest.mark.parametrize(
    "words",
    [
        ("break-glass",),
        ("break-glass", "--ttl", "soon", *WHY),
        ("break-glass", "--ttl", "-5", *WHY),
        ("break-glass", "--ttl", "15 m x", *WHY),
        ("break-glass", "--prove", *WHY),
        ("break-glass", "--ttl", "5m", "close"),
    ],
    ids=["no reason", "word", "negative", "rubbish", "both", "options of another"],
)
def test_wrong_use_is_told_and_opens_nothing(shell: Shell, ada: str, words: tuple[str, ...]) -> None:
    assert shell.refused(*words)[0] == 2
    assert shell.json("local-login", "status")["break_glass_open"] == []


@pytest.mark.parametrize("ttl", ["59s", "25h", "2d"])
def test_it_opens_neither_for_an_instant_nor_for_days(shell: Shell, ada: str, ttl: str) -> None:
    assert shell.refused("break-glass", "--ttl", ttl, *WHY) == (
        1,
        "Break-glass opens for one minute at least, and for a day at most.",
    )


def test_it_opens_for_no_ordinary_user(shell: Shell, ada: str) -> None:
    shell.json("user", "add", "bob", "--email", "bob@example.org", "--password-stdin", stdin="correct horse battery\n")
    assert shell.refused("break-glass", "--user", "bob", *WHY)[0] == 1
    assert shell.refused("break-glass", "--user", "nobody", *WHY)[0] == 1


def test_without_an_administrator_with_a_password_it_says_what_to_do(shell: Shell) -> None:
    assert "idp user password" in shell.refused("break-glass", *WHY)[1]


def test_the_word_is_good_for_the_page(shell: Shell, ada: str) -> None:
    word = shell("break-glass", "--prove").stdout.strip()
    parts = parts_of(shell)
    parts.break_glass.rehearse_word(word, actor=ada)
    parts.repo.close()
    assert shell.json("local-login", "status")["break_glass_shown_at"]


def test_a_sheet_is_printed_once_and_ends_the_one_before(shell: Shell, ada: str) -> None:
    first = shell.json("break-glass", "codes")["codes"]
    second = shell("break-glass", "codes").stdout.split()
    assert (len(first), len(second), len({*first, *second})) == (10, 10, 20)
    assert shell.json("local-login", "status")["break_glass_codes_left"] == 10
    assert first[0] not in shell("local-login", "status").stdout


def test_everything_can_be_read_by_people_too(shell: Shell, ada: str) -> None:
    done = shell("local-login", "status")
    assert "local_login:" in done.stdout
    assert "Traceback" not in done.stderr

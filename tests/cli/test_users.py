"""`idp user …` on a stopped installation; what a running one sees is in test_running."""

import pyotp
import pytest

from tests.cli.conftest import Shell

PASSWORD = "correct horse battery staple\n"


def add(shell: Shell, name: str, *more: str, stdin: str = "") -> dict:
    return shell.json("user", "add", name, "--email", f"{name}@example.org", *more, stdin=stdin)


def test_user_add_prints_id_name_and_a_second_factor_that_works(shell: Shell) -> None:
    made = add(shell, "ada", "--name", "Ada Lovelace", "--admin", "--password-stdin", "--totp", stdin=PASSWORD)
    assert list(made) == ["id", "username", "totp_secret", "totp_uri", "recovery_codes"]
    assert made["username"] == "ada"
    assert len(pyotp.TOTP(made["totp_secret"]).now()) == 6
    assert pyotp.parse_uri(made["totp_uri"]).secret == made["totp_secret"]
    assert len(set(made["recovery_codes"])) == 10
    shown = shell.json("user", "show", "ada")
    assert (shown["id"], shown["name"], shown["email"]) == (made["id"], "Ada Lovelace", "ada@example.org")
    assert shown["roles"] == ["administrator"]
    assert shown["email_verified"] is True
    assert shown["totp"] is True
    assert shown["password"] is True
    assert shown["recovery_codes_left"] == 10


def test_without_totp_the_members_are_there_and_empty_and_no_password_is_made_up(shell: Shell) -> None:
    made = add(shell, "ada")
    assert (made["totp_secret"], made["totp_uri"], made["recovery_codes"]) == (None, None, [])
    assert shell.json("user", "show", "ada@example.org")["password"] is False


def test_no_secret_of_a_user_stands_in_the_store_in_clear(shell: Shell) -> None:
    made = add(shell, "ada", "--password-stdin", "--totp", stdin=PASSWORD)
    content = b"".join(file.read_bytes() for file in shell.data.glob("idp.db*"))
    for secret in (made["totp_secret"], *made["recovery_codes"], PASSWORD.strip()):
        assert secret.encode() not in content


@pytest.mark.parametrize(
    ("words", "stdin", "said"),
    [
        (["ada", "--email", "other@example.org"], "", "user name is taken"),
        (["Ada", "--email", "other@example.org"], "", "user name is taken"),
        (["bob", "--email", "ADA@EXAMPLE.org"], "", "e-mail"),
        (["bob", "--email", "no address"], "", "e-mail"),
        (["bob bob", "--email", "bob@example.org"], "", "user name"),
        (["bob", "--email", "bob@example.org", "--password-stdin"], "short\n", "at least 10 characters"),
        (["bob", "--email", "bob@example.org", "--password-stdin"], "", "no password on standard input"),
    ],
)
def test_what_cannot_be_added_is_refused_by_name(shell: Shell, words: list[str], stdin: str, said: str) -> None:
    add(shell, "ada")
    _, line = shell.refused("user", "add", *words, stdin=stdin)
    assert said in line
    assert [user["username"] for user in shell.json("user", "list")] == ["ada"]


def test_a_user_is_disabled_and_enabled_but_never_the_last_administrator(shell: Shell) -> None:
    add(shell, "root", "--admin")
    add(shell, "ada")
    assert shell.json("user", "disable", "ada")["disabled"] is True
    assert shell.json("user", "enable", "ada")["disabled"] is False
    assert "last administrator" in shell.refused("user", "disable", "root")[1]


def test_a_login_is_linked_shown_and_unlinked(shell: Shell) -> None:
    add(shell, "ada", "--password-stdin", stdin=PASSWORD)
    add(shell, "bob")
    shell.json(
        "upstream",
        "add",
        "oidc",
        "--id",
        "corp",
        "--set",
        "issuer=https://login.example.org",
        "--set",
        "client_id=x",
        "--set",
        "client_secret=y",
    )
    linked = shell.json("user", "link", "ada", "corp", "subject-1")
    assert (linked["provider"], linked["issuer"], linked["subject"]) == (
        "corp",
        "https://login.example.org",
        "subject-1",
    )
    assert [one["subject"] for one in shell.json("user", "show", "ada")["logins"]] == ["subject-1"]
    assert "belongs to another user" in shell.refused("user", "link", "bob", "corp", "subject-1")[1]
    shell.json("user", "link", "ada", "corp", "subject-2")
    assert "name the SUBJECT" in shell.refused("user", "unlink", "ada", "corp")[1]
    shell.json("user", "unlink", "ada", "corp", "subject-2")
    shell.json("user", "unlink", "ada", "corp")
    assert shell.json("user", "show", "ada")["logins"] == []


def test_the_last_way_in_is_not_unlinked(shell: Shell) -> None:
    add(shell, "ada")
    shell.json(
        "upstream",
        "add",
        "oidc",
        "--id",
        "corp",
        "--set",
        "issuer=https://login.example.org",
        "--set",
        "client_id=x",
        "--set",
        "client_secret=y",
    )
    shell.json("user", "link", "ada", "corp", "subject-1")
    assert "last way to sign in" in shell.refused("user", "unlink", "ada", "corp")[1]


def test_an_unknown_upstream_links_nothing(shell: Shell) -> None:
    add(shell, "ada")
    assert "no upstream 'corp'" in shell.refused("user", "link", "ada", "corp", "subject-1")[1]


def test_a_password_is_set_and_a_lost_factor_forgotten(shell: Shell) -> None:
    add(shell, "ada", "--totp")
    shell.json("user", "password", "ada", "--password-stdin", stdin=PASSWORD)
    shell.json("user", "forget-totp", "ada")
    shown = shell.json("user", "show", "ada")
    assert (shown["password"], shown["totp"], shown["recovery_codes_left"]) == (True, False, 0)


def test_foreign_text_cannot_steer_the_terminal(shell: Shell) -> None:
    words = ["client", "add", "--name", "\x1b[2J evil", "--grant", "client_credentials", "--audience", "urn:x"]
    refused = shell(*words)
    assert (refused.returncode, "\x1b" in refused.stdout + refused.stderr) == (1, False)
    assert "\x1b" not in shell("client", "list").stdout

"""`idp user merge`, `split`, `changes`, `undo`, `invite` and what belongs to them, on a stopped installation."""

import pytest

from tests.cli.conftest import Shell

ISSUER = ("--issuer", "https://idp.example")


@pytest.fixture
def people(shell: Shell) -> Shell:
    """ada and bob, each with logins at two upstreams."""
    for provider in ("corp", "other"):
        add = ("--set", "issuer=https://idp.example", "--set", "client_id=x", "--set", "client_secret=y")
        shell.json("upstream", "add", "oidc", "--id", provider, *add)
    for name in ("ada", "bob"):
        shell.json("user", "add", name, "--email", f"{name}@example.org")
        for provider in ("corp", "other"):
            shell.json("user", "link", name, provider, f"{name}-{provider}", *ISSUER)
    return shell


def logins(shell: Shell, name: str) -> set[str]:
    return {one["subject"] for one in shell.json("user", "show", name)["logins"]}


def test_two_users_are_merged_and_that_is_undone(people: Shell) -> None:
    change = people.json("user", "merge", "ada", "bob@example.org")
    assert logins(people, "ada") == {"ada-corp", "ada-other", "bob-corp", "bob-other"}
    assert "already joined" in people.refused("user", "merge", "ada", "bob")[1]
    assert change["id"] in {one["id"] for one in people.json("user", "changes", "bob")}
    assert people.json("user", "undo", change["id"])["undone_at"]
    assert people.json("user", "undo", change["id"])["undone_at"]
    assert logins(people, "bob") == {"bob-corp", "bob-other"}
    assert "no such change" in people.refused("user", "undo", "chg_none")[1]
    assert "same account" in people.refused("user", "merge", "ada", "ada")[1]


def test_a_login_is_split_off(people: Shell) -> None:
    change = people.json("user", "split", "ada", "corp")
    assert logins(people, "ada") == {"ada-other"}
    assert logins(people, change["other"]) == {"ada-corp"}
    assert "Nothing would be left" in people.refused("user", "split", "ada", "other")[1]
    assert "no such login" in people.refused("user", "split", "bob", "corp", "ada-corp")[1]


def test_somebody_is_invited_once_and_the_invitation_withdrawn(people: Shell) -> None:
    made = people.json("user", "invite", "--email", "new@example.org", "--role", "editor", "--days", "3")
    assert "/invitation/" in made["link"]
    assert made["mailed"] is False
    [listed] = people.json("user", "invitations")
    assert listed["for"] == "new@example.org"
    assert made["link"].rpartition("/")[2] not in str(listed)
    people.json("user", "withdraw", listed["id"])
    assert people.json("user", "invitations") == []
    assert "no such invitation" in people.refused("user", "withdraw", listed["id"])[1]
    assert "Another user has" in people.refused("user", "invite", "--email", "ada@example.org")[1]
    assert "administrator" in people.refused("user", "invite", "--email", "x@example.org", "--role", "administrator")[1]


def test_flags_of_a_user_and_removing_one(people: Shell) -> None:
    assert people.json("user", "auto-link", "ada", "never")["never_auto_link"] is True
    assert people.json("user", "auto-link", "ada", "allow")["never_auto_link"] is False
    assert people.json("user", "administrator", "ada", "on")["administrator"] is True
    assert "last administrator" in people.refused("user", "administrator", "ada", "off")[1]
    assert "last administrator" in people.refused("user", "remove", "ada")[1]
    people.json("user", "remove", "bob")
    assert [one["username"] for one in people.json("user", "list")] == ["ada"]

"""`idp scope …`, claims of users, and `idp client preview`, on a stopped installation."""

from tests.cli.conftest import Shell

APP = ("client", "add", "--name", "Wiki", "--client-id", "wiki", "--redirect-uri", "https://wiki.example.org/cb")


def add(shell: Shell, *more: str) -> dict:
    return shell.json("user", "add", "ada", "--email", "ada@example.org", "--name", "Ada", *more)


def test_a_scope_is_added_shown_changed_and_removed(shell: Shell) -> None:
    made = shell.json("scope", "add", "employee", "--words", "see your number", "--claim", "employee_number")
    assert made == {"scope": "employee", "words": "see your number", "claims": ["employee_number"]}
    shell.json(*APP, "--scope", "openid employee")
    assert shell.json("scope", "show", "employee")["clients"] == ["wiki"]
    changed = shell.json("scope", "set", "employee", "--claim", "employee_number", "--claim", "desk")
    assert changed == {"scope": "employee", "words": "see your number", "claims": ["employee_number", "desk"]}
    assert shell.json("scope", "list") == [changed]
    shell.json("scope", "remove", "employee")
    assert shell.json("scope", "list") == []


def test_what_is_no_scope_is_refused_by_name(shell: Shell) -> None:
    for words, said in (
        (["add", "openid"], "meaning of its own"),
        (["add", "own", "--claim", "sub"], "part of the protocol"),
        (["show", "own"], "no scope 'own'"),
        (["remove", "own"], "no such scope"),
    ):
        assert said in shell.refused("scope", *words)[1]


def test_claims_groups_and_roles_are_given_changed_and_taken_away(shell: Shell) -> None:
    add(
        shell,
        "--role",
        "editor",
        "--group",
        "staff",
        "--claim",
        "given_name=Ada",
        "--claim",
        'address={"country":"UK"}',
    )
    shown = shell.json("user", "show", "ada")
    assert (shown["roles"], shown["groups"]) == (["editor"], ["staff"])
    assert shown["claims"] == {"given_name": "Ada", "address": {"country": "UK"}}
    edited = shell.json(
        *("user", "edit", "ada", "--claim", "birthdate=1815", "--claim", "level=3", "--claim", 'desk="3"'),
        *("--claim", "address=", "--no-groups"),
    )
    assert edited["claims"].pop("updated_at") > 0
    assert edited["claims"] == {"given_name": "Ada", "birthdate": "1815", "level": 3, "desk": "3"}
    assert (edited["groups"], edited["roles"]) == ([], ["editor"])


def test_a_claim_that_cannot_be_is_refused_and_changes_nothing(shell: Shell) -> None:
    add(shell)
    for words, said in (
        (["--claim", "sub=x"], "part of the protocol"),
        (["--claim", "picture=javascript:x"], "must look like"),
        (["--claim", "level=NaN"], "too large"),
        (["--claim", "level"], "not NAME=VALUE"),
        (["--claim", "a=1", "--claim", "a=2"], "given twice"),
        (["--role", "administrator"], "administrator"),
        (["--group", "x", "--no-groups"], "contradict"),
        ([], "what to change"),
    ):
        assert said in shell.refused("user", "edit", "ada", *words)[1]
    assert shell.json("user", "show", "ada")["claims"] == {}


def test_the_preview_tells_what_an_app_would_get_for_a_user(shell: Shell) -> None:
    person = add(shell, "--claim", "employee_number=0042", "--group", "staff")
    shell.json("scope", "add", "employee", "--claim", "employee_number")
    shell.json(*APP, "--scope", "openid email employee groups", "--set", "claims=email,employee_number")
    found = shell.json("client", "preview", "wiki", "ada")
    assert found["userinfo"] == {
        "sub": person["id"],
        "email": "ada@example.org",
        "email_verified": True,
        "employee_number": "0042",
    }
    assert found["access_token"]["scope"] == "openid email employee groups"
    assert shell.json("client", "preview", "wiki", "ada", "--scope", "openid")["userinfo"] == {"sub": person["id"]}
    assert "userinfo:" in shell("client", "preview", "wiki", "ada@example.org").stdout
    assert "may not ask for admin" in shell.refused("client", "preview", "wiki", "ada", "--scope", "admin")[1]
    assert "no client" in shell.refused("client", "preview", "nope", "ada")[1]
    assert "no user" in shell.refused("client", "preview", "wiki", "nobody")[1]

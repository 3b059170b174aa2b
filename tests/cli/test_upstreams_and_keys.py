"""`idp upstream …`, `idp keys …`, `idp explain` and `idp setup-link` on a stopped installation."""

import pytest

from tests.cli.conftest import Shell

GIVEN = ["--set", "label=Corporate login", "--set", "issuer=https://login.example.org", "--set", "client_id=sheaf"]


def add(shell: Shell, *more: str) -> dict:
    return shell.json(
        "upstream", "add", "oidc", "--id", "corp", *GIVEN, *(more or ("--set", "client_secret=very-secret"))
    )


def test_upstream_add_prints_the_redirect_uri_and_never_the_secret(shell: Shell) -> None:
    added = add(shell)
    assert added["redirect_uri"] == "http://127.0.0.1:8000/upstream/corp/callback"
    assert added["label"] == "Corporate login"
    assert added["settings"]["client_secret"] == "(secret)"
    for words in (["upstream", "show", "corp"], ["upstream", "show", "corp", "--json"], ["upstream", "list"]):
        assert "very-secret" not in shell(*words).stdout
    assert b"very-secret" not in b"".join(file.read_bytes() for file in shell.data.glob("idp.db*"))


def test_the_redirect_uri_is_printed_for_people_too(shell: Shell) -> None:
    done = shell(
        "upstream",
        "add",
        "oidc",
        "--id",
        "corp",
        *GIVEN,
        "--set",
        "client_secret=x",
        env={"IDP_ISSUER": "https://id.example.org"},
    )
    assert "https://id.example.org/upstream/corp/callback" in done.stdout


def test_a_secret_comes_from_a_file_so_that_no_process_list_shows_it(shell: Shell) -> None:
    (shell.folder / "secret.txt").write_text("from-file\n")
    assert add(shell, "--set", "client_secret=file:secret.txt")["settings"]["client_secret"] == "(secret)"


def test_google_needs_a_client_id_and_a_secret_and_nothing_else(shell: Shell) -> None:
    given = ("--set", "client_id=x.apps.googleusercontent.com", "--set", "client_secret=env:GOOGLE")
    done = shell("upstream", "add", "google", "--id", "google", *given, env={"GOOGLE": "very-secret"})
    assert "/upstream/google/callback" in done.stdout
    assert "very-secret" not in done.stdout


def test_an_upstream_is_switched_changed_and_removed(shell: Shell) -> None:
    add(shell)
    assert shell.json("upstream", "disable", "corp")["enabled"] is False
    assert "passed a test" in shell.refused("upstream", "enable", "corp")[1]
    assert shell.json("upstream", "enable", "corp", "--untested")["enabled"] is True
    changed = shell.json("upstream", "set", "corp", "--set", "mode=link_only", "--set", "client_id=other")
    assert (changed["mode"], changed["settings"]["client_id"]) == ("link_only", "other")
    assert changed["settings"]["issuer"] == "https://login.example.org"
    assert shell.json("upstream", "remove", "corp") == {"id": "corp", "removed": True}
    assert shell.json("upstream", "list") == []


def test_groups_roles_and_domains_are_set_and_shown_and_reminders_have_a_day(shell: Shell) -> None:
    add(shell)
    changed = shell.json(
        "upstream",
        "set",
        "corp",
        "group_roles=Wiki Editors -> editor; CN=Audit,OU=x -> auditor",
        "trusted_domains=corp.example",
        "secret_expires_at=2027-01-31",
        "administrator_groups=Domain Admins",
    )
    assert changed["group_roles"] == {"Wiki Editors": ["editor"], "CN=Audit,OU=x": ["auditor"]}
    assert (changed["trusted_domains"], changed["administrator_groups"]) == (["corp.example"], ["Domain Admins"])
    assert changed["secret_expires_at"].startswith("2027-01-31")
    assert changed["tested_at"] is None
    refused = shell.refused("upstream", "set", "corp", "group_roles=x -> administrator")[1]
    assert "administrator_groups" in refused


def test_the_buttons_are_listed_in_their_order(shell: Shell) -> None:
    for id, order in (("zeta", "1"), ("alpha", "2")):
        shell.json(
            "upstream", "add", "oidc", "--id", id, *GIVEN[2:], "--set", "client_secret=x", "--set", f"order={order}"
        )
    assert [one["id"] for one in shell.json("upstream", "list")] == ["zeta", "alpha"]


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["nope", "--id", "x"], "no upstream kind"),
        (["oidc", "--id", "Not An Id", *GIVEN, "--set", "client_secret=x"], "lower-case"),
        (["oidc", "--id", "x", *GIVEN, "--set", "clientid=y"], "Did you mean client_id?"),
        (["oidc", "--id", "x", "--set", "client_id=y"], "issuer"),
        (["oidc", "--id", "x", *GIVEN, "--set", "may_create=robots"], "may_create"),
        (["oidc", "--id", "x", *GIVEN, "--set", "client_secret=file:missing.txt"], "client_secret"),
    ],
)
def test_an_upstream_that_cannot_be_is_refused_by_name(shell: Shell, words: list[str], said: str) -> None:
    assert said in shell.refused("upstream", "add", *words)[1]
    assert shell.json("upstream", "list") == []


def test_a_second_upstream_of_the_same_id_and_an_unknown_one_are_refused(shell: Shell) -> None:
    add(shell)
    assert "exists" in shell.refused("upstream", "add", "oidc", "--id", "corp", *GIVEN, "--set", "client_secret=x")[1]
    for verb in ("show", "enable", "disable", "remove"):
        assert "no such upstream" in shell.refused("upstream", verb, "nope")[1].replace(
            "no upstream 'nope'", "no such upstream"
        )


def test_keys_are_listed_and_rotated(shell: Shell) -> None:
    before = {key["use"]: key["kid"] for key in shell.json("keys", "list") if key["state"] == "current"}
    assert set(before) == {"id_token", "access_token"}
    shell.json("keys", "rotate")
    after = shell.json("keys", "list")
    states = {(key["use"], key["state"]) for key in after}
    assert {("id_token", "current"), ("id_token", "next"), ("id_token", "retiring")} <= states
    assert {key["use"]: key["kid"] for key in after if key["state"] == "current"} != before
    assert {key["kid"] for key in after if key["state"] == "retiring"} == set(before.values())
    assert "sealed" not in shell("keys", "list", "--json").stdout


def test_keys_of_one_algorithm_are_rotated_alone(shell: Shell) -> None:
    shell.json("keys", "list")
    rotated = shell.json("keys", "rotate", "--alg", "ES256")
    assert [(key["use"], key["alg"], key["state"]) for key in rotated] == [("access_token", "ES256", "current")]
    states = [(key["use"], key["state"]) for key in shell.json("keys")]
    assert ("access_token", "retiring") in states
    assert ("id_token", "retiring") not in states
    assert "first app needs it" in shell.refused("keys", "rotate", "--alg", "ES384")[1]
    assert "ES256K" in shell.refused("keys", "rotate", "--alg", "ES256K")[1]
    assert "ES384" in shell.refused("keys", "rotate", "--use", "saml", "--alg", "Ed25519")[1]
    assert [key["use"] for key in shell.json("keys", "rotate", "--use", "saml")] == ["saml"]


@pytest.mark.parametrize("words", [("KID",), ("KID", "--json"), ("--json", "KID")], ids=["alone", "before", "after"])
@pytest.mark.parametrize("kid", ["-h" + "x" * 41, "--" + "x" * 41], ids=["one-dash", "two-dashes"])
def test_an_id_that_begins_with_a_dash_is_no_option(shell: Shell, words: tuple[str, ...], kid: str) -> None:
    done = shell("keys", "revoke", *(kid if word == "KID" else word for word in words))
    assert done.returncode == 1
    assert "option" not in done.stderr.lower()


def test_a_key_that_has_leaked_is_revoked_by_its_kid(shell: Shell) -> None:
    kid = next(key["kid"] for key in shell.json("keys") if key["use"] == "access_token")
    assert shell.json("keys", "revoke", kid)["state"] == "gone"
    states = [(key["kid"] == kid, key["state"]) for key in shell.json("keys") if key["use"] == "access_token"]
    assert (False, "current") in states
    assert (True, "gone") in states
    assert "gone already" in shell.refused("keys", "revoke", kid)[1]


def test_ages_and_the_next_rotation_are_shown_and_the_schedule_can_be_switched_off(shell: Shell) -> None:
    current = [key for key in shell.json("keys") if key["state"] == "current"]
    assert {key["age"] for key in current} == {"0 min"}
    assert all(key["rotation_due"] > key["activated_at"] for key in current)
    assert all(key["published_until"] is None and key["external"] is False for key in current)
    off = {"IDP_OIDC__ROTATE_KEYS_DAYS": "0"}
    assert {key["rotation_due"] for key in shell.json("keys", env=off)} == {None}
    assert "rotation due" in shell("keys").stdout


def test_a_device_that_is_not_there_is_named_by_the_setting(shell: Shell) -> None:
    env = {"IDP_OIDC__EXTERNAL_KEYS": "no_such_module:factory"}
    done = shell("keys", "list", env=env)
    assert done.returncode == 2
    assert "oidc.external_keys" in done.stderr
    assert "Traceback" not in done.stderr
    assert shell("user", "list", env=env).returncode == 0


def test_an_unknown_trace_code_is_said_plainly(shell: Shell) -> None:
    assert "No such code" in shell.refused("explain", "ABCD1234")[1]


def test_a_fresh_setup_link_kills_the_one_before_and_none_is_made_once_there_is_an_administrator(shell: Shell) -> None:
    first, second = (shell.json("setup-link")["setup_link"] for _ in range(2))
    assert first != second
    assert first.startswith("http://127.0.0.1:8000/setup/")
    assert shell("setup-link").stdout.strip().startswith("http://127.0.0.1:8000/setup/")
    shell.json("user", "add", "root", "--email", "root@example.org", "--admin")
    assert "is set up" in shell.refused("setup-link")[1]

"""What holds for every command: help, common options, errors, exit codes, file modes."""

import json
import subprocess
import sys

import click
import pytest

from idp.cli.main import cli
from idp.cli.reference import commands
from tests.cli.conftest import Shell

HEAVY = (
    "flask",
    "werkzeug",
    "pydantic",
    "yaml",
    "cryptography",
    "saml2",
    "lxml",
    "pymongo",
    "authlib",
    "joserfc",
    "granian",
    "passlib",
)
ALL = [context.command_path for _, context in commands(cli, click.Context(cli, info_name="idp"))]


def test_help_loads_nothing_heavy() -> None:
    code = f"import sys, idp.cli.main; print([m for m in {HEAVY!r} if m in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=30)
    assert done.stdout.strip() == "[]"


@pytest.mark.parametrize("path", ALL)
def test_every_command_takes_config_data_and_json_and_says_what_it_does(path: str) -> None:
    command: click.Command = cli
    for name in path.split()[1:]:
        assert isinstance(command, click.Group)
        command = command.commands[name]
    assert {"config", "data", "json"} <= {parameter.name for parameter in command.params}
    assert command.help
    assert all(option.help for option in command.params if isinstance(option, click.Option) and not option.hidden)


def test_the_commands_of_the_issue_are_all_there() -> None:
    wanted = [
        "run",
        "serve",
        "setup-link",
        "doctor",
        "explain",
        "keys list",
        "keys rotate",
        "sp add",
        "sp list",
        "sp show",
        "sp remove",
    ]
    wanted += [f"user {verb}" for verb in ("add", "list", "show", "disable", "enable", "link", "unlink")]
    wanted += [f"client {verb}" for verb in ("add", "list", "show", "set", "remove")]
    wanted += [f"upstream {verb}" for verb in ("add", "list", "show", "set", "enable", "disable", "remove")]
    assert {f"idp {words}" for words in wanted} <= set(ALL)


def test_a_wrong_word_is_one_line_with_a_cure_and_exit_code_2(shell: Shell) -> None:
    code, line = shell.refused("user", "nope")
    assert (code, line) == (2, "No such command 'nope'. Try: idp user --help")


@pytest.mark.parametrize("words", [[], ["user"]])
def test_a_group_without_a_command_shows_its_help_as_it_is_written(shell: Shell, words: list[str]) -> None:
    done = shell(*words, data=False)
    assert done.returncode == 2
    assert "\nCommands:\n  " in done.stderr


def test_a_missing_option_is_named(shell: Shell) -> None:
    code, line = shell.refused("user", "add", "ada")
    assert code == 2
    assert "--email" in line


def test_a_refusal_is_one_line_and_exit_code_1(shell: Shell) -> None:
    assert shell.refused("user", "show", "nobody") == (1, "There is no user 'nobody'. See: idp user list")


@pytest.mark.parametrize(
    "words",
    [["--json", "user", "show", "nobody"], ["user", "--json", "show", "nobody"], ["user", "show", "nobody", "--json"]],
)
def test_json_works_before_and_after_the_name_of_the_command_and_for_errors(shell: Shell, words: list[str]) -> None:
    done = shell(*words)
    assert (done.returncode, done.stdout) == (1, "")
    assert json.loads(done.stderr) == {
        "error": "unknown_user",
        "message": "There is no user 'nobody'. See: idp user list",
    }


def test_a_misspelt_setting_in_the_file_is_named_with_exit_code_2(shell: Shell) -> None:
    config = shell.folder / "sheaf.yaml"
    config.write_text("oidc:\n  code_second: 30\n")
    code, line = shell.refused("user", "list", "--config", config)
    assert code == 2
    assert line.startswith("oidc.code_second: There is no setting of this name.")


def test_a_setting_out_of_range_in_the_environment_is_named(shell: Shell) -> None:
    code, line = shell.refused("doctor", env={"IDP_OIDC__CODE_SECONDS": "3600"})
    assert code == 2
    assert line.startswith("oidc.code_seconds: ")


def test_the_command_line_wins_over_environment_and_file(shell: Shell) -> None:
    config = shell.folder / "sheaf.yaml"
    config.write_text(f"data: {shell.folder / 'from-file'}\norganisation: From file\n")
    shell.json("user", "list", "--config", config)
    env = {"IDP_DATA": str(shell.folder / "from-env"), "IDP_ORGANISATION": "From env"}
    in_force = shell.json("doctor", "--config", config, env=env)["settings"]
    assert in_force["data"] == str(shell.data)
    assert in_force["organisation"] == "From env"
    assert not (shell.folder / "from-file").exists()
    assert not (shell.folder / "from-env").exists()


def test_everything_in_the_data_folder_is_its_owners_alone(shell: Shell) -> None:
    shell.json("user", "list")
    found = [shell.data, *shell.data.rglob("*")]
    assert shell.data / "secrets" / "seal.key" in found
    for path in found:
        assert path.stat().st_mode & 0o077 == 0, path
    assert (shell.data / "secrets" / "seal.key").stat().st_mode & 0o777 == 0o600
    assert shell.data.stat().st_mode & 0o777 == 0o700


def test_a_data_folder_that_cannot_be_made_is_said_plainly(shell: Shell) -> None:
    (shell.folder / "file").write_text("")
    done = shell("user", "list", "--data", shell.folder / "file" / "data", data=False)
    assert done.returncode == 2
    assert "cannot be" in done.stderr
    assert "Traceback" not in done.stderr


def test_a_store_that_does_not_answer_is_said_plainly(shell: Shell) -> None:
    code, line = shell.refused(
        "user", "list", env={"IDP_STORE__URL": "mongodb://user:hidden@127.0.0.1:1/sheaf?serverSelectionTimeoutMS=200"}
    )
    assert code == 1
    assert "store.url" in line
    assert "hidden" not in line


PRODUCTION = {"IDP_MODE": "production", "IDP_ISSUER": "https://login.example.org"}


@pytest.mark.parametrize("words", [["run"], ["serve", "idp"], ["user", "list"]])
@pytest.mark.parametrize(
    ("env", "setting", "cure"),
    [
        ({"IDP_ISSUER": ""}, "issuer", "Set issuer: https://"),
        ({"IDP_ISSUER": "http://login.example.org"}, "issuer", "Put TLS in front"),
        ({"IDP_ISSUER": "HTTPS://login.example.org"}, "issuer", "set issuer: https://"),
        ({}, "seal_key", "Set IDP_SEAL_KEY_FILE"),
        ({"IDP_SEAL_KEY": "changeme"}, "seal_key", "openssl rand -base64 32"),
    ],
)
def test_production_refuses_to_start_unsafely_and_names_setting_and_cure(
    shell: Shell, words: list[str], env: dict[str, str], setting: str, cure: str
) -> None:
    code, line = shell.refused(*words, env={**PRODUCTION, **env})
    assert code == 2
    assert line.startswith(f"{setting}: ")
    assert cure in line
    assert not (shell.data / "secrets").exists(), "nothing may be made that lets the next start pass"

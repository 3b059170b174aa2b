"""`idp client …` and `idp sp …` on a stopped installation."""

from pathlib import Path

import pytest

from tests.cli.conftest import Shell
from tests.saml.peer import Sp

CALLBACK = "https://app.example.org/callback"


def test_client_add_prints_an_id_and_a_secret_that_is_not_stored(shell: Shell) -> None:
    made = shell.json("client", "add", "--name", "Wiki", "--redirect-uri", CALLBACK)
    assert list(made) == ["client_id", "client_secret"]
    assert len(made["client_secret"]) == 43
    assert made["client_secret"].encode() not in b"".join(file.read_bytes() for file in shell.data.glob("idp.db*"))
    shown = shell.json("client", "show", made["client_id"])
    assert "client_secret" not in shown
    assert "secret_digest" not in shown
    assert shown["has_secret"] is True


def test_a_client_for_people_has_safe_defaults(shell: Shell) -> None:
    made = shell.json("client", "add", "--name", "Wiki", "--redirect-uri", CALLBACK)
    shown = shell.json("client", "show", made["client_id"])
    assert shown["grant_types"] == ["authorization_code", "refresh_token"]
    assert shown["scopes"] == ["openid", "profile", "email", "offline_access"]
    assert shown["pkce_required"] is True
    assert shown["consent"] == "ask"
    assert shown["auth_method"] == "client_secret_basic"


def test_every_flag_reaches_its_field(shell: Shell) -> None:
    made = shell.json(
        *("client", "add", "--name", "All", "--redirect-uri", CALLBACK, "--redirect-uri", f"{CALLBACK}/2"),
        *(
            "--post-logout-redirect-uri",
            "https://app.example.org/",
            "--grant",
            "authorization_code",
            "--grant",
            "client_credentials",
        ),
        *(
            "--auth-method",
            "client_secret_post",
            "--scope",
            "openid",
            "--scope",
            "api",
            "--audience",
            "urn:a",
            "--audience",
            "urn:b",
        ),
        *(
            "--pkce",
            "optional",
            "--consent",
            "skip",
            "--set",
            "second_factor_required=true",
            "--set",
            "access_token_seconds=300",
        ),
    )
    shown = shell.json("client", "show", made["client_id"])
    expected = {
        "name": "All",
        "redirect_uris": [CALLBACK, f"{CALLBACK}/2"],
        "post_logout_redirect_uris": ["https://app.example.org/"],
        "grant_types": ["authorization_code", "client_credentials"],
        "auth_method": "client_secret_post",
        "scopes": ["openid", "api"],
        "audiences": ["urn:a", "urn:b"],
        "pkce_required": False,
        "consent": "skip",
        "second_factor_required": True,
        "access_token_seconds": 300,
    }
    assert {name: shown[name] for name in expected} == expected


def test_a_public_client_has_no_secret(shell: Shell) -> None:
    made = shell.json("client", "add", "--name", "Phone", "--redirect-uri", "org.example.app:/cb", "--public")
    assert made["client_secret"] is None
    assert shell.json("client", "show", made["client_id"])["auth_method"] == "none"


def test_id_and_secret_can_be_given_for_scripts_and_a_short_secret_is_warned_of(shell: Shell) -> None:
    words = [
        "client",
        "add",
        "--name",
        "Bench",
        "--client-id",
        "bench",
        "--secret-stdin",
        "--redirect-uri",
        CALLBACK,
        "--json",
    ]
    done = shell(*words, stdin="bench-secret\n")
    assert done.returncode == 0
    assert '"client_id": "bench", "client_secret": "bench-secret"' in done.stdout
    assert done.stderr.startswith("warning: ")
    assert "A client with this id exists" in shell.refused(*words[:-1], stdin="x" * 40)[1]


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ([], "--redirect-uri"),
        (["--redirect-uri", "http://app.example.org/cb"], "redirect_uris"),
        (["--redirect-uri", f"{CALLBACK}#fragment"], "redirect_uris"),
        (["--grant", "password"], "grant_types"),
        (["--grant", "authorization_code"], "redirect_uris"),
        (["--redirect-uri", CALLBACK, "--public", "--pkce", "optional"], "pkce_required"),
        (["--redirect-uri", CALLBACK, "--public", "--auth-method", "client_secret_post"], "--public"),
        (["--redirect-uri", CALLBACK, "--set", "secret_digest=0"], "no such field"),
        (["--redirect-uri", CALLBACK, "--set", "consent=maybe"], "ask, skip"),
        (["--redirect-uri", CALLBACK, "--set", "access_token_seconds=ten"], "whole number"),
        (["--redirect-uri", CALLBACK, "--set", "consent"], "key=value"),
    ],
)
def test_a_client_that_cannot_be_is_refused_by_name(shell: Shell, words: list[str], said: str) -> None:
    _, line = shell.refused("client", "add", "--name", "Bad", *words)
    assert said in line


def test_client_set_changes_what_is_given_and_keeps_the_rest(shell: Shell) -> None:
    made = shell.json("client", "add", "--name", "Wiki", "--redirect-uri", CALLBACK, "--consent", "skip")
    changed = shell.json(
        "client",
        "set",
        made["client_id"],
        "--name",
        "Wiki 2",
        "--scope",
        "openid",
        "--set",
        "second_factor_required=true",
    )
    assert (changed["name"], changed["scopes"], changed["second_factor_required"]) == ("Wiki 2", ["openid"], True)
    assert (changed["consent"], changed["redirect_uris"]) == ("skip", [CALLBACK])
    fresh = shell.json("client", "set", made["client_id"], "--new-secret")["client_secret"]
    assert fresh != made["client_secret"]


def test_a_public_client_becomes_confidential_only_with_a_secret(shell: Shell) -> None:
    made = shell.json("client", "add", "--name", "Phone", "--redirect-uri", CALLBACK, "--public")
    assert (
        "--new-secret" in shell.refused("client", "set", made["client_id"], "--auth-method", "client_secret_basic")[1]
    )
    changed = shell.json("client", "set", made["client_id"], "--auth-method", "client_secret_basic", "--new-secret")
    assert changed["client_secret"]


def test_a_removed_client_is_gone(shell: Shell) -> None:
    made = shell.json("client", "add", "--name", "Wiki", "--redirect-uri", CALLBACK)
    assert shell.json("client", "remove", made["client_id"]) == {"client_id": made["client_id"], "removed": True}
    assert shell.json("client", "list") == []
    assert "no such client" in shell.refused("client", "remove", made["client_id"])[1]


@pytest.fixture
def metadata(tmp_path: Path) -> Path:
    file = tmp_path / "sp.xml"
    file.write_bytes(Sp().metadata())
    return file


def test_a_service_provider_is_added_from_a_file_listed_shown_and_removed(shell: Shell, metadata: Path) -> None:
    added = shell.json(
        "sp", "add", metadata, "--set", "name=Wiki", "--set", "attributes.mail=email", "--set", "name_id_format=email"
    )
    assert added["entity_id"] == "https://sp.example/metadata"
    assert added["attributes"] == {"mail": "email"}
    assert shell.json("sp", "list") == [{"entity_id": added["entity_id"], "name": "Wiki"}]
    assert "AssertionConsumerService" in shell.json("sp", "show", added["entity_id"])["metadata"]
    again = shell.json("sp", "add", metadata, "--set", "encrypt=when_possible")  # new metadata, the same settings
    assert (again["name"], again["name_id_format"], again["attributes"]) == (
        added["name"],
        added["name_id_format"],
        added["attributes"],
    )
    assert again["encrypt"] == "when_possible"
    assert shell.json("sp", "remove", added["entity_id"])["removed"] is True
    assert shell.json("sp", "list") == []


def test_a_service_provider_is_added_from_standard_input(shell: Shell, metadata: Path) -> None:
    assert shell.json("sp", "add", "-", stdin=metadata.read_text())["entity_id"] == "https://sp.example/metadata"


@pytest.mark.parametrize(
    ("source", "words", "said"),
    [
        ("missing.xml", [], "missing.xml"),
        ("http://127.0.0.1:9/metadata", [], "cannot be fetched"),
        ("sp.xml", ["--set", "color=red"], "no such setting"),
        ("sp.xml", ["--set", "encrypt=maybe"], "encrypt"),
        ("sp.xml", ["--set", "attributes.mail=password_hash"], "attributes"),
    ],
)
def test_a_service_provider_that_cannot_be_is_refused_by_name(
    shell: Shell, metadata: Path, source: str, words: list[str], said: str
) -> None:
    assert metadata.exists()
    assert said in shell.refused("sp", "add", source, *words)[1]


def test_metadata_that_is_none_is_refused(shell: Shell) -> None:
    (shell.folder / "bad.xml").write_text("<html>not found</html>")
    assert "metadata cannot be used" in shell.refused("sp", "add", "bad.xml")[1]

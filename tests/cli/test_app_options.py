"""Owns the claims about the options of `idp client`: profiles, keys, native apps, secrets that change, and loud warnings."""

import json
from typing import Any

import pytest

from tests.cli.conftest import Shell
from tests.oidc.app_keys import AppKeys

CALLBACK = "https://app.example.org/callback"


def add(shell: Shell, *words: Any) -> dict[str, Any]:
    made = shell.json("client", "add", "--name", "App", "--redirect-uri", CALLBACK, *words)
    shown: dict[str, Any] = shell.json("client", "show", made["client_id"])
    return {**shown, "client_secret": made["client_secret"]}


def test_a_fapi_client_is_one_line(shell: Shell) -> None:
    (shell.folder / "keys.json").write_text(AppKeys("PS256").jwks)
    made = add(shell, "--profile", "fapi2", "--jwks", "keys.json", "--dpop")
    assert (made["profile"], made["auth_method"], made["dpop_bound_access_tokens"]) == (
        "fapi2",
        "private_key_jwt",
        True,
    )
    assert made["id_token_signed_response_alg"] == "PS256"
    assert made["client_secret"] is None
    assert json.loads(made["jwks"]) == json.loads(AppKeys("PS256").jwks)


def test_every_named_option_reaches_its_field(shell: Shell) -> None:
    made = add(
        shell,
        *("--grant", "authorization_code", "--grant", "device_code", "--grant", "token_exchange"),
        *("--profile", "oauth21", "--auth-method", "private_key_jwt", "--jwks-uri", "https://app.example.org/jwks"),
        *("--pairwise", "--token-format", "opaque", "--id-token-alg", "ES256", "--require-par"),
        *("--backchannel-logout-uri", "https://app.example.org/bc", "--frontchannel-logout-uri", f"{CALLBACK}/fc"),
        *("--set", "logo_uri=https://app.example.org/logo.png", "--set", "contacts=ops@app.example.org"),
    )
    expected = {
        "grant_types": [
            "authorization_code",
            "urn:ietf:params:oauth:grant-type:device_code",
            "urn:ietf:params:oauth:grant-type:token-exchange",
        ],
        "profile": "oauth21",
        "auth_method": "private_key_jwt",
        "jwks_uri": "https://app.example.org/jwks",
        "subject_type": "pairwise",
        "access_token_format": "opaque",
        "id_token_signed_response_alg": "ES256",
        "require_pushed_authorization_requests": True,
        "backchannel_logout_uri": "https://app.example.org/bc",
        "frontchannel_logout_uri": f"{CALLBACK}/fc",
        "logo_uri": "https://app.example.org/logo.png",
        "contacts": ["ops@app.example.org"],
        "application_type": "web",
    }
    assert {name: made[name] for name in expected} == expected


@pytest.mark.parametrize("uri", ["http://127.0.0.1/cb", "http://localhost:3000/cb", "org.example.app:/cb"])
def test_a_public_client_on_a_device_becomes_native(shell: Shell, uri: str) -> None:
    made = shell.json("client", "add", "--name", "Phone", "--public", "--redirect-uri", uri)
    assert shell.json("client", "show", made["client_id"])["application_type"] == "native"


def test_optional_pkce_is_profile_legacy_and_said_loudly_wherever_the_client_is_shown(shell: Shell) -> None:
    words = ["client", "add", "--name", "Old\u202e", "--redirect-uri", CALLBACK, "--pkce", "optional", "--json"]
    assert "name" in shell.refused(*words[:-1])[1], "a name must not turn the direction of writing"
    words[3] = "Old"
    done = shell(*words)
    assert done.stderr.startswith("warning: PKCE is optional")
    made = json.loads(done.stdout)
    shown = shell("client", "show", made["client_id"], "--json")
    assert shown.stderr.startswith("warning: PKCE is optional")
    assert json.loads(shown.stdout)["profile"] == "legacy"
    doctor = shell.json("doctor")
    (finding,) = [one for one in doctor["checks"] if one["check"] == "clients"]
    assert finding["state"] == "hint"
    assert f"Old ({made['client_id']})" in finding["detail"]
    changed = shell("client", "set", made["client_id"], "--pkce", "required", "--json")
    assert (changed.stderr, json.loads(changed.stdout)["profile"]) == ("", "")


def test_a_secret_is_rotated_with_an_overlap_that_can_be_ended(shell: Shell) -> None:
    made = add(shell)
    rotated = shell.json("client", "rotate-secret", made["client_id"], "--overlap", "600")
    assert rotated["client_secret"] not in (None, made["client_secret"])
    assert rotated["old_secret_until"]
    assert shell.json("client", "show", made["client_id"])["old_secret_until"] == rotated["old_secret_until"]
    assert shell.json("client", "retire-secret", made["client_id"])["old_secret_until"] is None
    assert shell.json("client", "show", made["client_id"])["old_secret_until"] is None
    assert shell.json("client", "rotate-secret", made["client_id"], "--overlap", "0")["old_secret_until"] is None


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--profile", "fapi2"], "jwks"),
        (["--profile", "fapi2", "--auth-method", "client_secret_basic"], "auth_method"),
        (["--profile", "oauth21", "--pkce", "optional"], "pkce_required"),
        (["--jwks", "missing.json"], "missing.json"),
        (["--jwks", "private.json"], "jwks"),
        (["--jwks", "private.json", "--jwks-uri", "https://app.example.org/"], "--jwks-uri"),
        (["--auth-method", "tls_client_auth"], "tls_client_auth_subject_dn"),
        (["--auth-method", "self_signed_tls_client_auth", "--jwks-uri", "https://a.example/"], "auth_method"),
        (["--id-token-alg", "none"], "id_token_signed_response_alg"),
        (["--set", "sealed_secret=x"], "no such field"),
        (["--set", "registration_token_digest=x"], "no such field"),
        (["--set", "old_secret_until=99999999999"], "no such field"),
        (["--sector-identifier-uri", "http://127.0.0.1:9/s"], "sector_identifier_uri"),
    ],
)
def test_what_cannot_be_is_refused_by_name(shell: Shell, words: list[str], said: str) -> None:
    (shell.folder / "private.json").write_text(json.dumps({"keys": [AppKeys().key.as_dict(private=True)]}))
    assert said in shell.refused("client", "add", "--name", "Bad", "--redirect-uri", CALLBACK, *words)[1]


def test_a_client_without_a_secret_has_none_to_rotate(shell: Shell) -> None:
    made = add(shell, "--public")
    assert "no secret" in shell.refused("client", "rotate-secret", made["client_id"])[1]
    assert "no client" in shell.refused("client", "rotate-secret", "nobody")[1]


def test_initial_access_tokens_are_made_listed_and_taken_back(shell: Shell) -> None:
    made = shell.json("registration", "token", "add", "--name", "Partner", "--uses", "3", "--days", "7")
    assert len(made["token"]) == 43
    assert made["token"].encode() not in b"".join(file.read_bytes() for file in shell.data.glob("idp.db*"))
    (listed,) = shell.json("registration", "token", "list")
    assert (listed["name"], listed["uses_left"], "token" in listed) == ("Partner", 3, False)
    assert "of this name" in shell.refused("registration", "token", "add", "--name", "Partner")[1]
    assert shell.json("registration", "token", "remove", "Partner")["removed"] is True
    assert shell.json("registration", "token", "list") == []
    assert "no token" in shell.refused("registration", "token", "remove", "Partner")[1]

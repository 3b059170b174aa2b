"""Owns that kinds are found by their files, that settings are checked by name, and that opened upstreams follow changes."""

import sys
from pathlib import Path

import pytest

from idp.base.net import NetPolicy
from idp.crypto.seal import Seal
from idp.services.manage_upstreams import Upstreams
from idp.services.record_audit import Audit
from idp.upstream.parse import Common, changed_provider, new_provider, parse_settings
from idp.upstream.registry import Kinds, kinds, open_kind, secret_fields, settings_model
from tests.upstream.conftest import POLICY, tools_for

GIVEN = {"issuer": "https://id.example", "client_id": "sheaf", "client_secret": "TOPSECRET"}


@pytest.fixture
def corp(upstreams):
    provider = new_provider("oidc", "corp", {**GIVEN, "label": "Corporate login"}, 1.0)
    return upstreams.add(provider, secrets=secret_fields("oidc"), actor="test")


def test_listing_the_kinds_imports_none_of_them():
    import subprocess

    code = (
        "import sys; from idp.upstream.registry import kinds; assert 'oidc' in kinds(); "
        "heavy = {'authlib', 'joserfc', 'urllib3', 'requests', 'idp.upstream.kinds.oidc'} & set(sys.modules); "
        "assert not heavy, heavy"
    )
    subprocess.run([sys.executable, "-W", "ignore", "-c", code], check=True, timeout=60)


@pytest.mark.parametrize("kind", kinds())
def test_every_setting_of_every_kind_says_what_it_is_for(kind):
    for name, field in settings_model(kind).model_fields.items():
        assert field.description, f"{kind}: {name}"


@pytest.mark.parametrize("kind", kinds())
def test_every_kind_refuses_a_misspelt_setting_by_name(kind, refusal):
    misspelt = next(iter(settings_model(kind).model_fields)) + "x"

    found = refusal(parse_settings, kind, {misspelt: "1"})

    assert found.code == "unknown_setting"
    assert f"Did you mean {misspelt[:-1]}?" in found.message


def test_an_unknown_kind_is_refused_with_the_nearest_name(refusal):
    found = refusal(parse_settings, "odic", GIVEN)

    assert found.code == "unknown_upstream_kind"
    assert "Did you mean oidc?" in found.message


@pytest.mark.parametrize("kind", ["../oidc", "os", "", "oidc.Settings", "__init__"])
def test_a_kind_is_never_a_path_to_other_code(refusal, kind):
    assert refusal(secret_fields, kind).code == "unknown_upstream_kind"


def test_texts_become_settings_and_common_fields():
    parsed = parse_settings(
        "oidc",
        {
            **GIVEN,
            "scopes": "openid, email",
            "algorithms": "ES256",
            "authorize_params": "a=1&b=2",
            "enabled": "no",
            "mode": "link_only",
            "may_create": "domains",
            "create_domains": "@Corp.Example bücher.example",
        },
    )

    assert parsed.settings == {
        **GIVEN,
        "scopes": ("openid", "email"),
        "algorithms": ("ES256",),
        "authorize_params": {"a": "1", "b": "2"},
    }
    assert parsed.common == {
        "enabled": False,
        "mode": "link_only",
        "may_create": "domains",
        "create_domains": ("corp.example", "xn--bcher-kva.example"),
    }
    assert "TOPSECRET" not in repr(parsed)


@pytest.mark.parametrize(
    ("pairs", "words"),
    [
        ({"mode": "both"}, "Setting mode"),
        ({"enabled": "perhaps"}, "Setting enabled"),
        ({"issuer": "http://id.example"}, "Setting issuer"),
        ({"client_id": ""}, "Setting client_id"),
        ({"algorithms": "HS256"}, "Setting algorithms"),
        ({"algorithms": ""}, "Setting algorithms"),
        ({"client_secret": ""}, "client_secret is missing"),
        ({"token_endpoint_auth_method": "magic"}, "Setting token_endpoint_auth_method"),
        ({"create_domains": "a..b"}, "Setting create_domains"),
        ({"client_secret": "env:NOT_THERE"}, "Setting client_secret"),
        ({"client_secret": "file:/not/there"}, "Setting client_secret"),
    ],
)
def test_a_wrong_value_is_refused_by_the_name_of_its_setting(refusal, pairs, words):
    found = refusal(parse_settings, "oidc", {**GIVEN, **pairs}, env={})

    assert found.code == "invalid_setting"
    assert words in found.message
    assert "TOPSECRET" not in f"{found.message} {found.reason}"


def test_a_secret_is_read_from_the_environment_or_a_file(tmp_path):
    file = tmp_path / "secret"
    file.write_text("from a file\n")

    by_env = parse_settings("oidc", {**GIVEN, "client_secret": "env:MY_SECRET"}, env={"MY_SECRET": "from there"})
    by_file = parse_settings("oidc", {**GIVEN, "client_secret": f"file:{file}"})

    assert by_env.settings["client_secret"] == "from there"
    assert by_file.settings["client_secret"] == "from a file"


def test_secrets_are_sealed_in_the_store_and_open_for_their_kind_only(corp, upstreams, repo):
    from idp.domain.upstream import UpstreamProvider

    stored = repo.get(UpstreamProvider, "corp")

    assert "TOPSECRET" not in str(dict(stored.settings))
    assert "TOPSECRET" not in repr(stored)
    assert upstreams.opened_settings(stored, secret_fields("oidc"))["client_secret"] == "TOPSECRET"


def test_a_change_keeps_what_was_not_given(corp, upstreams):
    changed, settings = changed_provider(corp, {"label": "New label", "scopes": "openid"})
    stored = upstreams.change(changed, settings, secrets=secret_fields("oidc"), actor="test")

    assert (stored.label, stored.id, stored.kind) == ("New label", "corp", "oidc")
    opened = upstreams.opened_settings(stored, secret_fields("oidc"))
    assert (opened["client_secret"], list(opened["scopes"])) == ("TOPSECRET", ["openid"])


def test_a_change_is_checked_together_with_what_is_stored(upstreams, refusal):
    public = {"issuer": "https://id.example", "client_id": "sheaf", "token_endpoint_auth_method": "none"}
    provider = upstreams.add(new_provider("oidc", "public", public, 1.0), secrets=("client_secret",), actor="test")

    found = refusal(changed_provider, provider, {"token_endpoint_auth_method": "client_secret_post"})

    assert "client_secret is missing" in found.message


def test_an_opened_upstream_is_kept_until_its_configuration_changes(corp, upstreams, clock):
    policies = [POLICY]
    opened = Kinds(upstreams, lambda: tools_for(policies[0], clock))
    first = opened.open(corp)
    assert opened.open(upstreams.enabled("corp")) is first

    changed, settings = changed_provider(corp, {"client_id": "another"})
    second = opened.open(upstreams.change(changed, settings, secrets=("client_secret",), actor="test"))
    assert second is not first

    policies[0] = NetPolicy(allow_private=False)
    assert opened.open(upstreams.enabled("corp")) is not second


def test_a_secret_sealed_with_another_key_is_named(corp, repo, clock, refusal):
    other = Upstreams(repo, clock, Seal(b"x" * 32), Audit(repo, clock))

    found = refusal(open_kind, corp, other, tools_for(POLICY, clock))

    assert found.code == "upstream_misconfigured"
    assert "seal key" in found.reason


def test_stored_settings_that_no_longer_fit_are_named(corp, upstreams, clock, refusal):
    from dataclasses import replace

    found = refusal(
        open_kind, replace(corp, settings={**corp.settings, "color": "red"}), upstreams, tools_for(POLICY, clock)
    )

    assert (found.code, "color" in found.reason) == ("upstream_misconfigured", True)


@pytest.mark.parametrize("kind", kinds())
def test_the_documentation_names_every_setting_and_every_default(kind):
    page = (Path(__file__).parents[2] / "docs" / "upstreams.md").read_text(encoding="utf-8")
    for fields in (Common.model_fields, settings_model(kind).model_fields):
        for name, field in fields.items():
            line = next((line for line in page.splitlines() if line.startswith("|") and f"`{name}`" in line), "")
            assert line, f"{kind}: {name} is not in docs/upstreams.md"
            default = field.get_default(call_default_factory=True)
            if isinstance(default, str | tuple) and default:
                shown = default if isinstance(default, str) else " ".join(default)
                assert f"`{shown}`" in line, f"{kind}: the default of {name}"

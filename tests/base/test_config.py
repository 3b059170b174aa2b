"""Settings: file, environment, command line; wrong ones are named."""

import pytest

from idp.base.config import load
from idp.base.errors import Misconfigured
from idp.base.sections import Roles


def test_the_environment_wins_over_the_file_and_the_command_line_over_both(tmp_path):
    file = tmp_path / "c.yaml"
    file.write_text("server: {port: 8100, host: 127.0.0.2}\norganisation: File\n")

    settings = load(str(file), {"server.port": 8300}, {"IDP_SERVER__PORT": "8200", "IDP_ORGANISATION": "Env"})

    assert (settings.server.port, settings.server.host, settings.organisation) == (8300, "127.0.0.2", "Env")


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("server: {prot: 1}", "server.prot"),
        ("sever: {port: 1}", "sever"),
        ("server: {port: many}", "server.port"),
        ("mode: fast", "mode"),
        ("oidc: {code_seconds: 3600}", "oidc.code_seconds"),
        ("second_factor: nobody", "second_factor"),
        ("second_factor: {roles: 5}", "second_factor"),
        ('second_factor: "{roles: ["', "second_factor"),
        ("issuer: login.example.org", "issuer"),
        ("issuer: https://login.example.org/path", "issuer"),
        ("issuer: https://[", "issuer"),
    ],
)
def test_a_misspelt_or_wrong_setting_is_refused_by_name(tmp_path, text, name):
    file = tmp_path / "c.yaml"
    file.write_text(text)

    with pytest.raises(Misconfigured) as wrong:
        load(str(file), env={})
    assert wrong.value.setting == name


@pytest.mark.parametrize("text", ["a: [", "- list", "\x00"])
def test_a_file_that_is_no_mapping_is_refused(tmp_path, text):
    file = tmp_path / "c.yaml"
    file.write_text(text)

    with pytest.raises(Misconfigured, match="--config"):
        load(str(file), env={})
    with pytest.raises(Misconfigured, match="--config"):
        load(str(tmp_path / "missing.yaml"), env={})


@pytest.mark.parametrize("value", ["roles: [finance, it]", "{roles: [finance, it]}"])
def test_the_second_factor_policy_can_be_roles_from_the_environment(value):
    assert load(None, env={"IDP_SECOND_FACTOR": value}).second_factor == Roles(roles=("finance", "it"))


def test_secrets_are_not_in_the_repr():
    settings = load(
        None, env={"IDP_SEAL_KEY": "c2VjcmV0LXNlYWwta2V5LXZhbHVl", "IDP_API__INTROSPECTION_CLIENT_SECRET": "hush-hush"}
    )

    assert "c2VjcmV0" not in repr(settings)
    assert "hush-hush" not in repr(settings)
    assert "hush-hush" not in settings.model_dump_json()


def test_a_misspelt_section_in_the_environment_is_refused_by_name():
    with pytest.raises(Misconfigured, match="IDP_SERVR__PORT"):
        load(None, env={"IDP_SERVR__PORT": "9000"})


def test_foreign_environment_names_are_left_alone():
    assert load(None, env={"IDP_TEST_MONGO_URI": "mongodb://x", "IDP_CONFIG": ""}).server.port == 8000

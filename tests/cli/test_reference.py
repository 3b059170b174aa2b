"""The documentation of settings and commands cannot lag behind: it is compared with what it documents."""

from pathlib import Path

import pytest

from idp.base.config import Settings, load
from idp.cli import reference


@pytest.mark.parametrize("path", list(reference.files()), ids=lambda path: path.name)
def test_the_reference_is_up_to_date(path: Path) -> None:
    assert path.read_text() == reference.files()[path], "run: python -m idp.cli.reference"


def test_the_example_configuration_is_exactly_the_defaults() -> None:
    assert load(str(reference.ROOT / "config.example.yaml"), env={}) == Settings()


def test_every_setting_says_what_it_means() -> None:
    found = list(reference.settings())
    assert len(found) > 40
    assert [one.name for one in found if not one.meaning] == []


@pytest.mark.parametrize("setting", list(reference.settings()), ids=lambda one: one.name)
def test_every_setting_can_be_given_as_an_environment_variable(setting: reference.Setting) -> None:
    settings = load(None, env={setting.environment: setting.shown_default.strip('"')})
    assert settings == Settings()

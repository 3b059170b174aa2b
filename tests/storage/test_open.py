"""Which store a setting opens, and which settings are refused by name."""

from pathlib import Path

import pytest

from idp.base.config import Settings
from idp.base.errors import Misconfigured
from idp.domain.audit_event import StoredSetting
from idp.storage.open import open_repository
from tests.support.clock import FakeClock

SETTING = StoredSetting("base_url", "https://id.example", 1.0)


def settings(folder: Path, url: str) -> Settings:
    return Settings.model_validate({"data": str(folder), "store": {"url": url}})


def test_the_default_is_a_file_in_a_data_folder_that_only_its_owner_can_enter(tmp_path: Path, clock: FakeClock) -> None:
    folder = tmp_path / "deep" / "data"
    repository = open_repository(Settings(data=str(folder)), clock)
    repository.insert(SETTING)
    repository.close()
    assert folder.stat().st_mode & 0o777 == 0o700
    assert (folder / "idp.db").stat().st_mode & 0o777 == 0o600


@pytest.mark.parametrize("slashes", ["", "//"])
def test_a_path_of_its_own_can_be_given(tmp_path: Path, clock: FakeClock, slashes: str) -> None:
    repository = open_repository(settings(tmp_path / "unused", f"sqlite:{slashes}{tmp_path}/other.db"), clock)
    repository.insert(SETTING)
    repository.close()
    assert (tmp_path / "other.db").is_file()
    assert not (tmp_path / "unused").exists()


def test_a_second_opening_finds_what_the_first_has_written(tmp_path: Path, clock: FakeClock) -> None:
    first = open_repository(settings(tmp_path, "sqlite"), clock)
    first.insert(SETTING)
    first.close()
    second = open_repository(settings(tmp_path, "sqlite"), clock)
    assert second.get(StoredSetting, "base_url") == SETTING
    second.close()


@pytest.mark.slow
def test_a_mongodb_url_opens_the_database_it_names(tmp_path: Path, clock: FakeClock, mongo_uri: str) -> None:
    repository = open_repository(settings(tmp_path, f"{mongo_uri}/sheaf_test_open"), clock)
    repository.delete(StoredSetting, "base_url")
    repository.insert(SETTING)
    assert repository.get(StoredSetting, "base_url") == SETTING
    repository.close()
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    "url",
    [
        "",
        "sqlite:",
        "sqlite:idp.db",
        "sqlite:../idp.db",
        "sqlite:/",
        "sqlite:/tmp/",
        "postgresql://ada:hunter2@host/db",
        "ada:hunter2",
        "mongodb://",
        "mongodb://ada:hunter2:x@host/db",
        "mongodb://ada:hunter2%ZZ@host/db",
        "mongodb://ada:hunter2@host:port/db",
        "mongodb+srv://ada:hunter2@host:27017/db",
        "mongodb://ada:hunter2@host/db?tls=true&tlsCAFile=/no/such/file",
    ],
)
def test_a_url_that_names_no_store_is_refused_without_repeating_it(tmp_path: Path, clock: FakeClock, url: str) -> None:
    with pytest.raises(Misconfigured) as refusal:
        open_repository(settings(tmp_path, url), clock)
    assert refusal.value.setting == "store.url"
    assert "hunter2" not in str(refusal.value)
    assert list(tmp_path.iterdir()) == []


def test_a_data_folder_that_cannot_be_made_is_refused_by_name(tmp_path: Path, clock: FakeClock) -> None:
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(Misconfigured) as refusal:
        open_repository(settings(tmp_path / "file" / "data", "sqlite"), clock)
    assert refusal.value.setting == "data"

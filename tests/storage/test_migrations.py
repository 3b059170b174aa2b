"""A store of an older version is brought up to date when it is opened, on every engine."""

from dataclasses import dataclass
from typing import Any

import pytest

from idp.base.errors import Misconfigured
from idp.ports import Duplicate
from idp.storage.collections import Collection
from idp.storage.migrations import Step
from idp.storage.rows import Unreadable
from tests.storage.engines import Engine
from tests.storage.test_damage import spoil


@dataclass(frozen=True, slots=True)
class Pet:
    id: str
    name: str
    owner: str | None = None
    tag: str | None = None
    version: int = 0


OLD = (Collection("pets", Pet, lookup=("owner",)),)


def named(body: dict[str, Any]) -> dict[str, Any]:
    return {**body, "name": body["name"].title()}


def tagged(body: dict[str, Any]) -> dict[str, Any]:
    return {**body, "tag": body.get("tag") or f"tag-{body['id']}"}


@pytest.fixture
def pets(engine: Engine) -> list[Pet]:
    made = [Pet(str(number), f"rex {number}", "ada" if number % 2 else None, f"t{number}") for number in range(5)]
    with engine.opened(collections=OLD) as repository:
        for pet in made:
            repository.insert(pet)
    return made


def test_a_new_collection_is_made(engine: Engine, pets: list[Pet]) -> None:
    @dataclass(frozen=True, slots=True)
    class Toy:
        id: str

    with engine.opened(collections=(*OLD, Collection("toys", Toy))) as repository:
        repository.insert(Toy("ball"))
        assert repository.find(Toy) == [Toy("ball")]
        assert repository.find(Pet) == pets


def test_a_new_key_is_filled_from_the_stored_records(engine: Engine, pets: list[Pet]) -> None:
    new = (Collection("pets", Pet, unique=(("name",),), lookup=("owner", "tag")),)
    with engine.opened(collections=new) as repository:
        assert repository.find(Pet, tag="t3") == [pets[3]]
        assert repository.find(Pet, owner="ada") == [pets[1], pets[3]]
        with pytest.raises(Duplicate) as refusal:
            repository.insert(Pet("9", "rex 1"))
        assert refusal.value.key == ("name",)


def test_a_key_that_is_no_longer_unique_may_be_shared(engine: Engine) -> None:
    with engine.opened(collections=(Collection("pets", Pet, unique=(("name",),)),)) as repository:
        repository.insert(Pet("1", "rex"))
    with engine.opened(collections=(Collection("pets", Pet, lookup=("name",)),)) as repository:
        repository.insert(Pet("2", "rex"))
        assert len(repository.find(Pet, name="rex")) == 2


def test_values_held_twice_are_reported_when_their_key_becomes_unique(engine: Engine, pets: list[Pet]) -> None:
    with (
        pytest.raises(Misconfigured, match="pets"),
        engine.opened(collections=(Collection("pets", Pet, unique=(("owner",),)),)) as repository,
    ):
        repository.get(Pet, "1")
    with engine.opened(collections=OLD) as repository:
        assert repository.find(Pet) == pets


def test_the_steps_run_once_in_their_order_and_only_the_missing_ones(engine: Engine, pets: list[Pet]) -> None:
    calls: list[str] = []

    def counted(body: dict[str, Any]) -> dict[str, Any]:
        calls.append(body["id"])
        return named(body)

    first = Step("pets", "names in title case", counted)
    for steps in [(first,), (first,), (first, Step("pets", "every pet has a tag", tagged))]:
        with engine.opened(collections=OLD, steps=steps) as repository:
            assert [pet.name for pet in repository.find(Pet)] == [f"Rex {number}" for number in range(5)]
    assert sorted(calls) == ["0", "1", "2", "3", "4"]


def test_a_step_may_change_what_a_key_is_made_of(engine: Engine, pets: list[Pet]) -> None:
    def moved(body: dict[str, Any]) -> dict[str, Any]:
        return {**body, "owner": "grace"} if body["owner"] == "ada" else body

    with engine.opened(collections=OLD, steps=(Step("pets", "ada gave her pets to grace", moved),)) as repository:
        assert repository.find(Pet, owner="ada") == []
        assert len(repository.find(Pet, owner="grace")) == 2


def test_a_migrated_record_keeps_its_version(engine: Engine, pets: list[Pet]) -> None:
    with engine.opened(collections=OLD) as repository:
        changed = repository.replace_if(pets[0])
    with engine.opened(collections=OLD, steps=(Step("pets", "title case", named),)) as repository:
        found = repository.get(Pet, "0")
        assert changed is not None
        assert found is not None
        assert (found.version, found.name) == (changed.version, "Rex 0")


def test_a_store_of_a_newer_version_is_left_alone(engine: Engine, pets: list[Pet]) -> None:
    with engine.opened(collections=OLD, steps=(Step("pets", "title case", named),)) as repository:
        repository.get(Pet, "0")
    with pytest.raises(Misconfigured, match="newer Sheaf") as refusal, engine.opened(collections=OLD) as repository:
        repository.get(Pet, "0")
    assert refusal.value.setting == "store.url"


def test_a_migration_stops_at_a_record_that_cannot_be_read_and_names_it(engine: Engine, pets: list[Pet]) -> None:
    spoil(engine, "pets", "2", "garbage")
    step = Step("pets", "title case", named)
    with pytest.raises(Unreadable, match="pets '2'"), engine.opened(collections=OLD, steps=(step,)) as repository:
        repository.get(Pet, "0")
    spoil(engine, "pets", "2", '{"id": "2", "name": "rex 2"}')
    with engine.opened(collections=OLD, steps=(step,)) as repository:
        assert [pet.name for pet in repository.find(Pet)] == [f"Rex {number}" for number in range(5)]

"""The keyring: where its keys come from, that it is read anew, and that it never shows them."""

import base64
import hashlib
import json
import sys
from pathlib import Path
from typing import Any

import pytest

from idp.api.documents.keyring import BadKeyring, CannotOpen, Keyring, fresh, open_keyring, parse
from idp.base.config import Settings
from idp.base.errors import Misconfigured, Refused
from tests.support.clock import FakeClock

PLACE = ("people", "doc_1", "ssn")


def written(current: str, *ids: str) -> str:
    """A keyring whose keys are made from their ids."""
    return json.dumps(
        {
            "current": current,
            "keys": {id: base64.b64encode(hashlib.sha256(id.encode()).digest()).decode() for id in ids},
        }
    )


def opened(tmp_path: Path, clock: FakeClock, **api: Any) -> Keyring:
    return open_keyring(Settings.model_validate({"data": str(tmp_path / "data"), "api": api}), clock)


def test_at_the_first_start_a_keyring_is_made_that_only_its_owner_can_read(tmp_path: Path, clock: FakeClock) -> None:
    sealed = opened(tmp_path, clock).seal_text("secret", PLACE)
    file = tmp_path / "data" / "api" / "keyring"
    assert file.stat().st_mode & 0o777 == 0o600
    assert opened(tmp_path, clock).open_text(sealed, PLACE) == "secret"  # the second start finds it


def test_on_a_shared_store_no_keyring_is_made_and_nothing_is_sealed(tmp_path: Path, clock: FakeClock) -> None:
    keyring = opened(tmp_path, clock, store="mongodb://127.0.0.1:9/x")
    with pytest.raises(Refused) as refused:
        keyring.seal_text("secret", PLACE)
    assert (refused.value.code, refused.value.status) == ("keyring_unavailable", 503)
    assert not (tmp_path / "data" / "api" / "keyring").exists()


def test_keys_come_from_the_environment_a_command_or_a_file_and_are_the_same_keys(
    tmp_path: Path, clock: FakeClock
) -> None:
    (tmp_path / "keyring").write_text(written("b", "a", "b"))
    sealed = opened(tmp_path, clock, keyring_file=str(tmp_path / "keyring")).seal_text("secret", PLACE)
    command = [sys.executable, "-c", f"print(open({str(tmp_path / 'keyring')!r}).read())"]
    for api in ({"keyring": written("a", "a", "b")}, {"keyring_command": command}):
        assert opened(tmp_path, clock, **api).open_text(sealed, PLACE) == "secret"


def test_a_changed_file_counts_at_once(tmp_path: Path, clock: FakeClock) -> None:
    file = tmp_path / "keyring"
    file.write_text(written("a", "a"))
    keyring = opened(tmp_path, clock, keyring_file=str(file))
    old = keyring.seal_text("secret", PLACE)
    file.write_text(written("b", "a", "b"))
    assert keyring.seal_text("secret", PLACE).startswith("b.")
    assert keyring.open_text(old, PLACE) == "secret"
    file.write_text(written("b", "b"))
    with pytest.raises(CannotOpen, match="the key 'a' is not in the keyring"):
        keyring.open_text(old, PLACE)


def test_a_command_is_asked_again_after_a_while(tmp_path: Path, clock: FakeClock) -> None:
    file = tmp_path / "keyring"
    file.write_text(written("a", "a"))
    keyring = opened(tmp_path, clock, keyring_command=["cat", str(file)])
    assert keyring.current() == "a"
    file.write_text(written("b", "a", "b"))
    clock.advance(31)
    assert keyring.current() == "b"


@pytest.mark.parametrize("damage", ["", "{", "missing"])
def test_with_a_keyring_that_cannot_be_read_nothing_is_sealed_but_what_was_sealed_still_opens(
    tmp_path: Path, clock: FakeClock, damage: str
) -> None:
    file = tmp_path / "keyring"
    file.write_text(written("a", "a"))
    keyring = opened(tmp_path, clock, keyring_file=str(file))
    sealed = keyring.seal_text("secret", PLACE)
    file.unlink() if damage == "missing" else file.write_text(damage)
    with pytest.raises(Refused) as refused:
        keyring.seal_text("secret", PLACE)
    assert refused.value.code == "keyring_unavailable"
    assert keyring.open_text(sealed, PLACE) == "secret"
    file.write_text(written("a", "a"))
    assert keyring.seal_text("again", PLACE)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "[]",
        "null",
        '{"current": "a"}',
        written("c", "a"),
        written("a.b", "a.b"),
        '{"current": "a", "keys": {"a": "c2hvcnQ="}}',
        '{"current": "a", "keys": {"a": 7}}',
        '{"current": ["a"], "keys": {}}',
        "[" * 100_000,
    ],
    ids=["empty", "list", "null", "no-keys", "no-current", "dot", "short", "number", "odd-current", "deep"],
)
def test_what_is_no_keyring_stops_the_start_and_is_not_quoted(tmp_path: Path, clock: FakeClock, text: str) -> None:
    with pytest.raises(BadKeyring):
        parse(text)
    (tmp_path / "keyring").write_text(text)
    with pytest.raises(Misconfigured) as wrong:
        opened(tmp_path, clock, keyring_file=str(tmp_path / "keyring"))
    assert "c2hvcnQ" not in str(wrong.value)


def test_a_command_that_fails_stops_the_start(tmp_path: Path, clock: FakeClock) -> None:
    for command in (["false"], [str(tmp_path / "nowhere")], ["printf", "\\377"]):
        with pytest.raises(Misconfigured):
            opened(tmp_path, clock, keyring_command=command)


def test_what_is_sealed_opens_only_whole_in_its_place_and_under_its_key(tmp_path: Path, clock: FakeClock) -> None:
    keyring = opened(tmp_path, clock, keyring=written("a", "a", "b"))
    sealed = keyring.seal_text("secret", PLACE)
    body = sealed.partition(".")[2]
    box = base64.urlsafe_b64decode(body)
    flipped = [bytes([*box[:at], box[at] ^ 1, *box[at + 1 :]]) for at in range(len(box))]
    cut = [box[:length] for length in range(len(box))]
    forged = ["a." + base64.urlsafe_b64encode(raw).decode() for raw in flipped + cut]
    for text in ("b." + body, "c." + body, body, "", "a.", "a.ä", sealed + "A", "a.!" + body, *forged):
        with pytest.raises(CannotOpen):
            keyring.open_text(text, PLACE)
    for place in (("people", "doc_2", "ssn"), ("people", "doc_1", "name"), ("others", "doc_1", "ssn"), PLACE[:2]):
        with pytest.raises(CannotOpen):
            keyring.open_text(sealed, place)
    assert keyring.open_text(sealed, PLACE) == "secret"


def test_the_same_text_is_never_sealed_to_the_same(tmp_path: Path, clock: FakeClock) -> None:
    keyring = opened(tmp_path, clock)
    assert len({keyring.seal_text("secret", PLACE) for _ in range(100)}) == 100


def test_no_key_is_ever_shown(tmp_path: Path, clock: FakeClock, caplog: pytest.LogCaptureFixture) -> None:
    text = fresh()
    (key,) = json.loads(text)["keys"].values()
    (tmp_path / "keyring").write_text(text)
    for keyring in (
        opened(tmp_path, clock, keyring_file=str(tmp_path / "keyring")),
        opened(tmp_path, clock, keyring=text),
    ):
        keyring.seal_text("secret", PLACE)
        assert key not in f"{keyring!r} {vars(keyring)!r} {caplog.text}"

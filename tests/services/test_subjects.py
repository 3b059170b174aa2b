"""Owns the claims about subjects: pairwise ones are stable within a sector and say nothing across sectors (OIDC Core 8)."""

from dataclasses import replace
from typing import Any

import pytest

from idp.crypto.seal import Seal
from idp.domain.relying import Client
from idp.services.subjects import Subjects, sector

SUBJECTS = Subjects(Seal(bytes(range(32))))


def app(*uris: str, id: str = "shop", **more: Any) -> Client:
    fields: dict[str, Any] = {"subject_type": "pairwise", **more}
    return Client(id=id, name="Shop", created_at=0.0, redirect_uris=uris or ("https://shop.example/cb",), **fields)


def test_a_public_client_knows_people_by_their_id() -> None:
    assert SUBJECTS.of(app(subject_type="public"), "usr_1") == "usr_1"


def test_a_pairwise_subject_is_the_same_each_time_and_says_nothing_of_the_id() -> None:
    subject = SUBJECTS.of(app(), "usr_1")
    assert subject == SUBJECTS.of(app(), "usr_1")
    assert len(subject) == 64
    assert "usr_1" not in subject
    assert subject != SUBJECTS.of(app(), "usr_2")
    assert subject != Subjects(Seal(bytes(32))).of(app(), "usr_1")


def test_apps_of_one_sector_know_the_same_name_and_those_of_another_do_not() -> None:
    one, two = app(id="one"), app("https://shop.example/other", "https://SHOP.example/cb", id="two")
    other = app("https://mail.example/cb", id="three")
    assert SUBJECTS.of(one, "usr_1") == SUBJECTS.of(two, "usr_1")
    assert SUBJECTS.of(one, "usr_1") != SUBJECTS.of(other, "usr_1")


def test_sector_identifier_uri_decides_when_there_is_one() -> None:
    joined = [
        app(f"https://{n}.example/cb", id=n, sector_identifier_uri="https://owner.example/apps.json") for n in "ab"
    ]
    assert [sector(one) for one in joined] == ["owner.example", "owner.example"]
    assert SUBJECTS.of(joined[0], "usr_1") == SUBJECTS.of(joined[1], "usr_1")


@pytest.mark.parametrize(
    "uris",
    [
        ("http://127.0.0.1/cb",),
        ("http://localhost:8080/cb",),
        ("https://localhost/cb",),
        ("com.example.app:/cb",),
        ("https://a.example/cb", "https://b.example/cb"),
        (),
    ],
)
def test_an_app_without_one_host_of_its_own_is_a_sector_by_itself(uris: tuple[str, ...]) -> None:
    one = replace(app(), redirect_uris=uris)
    two = replace(one, id="other")
    assert SUBJECTS.of(one, "usr_1") != SUBJECTS.of(two, "usr_1")
    assert SUBJECTS.of(one, "usr_1") == SUBJECTS.of(replace(one, name="renamed"), "usr_1")


def test_no_two_pairs_of_sector_and_user_read_the_same() -> None:
    first = SUBJECTS.of(app("https://a.example/cb"), "x|usr_1")
    second = SUBJECTS.of(replace(app("https://a.example/cb"), sector_identifier_uri="https://a.example|x"), "usr_1")
    assert first != second


def test_a_subject_names_its_user_for_its_app_only() -> None:
    one, other = app(), app("https://mail.example/cb", id="mail")
    subject = SUBJECTS.of(one, "usr_1")
    assert SUBJECTS.names(one, subject, "usr_1")
    assert not SUBJECTS.names(other, subject, "usr_1")
    assert not SUBJECTS.names(one, "usr_1", "usr_1")
    assert not SUBJECTS.names(one, "é\ud800", "usr_1")

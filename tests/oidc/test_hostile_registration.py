"""Owns what an attacker tried with a registration of his own (RFC 7591, RFC 7592). Each of these was possible once.

What may be registered at all is left to test_registration.
"""

from pathlib import Path

import pytest

from idp.storage.sqlite import SqliteRepository
from tests.oidc import devices
from tests.oidc.house import CALLBACK
from tests.oidc.registering import Office, again
from tests.support.clock import FakeClock

PEOPLE = {"grant_types": ["authorization_code", "refresh_token"], "subject_type": "pairwise"}


@pytest.fixture
def office(repo: SqliteRepository, clock: FakeClock, tmp_path: Path) -> Office:
    return Office(repo, clock, tmp_path)


def test_an_app_that_registered_for_itself_adds_no_people_and_scopes_to_that_later(office: Office) -> None:
    made = office.register(grant_types=["client_credentials"], redirect_uris=[], response_types=[])
    people = {"response_types": ["code"], "redirect_uris": [CALLBACK]}
    both = ["client_credentials", "authorization_code"]
    for sent in ({"grant_types": both, **people, "scope": "openid"}, {"scope": "profile"}):
        answer = office.manage("PUT", made, again(made, **sent))
        office.house.refused(answer, 400, "invalid_client_metadata")
    # Not in two steps either.
    step = office.manage("PUT", made, again(made, **people, grant_types=["authorization_code"], scope="openid profile"))
    assert step.status_code == 200, step.text
    answer = office.manage("PUT", made, again(made, **people, grant_types=both, scope="openid profile"))
    office.house.refused(answer, 400, "invalid_client_metadata")


def test_what_an_operator_put_beside_client_credentials_stays_and_nothing_comes_to_it(office: Office) -> None:
    made = office.register(scope="openid profile")
    office.operator_sets(
        made, grant_types=("authorization_code", "client_credentials"), scopes=("openid", "documents.read")
    )
    sent = {"grant_types": ["authorization_code", "client_credentials"]}
    kept = office.manage("PUT", made, again(made, **sent, scope="openid documents.read"))
    assert kept.status_code == 200, kept.text
    more = office.manage("PUT", made, again(made, **sent, scope="openid documents.read profile"))
    office.house.refused(more, 400, "invalid_client_metadata")


def test_a_device_app_that_registers_itself_does_not_learn_the_names_of_another_sector(office: Office) -> None:
    """The code would go to that host; a device needs none."""
    answer = office.ask(
        {
            "redirect_uris": ["https://victim.example/callback"],
            "grant_types": ["authorization_code", devices.DEVICE],
            "subject_type": "pairwise",
        }
    )
    office.house.refused(answer, 400, "invalid_client_metadata")
    made = office.register(**PEOPLE)
    sent = again(made, grant_types=["authorization_code", devices.DEVICE])
    office.house.refused(office.manage("PUT", made, sent), 400, "invalid_client_metadata")


def test_nobody_moves_to_another_sector_with_tokens_in_hand(office: Office) -> None:
    made = office.register(**PEOPLE)
    elsewhere = again(made, redirect_uris=["https://victim.example/callback"])
    office.house.refused(office.manage("PUT", made, elsewhere), 400, "invalid_client_metadata")
    public = office.register(grant_types=["authorization_code", "refresh_token"])
    office.house.refused(office.manage("PUT", public, again(public, **PEOPLE)), 400, "invalid_client_metadata")
    same = again(made, redirect_uris=["https://app.example/other"])
    assert office.manage("PUT", made, same).status_code == 200


def test_changing_a_registration_does_not_make_us_ask_other_servers_without_end(
    repo: SqliteRepository, clock: FakeClock, tmp_path: Path
) -> None:
    office = Office(repo, clock, tmp_path, burst=3)
    made = office.register()
    sent = again(made, sector_identifier_uri="https://sector.invalid/list.json")
    statuses = [office.manage("PUT", made, sent).status_code for _ in range(4)]
    assert statuses == [400, 400, 429, 429]
    assert office.manage("PUT", made, again(made)).status_code == 200

"""Owns the claims about software statements (RFC 7591 2.3): only of whom we trust, only as they were signed, and they win."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from idp.domain.audit_event import AuditEvent
from idp.domain.relying import Client
from idp.storage.sqlite import SqliteRepository
from tests.oidc.app_keys import AppKeys, unsigned
from tests.oidc.house import CALLBACK, ISSUER
from tests.oidc.registering import Office, again
from tests.support.clock import START, FakeClock
from tests.support.receiver import Receiver

TRUSTED = "https://federation.example"
KEYS = AppKeys("ES256", "federation")
SAID = {
    "iss": TRUSTED,
    "iat": int(START),
    "software_id": "4NRB1",
    "client_name": "Bank app",
    "tos_uri": "https://a.example/",
}


@pytest.fixture
def server() -> Iterator[Receiver]:
    with Receiver(pages={"/keys": KEYS.jwks}) as running:
        yield running


@pytest.fixture
def office(repo: SqliteRepository, clock: FakeClock, tmp_path: Path, server: Receiver) -> Office:
    return Office(repo, clock, tmp_path, software_statement_issuers={TRUSTED: server.url("/keys")})


def statement(**changes: Any) -> str:
    said = {**SAID, **changes}
    return KEYS.sign({name: value for name, value in said.items() if value is not None}, typ=None)


def test_what_the_statement_says_wins_over_what_the_app_says(office: Office) -> None:
    given = statement()
    made = office.register(software_statement=given, client_name="My bank", software_version="2")
    assert (made["client_name"], made["software_id"], made["software_version"]) == ("Bank app", "4NRB1", "2")
    assert made["software_statement"] == given, "as it was sent (RFC 7591 3.2.1)"
    (event,) = office.parts.repo.find(AuditEvent, name="client.registered")
    assert event.detail["software"] == TRUSTED


def test_a_statement_gives_no_rights_that_an_app_cannot_have(office: Office) -> None:
    for claims, code in (
        ({"scope": "openid documents.read"}, "invalid_client_metadata"),
        ({"redirect_uris": ["http://x.example/"]}, "invalid_redirect_uri"),
        ({"client_name": {"a": 1}}, "invalid_client_metadata"),
    ):
        answer = office.ask({"redirect_uris": [CALLBACK], "software_statement": statement(**claims)})
        office.house.refused(answer, 400, code)
    made = office.register(software_statement=statement(client_id="shop", client_secret="x", consent="skip"))
    assert made["client_id"] != "shop"
    assert office.stored(made).consent == "ask"


def test_a_statement_counts_when_a_registration_is_changed(office: Office) -> None:
    made = office.register(client_name="Shop")
    changed = office.manage("PUT", made, again(made, software_statement=statement(client_id="other")))
    assert changed.status_code == 200, changed.text
    assert changed.get_json()["client_name"] == "Bank app"


@pytest.mark.parametrize("issuer", [None, "https://evil.example", "", 7, ["https://federation.example"], {"a": 1}])
def test_a_statement_of_anybody_else_is_not_approved(office: Office, server: Receiver, issuer: Any) -> None:
    answer = office.ask({"redirect_uris": [CALLBACK], "software_statement": statement(iss=issuer)})
    office.house.refused(answer, 400, "unapproved_software_statement")
    assert server.received == [], "nobody is asked for keys"
    assert office.parts.repo.find(Client) == []


def test_nobody_is_trusted_until_a_setting_says_so(repo: SqliteRepository, clock: FakeClock, tmp_path: Path) -> None:
    office = Office(repo, clock, tmp_path)
    answer = office.ask({"redirect_uris": [CALLBACK], "software_statement": statement()})
    office.house.refused(answer, 400, "unapproved_software_statement")


@pytest.mark.parametrize(
    "given",
    [
        7,
        ["x"],
        {"iss": TRUSTED},
        "",
        "x",
        "a.b.c",
        "x" * 100_000,
        unsigned(SAID),
        statement()[:-4] + "AAAA",
        KEYS.sign(SAID, alg="none"),
        KEYS.sign(SAID, alg="HS256"),
        KEYS.sign(SAID, crit=["x"]),
        KEYS.sign(b"[]"),
        KEYS.sign(b"not JSON"),
        AppKeys("ES256", "federation").sign({**SAID, "exp": int(START) - 100}),
        AppKeys("ES256", "another").sign(SAID),
        AppKeys("ES256", "another").sign(SAID, kid="federation"),
        statement(exp=int(START) - 61),
        statement(exp="later"),
        statement(nbf=int(START) + 61),
        statement(iat=int(START) + 3600),
        statement(aud="https://another.example"),
        statement(aud=["https://another.example"]),
    ],
)
def test_a_statement_that_is_broken_forged_or_out_of_date_is_not_valid(office: Office, given: Any) -> None:
    answer = office.ask({"redirect_uris": [CALLBACK], "software_statement": given})
    office.house.refused(answer, 400, "invalid_software_statement")
    assert office.parts.repo.find(Client) == []


def test_a_statement_may_name_us_and_an_end(office: Office) -> None:
    assert office.register(software_statement=statement(aud=ISSUER, exp=int(START) + 60, nbf=int(START)))
    assert office.register(software_statement=statement(aud=[ISSUER, "https://another.example"]))


def test_keys_that_cannot_be_fetched_make_no_statement_valid(office: Office, server: Receiver) -> None:
    server.pages["/keys"] = json.dumps({"error": "gone"})
    answer = office.ask({"redirect_uris": [CALLBACK], "software_statement": statement()})
    office.house.refused(answer, 400, "invalid_software_statement")

"""What is written down about a person: every decision, good or bad; and whose address is believed."""

import time
from pathlib import Path

import pytest

from idp.app import create_app
from idp.base.config import Settings
from idp.domain.audit_event import AuditEvent
from idp.services.sign_in import ADDRESS_FREE_FAILURES
from idp.storage.sqlite import SqliteRepository
from tests.peers.oidc_provider import OidcProvider
from tests.support.clock import FakeClock
from tests.support.oidc_app import OidcApp
from tests.support.quick import SEAL_KEY_TEXT, quick
from tests.support.sheaf import Sheaf
from tests.web.house import House


def _events(sheaf: Sheaf, user_id: str) -> list[AuditEvent]:
    repository = SqliteRepository(sheaf.data / "idp.db", time.time)
    try:
        everything = repository.find(AuditEvent, limit=100_000)
    finally:
        repository.close()
    return [event for event in everything if user_id in (event.subject, event.actor)]


def test_what_happens_to_a_person_is_on_record_the_failures_too(sheaf: Sheaf, oidc_upstream: OidcProvider) -> None:
    client = oidc_upstream.register(sheaf.url("/upstream/recorded/callback"))
    sheaf.add_upstream(
        "oidc",
        "recorded",
        label="On record",
        issuer=oidc_upstream.issuer,
        client_id=client.client_id,
        client_secret=client.client_secret,
    )
    app, ada = OidcApp(sheaf, consent="ask"), sheaf.add_user(totp=True)
    assert ada.phone
    oidc_upstream.add_user("recorded-ada")
    with app.browser() as browser:
        page = app.ask(browser)
        page.submit(username=ada.username, password="not the password")
        page = page.submit(username=ada.username, password=ada.password)
        page.submit(code=ada.phone.wrong_code())
        code = page.submit(code=ada.code()).submit("allow").params["code"]
        app.tokens(app.redeem(code))
        app.redeem(code)
        account = browser.open(sheaf.url("/account"))
        account = oidc_upstream.sign_in(account.submit(at="/account/link/recorded"), "recorded-ada")
        account.submit(at="/account/unlink/")
        browser.open(sheaf.url("/sign-out")).submit()
    sheaf.cli("user", "disable", ada.username)
    sheaf.cli("user", "enable", ada.username)

    events = _events(sheaf, ada.id)

    assert {event.name for event in events} >= {
        "user.created",
        "factor.enrolled",
        "sign_in.failed",
        "factor.failed",
        "sign_in.succeeded",
        "consent.given",
        "grant.issued",
        "grant.reuse_detected",
        "login.linked",
        "login.unlinked",
        "sign_out",
        "session.ended",
        "user.disabled",
        "user.enabled",
    }
    (failed,) = [event for event in events if event.name == "sign_in.failed"]
    assert failed.actor == "anonymous"  # nobody is accused of what they did not prove to be
    assert not [event for event in events if "not the password" in str(event)]


@pytest.mark.parametrize("proxies", [0, 1])
def test_a_forwarded_address_counts_only_when_it_comes_from_a_configured_proxy(
    repo: SqliteRepository, clock: FakeClock, tmp_path: Path, proxies: int
) -> None:
    """Whoever guesses passwords from one address is slowed down, and cannot get fresh addresses by claiming them."""
    given = {
        "issuer": "http://localhost",
        "data": str(tmp_path),
        "server": {"trusted_proxies": proxies},
        "passwords": {"time_cost": 1, "memory_kib": 8192},
        "seal_key": SEAL_KEY_TEXT,
    }
    house = House(quick(create_app(Settings.model_validate(given), repo=repo, clock=clock)), clock)
    browser = house.browser()
    start = house.attempt()
    form = browser.open(start).form("/password")

    def guess(number: int) -> int:
        fields = {**form.values, "username": f"user-{number}", "password": "a guess at it"}
        return browser.post(form.action, fields, **{"X-Forwarded-For": f"203.0.113.{number}"}).status

    answers = [guess(number) for number in range(ADDRESS_FREE_FAILURES + 2)]

    assert set(answers[:ADDRESS_FREE_FAILURES]) == {401}
    assert answers[-1] == (401 if proxies else 429)

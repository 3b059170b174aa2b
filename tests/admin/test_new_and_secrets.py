"""Registering an app on a page, and its secret: shown once, replaced with an overlap, ended."""

import re

import pytest

from idp.domain.audit_event import AuditEvent
from idp.domain.relying import Client
from tests.admin.test_json_api import works
from tests.support.proofs import make_key
from tests.web.house import Browser, House, Person, Seen

LIST = "/admin/clients"
CALLBACK = "https://mail.example/cb"


def secret_on(page: Seen) -> str:
    found = re.search(r'id="secret" data-text="([A-Za-z0-9_-]{43})"', page.html)
    assert found, page.text
    return found[1]


def made_by(house: House, page: Seen) -> Client:
    assert page.status == 200, page.text
    client = house.parts.apps.client(re.findall(r'id="client-id" data-text="([^"]+)"', page.html)[0])
    assert client is not None
    return client


def test_a_web_app_needs_a_name_and_an_address(house: House, ada: Person, browser: Browser) -> None:
    page = browser.open(f"{LIST}/new").submit("/new", name="Mail", redirect_uris=CALLBACK)
    client = made_by(house, page)
    assert "Mail is registered" in page.text
    assert works(house, client.id, secret_on(page))
    assert client.grant_types == ("authorization_code", "refresh_token")
    assert client.scopes == ("openid", "profile", "email", "offline_access")
    assert (client.auth_method, client.pkce_required) == ("client_secret_basic", True)
    [event] = house.parts.repo.find(AuditEvent, name="client.added")
    assert (event.actor, event.subject) == (ada.user.id, client.id)
    assert secret_on(page) not in browser.open(f"{LIST}/{client.id}").html


def test_an_app_on_a_device_has_no_secret(house: House, browser: Browser) -> None:
    fields = {"name": "Phone", "kind": "app", "redirect_uris": "org.example.phone:/cb"}
    page = browser.open(f"{LIST}/new").submit("/new", **fields)
    client = made_by(house, page)
    assert (client.auth_method, client.application_type, client.secret_digest) == ("none", "native", None)
    assert "It has no secret" in page.text


def test_a_machine_has_no_address(house: House, browser: Browser) -> None:
    fields = {"name": "Backup", "kind": "machine", "redirect_uris": "", "scopes": "documents.read"}
    client = made_by(house, browser.open(f"{LIST}/new").submit("/new", **fields, audiences="urn:sheaf:api"))
    assert client.grant_types == ("client_credentials",)
    assert (client.redirect_uris, client.scopes, client.audiences) == ((), ("documents.read",), ("urn:sheaf:api",))


def test_a_bank_app_brings_its_keys(house: House, browser: Browser) -> None:
    key = make_key("ES256", "k").as_dict(private=False)
    keys = f'{{"keys": [{str(key).replace(chr(39), chr(34))}]}}'
    page = browser.open(f"{LIST}/new").submit(
        "/new", name="Bank", redirect_uris=CALLBACK, profile="fapi2", jwks=keys, client_id="bank"
    )
    assert "Signs with its own keys" in page.text
    assert made_by(house, page).auth_method == "private_key_jwt"
    assert "FAPI 2.0" in browser.open(LIST).text


@pytest.mark.parametrize(
    ("fields", "named"),
    [
        ({"name": ""}, "Fill in all fields"),
        ({"redirect_uris": ""}, "redirect_uris:"),
        ({"redirect_uris": "http://mail.example/cb"}, "redirect_uris:"),
        ({"kind": "magic"}, "Fill in all fields"),
        ({"jwks": "{"}, "jwks:"),
        ({"profile": "magic"}, "profile:"),
        ({"auth_method": "none"}, "auth_method:"),
        ({"client_id": "ä"}, "id:"),
        ({"client_id": ""}, "Fill in all fields"),
        ({"profile": "fapi2"}, "jwks:"),
    ],
    ids=str,
)
def test_what_is_wrong_stays_on_the_form(house: House, browser: Browser, fields: dict[str, str], named: str) -> None:
    page = browser.open(f"{LIST}/new").submit("/new", **{"name": "Mail", "redirect_uris": CALLBACK, **fields})
    assert page.status == 400
    assert named in page.text
    assert page.form("/new").values["redirect_uris"].strip() == fields.get("redirect_uris", CALLBACK)
    assert house.parts.apps.clients() == []


def test_a_form_that_is_sent_twice_makes_one_app(house: House, browser: Browser) -> None:
    form = browser.open(f"{LIST}/new")
    first = form.submit("/new", name="Mail", redirect_uris=CALLBACK)
    second = form.submit("/new", name="Mail", redirect_uris=CALLBACK)
    assert (first.status, second.status) == (200, 409)
    assert "exists already" in second.text
    assert works(house, made_by(house, first).id, secret_on(first))
    assert len(house.parts.apps.clients()) == 1


def test_the_form_shows_itself_as_command_and_as_api_call(house: House, browser: Browser) -> None:
    page = browser.open(f"{LIST}/new")
    assert "idp client add --client-id app_" in page.text
    assert "--name 'My app'" in page.text
    page = page.submit("/new", act="words", name="Phone", kind="app", redirect_uris="http://127.0.0.1/cb")
    assert "--redirect-uri http://127.0.0.1/cb" in page.text
    assert "application_type=native" in page.text
    assert '"auth_method": "none"' in page.text
    assert house.parts.apps.clients() == []


# ---------------------------------------------------------------- secrets


@pytest.mark.parametrize(("overlap", "after"), [("0", 0), ("3600", 3600), ("86400", 86_400), ("604800", 604_800)])
def test_a_secret_is_replaced_with_the_chosen_overlap(house: House, browser: Browser, overlap: str, after: int) -> None:
    first = browser.open(f"{LIST}/new").submit("/new", name="Mail", redirect_uris=CALLBACK, client_id="mail")
    page = browser.open(f"{LIST}/mail/secret").submit("/secret", overlap=overlap)
    old, new = secret_on(first), secret_on(page)
    assert page.response.headers["Cache-Control"] == "no-store"
    assert works(house, "mail", new)
    assert works(house, "mail", old) is (after > 0)
    assert ("The old one works until" in page.text) is (after > 0)
    assert ("The old one works until" in browser.open(f"{LIST}/mail").text) is (after > 0)
    house.clock.advance(after)
    assert [works(house, "mail", one) for one in (old, new)] == [False, True]
    events = [event.name for event in house.parts.repo.find(AuditEvent, subject="mail")]
    assert sorted(events) == ["client.added", "client.secret_rotated"]


def test_the_old_secret_is_ended_early(house: House, browser: Browser) -> None:
    old = secret_on(browser.open(f"{LIST}/new").submit("/new", name="Mail", redirect_uris=CALLBACK, client_id="mail"))
    new = secret_on(browser.open(f"{LIST}/mail/secret").submit("/secret", overlap="86400"))
    page = browser.open(f"{LIST}/mail/secret")
    assert "Two secrets work" in page.text
    assert page.submit("/secret/retire").path == f"{LIST}/mail?saved=1"
    assert [works(house, "mail", one) for one in (old, new)] == [False, True]
    assert "Two secrets work" not in browser.open(f"{LIST}/mail/secret").text


def test_a_rotation_that_is_sent_twice_is_done_once(house: House, browser: Browser, wiki: Client) -> None:
    form = browser.open(f"{LIST}/wiki/secret")
    first, second = form.submit("/secret", overlap="0"), form.submit("/secret", overlap="0")
    assert (first.status, second.status) == (200, 409)
    assert works(house, "wiki", secret_on(first))


@pytest.mark.parametrize("overlap", ["1", "", "999999999", "-1", "0x0"])
def test_only_the_offered_times_can_be_chosen(house: House, browser: Browser, wiki: Client, overlap: str) -> None:
    assert browser.open(f"{LIST}/wiki/secret").submit("/secret", overlap=overlap).status == 400
    assert house.parts.apps.client("wiki") == wiki


def test_an_app_without_a_secret_has_no_page_for_it(house: House, browser: Browser) -> None:
    browser.open(f"{LIST}/new").submit("/new", name="Phone", kind="app", redirect_uris=CALLBACK, client_id="phone")
    assert "Replace the secret" not in browser.open(f"{LIST}/phone").text
    assert browser.open(f"{LIST}/phone/secret").status == 404
    assert browser.post_blindly(f"{LIST}/phone/secret", overlap="0", version="0").status == 400


def test_a_secret_is_in_no_log_audit_or_trace(house: House, browser: Browser, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("DEBUG")
    page = browser.open(f"{LIST}/new").submit("/new", name="Mail", redirect_uris=CALLBACK, client_id="mail")
    again = browser.open(f"{LIST}/mail/secret").submit("/secret", overlap="0")
    events = str(house.parts.repo.find(AuditEvent))
    for secret in (secret_on(page), secret_on(again)):
        assert secret not in caplog.text
        assert secret not in events

"""Owns the claims about devices without a browser (RFC 8628): the endpoint, and the polling.

The pages are left to test_device_pages, many polls at once to test_races.
"""

import re

import pytest

from idp.domain.audit_event import AuditEvent
from idp.domain.device_code import LETTERS
from idp.domain.grant import Consent, DeviceAuthorization, Grant
from tests.oidc.devices import DEVICE, answered, asked, begin, form_of, poll, told, tv, typed
from tests.oidc.house import API, App, House

# ------------------------------------------------------------------ the endpoint


def test_the_device_gets_a_code_for_itself_and_one_for_the_person(house: House) -> None:
    begun = begin(house, tv(house))
    assert re.fullmatch(r"[\w-]{43}", begun["device_code"])
    assert re.fullmatch(rf"[{LETTERS}]{{4}}-[{LETTERS}]{{4}}", begun["user_code"])
    assert begun["verification_uri"] == "http://localhost/device"
    assert begun["verification_uri_complete"] == f"http://localhost/device?user_code={begun['user_code']}"
    assert (begun["expires_in"], begun["interval"]) == (600, 5)
    (stored,) = house.parts.repo.find(DeviceAuthorization)
    assert begun["device_code"] not in repr(stored)


def test_the_endpoint_is_in_the_metadata(house: House) -> None:
    metadata = house.app.test_client().get("/.well-known/openid-configuration").get_json()
    assert metadata["device_authorization_endpoint"] == "http://localhost/device_authorization"
    assert DEVICE in metadata["grant_types_supported"]


def test_an_app_that_is_not_registered_for_devices_gets_no_code(house: House) -> None:
    answer = house.post("/device_authorization", house.client(), scope="openid")
    house.refused(answer, 400, "unauthorized_client")


def test_an_app_with_a_secret_must_show_it(house: House) -> None:
    app = house.client("box", grant_types=(DEVICE,), redirect_uris=())
    assert house.post("/device_authorization", app, scope="openid").status_code == 200
    stranger = App(app.client, "wrong")
    house.refused(house.post("/device_authorization", stranger, scope="openid"), 401, "invalid_client")


@pytest.mark.parametrize(
    ("form", "error"),
    [
        ({"scope": "admin"}, "invalid_scope"),
        ({"scope": "offline_access"}, "invalid_scope"),
        ({"resource": "urn:other"}, "invalid_target"),
    ],
)
def test_a_device_cannot_ask_for_more_than_its_app_may_have(house: House, form: dict[str, str], error: str) -> None:
    app = tv(house, grant_types=(DEVICE,))
    house.refused(house.post("/device_authorization", app, **{"scope": "openid", **form}), 400, error)


def test_without_a_scope_the_device_asks_for_what_its_app_may_have_but_no_sign_in(house: House) -> None:
    app = tv(house, scopes=("openid", "documents.read"))
    house.post("/device_authorization", app)
    (stored,) = house.parts.repo.find(DeviceAuthorization)
    assert (stored.scopes, stored.audiences) == (("documents.read",), (API,))


def test_the_endpoint_takes_nothing_but_a_form(house: House) -> None:
    app, client = tv(house), house.app.test_client()
    house.refused(client.post("/device_authorization", json={"client_id": app.id}), 400, "invalid_request")
    house.refused(client.post("/device_authorization?client_id=tv", data={}), 400, "invalid_request")
    house.refused(client.post("/device_authorization", data={}), 401, "invalid_client")
    house.refused(client.get("/device_authorization"), 405, "invalid_request")
    house.refused(client.post("/device_authorization", data={"x": "y" * 600_000}), 413, "invalid_request")


# ------------------------------------------------------------------ polling


def test_who_polls_too_often_is_slowed_down_by_five_seconds_each_time(house: House) -> None:
    app = tv(house)
    begun = begin(house, app)
    told(poll(house, app, begun), "authorization_pending")
    house.clock.advance(1)
    told(poll(house, app, begun), "slow_down")
    house.clock.advance(5)
    told(poll(house, app, begun), "slow_down")  # ten are due by now, fifteen from here on
    house.clock.advance(15)
    told(poll(house, app, begun), "authorization_pending")


def test_who_polls_at_the_interval_is_never_slowed_down(house: House) -> None:
    app = tv(house)
    begun = begin(house, app)
    for _ in range(5):
        told(poll(house, app, begun), "authorization_pending")
        house.clock.advance(5)


def test_a_device_hears_that_the_person_declined(house: House) -> None:
    app, person = tv(house), house.person()
    begun = begin(house, app)
    assert "was not connected" in answered(person.browser, begun["user_code"], "deny").text
    house.refused(poll(house, app, begun), 400, "access_denied")
    assert typed(person.browser, begun["user_code"]).status_code == 400
    assert len(house.parts.repo.find(AuditEvent, name="device.denied")) == 1


def test_a_device_hears_that_its_code_has_expired(house: House) -> None:
    app, person = tv(house), house.person()
    begun = begin(house, app)
    where, page = asked(person.browser, begun["user_code"])
    house.clock.advance(600)
    house.refused(poll(house, app, begun), 400, "expired_token")
    assert typed(person.browser, begun["user_code"]).status_code == 400
    late = person.browser.post(where, data={**form_of(page, "/consent"), "answer": "allow"})
    assert late.status_code == 410  # the sign-in has expired with it


def test_an_approval_that_comes_too_late_approves_nothing(house: House) -> None:
    app, person = tv(house), house.person()
    begun = begin(house, app)
    house.clock.advance(300)
    where, page = asked(person.browser, begun["user_code"])
    house.clock.advance(301)
    sent = person.browser.post(where, data={**form_of(page, "/consent"), "answer": "allow"})
    while sent.status_code == 303:
        sent = person.browser.get(sent.headers["Location"])
    assert sent.status_code == 410
    assert "does not wait any more" in sent.text
    house.refused(poll(house, app, begun), 400, "expired_token")


def test_only_the_device_that_has_the_code_and_its_app_get_anything(house: House) -> None:
    app, person = tv(house), house.person()
    other = house.client("other", auth_method="none", grant_types=(DEVICE,), redirect_uris=())
    begun = begin(house, app)
    answered(person.browser, begun["user_code"])
    house.refused(poll(house, other, begun), 400, "invalid_grant")
    house.refused(poll(house, app, {"device_code": begun["user_code"]}), 400, "invalid_grant")
    house.refused(house.token(app, grant_type=DEVICE), 400, "invalid_request")
    assert poll(house, app, begun).status_code == 200


def test_a_device_code_used_twice_revokes_what_the_first_use_got(house: House) -> None:
    app, person = tv(house), house.person()
    begun = begin(house, app)
    answered(person.browser, begun["user_code"])
    first = poll(house, app, begun).get_json()
    house.refused(poll(house, app, begun), 400, "invalid_grant")
    assert house.userinfo(first["access_token"]).status_code == 401


@pytest.mark.parametrize("end", ["session", "disable", "consent"])
def test_an_approval_is_worthless_once_what_it_stands_on_is_gone(house: House, end: str) -> None:
    app, person = tv(house, consent="ask"), house.person()
    begun = begin(house, app)
    answered(person.browser, begun["user_code"])
    if end == "session":
        house.parts.sessions.end(person.session, actor="test")
    elif end == "disable":
        house.parts.users.set_disabled(person.user, True, actor="test")
    else:
        house.parts.repo.delete_where(Consent, user_id=person.user.id)
    house.refused(poll(house, app, begun), 400, "invalid_grant")
    assert house.parts.repo.find(Grant) == []


def test_two_people_cannot_both_answer_one_device(house: House) -> None:
    app, ada, bob = tv(house), house.person(), house.person("bob")
    begun = begin(house, app)
    where, page = asked(bob.browser, begun["user_code"])
    answered(ada.browser, begun["user_code"])
    sent = bob.browser.post(where, data={**form_of(page, "/consent"), "answer": "allow"})
    while sent.status_code == 303:
        sent = bob.browser.get(sent.headers["Location"])
    assert sent.status_code == 410
    claims = house.read(poll(house, app, begun).get_json()["id_token"], "RS256").claims
    assert claims["sub"] == ada.user.id


def test_the_page_speaks_german(house: House) -> None:
    page = house.browser().get("/device", headers={"Accept-Language": "de"})
    assert "Gerät verbinden" in page.text

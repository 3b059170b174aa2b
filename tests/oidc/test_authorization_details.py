"""Owns the claims about narrowed tokens (RFC 9396): where details can be asked for, what carries them, that they never widen."""

import json
from typing import Any

import pytest

from tests.oidc.devices import answered, asked, begin, poll, tv
from tests.oidc.exchanging import exchange, front, good, service
from tests.oidc.house import App, House, sent_back
from tests.oidc.test_whole_sign_in import Window
from tests.support.html import parse

NOTES = {"type": "sheaf_documents", "collections": ["notes"], "rights": ["read", "update"]}
READ = {"type": "sheaf_documents", "collections": ["notes"], "rights": ["read"]}
OTHER = {"type": "sheaf_documents", "collections": ["other"], "rights": ["read"]}
JOBS = {"type": "sheaf_queues", "queues": ["jobs"], "rights": ["publish"], "max_priority": 5}
ALONG = {"type": "sheaf_handover", "queue": "jobs"}
NAME = "authorization_details"


def text(*details: dict[str, Any]) -> str:
    return json.dumps(details)


def of(house: House, token: str) -> Any:
    return house.read(token, "ES256").claims.get(NAME)


def test_a_sign_in_gives_tokens_that_are_narrowed_and_stay_so(house: House) -> None:
    person, app = house.person(), house.client()
    answer = house.sign_in(person, app, scope="openid documents.read", authorization_details=text(NOTES, JOBS))
    assert answer[NAME] == [NOTES, JOBS]
    assert of(house, answer["access_token"]) == [NOTES, JOBS]
    assert house.introspect(app, answer["access_token"])[NAME] == [NOTES, JOBS]
    assert house.introspect(app, answer["refresh_token"])[NAME] == [NOTES, JOBS]
    again = house.refresh(app, answer["refresh_token"]).get_json()
    assert of(house, again["access_token"]) == [NOTES, JOBS]
    narrower = house.refresh(app, again["refresh_token"], authorization_details=text(READ)).get_json()
    assert of(house, narrower["access_token"]) == [READ]
    whole = house.refresh(app, narrower["refresh_token"])
    assert of(house, whole.get_json()["access_token"]) == [NOTES, JOBS], "narrowed for one token, not for the grant"
    wider = house.refresh(app, whole.get_json()["refresh_token"], authorization_details=text(OTHER))
    house.refused(wider, 400, "invalid_authorization_details")


def test_a_code_is_redeemed_for_less_and_never_for_more(house: House) -> None:
    person, app = house.person(), house.client()
    for asked_for, given in ((READ, [READ]), (OTHER, None)):
        code = house.code(person, app, scope="openid documents.read", authorization_details=text(NOTES))
        answer = house.redeem(app, code, authorization_details=text(asked_for))
        if given is None:
            house.refused(answer, 400, "invalid_authorization_details")
        else:
            assert of(house, answer.get_json()["access_token"]) == given


def test_without_details_nothing_is_said_of_them(house: House) -> None:
    answer = house.sign_in(house.person(), house.client(), scope="openid documents.read")
    assert NAME not in answer
    assert of(house, answer["access_token"]) is None


def test_an_app_narrows_its_own_token(house: House) -> None:
    app = house.client()
    answer = house.token(app, grant_type="client_credentials", authorization_details=text(JOBS))
    assert of(house, answer.get_json()["access_token"]) == [JOBS]
    for bad in ("{}", "nonsense", text(ALONG), text({**JOBS, "unknown": 1})):
        refused = house.token(app, grant_type="client_credentials", authorization_details=bad)
        house.refused(refused, 400, "invalid_authorization_details")


@pytest.mark.parametrize("bad", ["[]", "nonsense", json.dumps([{"type": "payment"}]), json.dumps([ALONG])])
def test_a_request_with_bad_details_goes_back_to_the_app(house: House, bad: str) -> None:
    answer = house.authorize(house.person().browser, house.client(), authorization_details=bad)
    assert sent_back(answer)["error"] == "invalid_authorization_details"


def test_a_pushed_request_carries_details(house: House) -> None:
    person, app = house.person(), house.client()
    pushed = house.post(
        "/par", app, **house.request_of(app, scope="openid documents.read", authorization_details=text(NOTES))
    )
    assert pushed.status_code == 201, pushed.text
    code = sent_back(
        person.browser.get(
            "/authorize", query_string={"client_id": app.id, "request_uri": pushed.get_json()["request_uri"]}
        )
    )["code"]
    assert of(house, house.redeem(app, code).get_json()["access_token"]) == [NOTES]
    bad = house.post("/par", app, **house.request_of(app, authorization_details="[1]"))
    house.refused(bad, 400, "invalid_authorization_details")


# ------------------------------------------------------------------ token exchange


def narrowed_front(house: House, *details: dict[str, Any]) -> tuple[App, str]:
    app = front(house)
    more = {NAME: text(*details)} if details else {}
    return app, house.sign_in(house.person(), app, scope="documents.read", **more)["access_token"]


def test_an_exchange_narrows_for_a_job_and_what_is_narrow_stays_narrow(house: House) -> None:
    app, token = narrowed_front(house)
    job = exchange(house, app, token, authorization_details=text(NOTES, ALONG))
    claims = good(house, job)
    assert claims[NAME] == [NOTES, ALONG]
    narrow = job.get_json()["access_token"]
    assert good(house, exchange(house, service(house), narrow))[NAME] == [NOTES, ALONG]
    assert good(house, exchange(house, app, narrow, authorization_details=text(READ, ALONG)))[NAME] == [READ, ALONG]
    for wider in (text(OTHER, ALONG), text(READ), text(READ, {**ALONG, "queue": "another"})):
        house.refused(exchange(house, app, narrow, authorization_details=wider), 400, "invalid_authorization_details")


def test_a_token_narrower_than_its_grant_is_not_widened_to_the_grant(house: House) -> None:
    app = front(house)
    code = house.code(house.person(), app, scope="documents.read", authorization_details=text(NOTES))
    token = house.redeem(app, code, authorization_details=text(READ)).get_json()["access_token"]
    assert good(house, exchange(house, app, token))[NAME] == [READ]
    house.refused(exchange(house, app, token, authorization_details=text(NOTES)), 400, "invalid_authorization_details")


# ------------------------------------------------------------------ what the person allows


def test_the_consent_page_says_what_it_is_narrowed_to_and_more_is_asked_about_again(house: House) -> None:
    person, app = house.person(), house.client(consent="ask", scopes=("openid", "documents.read"))
    window = Window(house)
    window.browser = person.browser
    asked_for = {"scope": "openid documents.read"}
    page = window.open("/authorize", **house.request_of(app, **asked_for, authorization_details=text(NOTES, JOBS)))
    said = parse(page.text).text
    assert "in notes: read, change" in said
    assert "in the queue jobs: send, up to priority 5" in said
    window.submit("/consent", answer="allow")
    narrower = house.authorize(person.browser, app, **asked_for, authorization_details=text(READ))
    assert "code" in sent_back(narrower)
    for wider in ({NAME: text(OTHER)}, {}):
        silent = house.authorize(person.browser, app, **asked_for, **wider, prompt="none")
        assert sent_back(silent)["error"] == "consent_required"


def test_what_was_allowed_narrowly_is_not_allowed_widely_later(house: House) -> None:
    person = house.person()
    app = house.client(consent="ask", scopes=("openid", "documents.read", "documents.write"))
    window = Window(house)
    window.browser = person.browser
    window.open("/authorize", **house.request_of(app, scope="openid documents.write", authorization_details=text(READ)))
    window.submit("/consent", answer="allow")
    window.open("/authorize", **house.request_of(app, scope="openid documents.read"))
    window.submit("/consent", answer="allow")
    both = house.authorize(person.browser, app, scope="openid documents.read documents.write", prompt="none")
    assert sent_back(both)["error"] == "consent_required"


def test_a_device_is_narrowed_as_well(house: House) -> None:
    app, person = tv(house, scopes=("openid", "documents.read")), house.person()
    begun = begin(house, app, scope="openid documents.read", authorization_details=text(NOTES))
    _, page = asked(person.browser, begun["user_code"])
    assert "in notes: read, change" in parse(page.text).text
    answered(person.browser, begun["user_code"])
    assert of(house, poll(house, app, begun).get_json()["access_token"]) == [NOTES]
    bad = house.post("/device_authorization", app, scope="openid", authorization_details="[]")
    house.refused(bad, 400, "invalid_authorization_details")


def test_discovery_names_the_types(house: House) -> None:
    metadata = house.app.test_client().get("/.well-known/openid-configuration").get_json()
    assert metadata["authorization_details_types_supported"] == ["sheaf_documents", "sheaf_queues", "sheaf_handover"]

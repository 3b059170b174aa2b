"""The door over HTTP, in one process: fast single sign-on, the way through the pages, statuses, and error pages."""

import re
from dataclasses import replace
from pathlib import Path

from idp.app import create_app
from idp.base import ids
from idp.base.config import Settings
from idp.domain.attempt import LoginAttempt, Proof
from idp.domain.audit_event import AuditEvent
from idp.domain.relying import ServiceProvider
from idp.http.parts import Parts
from idp.saml import names, xml
from idp.saml.signatures import bare
from idp.saml.sp_metadata import service_provider_from_metadata
from idp.services.rotate_keys import RotateKeys
from tests.saml.house import ISSUER, PEER, SSO, House
from tests.saml.peer import NS, Sp, contexts, form, one
from tests.support.clock import FakeClock
from tests.support.html import parse


def test_the_metadata_is_served_and_names_this_house(house: House) -> None:
    page = house.browser.get("/saml/metadata")
    assert page.headers["Content-Type"] == "application/samlmetadata+xml"
    root = xml.parse(page.data, xml.METADATA)
    assert root.get("entityID") == f"{ISSUER}/saml/metadata"
    assert {s.get("Location") for s in root.iter(f"{{{NS['md']}}}SingleSignOnService")} == {SSO}


def test_a_session_is_answered_at_once_and_without_a_stored_attempt(house: House) -> None:
    house.sign_in()
    root = house.answer(house.ask(relay_state="/deep?a=1&b=<2>"))
    assert one(root, "//saml:Attribute[@FriendlyName='uid']/saml:AttributeValue").text == "ada"
    assert one(root, "//saml:AuthnContextClassRef").text == names.MFA
    assert house.parts.repo.find(LoginAttempt) == []


def test_the_relay_state_goes_back_as_it_came(house: House) -> None:
    house.sign_in()
    opaque = '"><script>alert(1)</script>&amp; ü'
    (posting,) = parse(house.ask(relay_state=opaque).text).forms
    assert posting.values["RelayState"] == opaque
    (posting,) = parse(house.ask().text).forms
    assert "RelayState" not in posting.values


def test_the_page_that_posts_runs_no_inline_script_and_may_post_to_the_app_only(house: House) -> None:
    house.sign_in()
    page = house.ask()
    policy = page.headers["Content-Security-Policy"]
    assert "unsafe-inline" not in policy
    assert "form-action 'self' https://sp.example https:;" in policy
    assert not re.search(r"<script(?![^>]*\bsrc=)|\son\w+=", page.text)
    assert page.headers["Cache-Control"] == "no-store"


def test_without_a_session_the_sign_in_begins_and_its_end_is_answered_once(house: House) -> None:
    page = house.ask(relay_state="s")
    assert page.status_code == 303
    handle = page.location.removeprefix("/flow/")
    house.sign_in()
    page = house.browser.get(f"/flow/{handle}")
    assert page.location.startswith("/saml/resume?attempt=")
    assert one(house.answer(house.browser.get(page.location)), "//saml:Audience").text == PEER.entity_id
    assert house.refusal(house.browser.get(page.location)).code == "attempt_used"


def test_an_unfinished_or_foreign_attempt_gets_no_answer(house: House) -> None:
    handle = house.ask().location.removeprefix("/flow/")
    house.browser.get(f"/flow/{handle}")
    assert house.refusal(house.browser.get(f"/saml/resume?attempt={handle}")).code == "attempt_unfinished"
    assert house.refusal(house.browser.get("/saml/resume")).code == "attempt_expired"
    house.sign_in()
    house.browser.get(f"/flow/{handle}")
    house.browser.delete_cookie("sheaf_browser")
    assert house.refusal(house.browser.get(f"/saml/resume?attempt={handle}")).code == "attempt_other_browser"


def test_an_attempt_of_another_front_door_gets_no_assertion(house: House) -> None:
    house.sign_in()
    handle = house.parts.sign_in.save(house.parts.sign_in.draft("oidc", "/authorize/resume", {}, app_id="app"))
    for path in ("continue", "resume"):
        house.browser.get(f"/flow/{handle}")
        assert house.refusal(house.browser.get(f"/saml/{path}?attempt={handle}")).code.startswith("attempt_")


def test_who_turns_back_is_reported_to_the_app(house: House) -> None:
    handle = house.ask().location.removeprefix("/flow/")
    page = house.browser.get(f"/flow/{handle}")
    token = next(f.values["csrf"] for f in parse(page.text).forms if "csrf" in f.values)
    page = house.browser.post(f"/flow/{handle}/cancel", data={"csrf": token})
    while page.status_code == 303:
        page = house.browser.get(page.location)
    assert house.statuses(page) == [names.RESPONDER, names.REQUEST_DENIED]


def test_a_passive_request_is_answered_with_or_without_a_session_but_never_with_a_page(house: House) -> None:
    assert house.statuses(house.ask(attributes='IsPassive="1"')) == [names.RESPONDER, names.NO_PASSIVE]
    house.sign_in()
    assert one(house.answer(house.ask(attributes='IsPassive="true"')), "//saml:Audience") is not None
    forced = house.ask(attributes='IsPassive="true" ForceAuthn="true"')
    assert house.statuses(forced) == [names.RESPONDER, names.NO_PASSIVE]


def test_a_status_is_traced_with_its_reason(house: House) -> None:
    root = house.answer(house.ask(attributes='IsPassive="1"'))
    code = one(root, "//samlp:StatusMessage").text.removeprefix("Trace code ")
    trace = house.parts.traces.explain(code)
    assert trace is not None
    assert (trace.door, trace.detail["sp"]) == ("saml", PEER.entity_id)
    assert trace.reason.startswith("NoPassive")


def test_forced_authentication_begins_a_sign_in_though_there_is_a_session(house: House) -> None:
    house.sign_in()
    handle = house.ask(attributes='ForceAuthn="true"').location.removeprefix("/flow/")
    assert house.browser.get(f"/flow/{handle}").status_code == 200  # the page that asks, not the way back


def test_a_wish_for_a_second_factor_steps_the_session_up(house: House) -> None:
    house.sign_in(factor=False)
    page = house.ask(contexts("urn:oasis:names:tc:SAML:2.0:ac:classes:TimeSyncToken"))
    assert page.location.startswith("/flow/")
    house.sign_in()
    root = house.answer(house.ask(contexts("urn:oasis:names:tc:SAML:2.0:ac:classes:TimeSyncToken")))
    assert one(root, "//saml:AuthnContextClassRef").text.endswith(":TimeSyncToken")


def test_a_service_provider_may_demand_the_second_factor_of_everybody(tmp_path: Path, clock: FakeClock) -> None:
    app = create_app(Settings(data=str(tmp_path), issuer=ISSUER, second_factor="administrators"), clock=clock)
    parts: Parts = app.extensions["sheaf"]
    user = parts.users.add("ada", email=None, actor="test")
    for required in (False, True):
        sp = service_provider_from_metadata(PEER.metadata(), clock(), second_factor_required=required)
        parts.apps.put_service_provider(sp, actor="test")
        with app.test_client() as browser:
            house = House(app, parts, clock, browser, user.id)
            house.sign_in(factor=False)
            page = house.ask()
            assert page.status_code == (303 if required else 200)
    parts.repo.close()


def test_a_request_by_post_finds_the_session_by_a_get_of_our_own(house: House) -> None:
    """Browsers send no Lax cookie with a form from another site."""
    house.sign_in()
    session = house.browser.get_cookie("sheaf_session")
    assert session
    house.browser.delete_cookie("sheaf_session")
    page = house.browser.post("/saml/sso", data=form(PEER.authn_request(house.clock(), SSO), "state"))
    assert (page.status_code, page.location.partition("?")[0]) == (303, "/saml/continue")
    house.browser.set_cookie("sheaf_session", session.value)
    answered = house.browser.get(page.location)
    assert one(house.answer(answered), "//saml:Audience").text == PEER.entity_id
    assert parse(answered.text).forms[0].values["RelayState"] == "state"
    assert house.refusal(house.browser.get(page.location)).code == "attempt_used"


def test_a_proof_of_one_person_is_never_joined_with_the_session_of_another(house: House) -> None:
    house.sign_in()
    bob = house.parts.users.add("bob", email=None, actor="test")
    page = house.browser.post("/saml/sso", data=form(PEER.authn_request(house.clock(), SSO)))
    handle = page.location.partition("attempt=")[2]
    attempt = house.parts.repo.get(LoginAttempt, ids.digest(handle))
    assert attempt
    now = house.clock()
    house.parts.repo.replace_if(replace(attempt, proof=Proof(bob.id, now, ("pwd", "otp"), now)))
    page = house.browser.get(page.location)
    assert page.location == f"/flow/{handle}"
    root = house.answer(house.browser.get(house.browser.get(page.location).location))
    assert one(root, "//saml:Attribute[@FriendlyName='uid']/saml:AttributeValue").text == "bob"


def test_a_request_by_post_without_a_session_begins_a_sign_in(house: House) -> None:
    page = house.browser.post("/saml/sso", data=form(PEER.authn_request(house.clock(), SSO)))
    page = house.browser.get(page.location)
    assert page.location.startswith("/flow/")
    assert house.browser.get(page.location).status_code == 200
    passive = PEER.authn_request(house.clock(), SSO, attributes='IsPassive="true"')
    page = house.browser.post("/saml/sso", data=form(passive))
    assert house.statuses(house.browser.get(page.location)) == [names.RESPONDER, names.NO_PASSIVE]


def test_what_cannot_be_answered_gives_a_page_with_a_trace_code_and_no_form(house: House) -> None:
    house.sign_in()
    unknown = PEER.query(Sp("https://stranger.example").authn_request(house.clock(), SSO))
    assert house.refusal(house.browser.get(f"/saml/sso?{unknown}")).code == "unknown_service_provider"
    assert house.refusal(house.browser.get("/saml/sso")).code == "saml_unreadable"
    assert house.refusal(house.browser.get("/saml/sso?SAMLRequest=AAAA")).code == "saml_unreadable"
    assert house.refusal(house.browser.post("/saml/sso")).code == "saml_unreadable"
    foreign = house.ask(attributes='AssertionConsumerServiceURL="https://evil.example/acs"')
    assert house.refusal(foreign).code == "saml_acs_unknown"
    assert "evil.example" not in foreign.text


def test_the_same_request_is_not_answered_twice(house: House) -> None:
    house.sign_in()
    query = PEER.query(PEER.authn_request(house.clock(), SSO))
    assert house.browser.get(f"/saml/sso?{query}").status_code == 200
    assert house.refusal(house.browser.get(f"/saml/sso?{query}")).code == "saml_replayed"


def test_a_service_provider_that_was_removed_during_the_sign_in_gets_nothing(house: House) -> None:
    page = house.ask()
    house.sign_in()
    page = house.browser.get(page.location)
    house.parts.repo.delete(ServiceProvider, PEER.entity_id)
    assert house.refusal(house.browser.get(page.location)).code == "unknown_service_provider"


def test_after_a_key_rollover_answers_carry_a_signature_that_was_announced_before(house: House) -> None:
    house.sign_in()
    announced = house.parts.keys.saml_published()
    old = house.answer(house.ask())
    RotateKeys(house.parts.repo, house.parts.keys, house.clock, house.parts.audit).rotate("saml", actor="test")
    house.clock.advance(60)
    house.sign_in()
    new = house.answer(house.ask())
    used = [one(root, "./ds:Signature//ds:X509Certificate").text for root in (old, new)]
    assert used == [bare(certificate) for certificate in announced]
    shown = xml.parse(house.browser.get("/saml/metadata").data, xml.METADATA).iter(f"{{{NS['ds']}}}X509Certificate")
    assert len({c.text for c in shown} & set(used)) == 2


def test_an_issued_assertion_is_in_the_audit_log(house: House) -> None:
    house.sign_in()
    house.ask()
    (event,) = house.parts.repo.find(AuditEvent, name="assertion.issued")
    assert (event.actor, event.subject) == (house.user_id, PEER.entity_id)

"""The SAML message inspector: pages and JSON, for administrators only; what strangers sent is shown as text; nothing changes."""

import base64
from pathlib import Path
from typing import Any

import pytest

from idp.domain.relying import ServiceProvider
from idp.domain.saml import MessageCheck
from idp.domain.upstream import UpstreamProvider
from idp.saml.sp_metadata import service_provider_from_metadata
from tests.admin.programs import Program, Programs
from tests.saml.peer import Sp
from tests.web.house import Browser, House, Person
from tests.web.test_pages import _Inline

LIST, API = "/admin/saml-messages", "/admin/api/saml-messages"
PEER = Sp(signs=True)
OF_PEER = "/admin/saml/~" + base64.urlsafe_b64encode(PEER.entity_id.encode()).decode().rstrip("=") + "/messages"
WHY = (MessageCheck("schema", True), MessageCheck("acs", False, "<img src=x> is not in the metadata"))


@pytest.fixture
def sp(house: House) -> ServiceProvider:
    made = service_provider_from_metadata(PEER.metadata(), house.clock(), name="Wiki")
    house.parts.repo.insert(made)
    house.parts.repo.insert(UpstreamProvider("adfs", "adfs", "Head office", house.clock()))
    return made


@pytest.fixture
def ids(house: House, sp: ServiceProvider) -> dict[str, str]:
    """Messages that were kept, by a name of ours."""
    kept, now = house.parts.saml_messages, house.clock()
    request = PEER.authn_request(now, "http://localhost/saml/sso")
    kept.keep(f"sp:{sp.id}", "in", "AuthnRequest", "redirect", request, checks=(MessageCheck("signature", True),))
    kept.keep(f"sp:{sp.id}", "in", "AuthnRequest", "post", request, checks=WHY, ok=False, trace="TRACETRA")
    kept.keep("upstream:adfs", "out", "AuthnRequest", "redirect", request)
    kept.keep("sp:https://nobody.example", "in", "", "post", b"<script>", checks=WHY[1:], ok=False)
    kept.flush()
    names = {"redirect": "good", "post": "bad"}
    found = {names[one.binding]: one.id for one in kept.of(f"sp:{sp.id}")}
    return {**found, "upstream": kept.of("upstream:adfs")[0].id, "unknown": kept.of("unknown")[0].id}


def _paths(ids: dict[str, str]) -> list[str]:
    return [LIST, OF_PEER, f"{LIST}/decode", *(f"{LIST}/{id}" for id in ids.values())]


# ---------------------------------------------------------------- who may


def test_whoever_is_not_signed_in_signs_in_first_and_comes_back(house: House, ada: Person, ids: dict[str, str]) -> None:
    for path in (LIST, OF_PEER, f"{LIST}/{ids['bad']}", f"{LIST}/decode"):
        browser = house.browser()
        page = house.password_step(browser, ada, path).submit("/factor", code=house.code(ada.secret))
        assert (page.path, page.status) == (path, 200)


def test_nobody_else_sees_or_decodes_messages(house: House, ids: dict[str, str]) -> None:
    bob = house.sign_in(house.person("bob"))
    for path in _paths(ids):
        page = bob.open(path)
        assert page.status == 403
        assert "AuthnRequest" not in page.text
    assert bob.post_blindly(f"{LIST}/decode", message="x").status == 403


def test_decoding_needs_the_token_of_the_form(browser: Browser, sp: ServiceProvider) -> None:
    for fields in ({"message": "x"}, {"message": "x", "csrf": "0" * 40}):
        assert browser.post(f"{LIST}/decode", fields).status == 403


def test_the_api_is_for_programs_and_administrators(house: House, programs: Programs, ids: dict[str, str]) -> None:
    nobody = house.app.test_client()
    program, elsewhere = programs.add(), programs.add("elsewhere", audiences=("urn:example:api",))
    for path in (API, f"{API}/{ids['bad']}"):
        assert nobody.get(path).status_code == 401
        assert nobody.get(path, headers={"Authorization": f"Bearer {elsewhere.token}"}).status_code == 401
        good = {"Authorization": f"Bearer {program.token}"}
        assert nobody.get(path, headers=good).status_code == 200
        assert nobody.post(path, headers=good, json={}).status_code == 405
        assert nobody.delete(path, headers=good).status_code == 405


# ---------------------------------------------------------------- pages


def test_the_list_says_who_what_and_why_and_can_be_narrowed(browser: Browser, ids: dict[str, str]) -> None:
    page = browser.open(LIST)
    assert page.status == 200
    for words in ("Wiki", "Head office", "Unknown senders", "Registered address for the answer", "accepted"):
        assert words in page.text
    assert {href for _, href in page.document.links if href.startswith(f"{LIST}/sm_")} == {
        f"{LIST}/{id}" for id in ids.values()
    }
    failed = {href for _, href in browser.open(f"{LIST}?failed=1").document.links if href.startswith(f"{LIST}/sm_")}
    assert failed == {f"{LIST}/{ids['bad']}", f"{LIST}/{ids['unknown']}"}
    for path in (OF_PEER, f"{LIST}?peer=sp:{PEER.entity_id}"):
        of_one = {href for _, href in browser.open(path).document.links if href.startswith(f"{LIST}/sm_")}
        assert of_one == {f"{LIST}/{ids['good']}", f"{LIST}/{ids['bad']}"}
    assert "Head office" in browser.open(f"{LIST}?peer=upstream:adfs").text


def test_an_empty_list_says_what_to_do_and_an_inspector_that_is_off_says_so(
    browser: Browser, sp: ServiceProvider, house: House
) -> None:
    assert "sign in through the app" in browser.open(OF_PEER).text
    assert "No message failed" in browser.open(f"{LIST}?failed=1").text
    house.parts.saml_messages.kept = 0
    assert "saml.keep_messages is 0" in browser.open(LIST).text


def test_a_message_shows_its_checks_a_cure_and_what_it_said(browser: Browser, ids: dict[str, str]) -> None:
    page = browser.open(f"{LIST}/{ids['bad']}")
    for words in (
        "AuthnRequest from Wiki",
        "<img src=x> is not in the metadata",
        "Import its current metadata",
        "XML and SAML schema",
        "TRACETRA",
        "<saml:Issuer>https://sp.example/metadata</saml:Issuer>",
    ):
        assert words in page.text
    assert "<img" not in page.html
    assert ("Messages: Wiki", OF_PEER) in page.document.links
    assert "It was accepted" in browser.open(f"{LIST}/{ids['good']}").text
    assert "AuthnRequest to Head office" in browser.open(f"{LIST}/{ids['upstream']}").text
    unknown = browser.open(f"{LIST}/{ids['unknown']}")
    assert "Not XML that we read" in unknown.text
    assert "<script>" not in unknown.html


def test_what_is_not_there_is_a_page_that_says_so(browser: Browser, sp: ServiceProvider) -> None:
    for path in (f"{LIST}/sm_gone", f"{LIST}/x", "/admin/saml/~!/messages"):
        page = browser.open(path)
        assert (path, page.status) == (path, 404)
        assert "There is no such" in page.text


def test_a_copied_message_is_decoded_and_checked(browser: Browser, sp: ServiceProvider, house: House) -> None:
    request = PEER.authn_request(house.clock(), "http://localhost/saml/sso")
    form = browser.open(f"{LIST}/decode")
    page = form.submit("/decode", message=f"http://localhost/saml/sso?{PEER.query(request, 'state')}")
    assert page.status == 200
    for words in ("AuthnRequest", "redirect", "Wiki", "state", "the query", "<saml:Issuer>"):
        assert words in page.text
    again = form.submit("/decode", message="no message at all")
    assert again.status == 400
    assert "There is no SAML message in that" in again.text
    assert "no message at all" in again.html
    assert form.submit("/decode", message="").status == 400
    assert browser.client.post(f"{LIST}/decode", data={"csrf": "x", "message": "x" * 600_000}).status_code in (403, 413)


def test_no_page_has_inline_script_or_style_and_all_speak_german(browser: Browser, ids: dict[str, str]) -> None:
    for path in (*_paths(ids), f"{LIST}?peer=upstream:adfs&failed=1"):
        page = browser.open(path, **{"Accept-Language": "de"})
        inline = _Inline()
        inline.feed(page.html)
        assert (path, page.status, inline.found) == (path, 200, [])
        assert '<html lang="de">' in page.html
        assert "inspector." not in page.text
        assert page.response.headers["Cache-Control"] == "no-store"


# ---------------------------------------------------------------- JSON


def _get(program: Program, path: str, status: int = 200) -> Any:
    answer = program.app.test_client().get(path, headers={"Authorization": f"Bearer {program.token}"})
    assert answer.status_code == status, answer.text
    assert answer.headers["Cache-Control"] == "no-store"
    return answer.json


def test_messages_as_json_have_checks_words_and_cures(program: Program, ids: dict[str, str]) -> None:
    everything = _get(program, API)["messages"]
    assert [one["id"] for one in everything] == sorted(ids.values(), reverse=True)
    assert [one["id"] for one in _get(program, f"{API}?failed=1&limit=1")["messages"]] == [ids["unknown"]]
    [mine] = _get(program, f"{API}?peer=sp:{PEER.entity_id}&failed=1")["messages"]
    assert mine == {
        "id": ids["bad"],
        "at": "2027-01-15T08:00:00Z",
        "peer": f"sp:{PEER.entity_id}",
        "direction": "in",
        "kind": "AuthnRequest",
        "binding": "post",
        "ok": False,
        "cause": "acs",
        "trace": "TRACETRA",
    }
    one = _get(program, f"{API}/{ids['bad']}")
    assert {**one, "checks": 0, "xml": 0} == {**mine, "checks": 0, "xml": 0}
    assert "<saml:Issuer>" in one["xml"]
    schema, acs = one["checks"]
    assert schema == {"code": "schema", "ok": True, "what": schema["what"], "detail": None}
    assert acs["detail"] == WHY[1].detail
    assert "Import its current metadata" in acs["cure"]


def test_what_the_api_cannot_read_is_refused(program: Program, sp: ServiceProvider) -> None:
    for query in ("limit=0", "limit=201", "limit=x", "failed=yes", "other=1", "failed=1&failed=1", "peer=%00", "q=%ff"):
        assert _get(program, f"{API}?{query}", 400)["error"] == "invalid_request"
    for path in (f"{API}/nothing", f"{API}/sm_x/y", f"{API}/{'x' * 3000}"):
        assert _get(program, path, 404)["error"] == "not_found"
    assert _get(program, f"{API}?peer=sp:nobody") == {"messages": []}


# ---------------------------------------------------------------- the handbook


def test_the_handbook_names_every_page_and_operation(house: House) -> None:
    text = (Path(__file__).parents[2] / "docs" / "saml-inspector.md").read_text(encoding="utf-8")
    for rule in house.app.url_map.iter_rules():
        if rule.endpoint.startswith("inspector"):
            assert f"`{rule.rule.replace('<name>', 'NAME').replace('<message_id>', 'ID')}`" in text
    for path in (API, f"{API}/ID", "keep_messages", "message_hours"):
        assert f"`{path}" in text or f"`saml.{path}" in text

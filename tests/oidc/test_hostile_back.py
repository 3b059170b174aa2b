"""Owns what an attacker tried behind the front door: tokens that outlive their end, rules that another way in forgets,
names that two apps may compare. Each of these was possible once.

Sessions are left to test_hostile_sessions, apps that register themselves to test_hostile_registration, ordinary refusals to the
tests of each grant.
"""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from idp.domain.grant import Consent, Grant
from idp.domain.relying import Client
from idp.services.throttle import origin
from tests.oidc import devices
from tests.oidc.exchanging import ID, exchange, front, good, service
from tests.oidc.house import API, App, House

LEDGER = "urn:example:ledger"


@pytest.fixture
def relaxed(house_with: Callable[..., House]) -> House:
    """Only administrators need a second factor here."""
    return house_with(second_factor="administrators")


def changed(house: House, app: App, **fields: Any) -> None:
    client = house.parts.apps.client(app.id)
    assert client is not None
    house.parts.apps.change_client(replace(client, **fields), actor="operator")


# ---------------------------------------------------------------- what an operator takes from an app


def test_scopes_and_audiences_that_were_taken_from_an_app_are_not_in_what_it_refreshes(house: House) -> None:
    app = house.client(scopes=("openid", "documents.read", "documents.write"), audiences=(API, LEDGER))
    answer = house.sign_in(house.person(), app, scope="openid documents.read documents.write offline_access")
    changed(house, app, scopes=("openid", "documents.read"), audiences=(API,))
    asked = {"scope": "documents.write"}
    house.refused(house.refresh(app, answer["refresh_token"], **asked), 400, "invalid_scope")
    house.refused(house.refresh(app, answer["refresh_token"], resource=LEDGER), 400, "invalid_target")
    refreshed = house.refresh(app, answer["refresh_token"]).get_json()
    claims = house.read(refreshed["access_token"], "ES256").claims
    assert refreshed["scope"] == claims["scope"] == "openid documents.read offline_access"
    assert LEDGER not in claims["aud"]
    changed(house, app, scopes=("profile",))
    house.refused(house.refresh(app, refreshed["refresh_token"]), 400, "invalid_grant")
    changed(house, app, scopes=("openid", "documents.read", "documents.write"), audiences=(API, LEDGER))
    again = house.refresh(app, refreshed["refresh_token"]).get_json()
    assert "documents.write" in again["scope"], "taken back by the operator before anything was lost"


def test_scopes_that_were_taken_from_an_app_do_not_come_with_a_code_that_waits(house: House) -> None:
    app = house.client(scopes=("openid", "documents.read", "documents.write"), audiences=(API, LEDGER))
    code = house.code(house.person(), app, scope="openid documents.write")
    changed(house, app, scopes=("openid", "documents.read"), audiences=(API,))
    answer = house.redeem(app, code).get_json()
    assert answer["scope"] == "openid"
    assert LEDGER not in house.read(answer["access_token"], "ES256").claims["aud"]
    (grant,) = house.parts.repo.find(Grant, client_id=app.id)
    assert (grant.scopes, grant.audiences) == (("openid",), (API,))


def test_a_code_for_nothing_that_the_app_may_have_any_more_gives_nothing(house: House) -> None:
    app = house.client(scopes=("openid", "documents.read"))
    code = house.code(house.person(), app, scope="documents.read")
    changed(house, app, scopes=("openid",))
    house.refused(house.redeem(app, code), 400, "invalid_grant")


# ---------------------------------------------------------------- the second factor, by another way


def test_an_app_that_demands_a_second_factor_trades_no_token_of_a_sign_in_without_one(relaxed: House) -> None:
    house, app = relaxed, front(relaxed)
    behind = service(house, second_factor_required=True)
    ada, bob = house.person(factor=False), house.person("bob")
    weak = house.sign_in(ada, app, scope="openid documents.read")
    house.refused(exchange(house, behind, weak["access_token"]), 400, "invalid_request")
    strong = house.sign_in(bob, app, scope="documents.read")["access_token"]
    assert good(house, exchange(house, behind, strong))["client_id"] == "service"
    changed(house, app, second_factor_required=True)
    house.refused(exchange(house, app, weak["id_token"], subject_token_type=ID), 400, "invalid_request")


def test_once_an_app_demands_a_second_factor_a_sign_in_without_one_is_not_refreshed(relaxed: House) -> None:
    house, app = relaxed, relaxed.client()
    weak = house.sign_in(house.person(factor=False), app)
    strong = house.sign_in(house.person("bob"), app)
    changed(house, app, second_factor_required=True)
    house.refused(house.refresh(app, weak["refresh_token"]), 400, "invalid_grant")
    assert house.refresh(app, strong["refresh_token"]).status_code == 200


def test_a_demand_that_comes_after_the_sign_in_holds_for_the_code_as_well(relaxed: House) -> None:
    house, app = relaxed, relaxed.client()
    code = house.code(house.person(factor=False), app)
    changed(house, app, second_factor_required=True)
    house.refused(house.redeem(app, code), 400, "invalid_grant")


# ---------------------------------------------------------------- clients that go and come


def test_a_client_of_the_same_id_inherits_nothing_even_from_a_removal_that_was_cut_off(house: House) -> None:
    app = house.client(auth_method="none")
    answer = house.sign_in(house.person(), app, scope="openid offline_access")
    house.parts.repo.delete(Client, app.id)  # and no more
    house.clock.advance(10)
    app = house.client(auth_method="none")
    house.refused(house.refresh(app, answer["refresh_token"]), 400, "invalid_grant")


def test_a_removal_that_is_cut_off_leaves_a_client_without_grants_not_grants_without_a_client(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    app, ada = house.client(consent="ask"), house.person()
    consent = Consent("c", ada.user.id, app.id, ("openid",), house.clock())
    house.parts.repo.insert(consent)
    house.parts.repo.insert(Grant("gr_1", app.id, house.clock(), house.clock() + 600, ada.user.id))

    def cut_off(*_: object) -> None:
        raise SystemExit

    monkeypatch.setattr(house.parts.repo, "delete", cut_off)
    with pytest.raises(SystemExit):
        house.parts.apps.remove_client(app.id, actor="test")
    assert house.parts.repo.find(Grant, client_id=app.id) == []
    assert house.parts.repo.find(Consent, client_id=app.id) == []


def test_a_device_of_an_earlier_client_gets_nothing_from_one_of_the_same_id(house: House) -> None:
    begun = devices.begin(house, devices.tv(house))
    house.parts.apps.remove_client("tv", actor="test")
    house.clock.advance(10)
    tv = devices.tv(house)
    devices.answered(house.person().browser, begun["user_code"])
    house.refused(devices.poll(house, tv, begun), 400, "invalid_grant")


# ---------------------------------------------------------------- devices


def test_nobody_is_sent_straight_to_the_question_for_a_code_that_somebody_else_typed(house: House) -> None:
    begun = devices.begin(house, devices.tv(house))
    where = devices.typed(house.app.test_client(), begun["user_code"]).headers["Location"]
    assert house.person().browser.get(where).status_code == 403


def test_guessing_codes_is_slowed_down_for_a_whole_ipv6_network(house: House) -> None:
    def tried(number: int) -> int:
        browser = house.app.test_client()
        form = devices.form_of(browser.get("/device"), "/device")
        come = {"REMOTE_ADDR": f"2001:db8:1:2::{number:x}"}
        return browser.post("/device", data={**form, "user_code": "BBBB-BBBB"}, environ_overrides=come).status_code

    assert [tried(number) for number in range(52)][-1] == 429


@pytest.mark.parametrize(
    ("address", "place"),
    [
        ("192.0.2.7", "192.0.2.7"),
        ("::ffff:192.0.2.7", "192.0.2.7"),
        ("2001:db8:1:2:3::4", "2001:db8:1:2::"),
        ("unknown", "unknown"),
    ],
)
def test_one_place_counts_once_and_no_two_ipv4_addresses_count_as_one(address: str, place: str) -> None:
    assert origin(address) == place


# ---------------------------------------------------------------- names


def test_an_app_learns_the_user_name_by_introspection_only_with_the_scope_for_it(house: House) -> None:
    app, ada = house.client(), house.person()
    answer = house.sign_in(ada, app, scope="openid")
    for token in (answer["access_token"], answer["refresh_token"]):
        assert "username" not in house.introspect(app, token)
    assert house.introspect(house.client("api"), answer["access_token"])["username"] == "ada"
    listed = house.client("listed", claims=("email",))
    answer = house.sign_in(ada, listed, scope="openid profile")
    assert "username" not in house.introspect(listed, answer["access_token"])
    answer = house.sign_in(ada, app, scope="openid profile")
    assert house.introspect(app, answer["refresh_token"])["username"] == "ada"


def two_sectors(house: House) -> tuple[App, App]:
    one, other = (house.client(id, subject_type="pairwise") for id in ("one", "other"))
    moved = house.parts.repo.replace_if(replace(other.client, sector_identifier_uri="https://elsewhere.example/s.json"))
    assert moved is not None
    return one, App(moved, other.secret)


def test_two_pairwise_apps_cannot_tell_by_the_session_that_they_speak_of_one_person(house: House) -> None:
    ada, apps = house.person(), two_sectors(house)
    tokens = [house.sign_in(ada, app)["id_token"] for app in (*apps, house.client("public"))]
    sids = [house.read(token, "RS256").claims["sid"] for token in tokens]
    assert len(set(sids)) == 3
    assert sids[2] == ada.session.sid
    for app, sid in zip(apps, sids, strict=False):
        assert house.parts.subjects.sid(app.client, ada.session.sid) == sid
        assert house.parts.subjects.session(app.client, sid) == ada.session.sid
        assert house.parts.subjects.session(app.client, "made up") is None
    assert house.parts.subjects.session(apps[0].client, sids[1]) != ada.session.sid


def test_a_pairwise_app_is_told_of_the_end_of_a_session_by_the_name_that_it_knows(house: House) -> None:
    uri = "https://app.example/out"
    app, ada = house.client(subject_type="pairwise", frontchannel_logout_uri=uri), house.person()
    hint = house.sign_in(ada, app)["id_token"]
    sid = house.read(hint, "RS256").claims["sid"]
    page = ada.browser.get("/end_session", query_string={"id_token_hint": hint}, follow_redirects=True)
    assert f"sid={sid}" in page.text
    assert ada.session.sid not in page.text


# ---------------------------------------------------------------- tokens that nobody here could read


def test_no_access_token_is_so_long_that_it_could_not_be_revoked(house: House) -> None:
    app = house.client(audiences=tuple(f"urn:{number}:{'a' * 200}" for number in range(100)))
    code = house.code(house.person(), app)
    house.refused(house.redeem(app, code), 400, "invalid_target")
    answer = house.sign_in(house.person("bob"), app, resource=app.client.audiences[0])
    assert house.userinfo(answer["access_token"]).status_code == 200


# ---------------------------------------------------------------- clocks


def test_tokens_are_signed_although_the_clock_was_turned_back(house: House) -> None:
    app = house.client()
    house.clock.advance(-7_200)
    answer = house.token(app, grant_type="client_credentials")
    assert answer.status_code == 200, answer.text


# ---------------------------------------------------------------- words


def test_a_scope_may_be_called_what_it_likes(house: House) -> None:
    """`other` is the name of the sentence for scopes without words."""
    app, ada = house.client(consent="ask", scopes=("other",)), house.person()
    where = house.authorize(ada.browser, app, scope="other").headers["Location"]
    page = ada.browser.get(ada.browser.get(where).headers["Location"])
    assert (page.status_code, "“other”" in page.text) == (200, True)

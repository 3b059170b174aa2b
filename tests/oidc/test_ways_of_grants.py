"""By which way somebody came counts for what apps get without a browser: exchanged and refreshed tokens, codes, local login off."""

from dataclasses import replace

import pytest
from flask.testing import FlaskClient

from idp.domain.attempt import Proof
from idp.domain.grant import Grant
from idp.domain.relying import Client
from idp.domain.session import FED, OTP, PWD, Session
from idp.domain.upstream import LOCAL, UpstreamProvider
from tests.oidc.exchanging import exchange, front, good, service
from tests.oidc.house import App, House, Person
from tests.support.federated import add_login, add_upstream, make_ready, turn_off


def by(house: House, provider_id: str | None, name: str = "ada") -> Person:
    """Somebody who came in this way."""
    person = house.person(name)
    now = house.clock()
    proof = Proof(person.user.id, now, (FED if provider_id else PWD, OTP), now, provider_id)
    session, handle = house.parts.sessions.establish(proof, None, "tests")
    person.browser.set_cookie("sheaf_session", handle)
    return Person(person.user, session, person.browser)


def accepts(house: House, app: App, *ways: str) -> None:
    """From now on."""
    for way in ways:
        if way != LOCAL and house.parts.upstreams.get(way) is None:
            house.parts.repo.insert(UpstreamProvider(way, "oidc", way, house.clock()))
    client = house.parts.repo.get(Client, app.id)
    assert client is not None
    house.parts.apps.change_client(replace(client, upstreams=ways), actor="test")


@pytest.mark.parametrize(("way", "accepted"), [(None, ("corp",)), ("corp", (LOCAL,)), ("corp", ("other",))])
def test_a_token_is_not_exchanged_by_an_app_that_does_not_accept_the_way(
    house: House, way: str | None, accepted: tuple[str, ...]
) -> None:
    person, app, behind = by(house, way), front(house), service(house)
    token = house.sign_in(person, app, scope="openid documents.read")["access_token"]
    good(house, exchange(house, behind, token))

    accepts(house, behind, *accepted)
    house.refused(exchange(house, behind, token), 400, "invalid_request")
    accepts(house, behind, way or LOCAL)
    good(house, exchange(house, behind, token))


def test_an_app_that_no_longer_accepts_the_way_refreshes_nothing_that_came_by_it(house: House) -> None:
    person, app = by(house, None), front(house)
    refresh = house.sign_in(person, app, scope="openid offline_access documents.read")["refresh_token"]
    code = house.code(person, app, scope="openid")

    accepts(house, app, "corp")

    house.refused(house.refresh(app, refresh), 400, "invalid_grant")
    house.refused(house.redeem(app, code), 400, "invalid_grant")


def test_a_grant_of_older_versions_is_nothing_for_an_app_that_names_its_ways(house: House) -> None:
    person, app = by(house, "corp"), front(house)
    refresh = house.sign_in(person, app, scope="openid documents.read")["refresh_token"]
    for grant in house.parts.repo.find(Grant, user_id=person.user.id):
        house.parts.repo.replace_if(replace(grant, way=""))

    accepts(house, app, "corp")

    house.refused(house.refresh(app, refresh), 400, "invalid_grant")


def test_what_apps_got_by_a_password_ends_with_local_login_also_when_its_session_ended_long_before(
    house: House,
) -> None:
    root = house.user("root", roles=("administrator",), password_hash="$argon2id$")
    person, app = by(house, None), front(house)
    said = house.sign_in(person, app, scope="openid offline_access documents.read")
    house.parts.sessions.end(house.parts.sessions.by_sid(person.session.sid), actor="test")
    assert house.introspect(app, said["access_token"])["active"] is True

    turn_off(house.parts, root)

    assert house.introspect(app, said["access_token"]) == {"active": False}
    house.refused(house.refresh(app, said["refresh_token"]), 400, "invalid_grant")


def test_what_was_got_by_a_password_that_counted_in_an_emergency_ends_with_it(house: House) -> None:
    root = house.user("root", roles=("administrator",), password_hash="$argon2id$")
    app = front(house)
    turn_off(house.parts, root)
    house.parts.break_glass.open("the upstream is down", usernames=["root"], actor="cli")
    now = house.clock()
    session, handle = house.parts.sessions.establish(Proof(root.id, now, (PWD, OTP), now), None, "tests")
    browser = house.browser()
    browser.set_cookie("sheaf_session", handle)
    said = house.sign_in(Person(root, session, browser), app, scope="openid offline_access documents.read")
    assert house.introspect(app, said["access_token"])["active"] is True

    house.parts.break_glass.close(actor="cli")

    assert house.introspect(app, said["access_token"]) == {"active": False}
    house.refused(house.refresh(app, said["refresh_token"]), 400, "invalid_grant")


def test_through_a_trial_apps_keep_what_they_got(house: House) -> None:
    root = house.user("root", roles=("administrator",), password_hash="$argon2id$")
    person, app = by(house, None), front(house)
    said = house.sign_in(person, app, scope="openid documents.read")
    make_ready(house.parts, root)
    house.parts.turn_local_login.turn_off(actor=root.id)

    assert house.introspect(app, said["access_token"])["active"] is True
    assert house.refresh(app, said["refresh_token"]).status_code == 200


def test_taking_a_login_off_ends_what_apps_got_by_it_for_offline_use(house: House) -> None:
    add_upstream(house.parts)
    person, app = by(house, "corp"), front(house)
    login = add_login(house.parts, person.user)
    user = house.parts.users.set_password(person.user, "correct horse battery", actor="test")
    house.clock.advance(1)
    person = Person(user, *_signed_in(house, person))
    said = house.sign_in(person, app, scope="openid offline_access documents.read")
    house.parts.sessions.end(house.parts.sessions.by_sid(person.session.sid), actor="test")

    house.parts.links.unlink(user, login.id, actor=user.id, local_login=True)

    house.refused(house.refresh(app, said["refresh_token"]), 400, "invalid_grant")


def _signed_in(house: House, person: Person) -> tuple[Session, FlaskClient]:
    now = house.clock()
    proof = Proof(person.user.id, now, (FED, OTP), now, "corp")
    session, handle = house.parts.sessions.establish(proof, None, "tests")
    person.browser.set_cookie("sheaf_session", handle)
    return session, person.browser

"""Owns taking a login off a user, and the records of browsers that were sent to an upstream."""

import threading

import pytest

from idp.base.errors import Refused
from tests.upstream.browser import PASSWORD
from tests.upstream.conftest import says

# ---------------------------------------------------------------- unlinking


@pytest.fixture
def ada_by(links, make_user, corp, add_provider):
    """Ada without a password, linked through these providers; gives (ada, logins)."""

    def make(*providers: str, password=None):
        ada = make_user("ada", password=password)
        logins = [links.link(ada, says(provider_id=one), actor="test") for one in providers]
        return ada, logins

    return make


def test_one_of_two_logins_can_be_taken_off_and_the_other_stays(links, ada_by, add_provider):
    add_provider("other")
    ada, (first, second) = ada_by("corp", "other")

    links.unlink(ada, first.id, actor=ada.id, local_login=True)

    assert [login.id for login in links.of(ada.id)] == [second.id]


def test_the_last_way_in_stays(links, ada_by, refusal):
    ada, (only,) = ada_by("corp")

    assert refusal(links.unlink, ada, only.id, actor=ada.id, local_login=True).code == "last_way_in"
    assert [login.id for login in links.of(ada.id)] == [only.id]


def test_a_password_is_a_way_in_only_while_local_login_is_on(links, ada_by, refusal):
    ada, (only,) = ada_by("corp", password=PASSWORD)

    assert refusal(links.unlink, ada, only.id, actor=ada.id, local_login=False).code == "last_way_in"
    links.unlink(ada, only.id, actor=ada.id, local_login=True)
    assert links.of(ada.id) == []


@pytest.mark.parametrize("values", [{"enabled": False}, {"mode": "link_only"}])
def test_a_login_through_an_upstream_that_signs_nobody_in_is_no_way_in(links, ada_by, add_provider, refusal, values):
    add_provider("other", **values)
    ada, (first, _) = ada_by("corp", "other")

    assert refusal(links.unlink, ada, first.id, actor=ada.id, local_login=True).code == "last_way_in"


def test_two_tabs_that_unlink_two_logins_at_once_leave_one(links, ada_by, add_provider):
    add_provider("other")
    ada, logins = ada_by("corp", "other")
    start, refused = threading.Barrier(2), []

    def unlink(login):
        start.wait()
        try:
            links.unlink(ada, login.id, actor=ada.id, local_login=True)
        except Refused as one:
            refused.append(one.code)

    for _ in range(15):
        threads = [threading.Thread(target=unlink, args=(login,)) for login in logins]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(10)
        left = links.of(ada.id)
        assert left
        for login in logins:
            if login.id not in {one.id for one in left}:
                logins[logins.index(login)] = links.link(ada, says(provider_id=login.provider_id), actor="test")
    assert set(refused) <= {"last_way_in"}


def test_nobody_unlinks_the_login_of_another(links, ada_by, make_user, refusal):
    ada, (hers,) = ada_by("corp")
    eve = make_user("eve")

    assert refusal(links.unlink, eve, hers.id, actor=eve.id, local_login=True).code == "unknown_login"
    assert links.of(ada.id)


# ---------------------------------------------------------------- departures


@pytest.fixture
def depart(services, begin, corp):
    def depart(state="s" * 43, provider_id="corp"):
        attempt = begin()
        remembered = {"state": state, "nonce": "n", "verifier": "v"}
        return services.departures.begin("the handle of the attempt", attempt, provider_id, remembered)

    return depart


def test_a_departure_is_found_by_its_state_and_taken_once(services, depart, refusal):
    departure = depart()

    found = services.departures.find("s" * 43, "corp")
    assert (found.handle, found.remembered["verifier"]) == (departure.handle, "v")
    services.departures.take(found)

    assert refusal(services.departures.take, found).code == "upstream_unexpected"
    assert refusal(services.departures.find, "s" * 43, "corp").code == "upstream_unexpected"


@pytest.mark.parametrize(
    ("state", "provider"), [("", "corp"), ("x" * 43, "corp"), ("s" * 43, "other"), ("s" * 5000, "corp")]
)
def test_an_answer_that_belongs_to_no_departure_is_refused(services, depart, refusal, state, provider):
    depart()

    assert refusal(services.departures.find, state, provider).code == "upstream_unexpected"
    assert services.departures.find("s" * 43, "corp")  # nothing was used up


def test_a_departure_ends_with_its_attempt(services, depart, clock, refusal):
    depart()
    clock.advance(601)

    assert refusal(services.departures.find, "s" * 43, "corp").code == "upstream_unexpected"


def test_a_departure_shows_no_secret(depart):
    shown = repr(depart())

    assert "the handle" not in shown
    assert "verifier" not in shown

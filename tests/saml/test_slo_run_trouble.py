"""Owns the claims about a logout under way that meets trouble: apps that do not send the browser back, answers that prove
nothing, other browsers, apps that are gone.
"""

import pytest

from idp.domain.relying import ServiceProvider
from idp.saml.bindings import to_query
from tests.saml.leaving import PARTIAL, SUCCESS, App, House, leaving_house  # noqa: F401  (a fixture)
from tests.saml.peer import form, pair
from tests.support.html import parse


@pytest.fixture
def wiki(house: House) -> App:
    return house.add("Wiki", ("redirect", "https://wiki.example/slo?tenant=1"))


@pytest.fixture
def shop(house: House) -> App:
    return house.add("Shop", ("post", "https://shop.example/slo"), ("redirect", "https://shop.example/slo-r"))


@pytest.fixture
def mail(house: House) -> App:
    return house.add("Mail", ("post", "https://mail.example/slo"))


def skip_link(page: str) -> str:
    return next(url for text, url in parse(page).links if "Continue without" in text)


def test_an_app_that_never_answers_is_left_behind_by_the_link(house: House, wiki: App, shop: App, mail: App) -> None:
    house.sign_in()
    ada = house.open(wiki)
    house.open(shop)
    house.open(mail)
    page = house.ask(wiki, wiki.logout_request(ada, house.clock()))
    link = skip_link(page.text)
    page = house.follow(house.browser.get(link))
    assert house.read(page).url == "https://mail.example/slo"
    assert "Shop not reached" in parse(page.text).text
    page = house.follow(house.browser.get(link))  # pressed twice: the next one is not left out by that
    assert house.read(page).url == "https://mail.example/slo"
    page = house.come_back(mail, page)
    page = house.browser.get(page.headers["Refresh"].partition("url=")[2])
    assert house.read(page).statuses == [SUCCESS, PARTIAL]


def test_who_comes_back_from_a_broken_app_goes_on_with_the_next(house: House, wiki: App, shop: App, mail: App) -> None:
    house.sign_in()
    house.open(wiki)
    house.open(shop)
    where = house.sign_out().location
    first = house.read(house.browser.get(where))
    again = house.read(house.browser.get(where))
    assert again.id == first.id  # so soon, it was a second press of a button
    house.clock.advance(6)
    assert house.read(house.browser.get(where)).url == "https://shop.example/slo-r"
    for _ in range(2):
        page = house.browser.get(where)
    assert page.location.startswith("/signed-out/")
    words = parse(house.follow(page).text).text
    assert "Wiki not reached" in words
    assert "Shop not reached" in words


def test_who_looks_at_the_sign_out_page_instead_goes_on_there(house: House, wiki: App) -> None:
    """The page of the run is only passed through: "back" in a browser leads to the one before."""
    house.sign_in()
    house.open(wiki)
    where = house.sign_out().location
    assert house.app.test_client().get("/sign-out").status_code == 200
    assert house.browser.get("/sign-out").location == where
    page = house.follow(house.browser.get("/sign-out"))
    house.come_back(wiki, page)
    assert house.browser.get("/sign-out").status_code == 200


def test_an_answer_that_comes_too_late_does_no_harm(house: House, wiki: App, shop: App) -> None:
    house.sign_in()
    house.open(wiki)
    house.open(shop)
    page = house.follow(house.sign_out())
    late = house.read(page).id
    page = house.follow(house.browser.get(skip_link(page.text)))
    answer = wiki.by_query(wiki.logout_response(late, house.clock()), kind="response")
    page = house.follow(house.browser.get(f"/saml/slo?{answer}"))
    assert house.read(page).url == "https://shop.example/slo-r"


def test_an_answer_that_is_not_signed_leads_on_and_proves_nothing(house: House, wiki: App) -> None:
    house.sign_in()
    house.open(wiki)
    page = house.follow(house.sign_out())
    unsigned = to_query(wiki.logout_response(house.read(page).id, house.clock()), kind="response")
    page = house.follow(house.browser.get(f"/saml/slo?{unsigned}"))
    assert "Wiki not reached" in parse(page.text).text


@pytest.mark.parametrize("how", ["foreign key", "another app", "no destination", "stale"])
def test_an_answer_that_is_not_to_be_believed_leads_on_and_proves_nothing(
    house: House, wiki: App, shop: App, how: str
) -> None:
    house.sign_in()
    house.open(wiki)
    page = house.follow(house.sign_out())
    id, now = house.read(page).id, house.clock()
    queries = {
        "foreign key": lambda: wiki.by_query(wiki.logout_response(id, now), key=pair("rsa-2048", 79), kind="response"),
        "another app": lambda: shop.by_query(shop.logout_response(id, now), kind="response"),
        "no destination": lambda: wiki.by_query(wiki.logout_response(id, now, destination=None), kind="response"),
        "stale": lambda: wiki.by_query(wiki.logout_response(id, now - 999), kind="response"),
    }
    page = house.browser.get(f"/saml/slo?{queries[how]()}")
    assert page.status_code == 303
    house.clock.advance(10)
    assert "Wiki not reached" in parse(house.follow(page).text).text


def test_an_answer_that_nobody_waits_for_is_refused(house: House, wiki: App) -> None:
    for id in ("_unknown", "_" + "x" * 43 + ".0011223344556677"):
        answer = wiki.by_query(wiki.logout_response(id, house.clock()), kind="response")
        assert house.refusal(house.browser.get(f"/saml/slo?{answer}")).code == "slo_unexpected"
    fields = form(wiki.logout_response("_x", house.clock()))
    assert house.browser.post("/saml/slo", data={"SAMLResponse": fields["SAMLRequest"]}).status_code == 409


def test_only_the_browser_that_signed_out_is_led(house: House, wiki: App) -> None:
    house.sign_in()
    house.open(wiki)
    where = house.sign_out().location
    stranger = house.app.test_client()
    assert stranger.get(where).location == "/sign-out"
    assert stranger.get(f"{where}?skip=x").location == "/sign-out"
    for handle in ("x", "x" * 43, "x" * 5000, "%00", "ä"):
        assert house.browser.get(f"/saml/logout/{handle}").location == "/sign-out"
    assert house.read(house.browser.get(where)).url == "https://wiki.example/slo?tenant=1"


def test_looking_at_the_run_is_not_going_on(house: House, wiki: App) -> None:
    house.sign_in()
    house.open(wiki)
    where = house.sign_out().location
    assert house.browser.head(where).status_code == 200
    run = house.parts.logout_runs.get(where.rpartition("/")[2])
    assert run is not None
    assert [told.state for told in run.told] == ["waiting"]


def test_an_app_that_was_removed_meanwhile_is_passed_over(house: House, wiki: App, shop: App) -> None:
    house.sign_in()
    house.open(wiki)
    house.open(shop)
    where = house.sign_out().location
    house.parts.repo.delete(ServiceProvider, wiki.entity_id)
    assert house.read(house.browser.get(where)).url == "https://shop.example/slo-r"


def test_a_run_is_forgotten_after_a_while(house: House, wiki: App) -> None:
    house.sign_in()
    house.open(wiki)
    where = house.sign_out().location
    house.clock.advance(901)
    assert house.browser.get(where).location == "/sign-out"


def test_two_who_come_at_once_are_led_to_the_same_app(house: House, wiki: App, shop: App) -> None:
    """The second one begins again from what the first has made of the run."""
    house.sign_in()
    house.open(wiki)
    house.open(shop)
    handle = house.sign_out().location.rpartition("/")[2]
    runs = house.parts.logout_runs
    run = runs.get(handle)
    assert run is not None
    one, two = runs.advance(run), runs.advance(run)
    assert one[1] is not None
    assert two[1] is not None
    assert one[1].sp_id == two[1].sp_id
    assert one[0].request_id == two[0].request_id
    assert runs.answered(one[0].request_id, f"sp:{one[1].sp_id}", done=True) == handle
    assert runs.answered(one[0].request_id, f"sp:{one[1].sp_id}", done=True) is None

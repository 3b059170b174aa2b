"""Previews and test sign-ins of service providers: what they would be told, by their rules; they are told nothing."""

from dataclasses import replace

import pytest

from idp.domain.relying import Client, PersistentNameId, ServiceProvider
from idp.domain.saml import SamlParticipant
from tests.admin.service_providers import PAGE, PEER, register, wanting
from tests.saml.peer import Sp
from tests.web.house import PASSWORD, Browser, House, Person, Seen


@pytest.fixture
def wiki(house: House) -> ServiceProvider:
    return register(house, name="Wiki")


def begin(browser: Browser, **fields: str) -> Seen:
    return browser.open(f"{PAGE}/test").submit("/test", **fields)


def nothing_issued(house: House, person: Person) -> bool:
    """No participant, and the session is not one that the app has."""
    apps = [session.apps for session in house.parts.sessions.of(person.user.id)]
    return house.parts.repo.find(SamlParticipant) == [] and not any(apps)


# ---------------------------------------------------------------- what would it be told


def test_a_preview_shows_what_is_sent_and_why_something_is_not(
    house: House, ada: Person, browser: Browser, wiki: ServiceProvider
) -> None:
    metadata = wanting(PEER, ("urn:oid:1.3.6.1.4.1.5923.1.1.1.6", "eduPersonPrincipalName", True)).decode()
    changed = replace(
        wiki,
        metadata=metadata,
        attributes={"user": "username", "mail": "email", "role": "roles", "kind": "=guest"},
        attribute_filters={"role": ("wiki-*",)},
    )
    house.parts.apps.change_service_provider(changed, actor="test")
    page = browser.open(f"{PAGE}/preview?user=ada")
    for words in ("user", "ada", "guest", "Nobody has proved", "Held back by a filter", "eduPersonPrincipalName"):
        assert words in page.text
    assert "made at the first sign-in" in page.text
    assert browser.open(f"{PAGE}/preview?user=ada@example.org").status == 200
    house.parts.repo.insert(PersistentNameId("_known", ada.user.id, wiki.id, house.clock()))
    assert "_known" in browser.open(f"{PAGE}/preview?user=ada").text


def test_a_preview_makes_nothing(house: House, browser: Browser, wiki: ServiceProvider) -> None:
    browser.open(f"{PAGE}/preview?user=ada")
    assert house.parts.repo.find(PersistentNameId) == []


def test_a_preview_says_that_a_sign_in_would_fail(house: House, browser: Browser, wiki: ServiceProvider) -> None:
    email = "urn:oasis:names:tc:SAML:1.1:nameid-format:emailAddress"
    house.parts.apps.change_service_provider(replace(wiki, name_id_format=email), actor="test")
    assert "Without a NameID the sign-in fails" in browser.open(f"{PAGE}/preview?user=ada").text


def test_a_preview_of_nobody_is_refused_on_the_page(browser: Browser, wiki: ServiceProvider) -> None:
    page = browser.open(f"{PAGE}/preview?user=nobody")
    assert page.status == 404
    assert "There is no user of this name" in page.text
    assert browser.open(f"{PAGE}/preview?user={'x' * 5000}").status == 404


# ---------------------------------------------------------------- a sign-in


def test_a_test_sign_in_ends_here_with_an_answer_that_nobody_accepts(
    house: House, ada: Person, browser: Browser, wiki: ServiceProvider
) -> None:
    page = begin(browser)
    assert page.path.startswith(f"{PAGE}/test/done?")
    assert page.status == 200
    for words in (
        "You were signed in already",
        "A Response would go to https://sp.example/acs",
        "<saml:Audience>https://sp.example/metadata</saml:Audience>",
        "<saml:AttributeValue>ada</saml:AttributeValue>",
        "https://refeds.org/profile/mfa",
        "None was sent",
    ):
        assert words in page.text
    assert "SignatureValue" not in page.text
    assert "SAMLResponse" not in page.html
    assert nothing_issued(house, ada)


def test_everything_is_asked_for_when_that_is_wanted(
    house: House, ada: Person, browser: Browser, wiki: ServiceProvider
) -> None:
    page = begin(browser, anew="yes").submit("/password", username="ada", password=PASSWORD)
    done = page.submit("/factor", code=house.code(ada.secret))
    assert "You signed in with your password" in done.text
    assert "The second step was proved" in done.text


def test_a_result_is_shown_once_and_in_the_right_place(house: House, browser: Browser, wiki: ServiceProvider) -> None:
    register(house, Sp("https://other.example/metadata"))
    path = begin(browser).path
    assert browser.client.head(path).status_code == 200
    assert browser.open(path).status in (404, 409, 410)
    attempt = browser.open(f"{PAGE}/test").submit("/test")
    assert attempt.status == 200
    assert browser.open(f"{PAGE}/test/done?attempt=nothing").status == 410
    assert browser.open(f"{PAGE}/test/done").status == 410


def test_a_test_of_one_app_is_no_test_of_another(house: House, browser: Browser, wiki: ServiceProvider) -> None:
    client = Client("oidc", "Oidc", house.clock(), redirect_uris=("https://a.example/cb",), consent="skip")
    house.parts.apps.add_client(client, actor="test", with_secret=True)
    page = browser.client.post(f"{PAGE}/test", data={"csrf": browser.open(f"{PAGE}/test").form("/test").values["csrf"]})
    flow = browser.client.get(page.headers["Location"])
    attempt = flow.headers["Location"].partition("?")[2]
    assert browser.open(f"/admin/clients/oidc/test/done?{attempt}").status == 409


def test_somebody_elses_result_is_not_shown(house: House, browser: Browser, wiki: ServiceProvider) -> None:
    form = browser.open(f"{PAGE}/test").form("/test")
    flow = browser.client.get(browser.client.post(form.action, data=form.values).headers["Location"])
    other = house.sign_in(house.person("grace", admin=True)).open(flow.headers["Location"])
    assert other.status == 403
    assert "saml:Assertion" not in other.text


def test_an_answer_that_cannot_be_given_says_why(house: House, browser: Browser, wiki: ServiceProvider) -> None:
    email = "urn:oasis:names:tc:SAML:1.1:nameid-format:emailAddress"
    house.parts.apps.change_service_provider(replace(wiki, name_id_format=email, enabled=False), actor="test")
    page = begin(browser)
    assert "The app would have got no assertion" in page.text
    assert "unverified" in page.text
    assert "a real sign-in is refused" in page.text


def test_a_demanded_second_step_is_named(house: House, browser: Browser, wiki: ServiceProvider) -> None:
    house.parts.apps.change_service_provider(replace(wiki, second_factor_required=True), actor="test")
    assert "The app demands it" in begin(browser).text

"""Attacks B56 to B58: addresses that were not proved, and subjects of others.

Every variant of them is tested in tests/upstream and tests/domain.
"""

from collections.abc import Iterator
from typing import Any

import pytest

from idp.domain.session import Session
from idp.domain.upstream import FederatedLogin
from idp.domain.user import User
from idp.ports import Repository
from tests.behaviours.arriving import ADA, arrive, owners
from tests.upstream.browser import Browser
from tests.upstream.openid_double import MISSING, OpenIdDouble
from tests.upstream.saml_browser import Way


@pytest.fixture
def second(clock: Any) -> Iterator[OpenIdDouble]:
    """Another provider."""
    double = OpenIdDouble(clock)
    yield double
    double.close()
    assert double.faults == []


# ------------------------------------------------------------------ addresses


def test_b56_who_took_an_address_before_its_owner_came_is_neither_joined_nor_stays(
    app: Any, browser: Browser, add_upstream: Any, openid: OpenIdDouble, make_user: Any, services: Any, repo: Repository
) -> None:
    add_upstream(trusted_domains="corp.example")
    squatter = make_user("squatter", email=ADA, email_verified=False)
    held = Browser(app)
    held.sign_in("squatter")
    assert held.is_signed_in

    arrive(browser, openid, "true-ada", email=ADA, email_verified=True)

    assert browser.is_signed_in
    mine = owners(repo)["true-ada"]
    assert mine != squatter.id
    (owner,) = repo.find(User, email_key=ADA)
    assert (owner.id, owner.email_verified) == (mine, True)
    assert not held.is_signed_in
    assert repo.find(Session, user_id=squatter.id) == []
    again = Browser(app)
    for name in ("squatter", ADA):
        again.sign_in(name)
        assert not again.is_signed_in, "the attacker's password opens nothing any more"
    left = services.users.get(squatter.id)
    assert (left.email, left.disabled, left.quarantined_at is not None) == (None, True, True)


def test_b56_an_upstream_that_is_not_trusted_displaces_nobody_and_is_joined_to_nobody(
    browser: Browser, live_corp: Any, openid: OpenIdDouble, make_user: Any, services: Any, repo: Repository
) -> None:
    """Else whoever runs any upstream could switch off whom they like."""
    holder = make_user("holder", email=ADA, email_verified=False)

    page = arrive(browser, openid, "stranger", email=ADA, email_verified=True)

    assert "/password" in page.text
    assert not browser.is_signed_in
    assert owners(repo) == {}
    assert services.users.get(holder.id) == holder


UNVERIFIED: dict[str, Any] = {
    "false": False,
    "absent": MISSING,
    "the text true": "true",
    "the text True": "True",
    "one": 1,
    "a list": [True],
    "an object": {"value": True},
    "null": None,
}


@pytest.mark.parametrize("said", list(UNVERIFIED))
def test_b57_an_address_that_is_not_verified_by_the_word_true_joins_nobody(
    browser: Browser, add_upstream: Any, openid: OpenIdDouble, make_user: Any, repo: Repository, said: str
) -> None:
    """Although this upstream is trusted for every domain, and could have verified it."""
    add_upstream(trusted_domains="*")
    ada = make_user("ada")

    page = arrive(browser, openid, "stranger", email=ADA, email_verified=UNVERIFIED[said])

    assert "/password" in page.text, "the owner would have to prove that it is hers"
    assert not browser.is_signed_in
    assert owners(repo) == {}
    assert repo.find(Session, user_id=ada.id) == []


def test_b57_an_address_that_is_said_by_mail_or_name_only_is_nobodys(
    browser: Browser, add_upstream: Any, openid: OpenIdDouble, make_user: Any, repo: Repository
) -> None:
    """What Microsoft's directories let anybody write into an account of theirs (nOAuth)."""
    add_upstream(trusted_domains="*")
    ada = make_user("ada")

    arrive(browser, openid, "stranger", mail=ADA, upn=ADA, preferred_username=ADA, unique_name=ADA, email_verified=True)

    assert owners(repo)["stranger"] != ada.id
    assert repo.find(Session, user_id=ada.id) == []


def test_b57_an_upstream_vouches_only_for_the_domains_that_were_given_to_it(
    browser: Browser, add_upstream: Any, openid: OpenIdDouble, make_user: Any, repo: Repository
) -> None:
    add_upstream(trusted_domains="partner.example")
    make_user("ada")

    for number, email in enumerate((ADA, "ada@Corp.Example", "ada@corp.example")):
        page = arrive(browser, openid, f"stranger-{number}", email=email, email_verified=True)
        assert "/password" in page.text
    assert owners(repo) == {}


# ------------------------------------------------------------------ subjects


def test_b58_the_same_subject_of_another_issuer_is_another_person(
    app: Any,
    openid: OpenIdDouble,
    second: OpenIdDouble,
    idp: Any,
    add_saml: Any,
    add_upstream: Any,
    repo: Repository,
) -> None:
    add_upstream("corp")
    add_upstream("other", second)
    add_saml("saml-one")

    arrive(Browser(app), openid, "user-1")
    arrive(Browser(app), second, "user-1", "other")
    Way(app, Browser(app), idp, "saml-one").sign_in("user-1")

    logins = repo.find(FederatedLogin)
    assert {login.subject for login in logins} == {"user-1"}
    assert len({login.issuer for login in logins}) == 3
    assert len({login.user_id for login in logins}) == 3


def test_b58_an_upstream_cannot_speak_for_the_issuer_of_another(
    app: Any, openid: OpenIdDouble, second: OpenIdDouble, add_upstream: Any, name_of: Any, repo: Repository
) -> None:
    add_upstream("corp")
    add_upstream("other", second)
    arrive(Browser(app), openid, "user-1")
    eve = Browser(app)
    params = second.authorize(eve.leave(eve.begin(), "other"), "user-1")
    second.lies = {"iss": openid.issuer}

    assert name_of(eve.come_back({**params, "iss": openid.issuer}, "other")) == "upstream_answer_invalid"
    params = second.authorize(eve.leave(eve.begin(), "other"), "user-1")
    assert name_of(eve.come_back({**params, "iss": second.issuer}, "other")) == "upstream_answer_invalid"
    assert not eve.is_signed_in
    assert len(repo.find(User)) == 1


def test_b58_a_provider_that_is_made_anew_under_an_old_id_knows_nobody_of_before(
    app: Any, openid: OpenIdDouble, live_corp: Any, add_upstream: Any, services: Any, repo: Repository
) -> None:
    arrive(Browser(app), openid, "user-1")
    (before,) = repo.find(User)
    services.remove_upstream.remove("corp", actor="test")
    add_upstream()

    arrive(Browser(app), openid, "user-1")

    assert owners(repo)["user-1"] != before.id

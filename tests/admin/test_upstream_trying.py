"""Owns the promises of the test of an upstream: a whole round trip also while it is off, each check and claim shown, nothing saved."""

from dataclasses import replace

import pytest

from idp.domain.audit_event import AuditEvent
from idp.domain.upstream import FederatedLogin, UpstreamProvider, UpstreamTest
from idp.ports import Departure
from tests.admin.upstreams import LIST, add, as_tested, counts, stored
from tests.upstream.openid_double import CLIENT_ID, CLIENT_SECRET, OpenIdDouble, Trouble
from tests.upstream.saml_answer import posted
from tests.upstream.saml_double import SamlDouble
from tests.web.house import Browser, House, Seen


@pytest.fixture
def house(house_with) -> House:
    return house_with(net={"private_addresses": "allow", "timeout_seconds": 1})


@pytest.fixture
def openid(clock):
    double = OpenIdDouble(clock)
    yield double
    double.close()


@pytest.fixture
def corp(house, openid) -> UpstreamProvider:
    given = {"issuer": openid.issuer, "client_id": CLIENT_ID, "client_secret": CLIENT_SECRET}
    return add(house, "oidc", **given)


def change(house: House, **values: object) -> None:
    house.parts.upstreams.change(replace(stored(house), **values), {}, secrets=(), actor="test")


def leave(browser: Browser) -> str:
    """The address of the upstream that the browser is sent to."""
    page = browser.open(f"{LIST}/corp/test").submit("/corp/test")
    assert page.status == 200, page.text
    return page.response.headers["Refresh"].removeprefix("0;url=")


def come_back(browser: Browser, params: dict[str, str]) -> Seen:
    response = browser.client.get("/upstream/corp/callback", query_string=params)
    return browser._follow(response, "/upstream/corp/callback")


def try_it(browser: Browser, openid: OpenIdDouble, sub: str = "user-1", **claims: object) -> Seen:
    return come_back(browser, openid.authorize(leave(browser), sub, **claims))


# ---------------------------------------------------------------- it passes, and nothing is saved


def test_a_switched_off_upstream_is_tested_by_a_whole_round_trip_and_nothing_is_saved(
    house, browser, corp, openid
) -> None:
    before = counts(house)
    page = try_it(browser, openid, email="new@corp.example", email_verified=True, department="Research")

    assert page.path.startswith(f"{LIST}/corp/tested/")
    assert "The test passed." in page.text
    assert "It would make a new user." in page.text
    assert "department" in page.text
    assert "Research" in page.text
    assert counts(house) == before
    assert house.parts.upstream_tests.passed(stored(house)) is not None
    assert [one.detail for one in house.parts.repo.find(AuditEvent, name="upstream.tested")] == [{"passed": "yes"}]
    assert browser.signed_in


def test_after_a_passed_test_it_is_switched_on_from_the_very_page(house, browser, corp, openid) -> None:
    try_it(browser, openid).submit("/corp/switch", enabled="yes")

    assert stored(house).enabled


def test_raw_and_mapped_stand_side_by_side(house, browser, corp, openid) -> None:
    change(
        house,
        trusted_domains=("corp.example",),
        claim_map={"department": "dept", "picture": "photo"},
        group_roles={"Editors": ("editor",)},
        trusted_amr=("mfa",),
    )
    claims = {
        "dept": "Research",
        "photo": "javascript:alert(1)",
        "groups": ["Editors", "Others"],
        "amr": ["mfa"],
        "acr": "urn:one",
    }
    page = try_it(browser, openid, email="ada@corp.example", email_verified=True, **claims)
    rows = [" ".join(row.split()) for row in page.html.split("<tr>")]

    def row(*words: str) -> bool:
        return any(all(word in one for word in words) for one in rows)

    assert row("Research", "claim department")
    assert row("javascript:alert(1)", "picture: the value does not fit")
    assert row("Editors", "role editor")
    assert row("Others", "not taken over")
    assert row("ada@corp.example", "verified: it may vouch")
    assert row("mfa", "counts as the second step")
    assert row("urn:one", "the other one counts")


@pytest.mark.parametrize(
    ("settings", "claims", "said"),
    [
        ({}, {"email": "ada@example.org", "email_verified": True}, "It would ask ada to confirm"),
        ({"trusted_domains": ("*",)}, {"email": "bob@example.org", "email_verified": True}, "It would join this login to bob"),
        ({"may_create": "nobody"}, {}, "It would be refused."),
        ({"mode": "link_only"}, {}, "It would be refused."),
        ({"trusted_domains": ("*",)}, {"email": "eve@example.org", "email_verified": True}, "eve has the same address"),
        ({}, {"sub": "known"}, "It would sign in as bob."),
    ],
)  # fmt: skip
def test_it_tells_what_a_sign_in_would_lead_to_and_does_none_of_it(
    house, browser, corp, openid, settings, claims, said
) -> None:
    bob, eve = house.person("bob").user, house.person("eve").user
    house.parts.repo.replace_if(replace(house.parts.users.get(bob.id), email_verified=True))
    login = FederatedLogin("fed_1", bob.id, "corp", openid.issuer, "known", house.clock())
    house.parts.repo.insert(login)
    change(house, **settings)
    before = counts(house)

    page = try_it(browser, openid, **{"sub": "user-1", **claims})

    assert said in page.text
    assert counts(house) == before
    assert house.parts.users.get(eve.id).email == "eve@example.org"
    assert not house.parts.users.get(eve.id).disabled


# ---------------------------------------------------------------- it fails, and says where


def test_a_wrong_answer_says_which_check_failed_and_does_not_count(house, browser, corp, openid) -> None:
    openid.lies = {"aud": "another-client"}
    page = try_it(browser, openid)

    assert "The test failed." in page.text
    assert "The ID token was made for us" in page.text
    assert house.parts.upstream_tests.passed(stored(house)) is None
    details = [one.detail for one in house.parts.repo.find(AuditEvent, name="upstream.tested")]
    assert details == [{"passed": "no", "why": "upstream_answer_invalid"}]


def test_an_upstream_that_does_not_answer_fails_the_test_before_anybody_leaves(house, browser, corp, openid) -> None:
    openid.trouble["/.well-known/openid-configuration"] = Trouble(status=503)
    page = browser.open(f"{LIST}/corp/test").submit("/corp/test")

    assert "The test failed." in page.text
    assert "upstream_unreachable" in page.text


def test_a_test_of_settings_that_changed_meanwhile_counts_for_nothing(house, browser, corp, openid) -> None:
    params = openid.authorize(leave(browser))
    change(house, may_create="nobody")
    page = come_back(browser, params)

    assert "were changed during the test" in page.text
    assert house.parts.repo.find(UpstreamTest) == []


# ---------------------------------------------------------------- it opens nothing


def test_the_answer_to_a_test_is_good_once_and_for_the_browser_that_left(house, browser, corp, openid) -> None:
    params = openid.authorize(leave(browser))
    other = house.sign_in(house.person("grace", admin=True))
    assert come_back(other, params).status == 410
    assert house.browser().open(f"/upstream/corp/callback?state={params['state']}&code=x").status in (403, 410)

    assert "The test passed." in come_back(browser, params).text
    assert come_back(browser, params).status in (404, 409)
    assert len(house.parts.repo.find(AuditEvent, name="upstream.tested")) == 1


def test_a_switched_off_upstream_takes_no_other_answer(house, browser, corp, openid) -> None:
    state = openid.authorize(leave(browser))["state"]

    for query in ({"state": "x" * 43, "code": "y"}, {"code": "y"}, {"state": state[:-1] + "!", "code": "y"}):
        assert house.browser().client.get("/upstream/corp/callback", query_string=query).status_code == 404


def test_a_test_is_no_sign_in_attempt_and_a_sign_in_no_test(house, browser, corp, openid) -> None:
    page = browser.client.post(f"{LIST}/corp/test", data=browser.open(f"{LIST}/corp/test").form("/corp/test").values)
    handle = page.headers["Location"].rpartition("/")[2]

    assert browser.client.get(f"/flow/{handle}").status_code == 410
    attempt = house.attempt().rpartition("/")[2]
    assert browser.open(f"/upstream/corp/trial/{attempt}").status == 410
    assert browser.open(f"{LIST}/corp/tested/{attempt}").status == 410


def test_who_is_no_administrator_any_more_learns_nothing(house, ada, browser, corp, openid) -> None:
    params = openid.authorize(leave(browser))
    user = house.parts.users.get(ada.user.id)
    house.parts.repo.replace_if(replace(user, roles=()))

    assert come_back(browser, params).status == 403
    assert house.parts.repo.find(UpstreamTest) == []


def test_the_result_is_for_the_administrator_who_tested(house, browser, corp, openid) -> None:
    page = try_it(browser, openid, email="private@corp.example")
    other = house.sign_in(house.person("grace", admin=True))

    assert other.open(page.path).status == 410
    house.clock.advance(901)
    assert browser.open(page.path).status == 410


@pytest.mark.parametrize("handle", ["x", "y" * 43, "z" * 500])
def test_a_handle_of_nothing_is_over(browser, corp, handle) -> None:
    assert browser.open(f"/upstream/corp/trial/{handle}").status == 410
    assert browser.open(f"{LIST}/corp/tested/{handle}").status == 410


def test_a_test_wants_a_recent_sign_in(house, browser, corp) -> None:
    form = browser.open(f"{LIST}/corp/test").form("/corp/test")
    house.clock.advance(3600)

    assert browser.client.post(form.action, data=form.values).headers["Location"].startswith("/flow/")


# ---------------------------------------------------------------- SAML, whose answers come by POST


def test_a_switched_off_saml_upstream_is_tested_by_its_own_way_back(house, browser, clock) -> None:
    double = SamlDouble(clock)
    try:
        add(house, "saml", metadata=double.metadata().decode())
        assert browser.open(f"{LIST}/corp/metadata").response.mimetype == "application/samlmetadata+xml"
        assert browser.open("/upstream/corp/metadata").status == 404
        asked = double.asked(Departure(leave(browser), {}))
        document = double.answer(asked, "user-1").document(clock())
        stranger = house.app.test_client()
        answered = stranger.post("/upstream/corp/acs", data=posted(document, asked.relay_state))
        assert answered.status_code == 303
        page = browser.open(answered.headers["Location"])
    finally:
        double.close()

    assert "The test passed." in page.text
    assert house.parts.repo.find(FederatedLogin) == []
    unasked = posted(document, "x" * 43)
    assert house.app.test_client().post("/upstream/corp/acs", data=unasked).status_code == 404


def test_an_enabled_upstream_is_tested_in_the_same_way(house, browser, corp, openid) -> None:
    as_tested(house)
    house.parts.upstream_tests.switch(stored(house), True, actor="test")
    before = counts(house)

    assert "The test passed." in try_it(browser, openid).text
    assert counts(house) == before


def test_the_form_of_a_directory_wants_its_token_and_is_for_directories_only(house, browser, corp) -> None:
    handle = house.parts.upstream_tests.begin(corp, house.parts.users.by_login("ada").id, "nobody")
    path = f"/upstream/corp/trial/{handle}"

    assert browser.post(path, {"username": "maria", "password": "x"}).status == 403
    assert browser.post_blindly(path, username="maria", password="x").status == 410

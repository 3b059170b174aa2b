"""Attacks B49 to B55: what a SAML peer may send, and upstreams that are off or only for linking. Nobody is signed in by any.

Every variant of them is tested in tests/saml and tests/upstream.
"""

import base64
from dataclasses import replace
from typing import Any

import pytest

from idp.domain.session import Session
from idp.domain.upstream import FederatedLogin
from idp.domain.user import User
from idp.ports import Departure, Repository
from idp.saml.sp_metadata import service_provider_from_metadata
from tests.saml.peer import NS, Sp, pair
from tests.upstream import saml_attacks as attacks
from tests.upstream.browser import BASE, Browser, away
from tests.upstream.openid_double import OpenIdDouble
from tests.upstream.saml_answer import posted
from tests.upstream.saml_browser import Way


def _bomb(doublings: int) -> str:
    """An XSLT transform that calls itself twice, so many times over: 2 ** doublings calls for whoever runs it."""
    steps = "".join(
        f'<xsl:template name="t{n}"><xsl:call-template name="t{n + 1}"/><xsl:call-template name="t{n + 1}"/></xsl:template>'
        for n in range(doublings)
    )
    return (
        '<ds:Transform Algorithm="http://www.w3.org/TR/1999/REC-xslt-19991116"><xsl:stylesheet version="1.0" '
        'xmlns:xsl="http://www.w3.org/1999/XSL/Transform"><xsl:template match="/"><xsl:call-template name="t0"/>'
        f'</xsl:template>{steps}<xsl:template name="t{doublings}"/></xsl:stylesheet></ds:Transform>'
    )


def _signature(transform: str, reference: str) -> str:
    return (
        f'<ds:Signature xmlns:ds="{NS["ds"]}"><ds:SignedInfo>'
        '<ds:CanonicalizationMethod Algorithm="http://www.w3.org/2001/10/xml-exc-c14n#"/>'
        '<ds:SignatureMethod Algorithm="http://www.w3.org/2001/04/xmldsig-more#rsa-sha256"/>'
        f'<ds:Reference URI="#{reference}"><ds:Transforms>{transform}</ds:Transforms>'
        '<ds:DigestMethod Algorithm="http://www.w3.org/2001/04/xmlenc#sha256"/><ds:DigestValue>AAAA</ds:DigestValue>'
        "</ds:Reference></ds:SignedInfo><ds:SignatureValue>AAAA</ds:SignatureValue></ds:Signature>"
    )


def _nobody_came_in(repo: Repository) -> bool:
    return repo.find(Session) == [] and repo.find(FederatedLogin) == [] and repo.find(User) == []


def test_b49_an_xslt_bomb_is_refused_before_anything_runs_it_at_both_doors(
    way: Way, repo: Repository, refused_as: Any, clock: Any
) -> None:
    """2 ** 60 calls would not end; that this test does is the proof."""
    sp = Sp("https://known.test/metadata", acs=("https://known.test/acs",), signs=True)
    repo.insert(service_provider_from_metadata(sp.metadata(), clock()))
    asked = way.leave()
    answer = way.double.answer(asked, sign=()).document(clock()).decode()
    bomb = _signature(_bomb(60), "_x")
    at_acs = answer.replace("<samlp:Status>", f"{bomb}<samlp:Status>", 1)
    request = sp.authn_request(clock(), f"{BASE}/saml/sso").decode()
    at_sso = request.replace("</saml:Issuer>", f"</saml:Issuer>{bomb}", 1)
    assert "xsl:call-template" in at_acs
    assert "xsl:call-template" in at_sso

    assert refused_as(way.come_back(posted(at_acs.encode(), asked.relay_state)))[0] == "upstream_answer_invalid"
    form = {"SAMLRequest": base64.b64encode(at_sso.encode()).decode()}
    door = way.app.test_client().post("/saml/sso", data=form, base_url=BASE)
    assert refused_as(door)[0] == "saml_signature"
    assert _nobody_came_in(repo)


@pytest.mark.parametrize(
    ("sign", "attack"),
    [
        (("assertion",), attacks.evil_beside("before")),
        (("assertion",), attacks.evil_beside("after", signed_by=pair())),
        (("response",), attacks.wrapped(attacks.xsw_1)),
        (("assertion",), attacks.wrapped(attacks.xsw_7)),
        (("assertion",), attacks.wrapped(attacks.xsw_8)),
    ],
    ids=["two assertions", "two signed ones", "a wrapped response", "inside of Extensions", "inside of an Object"],
)
def test_b50_a_wrapped_signature_signs_nobody_in(
    way: Way, repo: Repository, refused_as: Any, sign: tuple[str, ...], attack: attacks.Attack
) -> None:
    fields = way.answer(way.leave(), sign=sign, after_signing=attack)

    assert refused_as(way.come_back(fields))[0] == "upstream_answer_invalid"
    assert not way.browser.is_signed_in
    assert _nobody_came_in(repo)


def test_b51_a_comment_in_a_name_makes_nobody_the_person_before_it(way: Way, repo: Repository) -> None:
    """Signatures do not cover comments: who may call themselves `victim.evil` must not become `victim`."""
    way.sign_in("victim")
    (victim,) = repo.find(User)

    def comment(text: str) -> str:
        return text.replace(">victim.evil<", "><!---->victim<!-- x -->.evil<")

    eve = Way(way.app, Browser(way.app), way.double)
    eve.browser.follow(eve.come_back(eve.answer(eve.leave(), "victim.evil", after_signing=comment)))

    owners = {login.subject: login.user_id for login in repo.find(FederatedLogin)}
    assert owners["victim"] == victim.id
    assert set(owners) == {"victim", "victim.evil"}
    assert owners["victim.evil"] != victim.id


LIES: dict[str, dict[str, Any]] = {
    "another audience": {"audience": "https://other.example/sp"},
    "another recipient": {"recipient": "https://other.example/acs"},
    "another destination": {"destination": "https://other.example/acs"},
    "it is over": {"not_on_or_after": -120.0},
    "it has not begun": {"not_before": 120.0},
    "no request": {"in_response_to": None},
    "another request": {"in_response_to": "_of_somebody_else"},
    "no signature": {"sign": ()},
}


@pytest.mark.parametrize("lie", list(LIES))
def test_b52_an_answer_that_is_not_ours_not_now_or_not_signed_is_refused(
    way: Way, repo: Repository, refused_as: Any, lie: str
) -> None:
    assert refused_as(way.come_back(way.answer(way.leave(), **LIES[lie])))[0] == "upstream_answer_invalid"
    assert not way.browser.is_signed_in
    assert _nobody_came_in(repo)


def test_b52_an_assertion_works_once_whatever_request_it_is_sent_for(
    way: Way, repo: Repository, refused_as: Any
) -> None:
    asked = way.leave()
    fields = way.answer(asked)
    way.browser.follow(way.come_back(fields))
    assert len(repo.find(Session)) == 1

    again = Way(way.app, Browser(way.app), way.double)
    for state in (fields["RelayState"], again.leave().relay_state):
        assert refused_as(again.come_back({**fields, "RelayState": state}))[0] in (
            "upstream_unexpected",
            "upstream_answer_invalid",
        )
    assert not again.browser.is_signed_in
    assert len(repo.find(Session)) == 1


def test_b52_a_logout_that_nobody_signed_ends_nothing(way: Way, repo: Repository, set_settings: Any) -> None:
    set_settings(logout="true")
    way.sign_in()
    assert way.browser.is_signed_in
    request = (
        f'<samlp:LogoutRequest xmlns:samlp="{NS["samlp"]}" xmlns:saml="{NS["saml"]}" ID="_out" Version="2.0" '
        f'IssueInstant="2027-01-15T08:00:00Z" Destination="{BASE}/upstream/corp/slo"><saml:Issuer>'
        f"{way.double.entity_id}</saml:Issuer><saml:NameID>user-1</saml:NameID></samlp:LogoutRequest>"
    )
    form = {"SAMLRequest": base64.b64encode(request.encode()).decode()}

    answer = way.app.test_client().post("/upstream/corp/slo", data=form, base_url=BASE)

    assert answer.status_code >= 400
    assert way.browser.is_signed_in


def test_b53_a_key_without_use_in_the_metadata_does_not_switch_the_check_of_signatures_off(
    app: Any, browser: Browser, idp: Any, add_saml: Any, refused_as: Any, repo: Repository
) -> None:
    idp.key_use = ""
    add_saml()
    way = Way(app, browser, idp)

    for lie in ({"sign": ()}, {"key": pair(which=9)}, {"after_signing": attacks.NAME_CHANGED}):
        assert refused_as(way.come_back(way.answer(way.leave(), **lie)))[0] == "upstream_answer_invalid"
        assert not browser.is_signed_in
    assert _nobody_came_in(repo)
    way.sign_in()
    assert browser.is_signed_in  # the key counts, and for signatures, too


def _unasked(way: Way) -> dict[str, str]:
    """As a portal of the upstream sends it: an answer to no request."""
    answer = way.double.answer(way.leave(), in_response_to=None, confirmed_in_response_to=None)
    return posted(answer.document(way.double.clock()))


@pytest.fixture
def portal(app: Any, browser: Browser, idp: Any, add_saml: Any) -> Way:
    """An upstream whose own page may begin a sign-in; its answer is accepted while it is on."""
    add_saml(unsolicited="true")
    way = Way(app, browser, idp)
    other = Way(app, Browser(app), idp)
    assert other.post(_unasked(other)).status_code == 303
    return way


def test_b54_a_disabled_upstream_signs_nobody_in_on_any_path(
    portal: Way, openid: OpenIdDouble, add_upstream: Any, set_upstream: Any, services: Any, refused_as: Any
) -> None:
    add_upstream("oidc")
    oidc = Browser(portal.app)
    params = openid.authorize(oidc.leave(oidc.begin(), "oidc"))
    unasked, answer = _unasked(portal), portal.answer(portal.leave())
    waiting = portal.post(answer).location
    set_upstream(enabled=False)
    provider = services.upstreams.get("oidc")
    services.upstreams.change(replace(provider, enabled=False), {}, secrets=(), actor="test")

    for refused in (
        portal.post(unasked),
        portal.post(answer),
        portal.browser.get(waiting),
        portal.browser.post(f"{portal.flow}/upstream/corp", on=portal.flow),
        oidc.come_back(params, "oidc"),
    ):
        assert refused_as(refused)[0] == "unknown_upstream"
    assert not portal.browser.is_signed_in
    assert not oidc.is_signed_in
    assert openid.times_asked("/token") == 0


def test_b55_a_link_only_upstream_signs_nobody_in_not_even_when_its_own_page_begins(
    portal: Way, set_upstream: Any, refused_as: Any, make_user: Any, services: Any, repo: Repository
) -> None:
    """Not by a login that somebody has linked either: that is what linking only means."""
    ada = make_user("ada")
    owner = Browser(portal.app)
    owner.sign_in("ada")
    url = away(owner.post("/account/link/corp", on="/account"))
    asked = portal.double.asked(Departure(url, {}))
    linking = Way(portal.app, owner, portal.double)
    linking.come_back(linking.answer(asked, "ada-there"))
    assert [login.subject for login in services.links.of(ada.id)] == ["ada-there"]
    before = len(repo.find(Session))
    unasked, answer = _unasked(portal), portal.answer(portal.leave(), "ada-there")

    set_upstream(mode="link_only")

    for refused in (portal.post(unasked), portal.come_back(answer)):
        assert refused_as(refused)[0] == "upstream_not_for_sign_in"
    assert not portal.browser.is_signed_in
    assert len(repo.find(Session)) == before

"""Owns our requests to a SAML upstream, and our metadata for it, through the whole door."""

from dataclasses import replace

import pytest
from lxml import etree

from idp.saml import names
from tests.saml.peer import NS, POST, REDIRECT
from tests.upstream.browser import BASE
from tests.upstream.saml_browser import Way


def test_a_request_by_post_is_a_form_that_sends_itself(app, browser, idp, add_saml):
    add_saml(request_binding="post")
    way = Way(app, browser, idp)

    asked = way.leave_by_post()

    way.browser.follow(way.come_back(way.answer(asked)))
    assert way.browser.is_signed_in


def test_the_page_that_posts_the_request_may_post_it_there(app, browser, idp, add_saml):
    add_saml(request_binding="post")
    flow = browser.begin()
    response = browser.post(f"{flow}/upstream/corp", on=flow)

    assert idp.base in response.headers["Content-Security-Policy"].partition("form-action")[2]
    assert "data-auto-submit" in response.text


@pytest.mark.parametrize("binding", ["redirect", "post"])
@pytest.mark.parametrize("algorithm", ["rsa-sha256", "rsa-sha512", "ecdsa-sha256"])
def test_requests_are_signed_with_a_key_of_our_metadata(
    app, browser, idp, add_saml, services, binding, algorithm, clock
):
    add_saml(sign_requests="always", request_binding=binding, signature_algorithm=algorithm)
    metadata = etree.fromstring(browser.get("/upstream/corp/metadata").data)
    certificates = [one.text for one in metadata.iterfind(".//{*}KeyDescriptor[@use='signing']//{*}X509Certificate")]
    clock.advance(60)
    flow = browser.begin()
    kind = services.kinds.open(services.upstreams.get("corp"))
    departure = kind.depart(services.upstreams.get("corp"), "", force=False, login_hint=None)

    assert flow
    assert any(_holds(idp, departure, certificate) for certificate in certificates)


def _holds(idp, departure, certificate):
    from idp.saml.algorithms import BadSignature

    try:
        return idp.asked(departure, certificate).signed
    except BadSignature:
        return False


def test_requests_are_signed_when_the_metadata_asks_for_it_and_not_otherwise(app, browser, idp, add_saml):
    idp.wants_signed = True
    add_saml()
    assert Way(app, browser, idp).leave().signed

    idp.wants_signed = False
    add_saml("other")
    assert not Way(app, browser, idp, "other").leave().signed


def test_an_app_that_wants_a_fresh_sign_in_gets_one(way, services, refused_as, browser):
    from idp.domain.attempt import Wants

    draft = services.sign_in.draft("oidc", "/resume", {}, app_id="app", wants=Wants(force=True))
    flow = f"/flow/{services.sign_in.save(draft)}"
    browser.begin = lambda: flow
    asked = way.leave()
    assert asked.root.get("ForceAuthn") == "true"

    assert "authn_instant" in refused_as(way.come_back(way.answer(asked, authn_instant=-600.0)))[1]
    assert way.come_back(way.answer(way.leave())).status_code == 303


def test_requests_say_what_the_settings_ask_for(app, browser, idp, add_saml):
    add_saml(name_id_format="email", contexts=f"{names.MFA} {names.PASSWORD_TRANSPORT}", context_comparison="minimum")
    root = Way(app, browser, idp).leave().root

    assert root.find("{*}NameIDPolicy").get("Format") == names.EMAIL
    wanted = root.find("{*}RequestedAuthnContext")
    assert wanted.get("Comparison") == "minimum"
    assert [one.text for one in wanted] == [names.MFA, names.PASSWORD_TRANSPORT]


def test_our_metadata_says_how_the_upstream_reaches_us(browser, way):
    response = browser.get("/upstream/corp/metadata")
    root = etree.fromstring(response.data)

    assert response.headers["Content-Type"] == "application/samlmetadata+xml"
    assert root.get("entityID") == f"{BASE}/upstream/corp/metadata"
    acs = root.find(".//{*}AssertionConsumerService")
    assert (acs.get("Binding"), acs.get("Location")) == (POST, f"{BASE}/upstream/corp/acs")
    assert {one.get("use") for one in root.iterfind(".//{*}KeyDescriptor")} == {"signing", "encryption"}
    assert REDIRECT in [one.get("Binding") for one in root.iterfind(".//{*}SingleLogoutService")]
    assert NS["md"] in root.tag


def test_our_metadata_keeps_to_the_schema_and_a_reader_understands_it(browser, way):
    from idp.saml import sp_metadata, xml

    text = browser.get("/upstream/corp/metadata").data
    xml.parse(text, xml.METADATA)

    view = sp_metadata.read(text)
    assert view.acs[0].url == f"{BASE}/upstream/corp/acs"
    assert view.name == "Sheaf", "the other side shows the name of the organisation"


def test_a_name_is_written_as_text_and_none_is_left_out():
    from idp.saml.authn_request import OurSp, metadata
    from idp.saml.sp_metadata import read

    ours = OurSp(f"{BASE}/metadata", f"{BASE}/acs", None, (), (), (), False, True)
    assert b"UIInfo" not in metadata(ours)
    assert read(metadata(replace(ours, display_name='Ada <& "Söhne">'))).name == 'Ada <& "Söhne">'

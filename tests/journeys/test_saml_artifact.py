"""Answers by artifact and sign-ins that begin here, with service providers that run as programs of their own."""

from collections.abc import Callable, Iterator
from urllib.parse import urlencode

import pytest
from lxml import etree

from tests.peers.saml_library import idp_metadata
from tests.peers.shibboleth import MakeShibboleth, Shibboleth, hello, make_shibboleth  # noqa: F401  (a fixture)
from tests.peers.simplesamlphp import through
from tests.saml.peer import NS
from tests.saml.test_artifact import BY_ARTIFACT
from tests.support.sheaf import Sheaf
from tests.support.visitor import Visitor

# By SOAP it speaks https only, and trusts a certificate there more than a signature, unless it is told so.
LOOPBACK = 'requireConfidentiality="false" requireTransportAuth="false"'

pytestmark = [pytest.mark.peer, pytest.mark.slow]


@pytest.fixture(scope="module")
def sheaf(start_sheaf: Callable[..., Sheaf]) -> Sheaf:
    return start_sheaf(second_factor="administrators")


@pytest.fixture(scope="module")
def ada(sheaf: Sheaf) -> Iterator[Visitor]:
    visitor = Visitor(sheaf.browser(), sheaf.add_user(full_name="Ada Lovelace"))
    yield visitor
    visitor.close()


@pytest.fixture(scope="module")
def shibboleth(sheaf: Sheaf, make_shibboleth: MakeShibboleth, tmp_path_factory: pytest.TempPathFactory) -> Shibboleth:  # noqa: F811
    ours = idp_metadata(sheaf, tmp_path_factory.mktemp("ours"))
    made = make_shibboleth()
    written = made._shibd
    made._shibd = lambda idp: written(idp).replace("<ApplicationDefaults", f"<ApplicationDefaults {LOOPBACK}", 1)
    return made.start(ours, sheaf.url("/saml/metadata"))


@pytest.mark.parametrize("encrypt", ["never", "always"])
def test_shibboleth_fetches_its_answer(sheaf: Sheaf, shibboleth: Shibboleth, ada: Visitor, encrypt: str) -> None:
    metadata = shibboleth.metadata()
    sheaf.add_sp(metadata, encrypt=encrypt)
    (acs,) = etree.parse(metadata).xpath(f"//md:AssertionConsumerService[@Binding='{BY_ARTIFACT}']", namespaces=NS)
    login = f"{shibboleth.url}/Shibboleth.sso/Login"

    page = ada.through(f"{login}?{urlencode({'acsIndex': acs.get('index'), 'target': shibboleth.secret})}")

    assert page.text.startswith("HELLO"), (sheaf.folder / "sheaf.log").read_text()[-3000:] + shibboleth.log
    assert hello(page.text)["uid"] == ada.person.username
    assert any(acs.get("Location") in url and "SAMLart=" in url for url in ada.browser.visited)
    ada.browser.session.cookies.clear()


def test_shibboleth_takes_an_answer_that_it_did_not_ask_for(sheaf: Sheaf, shibboleth: Shibboleth, ada: Visitor) -> None:
    sheaf.add_sp(shibboleth.metadata(), idp_initiated="true")
    target = urlencode({"sp": shibboleth.entity_id, "target": shibboleth.secret})

    page = through(ada.through(sheaf.url(f"/saml/start?{target}")))

    assert hello(page.text)["uid"] == ada.person.username, shibboleth.log

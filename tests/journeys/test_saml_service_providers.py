"""Whole sign-ins at service providers that run as programs of their own: SimpleSAMLphp and Shibboleth, from exchanged metadata.

mod_auth_mellon has tests of its own in tests/saml/test_mellon.py, Shibboleth with artifacts in test_saml_artifact.py.
"""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from idp.saml import names
from tests.peers.saml_library import idp_metadata
from tests.peers.shibboleth import EPPN, MakeShibboleth, Shibboleth, hello, make_shibboleth  # noqa: F401  (a fixture)
from tests.peers.simplesamlphp import (
    MakeSimpleSamlPhp,
    SimpleSamlPhp,
    attributes,
    make_simplesamlphp,  # noqa: F401  (a fixture)
    through,
)
from tests.support.sheaf import Sheaf
from tests.support.visitor import Visitor

pytestmark = [pytest.mark.peer, pytest.mark.slow]


@pytest.fixture(scope="module")
def scoped(start_sheaf: Callable[..., Sheaf]) -> Sheaf:
    """An installation that vouches for names at example.org."""
    return start_sheaf(second_factor="administrators", env={"IDP_SAML__SCOPES": '["example.org"]'})


@pytest.fixture(scope="module")
def ours(scoped: Sheaf, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return idp_metadata(scoped, tmp_path_factory.mktemp("ours"))


@pytest.fixture(scope="module")
def ada(scoped: Sheaf) -> Iterator[Visitor]:
    visitor = Visitor(scoped.browser(), scoped.add_user(full_name="Ada Lovelace"))
    yield visitor
    visitor.close()


@pytest.fixture(scope="module")
def php(scoped: Sheaf, ours: Path, make_simplesamlphp: MakeSimpleSamlPhp) -> SimpleSamlPhp:  # noqa: F811
    return make_simplesamlphp(asks=scoped.url("/saml/metadata")).start(ours)


@pytest.fixture(scope="module")
def shibboleth(scoped: Sheaf, ours: Path, make_shibboleth: MakeShibboleth) -> Shibboleth:  # noqa: F811
    shibboleth = make_shibboleth().start(ours, scoped.url("/saml/metadata"))
    wanted = {f"attributes.{EPPN}": "email", "attributes.urn:oid:0.9.2342.19200300.100.1.1": "username"}
    scoped.add_sp(shibboleth.metadata(), encrypt="always", name_id_format="persistent", **wanted)
    return shibboleth


def forget(visitor: Visitor) -> None:
    """No app knows the browser any more; we do."""
    for cookie in list(visitor.browser.session.cookies):
        if not cookie.name.startswith("sheaf"):
            visitor.browser.session.cookies.clear(cookie.domain, cookie.path, cookie.name)


@pytest.mark.parametrize("encrypt", ["never", "always"])
def test_simplesamlphp_takes_its_user_from_the_answer(
    scoped: Sheaf, php: SimpleSamlPhp, ada: Visitor, encrypt: str
) -> None:
    scoped.add_sp(php.sp_metadata(), encrypt=encrypt)
    forget(ada)

    told = attributes(through(ada.through(php.protected)))

    assert told["urn:oid:0.9.2342.19200300.100.1.1"] == ada.person.username, php.log
    assert told["urn:oid:0.9.2342.19200300.100.1.3"] == ada.person.email
    assert told["urn:oid:2.16.840.1.113730.3.1.241"] == "Ada Lovelace"
    assert told["SPNameQualifier"] == f"{php.url}/sp"
    assert told["Format"] == names.TRANSIENT  # that is what it asks for


def test_shibboleth_opens_an_encrypted_answer_and_believes_the_scope_of_a_name(
    scoped: Sheaf, shibboleth: Shibboleth, ada: Visitor
) -> None:
    forget(ada)

    told = hello(through(ada.through(shibboleth.secret)).text)

    assert told["uid"] == ada.person.username, shibboleth.log
    assert told["eppn"] == ada.person.email  # dropped when our metadata does not name the scope
    assert told["persistent-id"].startswith(f"{scoped.url('/saml/metadata')}!{shibboleth.entity_id}!")
    assert told["Shib-AuthnContext-Class"] == names.PASSWORD_TRANSPORT


def test_simplesamlphp_fetches_its_answer_by_artifact(scoped: Sheaf, php: SimpleSamlPhp, ada: Visitor) -> None:
    scoped.add_sp(php.sp_metadata("artifact-sp"))
    forget(ada)

    told = attributes(through(ada.through(php.protected_by("artifact-sp"))))

    assert any("SAMLart=" in url for url in ada.browser.visited[-4:])
    assert told["urn:oid:0.9.2342.19200300.100.1.1"] == ada.person.username, php.log

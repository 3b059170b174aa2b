"""Whole sign-ins into service providers on SAML libraries of others, from exchanged metadata, encrypted or not.

The libraries check signature, issuer, audience, recipient, times and InResponseTo themselves, and decrypt with code of theirs.
"""

from collections.abc import Iterator
from urllib.parse import urlencode

import pytest

from idp.saml import names
from tests.peers.features import RefusalError
from tests.peers.registering import add_sps
from tests.peers.saml_library import LIBRARIES, SamlApp, saml_apps
from tests.support.sheaf import Sheaf
from tests.support.visitor import Visitor

pytestmark = [pytest.mark.peer, pytest.mark.slow]
RELAY = "/deep?a=b&c=ä"


@pytest.fixture(scope="module")
def hopper(special: Sheaf) -> Iterator[Visitor]:
    """The installation is at http, the apps are at https: where the browser stops."""
    visitor = Visitor(special.browser("https://"), special.add_user(full_name="Grace Hopper"))
    yield visitor
    visitor.close()


@pytest.fixture(scope="module")
def apps(special: Sheaf, tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, SamlApp]]:
    with saml_apps(special, tmp_path_factory.mktemp("saml-apps"), sealed=True) as apps:
        settings = {True: {"encrypt": "always"}, False: {"idp_initiated": "true"}}
        add_sps(special, {app.metadata: settings[app.encrypted] for app in apps.values()})
        yield apps


@pytest.fixture(params=LIBRARIES)
def plain(request: pytest.FixtureRequest, apps: dict[str, SamlApp]) -> SamlApp:
    return apps[request.param]


@pytest.fixture(params=LIBRARIES)
def sealed(request: pytest.FixtureRequest, apps: dict[str, SamlApp]) -> SamlApp:
    return apps[f"{request.param} sealed"]


def values(told: dict[str, object]) -> set[str]:
    attributes = told["attributes"]
    assert isinstance(attributes, dict)
    return {value for several in attributes.values() for value in several}


def test_a_person_signs_in_and_the_library_believes_every_word(plain: SamlApp, hopper: Visitor) -> None:
    page = hopper.through(str(plain.do("login", binding="redirect", relay_state=RELAY)["url"]))
    told = plain.consume(page)

    assert page.posted["RelayState"] == RELAY
    assert told["format"] in (names.PERSISTENT, None)
    assert told["session_index"]
    assert values(told) == {hopper.person.username, hopper.person.email, "Grace Hopper"}


def test_a_request_that_is_posted_gets_the_same_answer(plain: SamlApp, hopper: Visitor) -> None:
    if plain.library == "python3-saml":
        with pytest.raises(RefusalError):
            plain.do("login", binding="post")  # it knows the Redirect binding only
        return
    first = plain.consume(hopper.through(plain.do("login", binding="redirect", relay_state=RELAY)["url"]))
    page = hopper.on(plain.login(hopper.browser, "post"))

    assert plain.consume(page)["name_id"] == first["name_id"]


def test_an_encrypted_assertion_is_opened_by_the_library(sealed: SamlApp, hopper: Visitor) -> None:
    page = hopper.through(str(sealed.do("login", binding="redirect", relay_state=RELAY)["url"]))
    told = sealed.consume(page)

    assert values(told) == {hopper.person.username, hopper.person.email, "Grace Hopper"}


def test_an_answer_is_good_for_one_sign_in_and_one_library(plain: SamlApp, hopper: Visitor) -> None:
    """The very answer is refused once its request was answered: the library finds its InResponseTo used up."""
    page = hopper.through(str(plain.do("login", binding="redirect", relay_state=RELAY)["url"]))
    plain.consume(page)
    plain.do("login", binding="redirect", relay_state=RELAY)

    if plain.library != "pysaml2":  # what is outstanding there is the business of whoever calls it
        with pytest.raises(RefusalError):
            plain.consume(page)


@pytest.mark.parametrize("library", ["node-saml", "samlify", "python3-saml"])
def test_a_sign_in_may_begin_here(special: Sheaf, apps: dict[str, SamlApp], hopper: Visitor, library: str) -> None:
    app = apps[library]
    link = urlencode({"sp": f"{app.url}/metadata", "target": "/reports"})

    page = hopper.through(special.url(f"/saml/start?{link}"), answer=None)
    page = hopper.on(page.submit() if not page.url.startswith(app.url) else page)

    assert page.posted["RelayState"] == "/reports"
    assert values(app.consume(page, unsolicited=True)) >= {hopper.person.username}

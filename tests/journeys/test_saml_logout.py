"""Single logout with service providers of others, several of them signed in at once: begun by each of them, and by us.

The libraries' addresses are at https, where the browser stops; what it brings there is handed to them. mod_auth_mellon,
SimpleSAMLphp and Shibboleth answer themselves; Shibboleth is told in the back channel too (SOAP).
"""

from collections.abc import Iterator
from dataclasses import dataclass, field

import pytest

from tests.peers.mellon import Mellon
from tests.peers.registering import add_sps
from tests.peers.saml_library import LIBRARIES, SamlApp, idp_metadata, saml_apps
from tests.peers.shibboleth import MakeShibboleth, Shibboleth, make_shibboleth  # noqa: F401  (a fixture)
from tests.peers.simplesamlphp import (
    MakeSimpleSamlPhp,
    SimpleSamlPhp,
    make_simplesamlphp,  # noqa: F401  (a fixture)
)
from tests.support.html import Form
from tests.support.http_browser import Page
from tests.support.running import until
from tests.support.sheaf import Person, Sheaf
from tests.support.visitor import Visitor

pytestmark = [pytest.mark.peer, pytest.mark.slow]
SAML = {"SAMLRequest", "SAMLResponse"}


@dataclass
class Town:
    """Every app that a person is signed in at."""

    sheaf: Sheaf
    mellon: Mellon
    php: SimpleSamlPhp
    shibboleth: Shibboleth
    libraries: dict[str, SamlApp]
    person: Person
    told: dict[str, dict[str, str]] = field(default_factory=dict)
    signed_in: dict[str, dict[str, str]] = field(default_factory=dict)

    @property
    def programs(self) -> dict[str, str]:
        """The address of each that only who is signed in sees."""
        return {"mellon": self.mellon.secret, "php": self.php.protected, "shibboleth": self.shibboleth.secret}

    def arrive(self, *apps: str) -> Visitor:
        """A fresh browser, signed in at these: programs, libraries."""
        visitor = Visitor(self.sheaf.browser("https://"), self.person)
        self.told.clear()
        self.signed_in.clear()
        for name in apps:
            if name in self.programs:
                page = self.onward(visitor.through(self.programs[name]))
                assert page.url == self.programs[name], f"{name}: {page.url} ({page.status}) {page.text[:400]}"
                self.signed_in[name] = {}
            else:
                app = self.libraries[name]
                page = visitor.through(app.do("login", binding="redirect", relay_state="x")["url"])
                self.signed_in[name] = app.consume(page)
        return visitor

    def onward(self, page: Page, until: SamlApp | None = None) -> Page:
        """Where the browser comes to rest. until: the app whose answer is not handed to it, as it began."""
        for _ in range(30):
            app = next((one for one in self.libraries.values() if page.url.startswith(f"{one.url}/slo")), None)
            if app is not None:
                if app is until and "SAMLResponse" in {**page.params, **page.posted}:
                    return page
                asked = app.do("logout_request", **app.came(page))
                self.told[app.library] = asked
                page = app.go(page.browser, asked)
            elif (form := carrying(page)) is not None:
                page = page.submit(at=form.action)
            else:
                return page
        raise AssertionError(f"it never ends: {page.browser.visited[-8:]}")

    def asks_anew(self, visitor: Visitor, secret: str) -> bool:
        """Who is told by SOAP may hear of it a moment after the browser has moved on."""
        page = visitor.browser.open(secret)
        return page.url.startswith(self.sheaf.issuer) and "password" in {
            n for f in page.document.forms for n in f.names
        }

    def signed_out_everywhere(self, visitor: Visitor, but: str = "") -> None:
        """Each program asks anew; each library was told, with the very name and session that it was given."""
        for name in set(self.programs) & set(self.signed_in):
            until(
                lambda at=self.programs[name]: self.asks_anew(visitor, at),
                f"{name} has no session any more",
                seconds=10,
            )
        assert set(self.told) == set(self.signed_in) - set(self.programs) - {but}
        for name, asked in self.told.items():
            assert asked["name_id"] == self.signed_in[name]["name_id"]
            assert asked["session_index"] == self.signed_in[name]["session_index"]


def carrying(page: Page) -> Form | None:
    return next((form for form in page.document.forms if form.names & SAML), None)


@pytest.fixture(scope="module")
def town(
    special: Sheaf,
    make_simplesamlphp: MakeSimpleSamlPhp,  # noqa: F811
    make_shibboleth: MakeShibboleth,  # noqa: F811
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[Town]:
    folder = tmp_path_factory.mktemp("town")
    ours, ident = idp_metadata(special, folder), special.url("/saml/metadata")
    mellon = Mellon()
    try:
        mellon.start(ours.read_bytes())
        php = make_simplesamlphp(asks=ident).start(ours)
        shibboleth = make_shibboleth().start(ours, ident)
        with saml_apps(special, folder) as libraries:
            files = [mellon.metadata, php.sp_metadata(), *(app.metadata for app in libraries.values())]
            add_sps(special, {**{file: {} for file in files}, shibboleth.metadata(): {"encrypt": "always"}})
            yield Town(special, mellon, php, shibboleth, libraries, special.add_user(full_name="Ada Lovelace"))
    finally:
        mellon.stop()


@pytest.mark.parametrize("library", LIBRARIES)
def test_a_library_signs_out_and_so_do_the_others(town: Town, library: str) -> None:
    neighbour = LIBRARIES[LIBRARIES.index(library) - 1]
    visitor, app = town.arrive("mellon", library, neighbour), town.libraries[library]

    page = town.onward(app.go(visitor.browser, app.do("logout", relay_state="bye")), until=app)

    assert app.do("logout_response", **app.came(page))["success"] is True
    if library != "pysaml2":  # it makes up one of its own
        assert {**page.params, **page.posted}["RelayState"] == "bye"
    town.signed_out_everywhere(visitor, but=library)


def test_mellon_signs_out_and_so_do_the_others(town: Town) -> None:
    visitor, back = town.arrive("mellon", "shibboleth", "samlify"), f"{town.mellon.url}/index.html"

    page = town.onward(visitor.browser.open(f"{town.mellon.url}/mellon/logout?ReturnTo={back}"))

    assert page.url == back, f"{page.url} ({page.status}) {page.text[:300]}\n{town.mellon.process.tail()}"
    town.signed_out_everywhere(visitor)


def test_simplesamlphp_signs_out_and_so_do_the_others(town: Town) -> None:
    visitor = town.arrive("mellon", "php", "python3-saml")

    page = town.onward(visitor.browser.open(f"{town.php.protected}&logout"))

    assert page.url.startswith(town.php.url), f"{page.url} ({page.status}) {page.text[:300]}\n{town.php.log}"
    assert page.status == 200, town.php.log
    town.signed_out_everywhere(visitor)


def test_shibboleth_signs_out_and_so_do_the_others(town: Town) -> None:
    visitor, back = town.arrive("shibboleth", "php", "node-saml"), f"{town.shibboleth.url}/index.html"

    page = town.onward(visitor.browser.open(f"{town.shibboleth.url}/Shibboleth.sso/Logout?return={back}"))

    assert page.url == back, f"{page.url} ({page.status}) {page.text[:300]}\n{town.shibboleth.log}"
    town.signed_out_everywhere(visitor)


def test_signing_out_here_signs_out_at_all_of_them(town: Town) -> None:
    visitor = town.arrive(*town.programs, *LIBRARIES)

    page = town.onward(visitor.browser.open(town.sheaf.url("/sign-out")).submit())

    assert page.url.startswith(town.sheaf.issuer), page.url
    assert "not reached" not in page.text, town.sheaf.log[-1500:]
    town.signed_out_everywhere(visitor)

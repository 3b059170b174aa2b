"""Whole sign-ins by SAML identity providers of others: SimpleSAMLphp, npm samlp (claims as ADFS and Auth0 send them), pysaml2.

From exchanged metadata; encrypted as each of them does. What a lying provider must not achieve is tested in tests/upstream.
"""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from lxml import etree

from tests.peers.saml_issuer import MakeIssuer, SamlIssuer, saml_issuer, sp_metadata  # noqa: F401  (a fixture)
from tests.peers.saml_library import SamlApp
from tests.peers.simplesamlphp import (
    ALICE_IS,
    MakeSimpleSamlPhp,
    SimpleSamlPhp,
    make_simplesamlphp,  # noqa: F401  (a fixture)
)
from tests.saml.peer import NS
from tests.support.http_browser import Page, PlainBrowser
from tests.support.sheaf import Sheaf

pytestmark = [pytest.mark.peer, pytest.mark.slow]
GCM = "http://www.w3.org/2009/xmlenc11#aes256-gcm"
CBC = "http://www.w3.org/2001/04/xmlenc#aes256-cbc"
UID = "urn:oid:0.9.2342.19200300.100.1.1"
MARY = {"id": "mary-1", "email": "mary@corp.example", "name": "Mary Shelley"}


@pytest.fixture(scope="module")
def home(start_sheaf: Callable[..., Sheaf]) -> Sheaf:
    return start_sheaf(second_factor="administrators")


@pytest.fixture
def browser(home: Sheaf) -> Iterator[PlainBrowser]:
    """The libraries' addresses are at https: there it stops."""
    with home.browser("https://") as browser:
        yield browser


@pytest.fixture(scope="module")
def php(home: Sheaf, make_simplesamlphp: MakeSimpleSamlPhp) -> SimpleSamlPhp:  # noqa: F811
    """One program and two upstreams: `php`, and `old`, of which AES-CBC is accepted."""
    php = make_simplesamlphp().start()
    # Its name IDs are transient unless it is told to make others.
    settings = {"metadata": f"@{php.idp_metadata()}", "subject_attribute": UID}
    home.add_upstream("saml", "php", label="PHP", **settings)
    home.add_upstream("saml", "old", label="Old", cbc="true", **settings)
    return trusting(home, php)


def trusting(home: Sheaf, php: SimpleSamlPhp, **idp_options: str) -> SimpleSamlPhp:
    """It takes our metadata, and does as these options say from now on."""
    ours = [php.folder / f"{name}.xml" for name in ("php", "old")]
    for file in ours:
        file.write_text(sp_metadata(home, file.stem))
    php.idp_options = {name.replace("__", "."): value for name, value in idp_options.items()}
    php.trust(*ours)
    return php


def certificate_of(home: Sheaf, upstream: str, use: str) -> str:
    """The one in our metadata for that upstream, as PEM."""
    tree = etree.fromstring(sp_metadata(home, upstream).encode())
    found = tree.findtext(f".//md:KeyDescriptor[@use='{use}']//ds:X509Certificate", namespaces=NS)
    assert found
    return f"-----BEGIN CERTIFICATE-----\n{found.strip()}\n-----END CERTIFICATE-----\n"


def by(home: Sheaf, browser: PlainBrowser, label: str) -> Page:
    """Where the browser is after the button of that upstream."""
    return browser.open(home.url("/sign-in")).submit(label)


def signed_in(home: Sheaf, page: Page, email: str) -> None:
    assert page.url == home.url("/"), f"{page.url} ({page.status}) {page.text[:400]}\n{home.log[-1500:]}"
    assert email in page.browser.open(home.url("/account")).text


def refused(home: Sheaf, page: Page) -> str:
    """The reason that only the trace has; the person reads the one sentence there is."""
    assert page.status >= 400, f"{page.url} ({page.status}) {page.text[:400]}"
    return home.log.rpartition("upstream_answer_invalid")[2]


def test_alice_signs_in_by_simplesamlphp(home: Sheaf, php: SimpleSamlPhp, browser: PlainBrowser) -> None:
    signed_in(home, php.log_in(by(home, browser, "PHP")), ALICE_IS["mail"])


def test_it_encrypts_with_aes_cbc_and_that_is_refused_unless_the_upstream_may(
    home: Sheaf, php: SimpleSamlPhp, browser: PlainBrowser
) -> None:
    trusting(home, php, assertion__encryption="true")

    assert "decrypt" in refused(home, php.log_in(by(home, browser, "PHP"))).casefold()
    page = carried(by(home, browser, "Old"))  # still signed in there
    if "login from Old" in page.text:  # another test made an account of that address
        page = page.submit("Keep separate")
    assert page.url == home.url("/"), f"{page.url} ({page.status}) {page.text[:300]}\n{home.log[-1500:]}"
    assert ALICE_IS["displayName"] in browser.open(home.url("/account")).text


@pytest.fixture(scope="module")
def corp(home: Sheaf, saml_issuer: MakeIssuer) -> SamlIssuer:  # noqa: F811
    """An upstream with the names of ADFS."""
    corp = saml_issuer("samlp", "corp", home)
    home.add_upstream("adfs", "corp", label="Corp", metadata=f"@{corp.configure()}")
    return corp


@pytest.mark.parametrize("signed", ["assertion", "response", "both"])
def test_mary_signs_in_by_samlp_whichever_part_it_signs(
    home: Sheaf, corp: SamlIssuer, browser: PlainBrowser, signed: str
) -> None:
    corp.configure()
    page = corp.sign_in(by(home, browser, "Corp"), MARY, signed=signed)
    signed_in(home, page, MARY["email"])


@pytest.mark.parametrize(("method", "taken"), [(GCM, True), (CBC, False)])
def test_samlp_encrypts_to_the_key_in_our_metadata(
    home: Sheaf, corp: SamlIssuer, browser: PlainBrowser, method: str, taken: bool
) -> None:
    corp.configure(
        encryption={"encryptionCert": certificate_of(home, "corp", "encryption"), "encryptionAlgorithm": method}
    )
    page = corp.sign_in(by(home, browser, "Corp"), MARY, signed="response")

    if taken:
        signed_in(home, page, MARY["email"])
    else:
        assert "decrypt" in refused(home, page).casefold()


def test_ken_signs_in_and_out_by_pysaml2_which_names_him_by_an_attribute(
    home: Sheaf,
    saml_issuer: MakeIssuer,  # noqa: F811
    browser: PlainBrowser,
) -> None:
    """Its name IDs are transient unless it keeps a store of them."""
    issuer = saml_issuer("pysaml2", "library", home)
    settings = {"subject_attribute": UID, "name_id_format": "none", "signed": "both"}
    home.add_upstream("saml", "library", label="Library", metadata=f"@{issuer.configure()}", **settings)
    issuer.configure(ours=sp_metadata(home, "library"))
    user = {"id": "ken-1", "email": "ken@library.example", "name": "Ken Thompson"}

    signed_in(home, issuer.sign_in(by(home, browser, "Library"), user), user["email"])

    asked = carried(browser.open(home.url("/sign-out")).submit())
    page = carried(issuer.carried(asked, issuer.do("logout", **issuer.came(asked, "slo"))))

    assert page.url.startswith(home.issuer), f"{page.url} ({page.status}) {page.text[:400]}"
    assert "not reached" not in page.text


def carried(page: Page) -> Page:
    """Through the pages that carry a SAML message from one program to the next."""
    for _ in range(10):
        form = next((one for one in page.document.forms if one.names & {"SAMLRequest", "SAMLResponse"}), None)
        if form is None:
            return page
        page = page.submit(at=form.action)
    raise AssertionError(f"it never ends: {page.browser.visited[-6:]}")


def is_asked_to_sign_in(home: Sheaf, browser: PlainBrowser) -> bool:
    return "password" in {n for form in browser.open(home.url("/account")).document.forms for n in form.names}


def test_signing_out_here_signs_out_at_simplesamlphp_as_well(
    home: Sheaf, php: SimpleSamlPhp, browser: PlainBrowser
) -> None:
    trusting(home, php)
    signed_in(home, php.log_in(by(home, browser, "PHP")), ALICE_IS["mail"])

    page = carried(browser.open(home.url("/sign-out")).submit())

    assert page.url.startswith(home.issuer), f"{page.url} ({page.status}) {page.text[:400]}\n{php.log}"
    assert "signed out" in page.text
    assert "username" in {n for form in by(home, browser, "PHP").document.forms for n in form.names}, php.log


def test_signing_out_at_simplesamlphp_signs_out_here(home: Sheaf, php: SimpleSamlPhp, browser: PlainBrowser) -> None:
    trusting(home, php)
    signed_in(home, php.log_in(by(home, browser, "PHP")), ALICE_IS["mail"])

    page = carried(
        browser.open(f"{php.url}/saml2/idp/initSLO.php?RelayState={php.url}/module.php/core/frontpage_welcome.php")
    )

    assert page.url.startswith(php.url), f"{page.url} ({page.status}) {page.text[:400]}\n{home.log[-1500:]}"
    assert is_asked_to_sign_in(home, browser)


@pytest.mark.parametrize("binding", ["redirect", "post"])
def test_samlp_signs_out_and_so_do_we(home: Sheaf, corp: SamlIssuer, browser: PlainBrowser, binding: str) -> None:
    corp.configure(certificate=certificate_of(home, "corp", "signing"))
    signed_in(home, corp.sign_in(by(home, browser, "Corp"), MARY), MARY["email"])

    page = corp.carried(browser.open(home.url("/account")), corp.do("logout", binding=binding))
    assert corp.do("logout", **corp.came(carried(page), "slo"))["said"]

    assert corp.do("participants") == {"count": 0}
    assert is_asked_to_sign_in(home, browser)


def test_we_sign_out_and_so_does_samlp(home: Sheaf, corp: SamlIssuer, browser: PlainBrowser) -> None:
    corp.configure(certificate=certificate_of(home, "corp", "signing"))
    signed_in(home, corp.sign_in(by(home, browser, "Corp"), MARY), MARY["email"])

    asked = carried(browser.open(home.url("/sign-out")).submit())
    page = carried(corp.carried(asked, corp.do("logout", **corp.came(asked, "slo"))))

    assert page.url.startswith(home.issuer), f"{page.url} ({page.status}) {page.text[:400]}"
    assert corp.do("participants") == {"count": 0}


def test_signing_out_at_simplesamlphp_reaches_the_apps_of_the_session(
    home: Sheaf, php: SimpleSamlPhp, browser: PlainBrowser, tmp_path: Path
) -> None:
    """The whole chain: their identity provider, we, and an app that only knows us."""
    trusting(home, php)
    with SamlApp("python3-saml", home, tmp_path) as app:
        home.add_sp(app.configure().metadata)
        signed_in(home, php.log_in(by(home, browser, "PHP")), ALICE_IS["mail"])
        told = app.consume(carried(app.login(browser)))

        page = carried(
            browser.open(f"{php.url}/saml2/idp/initSLO.php?RelayState={php.url}/module.php/core/frontpage_welcome.php")
        )
        asked = app.do("logout_request", **app.came(page))
        page = carried(app.go(browser, asked))

    assert asked["session_index"] == told["session_index"]
    assert page.url.startswith(php.url), f"{page.url} ({page.status}) {page.text[:400]}\n{home.log[-1500:]}"
    assert is_asked_to_sign_in(home, browser)

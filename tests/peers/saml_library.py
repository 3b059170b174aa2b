"""Owns service providers on SAML libraries of others: npm node-saml and samlify, python3-saml, pysaml2, all driven alike.

They listen nowhere: a test's browser stops at their addresses, and what it would have brought there is handed to the library.
"""

import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any
from urllib.request import urlopen

from tests.peers.features import Library
from tests.saml.peer import pair
from tests.support.http_browser import Page, PlainBrowser
from tests.support.needs import NODE, ONELOGIN, XMLSEC1, need
from tests.support.sheaf import Sheaf

HERE = Path(__file__).parent
LIBRARIES = ("node-saml", "samlify", "python3-saml", "pysaml2")


class SamlApp(Library):
    """One service provider. `with SamlApp(...) as app:` starts it, without registering it.

    encrypted: its metadata shows a key to encrypt to, and it takes nothing else. settings: further ones of the library.
    """

    def __init__(self, library: str, sheaf: Sheaf, folder: Path, *, encrypted: bool = False, **settings: Any) -> None:
        super().__init__(command=_command(library))
        self.library, self.sheaf, self.folder, self.encrypted = library, sheaf, folder, encrypted
        self.settings = settings
        self.url = f"https://{library}{'-sealed' if encrypted else ''}.example"
        self.metadata = folder / f"{library}{'-sealed' if encrypted else ''}.xml"

    def configure(self) -> "SamlApp":
        # With two certificates samlify can verify answers to sign-ins, but dies of messages that come by redirect.
        ours = idp_metadata(self.sheaf, self.folder, "?keys=current" if self.library == "samlify" else "")
        key = pair("rsa-2048", 7000)
        own = {"xmlsec": need(XMLSEC1), "folder": str(self.folder)} if self.library == "pysaml2" else {}
        made = self.do(
            "configure",
            library=self.library,
            entity_id=f"{self.url}/metadata",
            acs=f"{self.url}/acs",
            slo=f"{self.url}/slo",
            key=key.pem,
            certificate=key.certificate,
            encrypted=self.encrypted,
            idp_metadata=str(ours),
            **own,
            **self.settings,
        )
        self.metadata.write_text(made["metadata"])
        return self

    def go(self, browser: PlainBrowser, way: dict[str, Any]) -> Page:
        """Follow what the library gives: an address, or a form to post."""
        if "url" in way:
            return browser.open(way["url"], referer=f"{self.url}/")
        return browser.post(way["action"], {k: v for k, v in way["fields"].items() if v}, referer=f"{self.url}/")

    def login(self, browser: PlainBrowser, binding: str = "redirect", relay_state: str = "/deep?a=b&c=ä") -> Page:
        return self.go(browser, self.do("login", binding=binding, relay_state=relay_state))

    def consume(self, page: Page, **how: bool) -> dict[str, Any]:
        """What the library reads out of the answer that the browser brought."""
        assert page.url == f"{self.url}/acs", f"{page.url} ({page.status}) {page.text[:400]}"
        told: dict[str, Any] = self.do("consume", fields=page.posted, **how)
        return told

    def came(self, page: Page) -> dict[str, Any]:
        """What a browser brought to the logout address, as commands take it."""
        assert page.url.startswith(f"{self.url}/slo"), f"{page.url} ({page.status}) {page.text[:400]}"
        return {"fields": page.posted} if page.posted else {"url": page.url}


def _command(library: str) -> list[str]:
    if library == "python3-saml":
        return [need(ONELOGIN), str(HERE / "saml_sp_onelogin.py")]
    if library == "pysaml2":
        return [sys.executable, str(HERE / "saml_sp_pysaml2.py")]
    return [need(NODE), "--no-warnings", str(HERE / "js" / "saml_sp.mjs")]


@contextmanager
def saml_apps(sheaf: Sheaf, folder: Path, *, sealed: bool = False) -> Iterator[dict[str, SamlApp]]:
    """One service provider on each library, by its name. sealed: another one as well, `NAME sealed`, that gets everything
    encrypted. Their metadata is written and not registered."""
    with ExitStack() as running:
        apps = {name: running.enter_context(SamlApp(name, sheaf, folder)) for name in LIBRARIES}
        if sealed:
            apps |= {
                f"{name} sealed": running.enter_context(SamlApp(name, sheaf, folder, encrypted=True))
                for name in LIBRARIES
            }
        for app in apps.values():
            app.configure()
        yield apps


def idp_metadata(sheaf: Sheaf, folder: Path, query: str = "") -> Path:
    """The identity provider's metadata as a file, as it publishes it."""
    path = folder / f"idp{query.replace('?', '-')}.xml"
    with urlopen(sheaf.url(f"/saml/metadata{query}"), timeout=10) as answer:
        path.write_bytes(answer.read())
    return path

"""Owns identity providers on SAML libraries of others, for us to be their service provider: npm samlp and pysaml2, driven alike.

They listen nowhere: a test's browser stops at their addresses, and what it would have brought there is handed to the library.
"""

import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from urllib.request import urlopen

import pytest

from tests.peers.features import Library
from tests.saml.peer import pair
from tests.support.http_browser import Page
from tests.support.needs import NODE, XMLSEC1, need
from tests.support.sheaf import Sheaf

HERE = Path(__file__).parent
LIBRARIES = ("samlp", "pysaml2")


class SamlIssuer(Library):
    """One identity provider, `name`, at https://NAME.example. configure(ident) gives the file of its metadata."""

    def __init__(self, library: str, name: str, sheaf: Sheaf, folder: Path) -> None:
        script = HERE / "js" / "saml_idp.mjs"
        node = [need(NODE), "--no-warnings", str(script)] if library == "samlp" else []
        super().__init__(command=node or [sys.executable, str(HERE / "saml_idp_pysaml2.py")])
        self.library, self.name, self.sheaf, self.folder = library, name, sheaf, folder
        self.url = f"https://{name}.example"
        self.metadata = folder / f"{name}.xml"

    def configure(self, ours: str = "", certificate: str = "", **settings: Any) -> Path:
        """ours: our metadata as its service provider, empty before there is any; certificate: the one we sign with."""
        key = pair("rsa-2048", 7001)
        own = {"xmlsec": need(XMLSEC1), "folder": str(self.folder)} if self.library == "pysaml2" else {}
        at = self.sheaf.url(f"/upstream/{self.name}")
        made = self.do(
            "configure",
            entity_id=f"{self.url}/idp",
            sso=f"{self.url}/sso",
            slo=f"{self.url}/slo",
            key=key.pem,
            certificate=key.certificate,
            sp={
                "entity_id": f"{at}/metadata",
                "acs": f"{at}/acs",
                "slo": f"{at}/slo",
                "certificate": certificate,
                "metadata": ours,
            },
            **own,
            **settings,
        )
        self.metadata.write_text(made["metadata"])
        return self.metadata

    def came(self, page: Page, service: str) -> dict[str, Any]:
        """What a browser brought to `sso` or `slo`, as commands take it."""
        assert page.url.startswith(f"{self.url}/{service}"), f"{page.url} ({page.status}) {page.text[:400]}"
        return {"fields": page.posted} if page.posted else {"url": page.url}

    def carried(self, page: Page, way: dict[str, Any]) -> Page:
        """The browser does what the library's answer makes it do."""
        if "url" in way:
            return page.browser.open(way["url"], referer=f"{self.url}/")
        return page.browser.post(way["action"], way["fields"], referer=f"{self.url}/")

    def sign_in(self, page: Page, user: dict[str, str], **how: str) -> Page:
        """The person who is at its sign-on address is `user`; gives the page of ours after that."""
        return self.carried(page, self.do("respond", user=user, **self.came(page, "sso"), **how))


MakeIssuer = Callable[..., SamlIssuer]


@pytest.fixture(scope="module")
def saml_issuer(tmp_path_factory: pytest.TempPathFactory) -> Iterator[MakeIssuer]:
    """Identity providers that end with the module."""
    made: list[SamlIssuer] = []

    def make(library: str, name: str, sheaf: Sheaf) -> SamlIssuer:
        made.append(SamlIssuer(library, name, sheaf, tmp_path_factory.mktemp("saml-issuer")).__enter__())
        return made[-1]

    yield make
    for one in made:
        one.__exit__()


def sp_metadata(sheaf: Sheaf, upstream: str) -> str:
    """Our metadata for one upstream, as we publish it."""
    with urlopen(sheaf.url(f"/upstream/{upstream}/metadata"), timeout=10) as answer:
        return str(answer.read().decode())

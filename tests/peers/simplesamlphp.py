"""Owns SimpleSAMLphp as a service provider and as an identity provider at once: keys, configuration, process.

Its service provider is configured with the recipe of docs/saml-recipes.md. Its pages are for the tests' browsers. One user can
sign in at its identity provider: Alice, see ALICE.
"""

import re
import shutil
import tempfile
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
import requests

from tests.peers.recipes import block
from tests.saml.peer import pair
from tests.support.http_browser import Page
from tests.support.needs import PHP, Need, need
from tests.support.ports import free_port
from tests.support.running import Running

PROGRAM = Path("/usr/share/simplesamlphp/www")
ARTIFACT = "urn:oasis:names:tc:SAML:2.0:bindings:HTTP-Artifact"
RECIPE = "SimpleSAMLphp"
ALICE = {"username": "alice", "password": "alicepass"}
ALICE_IS = {"uid": "alice", "mail": "alice@example.org", "displayName": "Alice Liddell"}


class SimpleSamlPhp:
    """On a port of its own. start(ours…) with files of metadata of ours: as an identity provider, as a service provider.

    asks: the entityID of the provider where its service provider sends people. idp: further options of its own identity
    provider, as PHP: {"assertion.encryption": "true"}.
    """

    def __init__(self, *, asks: str = "", idp: Mapping[str, str] | None = None) -> None:
        need(PHP if PROGRAM.exists() else Need("SimpleSAMLphp", (), "the Debian package simplesamlphp"))
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self.protected = self.protected_by("default-sp")
        self.asks, self.idp_options = asks, dict(idp or {})
        self.folder = Path(tempfile.mkdtemp(prefix="simplesamlphp-"))
        self.process = Running(
            "SimpleSAMLphp",
            [need(PHP), "-S", f"127.0.0.1:{self.port}", "-t", PROGRAM],
            log=self.folder / "php.log",
            env={"PATH": "/usr/bin:/bin", "SIMPLESAMLPHP_CONFIG_DIR": str(self.folder / "config")},
        )

    def start(self, *ours: Path) -> "SimpleSamlPhp":
        for name in ("config/metadata", "log", "data", "tmp", "sessions"):
            (self.folder / name).mkdir(parents=True, exist_ok=True)
        key = pair("rsa-2048", 8103)
        (self.folder / "own.key").write_text(key.pem)
        (self.folder / "own.crt").write_text(key.certificate)
        self.trust(*ours)
        self.process.start().wait_port(self.port)
        return self

    def trust(self, *ours: Path) -> None:
        """Take these files of metadata from now on; it reads its configuration at every request."""
        sources = "".join(f",['type'=>'xml','file'=>'{path}']" for path in ours)
        config = self.folder / "config"
        (config / "config.php").write_text(self._config(sources))
        (config / "authsources.php").write_text(self._sources())
        (config / "metadata" / "saml20-idp-hosted.php").write_text(self._hosted())

    def _config(self, sources: str) -> str:
        at = self.folder
        return f"""<?php $config = ['baseurlpath'=>'{self.url}/','certdir'=>'{at}/','loggingdir'=>'{at}/log/','datadir'=>'{at}/data/',
'tempdir'=>'{at}/tmp','secretsalt'=>'a salt of this test','auth.adminpassword'=>'not used','timezone'=>'UTC',
'technicalcontact_email'=>'a@example.org','enable.saml20-idp'=>true,'session.cookie.secure'=>false,
'session.phpsession.savepath'=>'{at}/sessions','session.phpsession.cookiename'=>'SSP{self.port}',
'session.cookie.name'=>'SSPID{self.port}','session.authtoken.cookiename'=>'SSPToken{self.port}','store.type'=>'phpsession',
'logging.handler'=>'file','logging.level'=>SimpleSAML\\Logger::DEBUG,'module.enable'=>['exampleauth'=>true,'core'=>true,'saml'=>true],
'trusted.url.domains'=>[],'language.default'=>'en','language.available'=>['en'],'showerrors'=>true,'errorreporting'=>false,
'admin.protectmetadata'=>false,'signature.algorithm'=>'http://www.w3.org/2001/04/xmldsig-more#rsa-sha256',
'attributenamemapdir'=>'/etc/simplesamlphp/attributemap/','metadatadir'=>'{at}/config/metadata',
'metadata.sources'=>[['type'=>'flatfile','directory'=>'{at}/config/metadata']{sources}]];
"""

    def _sources(self) -> str:
        who = ",".join(f"'{name}'=>['{value}']" for name, value in ALICE_IS.items())
        places = {"https://app.example.org": self.url, "https://id.example.org/saml/metadata": self.asks}
        source = block(RECIPE, "php", places)
        by_artifact = source.replace("default-sp", "artifact-sp").replace(f"{self.url}/sp", f"{self.url}/artifact-sp")
        by_artifact = by_artifact.replace(
            "'saml:SP',", f"'saml:SP','acs.Bindings'=>['{ARTIFACT}'],'ProtocolBinding'=>'{ARTIFACT}',"
        )
        return (
            "<?php $config = ['admin'=>['core:AdminPassword'],"
            f"'example-userpass'=>['exampleauth:UserPass','{ALICE['username']}:{ALICE['password']}'=>[{who}]],\n"
            f"{source}\n{by_artifact}];\n"
        )

    def _hosted(self) -> str:
        options = {
            "host": "'__DEFAULT__'",
            "privatekey": "'own.key'",
            "certificate": "'own.crt'",
            "auth": "'example-userpass'",
            "sign.logout": "true",
            "validate.logout": "true",
            "redirect.validate": "true",
            "saml20.sign.assertion": "true",
            "attributes.NameFormat": "'urn:oasis:names:tc:SAML:2.0:attrname-format:uri'",
            "authproc": "[100=>['class'=>'core:AttributeMap','name2oid']]",
            **self.idp_options,
        }
        return f"<?php $metadata['{self.url}/idp'] = [{_php(options)}];\n"

    def protected_by(self, source: str) -> str:
        """The page that only who is signed in sees. There are two service providers: default-sp, and artifact-sp, which
        fetches its answers."""
        return f"{self.url}/module.php/core/authenticate.php?as={source}"

    def sp_metadata(self, source: str = "default-sp") -> Path:
        return self._fetched(f"/module.php/saml/sp/metadata.php/{source}", f"{source}.xml")

    def idp_metadata(self) -> Path:
        return self._fetched("/saml2/idp/metadata.php", "idp.xml")

    def _fetched(self, path: str, name: str) -> Path:
        with requests.Session() as http:
            http.trust_env = False
            answer = http.get(self.url + path, timeout=20)
        assert answer.ok, f"{answer.text}\n{self.log}"
        (self.folder / name).write_bytes(answer.content)
        return self.folder / name

    def log_in(self, page: Page, **as_whom: str) -> Page:
        """On the login page of its identity provider, sign in; gives where its answer is taken to."""
        assert page.url.startswith(self.url), f"not there but on {page.url}: {page.text[:400]}"
        return through(page.submit(**{**ALICE, **as_whom}))

    @property
    def log(self) -> str:
        file = self.folder / "log" / "simplesamlphp.log"
        return "\n".join((file.read_text() if file.exists() else "").splitlines()[-25:]) + "\n" + self.process.tail(10)

    def stop(self) -> None:
        self.process.stop()
        shutil.rmtree(self.folder, ignore_errors=True)


def through(page: Page) -> Page:
    """Press the button of pages that carry a SAML message onward, as a browser's script would."""
    for _ in range(6):
        carries = [f for f in page.document.forms if f.names & {"SAMLRequest", "SAMLResponse"}]
        if not carries:
            return page
        page = page.submit(at=carries[0].action)
    raise AssertionError(f"it never ends: {page.browser.visited[-6:]}")


def attributes(page: Page) -> dict[str, str]:
    """What its page shows that tests a sign-in: attribute -> value, and NameId."""
    rows = re.findall(r'attrname">(.*?)</td>\s*<td class="attrvalue">(.*?)</td>', page.body, re.DOTALL)
    assert rows, f"{page.url} ({page.status}) {page.text[:600]}"
    return {_inner(name): _inner(value) for name, value in rows}


def _inner(html: str) -> str:
    return " ".join(re.sub(r"<[^>]+>", " ", html).split())


def _php(options: Mapping[str, str]) -> str:
    return ",".join(f"'{name}'=>{value}" for name, value in options.items())


MakeSimpleSamlPhp = Callable[..., SimpleSamlPhp]


@pytest.fixture(scope="module")
def make_simplesamlphp() -> Iterator[MakeSimpleSamlPhp]:
    made: list[SimpleSamlPhp] = []

    def make(**options: Any) -> SimpleSamlPhp:
        made.append(SimpleSamlPhp(**options))
        return made[-1]

    yield make
    for one in made:
        one.stop()

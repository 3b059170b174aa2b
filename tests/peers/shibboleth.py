"""Owns the Shibboleth service provider: shibd and Apache with mod_shib, their keys, configuration and processes.

Configured with the recipe of docs/saml-recipes.md. Its protected page shows what it got. It demands what it does by default of a
federation: attributes with a scope only from a provider whose metadata has that scope. It wants an answer when it signs people
out, which it does not when left alone. Signing in there is for the tests.
"""

import os
import re
import shutil
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import requests

from tests.peers.recipes import block
from tests.saml.peer import pair
from tests.support.needs import APACHE, SHIBD, need
from tests.support.ports import free_port
from tests.support.running import Running

MODULES = Path("/usr/lib/apache2/modules")
LOADED = ("mpm_event", "authn_core", "authz_core", "authz_user", "mime", "dir", "filter", "include", "alias", "shib")
EPPN = "urn:oid:1.3.6.1.4.1.5923.1.1.1.6"
SHOWN = ("eppn", "uid", "mail", "displayName", "persistent-id", "Shib-AuthnContext-Class", "Shib-Session-Index")
PAGE = "HELLO " + " ".join(f'{name}=<!--#echo var="{name}" -->;' for name in SHOWN)
ATTRIBUTES = """<Attributes xmlns="urn:mace:shibboleth:2.0:attribute-map" xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance">
<Attribute name="urn:oid:1.3.6.1.4.1.5923.1.1.1.6" id="eppn">
 <AttributeDecoder xsi:type="ScopedAttributeDecoder" caseSensitive="false"/></Attribute>
<Attribute name="urn:oasis:names:tc:SAML:2.0:nameid-format:persistent" id="persistent-id">
 <AttributeDecoder xsi:type="NameIDAttributeDecoder" formatter="$NameQualifier!$SPNameQualifier!$Name" defaultQualifiers="true"/>
</Attribute>
{recipe}
</Attributes>"""
RECIPE = "Shibboleth SP"


class Shibboleth:
    """A service provider on a port of its own: start(idp_metadata, entity_id of the provider), then metadata()."""

    def __init__(self) -> None:
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self.entity_id = f"{self.url}/shibboleth"
        self.secret = f"{self.url}/secret/index.html"
        self.folder = Path(tempfile.mkdtemp(prefix="shibboleth-"))
        self.folder.chmod(0o755)
        shibd = [
            need(SHIBD),
            "-f",
            "-F",
            "-c",
            str(self.folder / "shibboleth2.xml"),
            "-p",
            str(self.folder / "shibd.pid"),
        ]
        apache = [need(APACHE), "-f", str(self.folder / "apache.conf"), "-DFOREGROUND"]
        self.daemon = Running("shibd", shibd, log=self.folder / "shibd.out")
        self.apache = Running("Apache with mod_shib", apache, log=self.folder / "apache.log")

    def start(self, idp_metadata: Path, idp: str) -> "Shibboleth":
        www, run = self.folder / "www", self.folder / "run"
        (www / "secret").mkdir(parents=True)
        run.mkdir(mode=0o777)
        run.chmod(0o777)
        key = pair("rsa-2048", 8102)
        (www / "index.html").write_text("public")
        (www / "secret" / "index.html").write_text(PAGE)
        (self.folder / "sp.key").write_text(key.pem)
        (self.folder / "sp.crt").write_text(key.certificate)
        shutil.copy(idp_metadata, self.folder / "idp.xml")
        (self.folder / "attributes.xml").write_text(ATTRIBUTES.replace("{recipe}", block(RECIPE, "xml", {}, 1)))
        (self.folder / "logger").write_text(self._logger("shibd.log"))
        (self.folder / "native").write_text(self._logger("run/native.log"))
        (self.folder / "shibboleth2.xml").write_text(self._shibd(idp))
        (self.folder / "apache.conf").write_text(self._httpd())
        self.daemon.start()
        self.daemon.wait_for((run / "shibd.sock").exists, "shibd listens on its socket")
        (run / "shibd.sock").chmod(0o777)
        self.apache.start().wait_http(f"{self.url}/index.html")
        return self

    def metadata(self) -> Path:
        """Its own, as its generator makes it."""
        with requests.Session() as http:
            http.trust_env = False
            answer = http.get(f"{self.url}/Shibboleth.sso/Metadata", timeout=20)
        assert answer.ok, f"{answer.text}\n{self.log}"
        (self.folder / "sp.xml").write_bytes(answer.content)
        return self.folder / "sp.xml"

    @property
    def log(self) -> str:
        files = (self.folder / "shibd.log", self.folder / "run" / "native.log")
        return "\n".join("\n".join(f.read_text().splitlines()[-25:]) for f in files if f.exists())

    def stop(self) -> None:
        self.apache.stop()
        self.daemon.stop()
        shutil.rmtree(self.folder, ignore_errors=True)

    def _shibd(self, idp: str) -> str:
        at = self.folder
        places = {
            "https://app.example.org": self.url,
            "https://id.example.org/saml/metadata": idp,
            "/etc/shibboleth/idp.xml": f"{at}/idp.xml",
            "/etc/shibboleth/attribute-map.xml": f"{at}/attributes.xml",
            "/etc/shibboleth/sp.": f"{at}/sp.",
            'handlerSSL="true" cookieProps="https"': 'handlerSSL="false" cookieProps="http"',
        }
        recipe = block(RECIPE, "xml", places)
        return f"""<SPConfig xmlns="urn:mace:shibboleth:3.0:native:sp:config" clockSkew="180">
<OutOfProcess logger="{at}/logger"/><InProcess logger="{at}/native"/>
<UnixListener address="{at}/run/shibd.sock"/>
{recipe}
<SecurityPolicyProvider type="XML" validate="true" path="/etc/shibboleth/security-policy.xml"/>
<ProtocolProvider type="XML" validate="true" reloadChanges="false" path="/etc/shibboleth/protocols.xml"/>
</SPConfig>"""

    def _logger(self, name: str) -> str:
        return f"""log4j.rootCategory=INFO, file
log4j.appender.file=org.apache.log4j.FileAppender
log4j.appender.file.fileName={self.folder}/{name}
log4j.appender.file.layout=org.apache.log4j.PatternLayout
log4j.appender.file.layout.ConversionPattern=%p %c: %m%n
"""

    def _httpd(self) -> str:
        at = self.folder
        as_user = "User www-data\nGroup www-data" if os.geteuid() == 0 else ""
        modules = "\n".join(f"LoadModule {_name(m)} {MODULES}/mod_{m}.so" for m in LOADED)
        return f"""ServerRoot {at}
ServerName {self.url}
UseCanonicalName On
Listen 127.0.0.1:{self.port}
PidFile {at}/run/httpd.pid
ErrorLog {at}/apache.log
LogLevel warn
Mutex file:{at}/run default
{as_user}
{modules}
TypesConfig /etc/mime.types
DocumentRoot {at}/www
ShibConfig {at}/shibboleth2.xml
<Directory {at}/www>
 Options +Includes
 Require all granted
</Directory>
<Location /Shibboleth.sso>
 AuthType None
 Require all granted
 SetHandler shib
</Location>
<Location /secret>
 AuthType shibboleth
 ShibRequestSetting requireSession 1
 Require shib-session
 SetOutputFilter INCLUDES
</Location>
"""


def _name(module: str) -> str:
    return "mod_shib" if module == "shib" else f"{module}_module"


def hello(text: str) -> dict[str, str]:
    """What the protected page shows."""
    assert text.startswith("HELLO"), text
    return dict(re.findall(r"([\w-]+)=([^;]*);", text.removeprefix("HELLO ")))


MakeShibboleth = Callable[[], Shibboleth]


@pytest.fixture(scope="module")
def make_shibboleth() -> Iterator[MakeShibboleth]:
    made: list[Shibboleth] = []

    def make() -> Shibboleth:
        made.append(Shibboleth())
        return made[-1]

    yield make
    for one in made:
        one.stop()

"""Owns Apache with mod_auth_mellon (lasso) as a service provider: its keys, metadata, configuration and process.

It is configured with the recipe of docs/saml-recipes.md. Its protected page shows what it got; signing in there is for the tests.
"""

import os
import pwd
import shutil
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.peers.recipes import block
from tests.saml.peer import NS, POST, REDIRECT, bare, pair
from tests.support.needs import APACHE, need
from tests.support.ports import free_port
from tests.support.running import Running

MODULES = Path("/usr/lib/apache2/modules")
LOADED = (
    "mpm_event",
    "authn_core",
    "authz_core",
    "authz_user",
    "mime",
    "dir",
    "filter",
    "include",
    "setenvif",
    "auth_mellon",
)
UID = "urn:oid:0.9.2342.19200300.100.1.1"
PAGE = (
    'HELLO uid=<!--#echo var="MELLON_{uid}" --> name=<!--#echo var="MELLON_NAME_ID" --> '
    'session=<!--#echo var="MELLON_SESSION" --> context=<!--#echo var="MELLON_AUTHNCONTEXTCLASSREF" -->.'
)


class Mellon:
    """A service provider on a port of its own. `metadata` is a file to register; then start(idp_metadata).

    directives: further lines for mellon, for example "MellonAuthnContextClassRef …".
    """

    def __init__(self, *directives: str) -> None:
        self.directives = directives
        self.url = f"http://127.0.0.1:{free_port()}"
        self.entity_id = f"{self.url}/mellon/metadata"
        self.secret = f"{self.url}/secret/index.html"
        # Apache's children run as another user than root; pytest's folders are closed to them.
        self.folder = Path(tempfile.mkdtemp(prefix="mellon-"))
        self.folder.chmod(0o755)
        self.metadata = self.folder / "sp.xml"
        self._write()
        command = [need(APACHE), "-f", str(self.folder / "apache.conf"), "-DFOREGROUND"]
        self.process = Running("mod_auth_mellon", command, log=self.folder / "apache.log")

    def _write(self) -> None:
        key = pair("rsa-2048", 8101)
        www = self.folder / "www"
        (www / "secret").mkdir(parents=True)
        (www / "index.html").write_text("public")
        (www / "favicon.ico").write_bytes(b"")  # browsers ask for it, and a 404 counts as a complaint
        (www / "secret" / "index.html").write_text(PAGE.format(uid=UID))
        (self.folder / "sp.key").write_text(key.pem)
        (self.folder / "sp.crt").write_text(key.certificate)
        self.metadata.write_text(self._metadata(bare(key.certificate)))
        (self.folder / "apache.conf").write_text(self._config())

    def _metadata(self, certificate: str) -> str:
        info = f"<ds:KeyInfo><ds:X509Data><ds:X509Certificate>{certificate}</ds:X509Certificate></ds:X509Data></ds:KeyInfo>"
        return f"""<?xml version="1.0" encoding="UTF-8"?>
<EntityDescriptor xmlns="{NS["md"]}" xmlns:ds="{NS["ds"]}" entityID="{self.entity_id}">
<SPSSODescriptor AuthnRequestsSigned="true" WantAssertionsSigned="true" protocolSupportEnumeration="{NS["samlp"]}">
<KeyDescriptor use="signing">{info}</KeyDescriptor>
<KeyDescriptor use="encryption">{info}</KeyDescriptor>
<SingleLogoutService Binding="{REDIRECT}" Location="{self.url}/mellon/logout"/>
<NameIDFormat>urn:oasis:names:tc:SAML:2.0:nameid-format:persistent</NameIDFormat>
<AssertionConsumerService index="0" isDefault="true" Binding="{POST}" Location="{self.url}/mellon/postResponse"/>
</SPSSODescriptor></EntityDescriptor>
"""

    def _config(self) -> str:
        as_user = ""
        if os.geteuid() == 0:
            pwd.getpwnam("www-data")
            as_user = "User www-data\nGroup www-data"
        modules = "\n".join(f"LoadModule {m}_module {MODULES}/mod_{m}.so" for m in LOADED)
        (self.folder / "run").mkdir()
        (self.folder / "run").chmod(0o777)
        for name in ("sp.key", "sp.crt"):
            (self.folder / name).chmod(0o644)
        recipe = block("Apache with mod_auth_mellon", "apache", {"/etc/apache2/mellon": str(self.folder)})
        # Mellon marks its cookies SameSite=None, which browsers take over https only: here it must not mark them.
        return f"""ServerRoot {self.folder}
ServerName 127.0.0.1
Listen {self.url.removeprefix("http://")}
PidFile {self.folder}/run/httpd.pid
ErrorLog {self.folder}/apache.log
LogLevel warn auth_mellon:info
Mutex file:{self.folder}/run default
{as_user}
{modules}
TypesConfig /etc/mime.types
DocumentRoot {self.folder}/www
<Directory {self.folder}/www>
 Options +Includes
 Require all granted
</Directory>
<Location />
 MellonSecureCookie Off
 SetEnvIf User-Agent . MELLON_DISABLE_SAMESITE=1
 {chr(10).join(self.directives)}
</Location>
<Location /secret>
 SetOutputFilter INCLUDES
</Location>
{recipe}
"""

    def start(self, idp_metadata: bytes) -> "Mellon":
        """Run it against this metadata of the identity provider."""
        (self.folder / "idp.xml").write_bytes(idp_metadata)
        self.process.start().wait_http(f"{self.url}/index.html")
        return self

    def stop(self) -> None:
        self.process.stop()
        shutil.rmtree(self.folder, ignore_errors=True)


@pytest.fixture
def make_mellon() -> Iterator[Callable[..., Mellon]]:
    """Service providers that end with the test."""
    made: list[Mellon] = []

    def make(*directives: str) -> Mellon:
        made.append(Mellon(*directives))
        return made[-1]

    yield make
    for one in made:
        one.stop()

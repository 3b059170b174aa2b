"""Owns Apache as the proxy that ends TLS and forwards client certificates, configured as docs/client-authentication.md says.

Certificates of apps are made by the tests.
"""

import os
import re
import shutil
import ssl
import tempfile
from pathlib import Path

import urllib3
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import NameOID

from idp.base.clock import system_clock
from tests.support.needs import APACHE, need
from tests.support.ports import free_port
from tests.support.proofs import Certificate, certificate, ip
from tests.support.running import Running

MODULES = Path("/usr/lib/apache2/modules")
LOADED = ("mpm_event", "authn_core", "authz_core", "headers", "ssl", "proxy", "proxy_http")
RECIPE = Path(__file__).parents[2] / "docs" / "client-authentication.md"


class ApacheTls:
    """https on a port of its own in front of `behind`, an http address. `authority` signs certificates of apps that it
    can verify. verify: what SSLVerifyClient says."""

    def __init__(self, verify: str = "optional_no_ca") -> None:
        self.url = f"https://127.0.0.1:{free_port()}"
        self.verify = verify
        # Apache's children run as another user than root; pytest's folders are closed to them.
        self.folder = Path(tempfile.mkdtemp(prefix="apache-tls-"))
        self.folder.chmod(0o755)
        self.authority = certificate(system_clock, x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "Test CA")]))
        self.own = certificate(system_clock, names=[ip("127.0.0.1")])
        command = [need(APACHE), "-f", str(self.folder / "apache.conf"), "-DFOREGROUND"]
        self.process = Running("Apache with mod_ssl", command, log=self.folder / "apache.log")

    def start(self, behind: str) -> "ApacheTls":
        write(self.folder / "server", self.own)
        (self.folder / "clients-ca.pem").write_text(self.authority.pem)
        (self.folder / "run").mkdir(mode=0o777)
        (self.folder / "apache.conf").write_text(self._config(behind))
        self.process.start()
        self.process.wait_port(int(self.url.rpartition(":")[2]))
        return self

    def stop(self) -> None:
        self.process.stop()
        shutil.rmtree(self.folder, ignore_errors=True)

    def _config(self, behind: str) -> str:
        as_user = "User www-data\nGroup www-data" if os.geteuid() == 0 else ""
        modules = "\n".join(f"LoadModule {m}_module {MODULES}/mod_{m}.so" for m in LOADED)
        return f"""ServerRoot {self.folder}
ServerName 127.0.0.1
Listen {self.url.removeprefix("https://")}
PidFile {self.folder}/run/httpd.pid
ErrorLog {self.folder}/apache.log
LogLevel warn
Mutex file:{self.folder}/run default
{as_user}
{modules}
SSLEngine on
SSLCertificateFile {self.folder}/server.pem
SSLCertificateKeyFile {self.folder}/server.key
{recipe("apache", self.verify, f"{self.folder}/clients-ca.pem", behind)}
"""

    def request(
        self, method: str, path: str, shown: Certificate | None, fields: dict[str, str] | None = None, **headers: str
    ) -> tuple[int, dict[str, object]]:
        """Status and JSON. shown: the certificate of the client in the handshake."""
        import json

        context = ssl.create_default_context(cadata=self.own.pem)
        if shown is not None:
            write(self.folder / "app", shown)
            context.load_cert_chain(self.folder / "app.pem", self.folder / "app.key")
        with urllib3.PoolManager(ssl_context=context, retries=False, timeout=20) as pool:
            how = {"fields": fields, "encode_multipart": False} if fields else {}
            answer = pool.request(method, self.url + path, headers=headers, **how)
            return answer.status, json.loads(answer.data)


def recipe(language: str, verify: str, authorities: str, behind: str) -> str:
    """The lines of the documentation, with the places of this test instead of its examples."""
    found = re.search(rf"```{language}\n(.*?)```", RECIPE.read_text(), re.DOTALL)
    assert found, f"no recipe for {language} in {RECIPE.name}"
    text = re.sub(r"(SSLVerifyClient\s+)\S+", rf"\g<1>{verify}", found[1])
    text = re.sub(r"(SSLCACertificateFile\s+)\S+", rf"\g<1>{authorities}", text)
    return text.replace("http://127.0.0.1:8000", behind)


def write(base: Path, held: Certificate) -> None:
    base.with_suffix(".pem").write_text(held.pem)
    base.with_suffix(".key").write_text(key_pem(held))


def key_pem(held: Certificate) -> str:
    return held.key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode()

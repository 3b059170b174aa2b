"""Owns OpenLDAP's slapd with people and groups, on ports of its own, with TLS by a CA of its own. Never left running.

Two trees: dc=corp,dc=example as OpenLDAP is used, and dc=ad,dc=example with the attributes of Active Directory.
"""

import base64
import datetime
import ipaddress
import shutil
import subprocess
import tempfile
import uuid
from collections.abc import Iterator
from functools import lru_cache
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import NameOID

from tests.support.needs import SLAPD, need
from tests.support.ports import free_port
from tests.support.running import Running

BASE = "dc=corp,dc=example"
AD = "dc=ad,dc=example"
READER = f"cn=sheaf,ou=services,{BASE}"
READER_PASSWORD = "reader's secret"
ADA = "11111111-1111-4111-8111-111111111111"
ODD = "22222222-2222-4222-8222-222222222222"
AD_ADA = uuid.UUID("33333333-3333-4333-8333-333333333333")
PASSWORDS = {"ada": "ada's password", "grace": "grace's password", "odd": "pass*()\\wörd"}
SCHEMAS = ("core", "cosine", "inetorgperson", "nis")
CONFIGURATION = """
modulepath /usr/lib/ldap
moduleload back_mdb
moduleload memberof
{schemas}
pidfile {folder}/slapd.pid
TLSCACertificateFile {folder}/ca.pem
TLSCertificateFile {folder}/server.pem
TLSCertificateKeyFile {folder}/server.key
attributetype ( 1.2.840.113556.1.4.221 NAME 'sAMAccountName' EQUALITY caseIgnoreMatch SYNTAX {text} SINGLE-VALUE )
attributetype ( 1.2.840.113556.1.4.656 NAME 'userPrincipalName' EQUALITY caseIgnoreMatch SYNTAX {text} SINGLE-VALUE )
attributetype ( 1.2.840.113556.1.4.782 NAME 'objectCategory' EQUALITY caseIgnoreMatch SYNTAX {text} SINGLE-VALUE )
attributetype ( 1.2.840.113556.1.4.2 NAME 'objectGUID' EQUALITY octetStringMatch SYNTAX {octets} SINGLE-VALUE )
objectclass ( 1.2.840.113556.1.5.9 NAME 'user' SUP organizationalPerson STRUCTURAL
  MAY ( sAMAccountName $ userPrincipalName $ objectCategory $ objectGUID $ mail $ displayName $ givenName ) )
objectclass ( 1.2.840.113556.1.5.8 NAME 'group' SUP top STRUCTURAL MUST cn MAY ( sAMAccountName $ member ) )
{databases}
"""
TEXT, OCTETS = "1.3.6.1.4.1.1466.115.121.1.15", "1.3.6.1.4.1.1466.115.121.1.40"
DATABASE = """
database mdb
suffix "{base}"
rootdn "cn=root,{base}"
rootpw {root}
directory {folder}/{name}
maxsize 16777216
index objectClass eq
index entryUUID eq
overlay memberof
access to attrs=userPassword by anonymous auth by * none
access to * by dn.base="{reader}" read by self read by users read by * none
"""


def _people() -> str:
    return f"""
dn: {BASE}
objectClass: organization
objectClass: dcObject
o: Corp
dc: corp

dn: ou=people,{BASE}
objectClass: organizationalUnit
ou: people

dn: ou=services,{BASE}
objectClass: organizationalUnit
ou: services

dn: ou=groups,{BASE}
objectClass: organizationalUnit
ou: groups

dn: {READER}
objectClass: organizationalRole
objectClass: simpleSecurityObject
cn: sheaf
userPassword: {READER_PASSWORD}

dn: uid=ada,ou=people,{BASE}
objectClass: inetOrgPerson
uid: ada
cn: Ada Lovelace
sn: Lovelace
givenName: Ada
displayName: Ada Lovelace
mail: ada@corp.example
employeeNumber: 4711
jpegPhoto:: /9j/4AAQSkZJRg==
userPassword: {PASSWORDS["ada"]}
entryUUID: {ADA}
memberOf: cn=staff,ou=groups,{BASE}

dn: uid=grace,ou=people,{BASE}
objectClass: inetOrgPerson
uid: grace
cn: Grace
sn: Hopper
userPassword: {PASSWORDS["grace"]}

dn: uid=odd\\2C (*)\\5C name,ou=people,{BASE}
objectClass: inetOrgPerson
uid: odd, (*)\\ name
cn: Odd
sn: Odd
userPassword:: {base64.b64encode(PASSWORDS["odd"].encode()).decode()}
entryUUID: {ODD}

dn: uid=twin,ou=people,{BASE}
objectClass: inetOrgPerson
uid: twin
cn: Twin
sn: One
userPassword: twins

dn: cn=Twin,ou=people,{BASE}
objectClass: inetOrgPerson
uid: twin
cn: Twin
sn: Two
userPassword: twins

dn: uid=nopass,ou=people,{BASE}
objectClass: inetOrgPerson
uid: nopass
cn: No Password
sn: No

dn: cn=staff,ou=groups,{BASE}
objectClass: groupOfNames
cn: staff
member: uid=ada,ou=people,{BASE}
member: uid=odd\\2C (*)\\5C name,ou=people,{BASE}

dn: cn=ops,ou=groups,{BASE}
objectClass: posixGroup
cn: ops
gidNumber: 500
memberUid: ada

dn: cn=admins,ou=groups,{BASE}
objectClass: groupOfNames
cn: admins
member: uid=grace,ou=people,{BASE}
"""


def _directory() -> str:
    guid = base64.b64encode(AD_ADA.bytes_le).decode()
    return f"""
dn: {AD}
objectClass: organization
objectClass: dcObject
o: AD
dc: ad

dn: cn=Ada Lovelace,{AD}
objectClass: user
cn: Ada Lovelace
sn: Lovelace
displayName: Ada Lovelace
sAMAccountName: ada
userPrincipalName: ada@ad.example
objectCategory: person
mail: ada@corp.example
objectGUID:: {guid}
userPassword: {PASSWORDS["ada"]}

dn: cn=Staff,{AD}
objectClass: group
cn: Staff
sAMAccountName: staff
member: cn=Ada Lovelace,{AD}
"""


@lru_cache(maxsize=1)
def certificates() -> tuple[str, str, str]:
    """(CA, certificate of the server, its key), PEM; for localhost and 127.0.0.1."""
    ca_key, key = ec.generate_private_key(ec.SECP256R1()), ec.generate_private_key(ec.SECP256R1())
    ca_name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "Directory test CA")])
    ca = (
        _begin(ca_name, ca_name, ca_key.public_key())
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .add_extension(x509.KeyUsage(*[False] * 5, True, True, False, False), critical=True)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(ca_key.public_key()), critical=False)
        .sign(ca_key, hashes.SHA256())
    )
    names = [x509.DNSName("localhost"), x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]
    server = (
        _begin(x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "localhost")]), ca_name, key.public_key())
        .add_extension(x509.SubjectAlternativeName(names), critical=False)
        .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(ca_key.public_key()), critical=False)
        .sign(ca_key, hashes.SHA256())
    )
    own = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode()
    return _pem(ca), _pem(server), own


def _begin(subject: x509.Name, issuer: x509.Name, key: ec.EllipticCurvePublicKey) -> x509.CertificateBuilder:
    now = datetime.datetime.now(datetime.UTC)
    builder = x509.CertificateBuilder().subject_name(subject).issuer_name(issuer).public_key(key)
    builder = builder.serial_number(x509.random_serial_number())
    return builder.not_valid_before(now - datetime.timedelta(days=1)).not_valid_after(now + datetime.timedelta(days=30))


def _pem(certificate: x509.Certificate) -> str:
    return certificate.public_bytes(Encoding.PEM).decode()


class Slapd:
    """plain: where StartTLS is; secure: ldaps. Both say localhost."""

    def __init__(self) -> None:
        self.program = need(SLAPD)
        self.folder = Path(tempfile.mkdtemp(prefix="slapd-"))
        self.ports = (free_port(), free_port())
        self.plain, self.secure = f"ldap://localhost:{self.ports[0]}", f"ldaps://localhost:{self.ports[1]}"
        self.ca, certificate, key = certificates()
        for name, text in (("ca.pem", self.ca), ("server.pem", certificate), ("server.key", key)):
            (self.folder / name).write_text(text)
        self._configure()
        urls = f"ldap://127.0.0.1:{self.ports[0]}/ ldaps://127.0.0.1:{self.ports[1]}/"
        command = [self.program, "-f", self.folder / "slapd.conf", "-h", urls, "-d", "stats"]
        self.process = Running("slapd", command, log=self.folder / "slapd.log")

    def _configure(self) -> None:
        databases = ""
        for name, base in (("corp", BASE), ("ad", AD)):
            (self.folder / name).mkdir()
            databases += DATABASE.format(base=base, name=name, folder=self.folder, root="root", reader=READER)
        schemas = "\n".join(f"include /etc/ldap/schema/{name}.schema" for name in SCHEMAS)
        text = CONFIGURATION.format(schemas=schemas, folder=self.folder, databases=databases, text=TEXT, octets=OCTETS)
        (self.folder / "slapd.conf").write_text(text)
        for base, entries in ((BASE, _people()), (AD, _directory())):
            done = subprocess.run(
                ["/usr/sbin/slapadd", "-f", self.folder / "slapd.conf", "-b", base],
                input=entries.encode(),
                capture_output=True,
                timeout=60,
            )
            assert done.returncode == 0, done.stderr.decode(errors="replace")

    def start(self) -> "Slapd":
        self.process.start().wait_port(self.ports[0])
        return self

    def stop(self) -> None:
        self.process.stop()
        shutil.rmtree(self.folder, ignore_errors=True)


@pytest.fixture(scope="session")
def slapd() -> Iterator[Slapd]:
    server = Slapd()
    try:
        yield server.start()
    finally:
        server.stop()

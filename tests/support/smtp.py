"""Owns a real mail server on loopback (aiosmtpd), with and without TLS, and ones that behave badly.

Leaves what is sent to the tests.
"""

import datetime
import email.policy
import ipaddress
import socket
import ssl
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from email import message_from_bytes
from email.message import EmailMessage
from pathlib import Path
from typing import Any

from aiosmtpd.controller import Controller
from aiosmtpd.smtp import AuthResult, LoginPassword
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

USER, PASSWORD = "sheaf@example.org", "the password of the mail server"


class Inbox:
    """A handler of aiosmtpd. refuse: replies to RCPT TO, by recipient; answer: to the whole mail."""

    def __init__(self) -> None:
        self.mails: list[EmailMessage] = []
        self.recipients: list[list[str]] = []
        self.over_tls: list[bool] = []
        self.refuse: dict[str, str] = {}
        self.answer = "250 OK"

    @property
    def texts(self) -> list[str]:
        return [str(mail.get_content()).replace("\r\n", "\n") for mail in self.mails]

    async def handle_RCPT(self, _server: Any, _session: Any, envelope: Any, address: str, _options: Any) -> str:
        if address in self.refuse:
            return self.refuse[address]
        envelope.rcpt_tos.append(address)
        return "250 OK"

    async def handle_DATA(self, _server: Any, session: Any, envelope: Any) -> str:
        if self.answer.startswith("250"):
            message = message_from_bytes(envelope.content, policy=email.policy.default)
            assert isinstance(message, EmailMessage)
            self.mails.append(message)
            self.recipients.append(envelope.rcpt_tos)
            self.over_tls.append(session.ssl is not None)
        return self.answer


def certificate(folder: Path, host: str = "localhost") -> Path:
    """A self-signed one with its key in one file; it is its own authority."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, host)])
    now = datetime.datetime.now(datetime.UTC)
    names: list[x509.GeneralName] = [x509.DNSName(host)]
    if host == "localhost":
        names.append(x509.IPAddress(ipaddress.ip_address("127.0.0.1")))
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(days=1))
        .not_valid_after(now + datetime.timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName(names), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    path = folder / f"{host}.pem"
    pem = key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    path.write_bytes(made.public_bytes(serialization.Encoding.PEM) + pem)
    return path


@contextmanager
def mail_server(tls: str = "", pem: Path | None = None, *, login: bool = False) -> Iterator[tuple[int, Inbox]]:
    """tls: empty, `starttls` or `smtps`. Gives its port and what it was sent."""
    inbox, more = Inbox(), {}
    if login:

        def check(_server: Any, _session: Any, _envelope: Any, _mechanism: str, data: LoginPassword) -> AuthResult:
            return AuthResult(success=(data.login, data.password) == (USER.encode(), PASSWORD.encode()))

        more = {"authenticator": check, "auth_required": True, "auth_require_tls": tls == "starttls"}
    context = None
    if pem is not None:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(pem)
    if tls == "starttls":
        more |= {"tls_context": context, "require_starttls": True}
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = int(free.getsockname()[1])
    server = Controller(
        inbox,
        hostname="127.0.0.1",
        port=port,
        enable_SMTPUTF8=True,
        ssl_context=context if tls == "smtps" else None,
        **more,
    )
    server.start()
    try:
        yield port, inbox
    finally:
        server.stop()


@contextmanager
def odd_server(talk: Callable[[socket.socket], None]) -> Iterator[int]:
    """A server that says what the test wants."""
    listening = socket.create_server(("127.0.0.1", 0))

    def serve() -> None:
        while True:
            try:
                connection, _ = listening.accept()
            except OSError:
                return
            with connection:
                try:
                    talk(connection)
                except OSError:
                    continue

    thread = threading.Thread(target=serve, daemon=True)
    thread.start()
    try:
        yield int(listening.getsockname()[1])
    finally:
        listening.shutdown(socket.SHUT_RDWR)
        listening.close()
        thread.join(5)


def drips(connection: socket.socket) -> None:
    """A byte now and then, and never an end."""
    for _ in range(200):
        connection.sendall(b"2")
        time.sleep(0.1)


def floods(connection: socket.socket) -> None:
    for _ in range(2000):
        connection.sendall(b"220-" + b"x" * 60_000 + b"\r\n")

"""SMTP (RFC 5321), with TLS where the setting says so. Leaves queueing and patience to idp.services.mails."""

import socket
import ssl
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import unquote, urlsplit

from idp.base.config import Settings
from idp.base.errors import Misconfigured, Refused
from idp.base.net import is_loopback_url
from idp.base.secret import Secret
from idp.base.sections import Mail
from idp.domain.user import email_key
from idp.ports import Mailer, MailFailed

if TYPE_CHECKING:
    from smtplib import SMTP

PORTS = {"smtp": 25, "smtp+starttls": 587, "smtps": 465}
MAX_SUBJECT = 200
MAX_TEXT = 20_000
GREETING = 220
PERMANENT = 500  # replies from here on will be the same the next time (RFC 5321 4.2.1)


@dataclass(frozen=True, slots=True)
class SmtpServer:
    """scheme: one of PORTS. ca_file: certificates that are trusted besides those of the system."""

    scheme: str
    host: str
    port: int
    user: str = ""
    password: Secret = field(default_factory=lambda: Secret(""), repr=False)
    ca_file: str = ""


class SmtpMailer:
    """seconds: for one delivery in all, whatever the server does meanwhile."""

    def __init__(self, server: SmtpServer, sender: str, seconds: float) -> None:
        self._server = server
        self._sender = sender
        self._seconds = seconds

    def deliver(self, to: str, subject: str, text: str) -> None:
        """Raises MailFailed."""
        import smtplib  # here: most runs send no mail

        recipient = _recipient(to)
        message = written(self._sender, recipient, subject, text)
        cut = _CutOff()
        timer = threading.Timer(self._seconds, cut.now)
        timer.daemon = True
        timer.start()
        try:
            with self._connected(cut) as smtp:
                options = _options(smtp, self._sender, recipient)
                smtp.sendmail(self._sender, [recipient], message, mail_options=options)
        except smtplib.SMTPRecipientsRefused as error:
            code, said = next(iter(error.recipients.values()), (0, b""))
            raise MailFailed(_said(code, said), for_good=code >= PERMANENT) from None
        except smtplib.SMTPDataError as error:
            raise MailFailed(_said(error.smtp_code, error.smtp_error), for_good=error.smtp_code >= PERMANENT) from None
        except smtplib.SMTPResponseException as error:  # the sender, the password, the greeting: that can be mended
            raise MailFailed(_said(error.smtp_code, error.smtp_error)) from None
        except ssl.SSLError as error:
            problem = "time-out" if cut.made else error.reason or "the certificate or handshake was refused"
            raise MailFailed(f"TLS: {problem}") from None
        except (smtplib.SMTPException, OSError) as error:
            raise MailFailed("time-out" if cut.made else f"no connection ({type(error).__name__})") from None
        finally:
            timer.cancel()

    @contextmanager
    def _connected(self, cut: "_CutOff") -> Iterator["SMTP"]:
        import smtplib

        server = self._server
        # Not the name of this machine, which is nobody's business.
        smtp = smtplib.SMTP(timeout=self._seconds, local_hostname=self._sender.rpartition("@")[2])
        # Its own ways to connect and to begin TLS wait in places that nobody could cut off.
        made = socket.create_connection((server.host, server.port), self._seconds)
        cut.watch(made)
        try:
            smtp.sock = self._over_tls(made, cut) if server.scheme == "smtps" else made
            code, said = smtp.getreply()
            if code != GREETING:
                raise smtplib.SMTPConnectError(code, said)
            smtp.ehlo_or_helo_if_needed()
            if server.scheme == "smtp+starttls":
                self._start_tls(smtp, cut)
            if server.user:
                smtp.login(server.user, server.password.reveal())
            yield smtp
            with suppress(smtplib.SMTPException, OSError):
                smtp.quit()  # the server has the mail: whatever comes of this is no failure
        finally:
            smtp.close()
            cut.close()

    def _start_tls(self, smtp: "SMTP", cut: "_CutOff") -> None:
        """RFC 3207. What was said before is forgotten: whoever sits in between may have said it."""
        if not smtp.has_extn("starttls") or smtp.docmd("STARTTLS")[0] != GREETING or smtp.sock is None:
            raise MailFailed("the server does not offer TLS")
        smtp.sock = self._over_tls(smtp.sock, cut)
        smtp.file = None
        smtp.helo_resp = smtp.ehlo_resp = None
        smtp.esmtp_features = {}
        smtp.ehlo()

    def _over_tls(self, connection: socket.socket, cut: "_CutOff") -> ssl.SSLSocket:
        context = _tls(self._server.ca_file)
        made = context.wrap_socket(connection, server_hostname=self._server.host, do_handshake_on_connect=False)
        cut.watch(made)
        made.do_handshake()
        return made


class _CutOff:
    """The time-out of a socket starts anew with every byte: this one does not."""

    def __init__(self) -> None:
        self.made = False
        self._socket: socket.socket | None = None

    def watch(self, connection: socket.socket) -> None:
        self._socket = connection
        if self.made:
            self.now()

    def close(self) -> None:
        if self._socket is not None:
            self._socket.close()

    def now(self) -> None:
        self.made = True
        with suppress(OSError):
            if self._socket is not None:
                self._socket.shutdown(socket.SHUT_RDWR)


def written(sender: str, to: str, subject: str, text: str) -> bytes:
    """One recipient, plain text; nothing in subject or address can begin a header of its own. Raises MailFailed."""
    from email.message import EmailMessage
    from email.policy import SMTP
    from email.utils import format_datetime, localtime, make_msgid

    recipient = _recipient(to)
    policy = SMTP.clone(cte_type="7bit", utf8=not (sender + recipient).isascii())
    message = EmailMessage(policy=policy)
    message["From"] = sender
    message["To"] = recipient
    message["Subject"] = _plain_words(_one_line(subject))[:MAX_SUBJECT]
    message["Date"] = format_datetime(localtime())
    message["Message-ID"] = make_msgid(domain=sender.rpartition("@")[2])
    message["Auto-Submitted"] = "auto-generated"  # RFC 3834: nobody's holiday answers this
    message.set_content(text[:MAX_TEXT].encode("utf-8", "replace").decode(), charset="utf-8")
    return message.as_bytes(policy=policy)


def _options(smtp: "SMTP", sender: str, recipient: str) -> list[str]:
    """Raises MailFailed when this server cannot take such an address (RFC 6531)."""
    if (sender + recipient).isascii():
        return []
    if not smtp.has_extn("smtputf8"):
        raise MailFailed("the mail server takes no addresses beyond ASCII", for_good=True)
    return ["SMTPUTF8", "BODY=8BITMIME"]


def _recipient(to: str) -> str:
    """Just one address; the domain as DNS has it. Raises MailFailed."""
    try:
        domain = email_key(to).rpartition("@")[2]
    except Refused:
        raise MailFailed("the recipient is no e-mail address", for_good=True) from None
    name = to.strip().rpartition("@")[0]
    if not name.isprintable() or _plain_words(name) != name:
        raise MailFailed("the recipient's name cannot stand in a header", for_good=True)
    return f"{name}@{domain}"


def _one_line(text: str) -> str:
    return " ".join("".join(c if c.isprintable() else " " for c in text).split())


def _plain_words(text: str) -> str:
    """Without what would be read as an encoded word (RFC 2047): what stands in one is taken out of it, line breaks and all,
    and older versions of `email` then begin a header of its own with it (CVE-2024-6923)."""
    return text.replace("=?", "= ?")


def _said(code: int, text: object) -> str:
    said = text.decode(errors="replace") if isinstance(text, bytes) else str(text)
    return f"{code} {_one_line(said)}"[:200] if code else _one_line(said)[:200]


def _tls(ca_file: str) -> ssl.SSLContext:
    context = ssl.create_default_context()
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    if ca_file:
        try:
            context.load_verify_locations(ca_file)
        except OSError:  # an SSLError is one
            raise MailFailed("mail.ca_file cannot be read, or holds no certificate") from None
    return context


def mailer_for(settings: Settings) -> Mailer | None:
    """None when no mail server is configured. Raises Misconfigured."""
    mail = settings.mail
    if not mail.url:
        return None
    server = _server(mail)
    if server.scheme == "smtp" and server.user and not is_loopback_url(f"http://{server.host}"):
        raise Misconfigured(
            "mail.url", "The password would travel in the clear.", "Use smtp+starttls:// or smtps:// with a user."
        )
    try:
        email_key(mail.sender)
    except Refused:
        raise Misconfigured(
            "mail.sender", "This is no e-mail address.", "Set the sender of our mails, as sheaf@example.org."
        ) from None
    return SmtpMailer(server, _recipient(mail.sender), settings.net.timeout_seconds)


def _server(mail: Mail) -> SmtpServer:
    wrong = Misconfigured(
        "mail.url", "This is no mail server.", "Set it as smtp+starttls://user@mail.example.org:587, for example."
    )
    try:
        parts = urlsplit(mail.url)
        host, port = parts.hostname, parts.port
    except ValueError:
        raise wrong from None
    if parts.scheme not in PORTS or not host or parts.path.strip("/") or parts.query or parts.fragment:
        raise wrong
    if parts.password is not None:
        raise Misconfigured("mail.url", "It holds a password.", "Put it into mail.password_file.")
    password = mail.password.get_secret_value()
    if mail.password_file:
        try:
            password = Path(mail.password_file).read_text().strip()
        except (OSError, ValueError):
            raise Misconfigured(
                "mail.password_file",
                "The file cannot be read.",
                "Give a file that holds the password and nothing else.",
            ) from None
    return SmtpServer(
        parts.scheme, host, port or PORTS[parts.scheme], unquote(parts.username or ""), Secret(password), mail.ca_file
    )

"""Owns the claims about handing a mail to a mail server: a real one on loopback, with and without TLS, and bad ones.

Leaves the queue to test_mails.
"""

import pytest

from idp.base.config import load
from idp.base.errors import Misconfigured
from idp.mail.smtp import mailer_for, written
from idp.ports import MailFailed
from tests.support.smtp import PASSWORD, USER, certificate, drips, floods, mail_server, odd_server

SENDER = "sheaf@example.org"


def mailer(url: str, **more):
    settings = {"mail.url": url, "mail.sender": SENDER, "net.timeout_seconds": 2.0}
    return mailer_for(load(None, {**settings, **{f"mail.{name}": value for name, value in more.items()}}, env={}))


@pytest.fixture(scope="module")
def pem(tmp_path_factory):
    return certificate(tmp_path_factory.mktemp("mail"))


def test_a_mail_arrives_with_its_text_in_any_script_and_says_that_a_machine_wrote_it():
    with mail_server() as (port, inbox):
        mailer(f"smtp://127.0.0.1:{port}").deliver(
            "Ada@Example.org", "Änderung", "Guten Tag Ädä\n\nhttps://id/undo/x\n"
        )
    [mail], [recipients] = inbox.mails, inbox.recipients
    assert (mail["Subject"], mail["From"], mail["To"]) == ("Änderung", SENDER, "Ada@example.org")
    assert recipients == ["Ada@example.org"]
    assert inbox.texts == ["Guten Tag Ädä\n\nhttps://id/undo/x\n"]
    assert mail["Auto-Submitted"] == "auto-generated"
    assert mail["Message-ID"].endswith("@example.org>")
    assert mail.get_content_type() == "text/plain"


@pytest.mark.filterwarnings("ignore:Requiring AUTH while not requiring TLS:UserWarning")  # aiosmtpd knows no smtps
@pytest.mark.parametrize("tls", ["starttls", "smtps"])
def test_over_tls_with_a_password_when_the_certificate_is_trusted(pem, tls):
    scheme = "smtps" if tls == "smtps" else "smtp+starttls"
    with mail_server(tls, pem, login=True) as (port, inbox):
        url = f"{scheme}://sheaf%40example.org@localhost:{port}"
        mailer(url, password=PASSWORD, ca_file=str(pem)).deliver("ada@example.org", "S", "T")
        with pytest.raises(MailFailed) as wrong:
            mailer(url, password="not " + PASSWORD, ca_file=str(pem)).deliver("ada@example.org", "S", "T")
    assert len(inbox.mails) == 1
    assert inbox.over_tls == [tls == "starttls"]  # a server of the other kind speaks nothing but TLS
    assert not wrong.value.for_good  # an administrator can mend it
    assert PASSWORD not in str(wrong.value)


@pytest.mark.parametrize("tls", ["starttls", "smtps"])
def test_a_certificate_that_nobody_trusts_or_of_another_host_gets_no_mail(pem, tmp_path, tls):
    scheme = "smtps" if tls == "smtps" else "smtp+starttls"
    with mail_server(tls, pem) as (port, inbox), pytest.raises(MailFailed, match="TLS"):
        mailer(f"{scheme}://localhost:{port}").deliver("ada@example.org", "S", "T")
    other = certificate(tmp_path, "mail.example.org")
    with mail_server(tls, other) as (port, second), pytest.raises(MailFailed, match="TLS"):
        mailer(f"{scheme}://localhost:{port}", ca_file=str(other)).deliver("ada@example.org", "S", "T")
    assert inbox.mails == second.mails == []


def test_an_address_beyond_ascii_goes_to_servers_that_take_such():
    with mail_server() as (port, inbox):
        mailer(f"smtp://127.0.0.1:{port}").deliver("ädä@bücher.example", "S", "T")
    assert inbox.recipients == [["ädä@xn--bcher-kva.example"]]


def test_a_server_that_does_not_offer_tls_gets_neither_mail_nor_password():
    with mail_server() as (port, inbox), pytest.raises(MailFailed) as failed:
        mailer(f"smtp+starttls://u@localhost:{port}", password=PASSWORD).deliver("ada@example.org", "S", "T")
    assert inbox.mails == []
    assert not failed.value.for_good


@pytest.mark.parametrize(("reply", "for_good"), [("550 no such mailbox", True), ("450 come later", False)])
def test_whether_trying_again_is_of_use_is_what_the_server_says(reply, for_good):
    with mail_server() as (port, inbox):
        inbox.refuse["ada@example.org"] = reply
        with pytest.raises(MailFailed) as at_recipient:
            mailer(f"smtp://127.0.0.1:{port}").deliver("ada@example.org", "S", "T")
        inbox.answer = reply
        with pytest.raises(MailFailed) as at_text:
            mailer(f"smtp://127.0.0.1:{port}").deliver("eve@example.org", "S", "T")
    assert at_recipient.value.for_good is at_text.value.for_good is for_good
    assert str(at_recipient.value) == reply


@pytest.mark.parametrize("talk", [drips, floods], ids=["drips", "floods"])
def test_a_server_that_never_comes_to_an_end_is_left_in_time(talk):
    # Else the time-out of pytest ends it.
    with odd_server(talk) as port, pytest.raises(MailFailed):
        mailer(f"smtp://127.0.0.1:{port}").deliver("ada@example.org", "S", "T")


def test_nobody_there_is_a_failure_that_may_pass():
    with mail_server() as (port, _):
        pass
    with pytest.raises(MailFailed, match="no connection") as failed:
        mailer(f"smtp://127.0.0.1:{port}").deliver("ada@example.org", "S", "T")
    assert not failed.value.for_good


# ---------------------------------------------------------------- what is written


@pytest.mark.parametrize(
    "to",
    [
        "ada@example.org\r\nBcc: eve@example.org",
        "ada@example.org, eve@example.org",
        "ada@example.org\n",
        "Ada <ada@example.org>",
        "<ada@example.org>",
        "ada@x@evil.example",
        "",
        "ada",
        "ada\x00@example.org",
        "=?utf-8?q?=0d=0aBcc=3Aeve=40x=2Eorg?=@example.org",
        "=?utf-8?q?eve=40evil=2Eexample=2C?=@example.org",
        "\u202eada@example.org",
        "\ud800@example.org",
    ],
    ids=[
        *("header", "two", "newline", "named", "brackets", "two-ats", "empty", "no-domain", "nul"),
        *("encoded-header", "encoded-address", "right-to-left", "surrogate"),
    ],
)
def test_a_recipient_is_one_address_and_nothing_else(to):
    if to == "ada@example.org\n":  # blanks around it are nobody's address
        assert b"\nTo: ada@example.org\r\n" in written(SENDER, to, "S", "T")
        return
    with pytest.raises(MailFailed) as failed:
        written(SENDER, to, "S", "T")
    assert failed.value.for_good


@pytest.mark.parametrize(
    "subject",
    [
        "S\r\nBcc: eve@example.org",
        "S\nX: y",
        "S\x0bX",
        "S\u2028X: y",
        "S\x00",
        "x" * 5000,
        "=?utf-8?q?=0d=0aBcc:=20eve?=",
        "\ud800",
    ],
    ids=["crlf", "lf", "vt", "line-separator", "nul", "long", "encoded-word", "surrogate"],
)
def test_a_subject_begins_no_header_of_its_own(subject):
    head = written(SENDER, "ada@example.org", subject, "T").partition(b"\r\n\r\n")[0]
    names = {line.partition(b":")[0] for line in head.splitlines() if line[:1] not in (b" ", b"\t")}
    assert names <= {
        *(b"From", b"To", b"Subject", b"Date", b"Message-ID", b"Auto-Submitted"),
        *(b"Content-Type", b"Content-Transfer-Encoding", b"MIME-Version"),
    }


def test_a_line_with_a_dot_and_what_looks_like_smtp_stay_text():
    text = "one\n.\nRCPT TO:<eve@example.org>\n.two\nFrom me\n"
    with mail_server() as (port, inbox):
        mailer(f"smtp://127.0.0.1:{port}").deliver("ada@example.org", "S", text)
    assert inbox.texts == [text]
    assert inbox.recipients == [["ada@example.org"]]


# ---------------------------------------------------------------- settings


@pytest.mark.parametrize(
    ("url", "more"),
    [
        ("mail.example.org", {}),
        ("http://mail.example.org", {}),
        ("smtp://", {}),
        ("smtp://mail.example.org:99999", {}),
        ("smtp://mail.example.org/path", {}),
        ("smtps://user:secret@mail.example.org", {}),
        ("smtp://user@mail.example.org", {"password": "x"}),
        ("smtps://mail.example.org", {"sender": "nobody"}),
        ("smtps://mail.example.org", {"sender": ""}),
        ("smtps://u@mail.example.org", {"password_file": "there/is/none"}),
    ],
)
def test_settings_that_cannot_be_meant_are_named_at_start(url, more):
    with pytest.raises(Misconfigured) as wrong:
        mailer(url, **more)
    assert "secret" not in str(wrong.value)


def test_without_a_server_there_is_no_mailer():
    assert mailer("") is None


def test_the_password_may_be_in_a_file_and_is_in_no_repr(tmp_path, pem):
    file = tmp_path / "password"
    file.write_text(PASSWORD + "\n")
    made = mailer("smtp+starttls://sheaf%40example.org@localhost:1", password_file=str(file))
    assert PASSWORD not in repr(vars(made))
    assert made._server.password.reveal() == PASSWORD
    assert made._server.user == USER

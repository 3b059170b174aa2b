"""Owns the bytes of LDAP: filters that no value can change, names, and answers of a directory that misbehaves."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from idp.base.errors import Refused
from idp.base.net import NetPolicy
from idp.domain.checks import Checks
from idp.domain.upstream import UpstreamProvider
from idp.upstream.kinds.ldap import Kind, Settings
from idp.upstream.ldap import ber, filters, messages
from idp.upstream.ldap.ber import BadBer, Reader
from tests.upstream.conftest import tools_for
from tests.upstream.directory_double import BIND, EXTENDED, SEARCH, DirectoryDouble, done, entry, envelope

ID = "11111111-1111-4111-8111-111111111111"
PROVIDER = UpstreamProvider("directory", "ldap", "Directory", 0.0)
HOSTILE = [
    "*",
    "a*",
    "ada)(uid=*",
    "ada)(|(uid=*",
    "\\2a",
    "(",
    ")",
    "\\",
    "ada\\00",
    "ü*",
    "{dn}",
    "{login}",
    "&",
    "!(a=b)",
]


# ---------------------------------------------------------------- filters and names


@pytest.mark.parametrize(
    ("template", "values", "expected"),
    [
        ("(uid={login})", {"login": "ada"}, "a30a0403756964" + "0403616461"),
        ("(uid=*)", {}, "8703756964"),
        ("(!(uid=a))", {}, "a20aa308040375696404" + "0161"),
        ("(&(a=b)(c>=d))", {}, "a010a306040161040162a506040163040164"),
        ("(cn=A*b*c)", {}, "a40f0402636e3009800141810162820163"),
        ("(cn=*b*)", {}, "a4090402636e3003810162"),
        ("(cn=\\28x\\29)", {}, "a3090402636e0403287829"),
        ("(m:1.2:={dn})", {"dn": "x"}, "a90b8103312e3282016d830178"),
        ("(m:dn:1.2:=x)", {}, "a90e8103312e3282016d8301788401ff"),
    ],
)
def test_a_filter_is_encoded_as_rfc_4511_says(template, values, expected):
    assert filters.encoded(template, values).hex() == expected


@pytest.mark.parametrize("value", HOSTILE)
def test_what_is_typed_stays_one_value(value):
    sent = Reader(filters.encoded("(uid={login})", {"login": value, "dn": "not this"}))

    comparison = Reader(sent.take(0xA3))

    assert comparison.take(ber.OCTETS) == b"uid"
    assert comparison.take(ber.OCTETS) == value.encode()
    assert not comparison
    assert not sent


@given(st.text())
def test_any_text_stays_one_value_and_one_part_of_a_name(value):
    comparison = Reader(Reader(filters.encoded("(uid={login})", {"login": value})).take(0xA3))
    comparison.take(ber.OCTETS)
    assert comparison.take(ber.OCTETS) == value.encode()

    escaped = filters.escaped(value)
    unescaped = [at for at, c in enumerate(escaped) if c in ',+"<>;=' and (at == 0 or escaped[at - 1] != "\\")]
    assert unescaped == []


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("ada", "uid=ada,dc=x"),
        ("a,dc=evil", "uid=a\\,dc\\=evil,dc=x"),
        (" a ", "uid=\\ a\\ ,dc=x"),
        ("#a+b", "uid=\\#a\\+b,dc=x"),
        ("a\nb", "uid=a\\0ab,dc=x"),
    ],
)
def test_a_value_adds_no_part_to_a_name(value, expected):
    assert filters.name("uid={login},dc=x", {"login": value}) == expected


@pytest.mark.parametrize(
    "template",
    ["", "uid=a", "(uid=a", "(uid=a))", "(&)", "(!)", "(=a)", "(uid)", "(a b=c)", "(uid={what})", "(:=x)", "(a=b)(c=d)",
     "(cn=**)", "(" * 200, "(!" * 200, "(a=" + "x" * 3000 + ")"],
)  # fmt: skip
def test_a_filter_that_cannot_be_read_is_refused(template):
    with pytest.raises(ValueError):
        filters.encoded(template, {"login": "ada"})


# ---------------------------------------------------------------- bytes


@given(st.integers(-(2**31), 2**31 - 1))
def test_numbers_come_back(value):
    assert Reader(ber.integer(value)).number() == value


@given(st.binary(max_size=300))
def test_octets_come_back(value):
    assert Reader(ber.octets(value)).take(ber.OCTETS) == value


@settings(max_examples=300)
@given(st.binary(max_size=200))
def test_no_bytes_do_harm_when_they_are_read(data):
    for read in (messages.message, messages.result, messages.entry, lambda raw: Reader(raw).next()):
        try:
            read(data)
        except BadBer:
            continue


@settings(max_examples=300)
@given(st.data())
def test_a_changed_answer_is_read_or_refused_and_nothing_else(data):
    good = bytearray(entry(1, "uid=ada", {"uid": [b"ada"], "cn": [b"a", b"b"]}))
    for _ in range(data.draw(st.integers(1, 4))):
        good[data.draw(st.integers(0, len(good) - 1))] = data.draw(st.integers(0, 255))
    try:
        reader = Reader(bytes(good))
        found = messages.message(reader.take(ber.SEQUENCE))
        messages.entry(found.content)
    except BadBer:
        pass


# ---------------------------------------------------------------- a directory that misbehaves


@pytest.fixture
def directory():
    double = DirectoryDouble()
    double.add("ada", "right", entryUUID=ID, cn="Ada", mail="ada@corp.example")
    yield double
    double.close()


@pytest.fixture
def prove(directory, clock):
    def go(login="ada", password="right", *, timeout=2.0, max_bytes=100_000, allow=True, **values):
        given = {
            "url": directory.url,
            "base_dn": "dc=corp,dc=example",
            "starttls": False,
            "groups_from": "none",
            **values,
        }
        kind = Kind(Settings(**given), tools_for(NetPolicy(allow, timeout, max_bytes), clock))
        return kind.prove(PROVIDER, login, password, Checks())

    return go


def refused_by(prove, **values) -> tuple[str, str]:
    with pytest.raises(Refused) as caught:
        prove(**values)
    return caught.value.code, caught.value.reason


def test_the_double_is_a_directory(prove, directory):
    directory.groups = ["staff", "ops"]

    who = prove(groups_from="search", group_filter="(group-mark={dn})")

    assert (who.subject, who.email, who.email_verified, who.groups) == (ID, "ada@corp.example", False, ("staff", "ops"))
    assert refused_by(prove, password="wrong")[0] == "wrong_credentials"
    assert refused_by(prove, login="nobody")[0] == "wrong_credentials"


@pytest.mark.parametrize("password", ["", "\0", "right\0", "x" * 1025, "\ud800"])
def test_a_password_that_proves_nothing_is_never_sent(prove, directory, password):
    assert refused_by(prove, password=password)[0] == "wrong_credentials"
    assert directory.asked == []


@pytest.mark.parametrize("login", ["", "   ", "\0", "x" * 321, "\ud800"])
def test_a_name_that_can_be_nobody_is_never_sent(prove, directory, login):
    assert refused_by(prove, login=login)[0] == "wrong_credentials"
    assert directory.asked == []


@pytest.mark.parametrize("login", HOSTILE)
def test_a_hostile_name_finds_nobody(prove, directory, login):
    assert refused_by(prove, login=login)[0] == "wrong_credentials"


LIES = {
    "another message id": (SEARCH, lambda number: done(number + 1, 0x65, 0), "upstream_answer_invalid"),
    "a bind answer to a search": (SEARCH, lambda number: done(number, 0x61, 0), "upstream_answer_invalid"),
    "a search answer to a bind": (BIND, lambda number: done(number, 0x65, 0), "upstream_answer_invalid"),
    "no BER": (BIND, lambda number: b"HTTP/1.1 400 Bad Request\r\n\r\n", "upstream_answer_invalid"),
    "an indefinite length": (BIND, lambda number: b"\x30\x80" + b"\0" * 50, "upstream_answer_invalid"),
    "a length of four gigabytes": (BIND, lambda number: b"\x30\x84\xff\xff\xff\xff", "upstream_answer_invalid"),
    "an entry that is cut": (SEARCH, lambda number: envelope(number, b"\x64\x03\x04\x05a"), "upstream_answer_invalid"),
    "a notice of disconnection": (BIND, lambda number: done(0, 0x78, 52), "upstream_unreachable"),
    "nothing, and the end": (BIND, lambda number: None, "upstream_unreachable"),
    "busy": (BIND, lambda number: done(number, 0x61, 51), "upstream_unreachable"),
    "a referral at bind": (BIND, lambda number: done(number, 0x61, 10), "upstream_misconfigured"),
    "a referral at search": (SEARCH, lambda number: done(number, 0x65, 10), "upstream_misconfigured"),
    "TLS is wanted": (BIND, lambda number: done(number, 0x61, 13), "upstream_misconfigured"),
    "no such base": (SEARCH, lambda number: done(number, 0x65, 32), "upstream_misconfigured"),
    "a flood of entries": (
        SEARCH,
        lambda number: entry(number, "uid=x", {"uid": [b"x" * 1000]}) * 200 + done(number, 0x65, 0),
        "upstream_answer_invalid",
    ),
    "a search without end": (SEARCH, lambda number: entry(number, "x", {}) * 6000, "upstream_answer_invalid"),
    "an entry without a name": (
        SEARCH,
        lambda number: entry(number, "", {"entryUUID": [ID.encode()]}) + done(number, 0x65, 0),
        "wrong_credentials",
    ),
    "a reference only": (
        SEARCH,
        lambda number: envelope(number, ber.element(0x73, ber.octets("ldap://evil"))) + done(number, 0x65, 0),
        "wrong_credentials",
    ),
    "two entries": (
        SEARCH,
        lambda number: (
            entry(number, "uid=ada,dc=corp,dc=example", {"entryUUID": [ID.encode()]}) * 2 + done(number, 0x65, 0)
        ),
        "wrong_credentials",
    ),
    "one entry of many": (
        SEARCH,
        lambda number: (
            entry(number, "uid=ada,dc=corp,dc=example", {"entryUUID": [ID.encode()]}) + done(number, 0x65, 4)
        ),
        "wrong_credentials",
    ),
}


@pytest.mark.parametrize("lie", LIES)
def test_a_directory_that_lies_lets_nobody_in(prove, directory, lie):
    operation, answer, code = LIES[lie]
    directory.instead[operation] = answer

    assert refused_by(prove)[0] == code


def test_a_yes_to_everybody_is_still_asked_who_it_is(prove, directory):
    """A bind that always succeeds, and a search that finds nobody."""
    directory.instead[BIND] = lambda number: done(number, 0x61, 0)

    assert refused_by(prove, login="nobody")[0] == "wrong_credentials"


@pytest.mark.parametrize("values", [[], [ID, ID[::-1]], [b"\xff\xfe"], [""], ["x" * 300], ["a\x00b"]])
def test_who_has_no_name_for_ever_is_nobody(prove, directory, values):
    directory.people["ada"].attributes["entryUUID"] = [
        one if isinstance(one, bytes) else one.encode() for one in values
    ]

    assert refused_by(prove)[0] in ("upstream_misconfigured", "upstream_answer_invalid")


def test_a_guid_of_active_directory_is_read_as_it_is_written_there(prove, directory):
    directory.add("bob", "right", objectGUID=bytes(range(16)), sAMAccountName="bob")

    who = prove(login="CORP\\bob", preset="active_directory")

    assert who.subject == "03020100-0504-0706-0809-0a0b0c0d0e0f"


@pytest.mark.parametrize("how", ["stall", "drip"])
def test_a_slow_directory_takes_the_time_budget_and_no_more(prove, directory, how):
    # Who waited longer would be let in at the end.
    directory.wait, directory.drip = (30.0, False) if how == "stall" else (0.0, True)

    assert refused_by(prove, timeout=0.5)[0] == "upstream_unreachable"


def test_who_comes_right_after_a_failure_is_told_at_once(directory, clock):
    given = {"url": directory.url, "base_dn": "dc=corp,dc=example", "starttls": False, "groups_from": "none"}
    kind = Kind(Settings(**given), tools_for(NetPolicy(True, 0.3), clock))
    directory.wait = 30.0
    for _ in range(2):
        with pytest.raises(Refused) as caught:
            kind.prove(PROVIDER, "ada", "right")
    assert "a moment ago" in caught.value.reason
    assert len(directory.asked) == 1


def test_the_next_server_is_asked_when_the_first_one_is_down(prove, directory):
    from tests.support.ports import free_port

    assert prove(url=f"ldap://127.0.0.1:{free_port()} {directory.url}").subject == ID


def test_a_private_address_is_refused_unless_it_is_allowed(prove, directory):
    assert refused_by(prove, allow=False) == (
        "upstream_unreachable",
        "127.0.0.1: the address is private and `net.private_addresses` does not allow it",
    )


def test_what_follows_start_tls_in_clear_is_never_read(prove, directory):
    directory.instead[EXTENDED] = lambda number: done(number, 0x78, 0) + done(number + 1, 0x61, 0)

    assert refused_by(prove, starttls=True) == (
        "upstream_answer_invalid",
        "the directory went on in clear after StartTLS",
    )


def test_a_directory_without_start_tls_hears_no_password(prove, directory):
    assert refused_by(prove, starttls=True)[0] == "upstream_misconfigured"
    assert [operation for operation, _ in directory.asked if operation == BIND] == []

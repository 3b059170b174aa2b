"""Client certificates from a proxy: who is believed, every spelling of the header, and distinguished names (RFC 4514)."""

import base64
from urllib.parse import quote

import pytest
from cryptography import x509
from cryptography.x509.name import _ASN1Type
from cryptography.x509.oid import NameOID, ObjectIdentifier

from idp.base.config import Settings
from idp.base.errors import Misconfigured
from idp.base.mtls import MAX_HEADER, Proxies, available, name_of, parse_name, read, thumbprint
from idp.base.sections import Server
from tests.support.clock import FakeClock
from tests.support.proofs import certificate

HEADER = "X-Client-Cert"


def proxies(*addresses: str, header: str = HEADER) -> Proxies:
    return Proxies(Server(proxy_addresses=addresses, client_certificate_header=header))


def der64(clock: FakeClock) -> tuple[str, str]:
    held = certificate(clock)
    return base64.b64encode(held.der).decode(), held.pem


# ---------------------------------------------------------------- spellings


def test_every_spelling_of_proxies_is_read(clock: FakeClock) -> None:
    der, pem = der64(clock)
    apache = pem.strip().replace("\n", " ")
    for value in (
        pem,
        apache,
        quote(pem),  # nginx: $ssl_client_escaped_cert
        quote(pem, safe="+=/"),  # load balancers that leave these as they are
        der,
        quote(der, safe=""),
        f":{der}:",  # RFC 9440
        f"  {der}  ",
        pem + pem,  # the chain after it is the proxy's business
    ):
        found = read(value)
        assert found is not None, value[:60]
        assert found == x509.load_pem_x509_certificate(pem.encode())


@pytest.mark.parametrize(
    "value",
    ["(null)", "-", "", " ", ":", "::", ":AAAA:", "AAAA", "not base64", "é", "-----BEGIN CERTIFICATE-----", "%", "%zz",
     "-----BEGIN CERTIFICATE-----AAAA-----END CERTIFICATE-----", "A" * (MAX_HEADER + 1)],
)  # fmt: skip
def test_what_is_no_certificate_is_none(value: str) -> None:
    assert read(value) is None


def test_two_values_in_one_header_are_none(clock: FakeClock) -> None:
    der, pem = der64(clock)
    for one in (der, quote(pem), f":{der}:"):
        assert read(f"{one},{one}") is None
        assert read(f"{one}, {one}") is None


# ---------------------------------------------------------------- who is believed


def test_only_configured_proxies_are_believed(clock: FakeClock) -> None:
    held = certificate(clock)
    headers = {"x-client-cert": quote(held.pem)}
    known = proxies("10.0.0.5", "192.0.2.0/24", "2001:db8::/32")
    for peer in ("10.0.0.5", "192.0.2.77", "2001:db8::1", "::ffff:10.0.0.5"):
        shown = known.shown(peer, headers)
        assert shown is not None
        assert shown.thumbprint == held.thumbprint == thumbprint(held.der)
    for peer in ("10.0.0.6", "127.0.0.1", "unknown", "", "::1", "10.0.0.5, 10.0.0.5"):
        assert known.shown(peer, headers) is None


def test_nobody_is_believed_without_a_header_or_without_proxies(clock: FakeClock) -> None:
    headers = {"x-client-cert": quote(certificate(clock).pem), "": "x"}
    assert proxies("10.0.0.5", header="").shown("10.0.0.5", headers) is None
    assert proxies().shown("10.0.0.5", headers) is None
    assert proxies("10.0.0.5").shown("10.0.0.5", {}) is None
    assert proxies("10.0.0.5").shown("10.0.0.5", {"x_client_cert": headers["x-client-cert"]}) is None


def test_what_the_proxy_says_about_the_chain_is_kept(clock: FakeClock) -> None:
    pem = quote(certificate(clock).pem)
    for said, meant in (
        (None, None),
        ("SUCCESS", True),
        ("GENEROUS", False),
        ("FAILED:self signed", False),
        ("", False),
    ):
        headers = {"x-client-cert": pem, **({"x-client-cert-verify": said} if said is not None else {})}
        shown = proxies("10.0.0.5").shown("10.0.0.5", headers)
        assert shown is not None
        assert shown.chain_verified is meant


def test_an_address_that_is_none_is_named() -> None:
    with pytest.raises(Misconfigured, match=r"server\.proxy_addresses"):
        proxies("10.0.0.5", "proxy.example")


def test_certificates_are_available_only_with_header_and_proxies() -> None:
    both = {"client_certificate_header": HEADER, "proxy_addresses": ["10.0.0.5"]}
    assert available(Settings.model_validate({"server": both}))
    for missing in both:
        given = {name: value for name, value in both.items() if name != missing}
        assert not available(Settings.model_validate({"server": given}))


# ---------------------------------------------------------------- distinguished names

SHOP = x509.Name(
    [
        x509.NameAttribute(NameOID.COUNTRY_NAME, "DE"),
        x509.NameAttribute(NameOID.ORGANIZATION_NAME, "Müller, Söhne + Co"),
        x509.NameAttribute(NameOID.COMMON_NAME, "shop"),
    ]
)


@pytest.mark.parametrize(
    "text",
    [
        r"CN=shop,O=Müller\, Söhne \+ Co,C=DE",
        r"cn=shop,o=Müller\2C Söhne \2b Co,c=DE",
        r"2.5.4.3=shop,2.5.4.10=M\C3\BCller\, S\c3\b6hne \+ Co,2.5.4.6=DE",
        r"CN=shop, O=Müller\, Söhne \+ Co , C = DE",
        r"CN=\73hop,O=Müller\, Söhne \+ Co,C=DE",
    ],
)
def test_spellings_of_one_name_are_equal(clock: FakeClock, text: str) -> None:
    assert parse_name(text) == name_of(certificate(clock, SHOP).made)


@pytest.mark.parametrize(
    "text",
    [
        r"C=DE,O=Müller\, Söhne \+ Co,CN=shop",
        r"CN=shop,O=Müller\, Söhne \+ Co",
        r"CN=shop,O=Müller\, Söhne \+ Co,C=DE,C=DE",
        r"CN=Shop,O=Müller\, Söhne \+ Co,C=DE",
        r"CN=shop\ ,O=Müller\, Söhne \+ Co,C=DE",
        r"OU=shop,O=Müller\, Söhne \+ Co,C=DE",
        r"CN=shop+C=DE,O=Müller\, Söhne \+ Co",
    ],
)
def test_other_names_are_not(clock: FakeClock, text: str) -> None:
    assert parse_name(text) != name_of(certificate(clock, SHOP).made)


def test_the_kind_of_string_does_not_matter_and_several_values_have_no_order(clock: FakeClock) -> None:
    printable = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "shop", _ASN1Type.PrintableString)])
    assert parse_name("CN=shop") == name_of(certificate(clock, printable).made)
    several = x509.Name(
        [
            x509.RelativeDistinguishedName(
                [x509.NameAttribute(NameOID.COMMON_NAME, "shop"), x509.NameAttribute(NameOID.USER_ID, "7")]
            )
        ]
    )
    held = certificate(clock, several).made
    assert parse_name("UID=7+CN=shop") == parse_name("CN=shop+UID=7") == name_of(held)
    assert parse_name("UID=7,CN=shop") != name_of(held)


def test_blanks_at_the_ends_of_a_value_count_when_they_are_escaped(clock: FakeClock) -> None:
    odd = x509.Name([x509.NameAttribute(ObjectIdentifier("2.5.4.3"), " a ")])
    assert parse_name(r"CN=\ a\ ") == name_of(certificate(clock, odd).made)
    assert parse_name(r"CN=\ a\20") == name_of(certificate(clock, odd).made)
    assert parse_name("CN= a ") != name_of(certificate(clock, odd).made)
    assert parse_name("CN=a\\\\ ") == (frozenset({("2.5.4.3", "a\\")}),)


@pytest.mark.parametrize(
    "text",
    ["", "shop", "CN", "=shop", "XX=shop", "CN=a,", ",CN=a", "CN=a,,O=b", 'CN="a"', "CN=a;O=b", "CN=#0c01", "CN=a\\",
     r"CN=a\zz", r"CN=\ff", "CN=a<b", "2.5.=x", "CN=a\0b", "CN=" + "a" * 3000],
)  # fmt: skip
def test_what_is_no_name_is_refused(text: str) -> None:
    with pytest.raises(ValueError):
        parse_name(text)

"""What the metadata of a service provider says: everything that we use is read, whatever shape real ones have."""

import base64

import pytest
from cryptography import x509

from idp.base.errors import Refused
from idp.saml import names
from idp.saml.sp_metadata import read
from tests.saml.peer import NS, POST, REDIRECT, Sp, pair

GOOD = Sp().metadata()
OTHER = Sp("https://other.example/metadata").metadata()
SAML = NS["saml"]
MDUI = "urn:oasis:names:tc:SAML:metadata:ui"
ARTIFACT = "urn:oasis:names:tc:SAML:2.0:bindings:HTTP-Artifact"
SOAP = "urn:oasis:names:tc:SAML:2.0:bindings:SOAP"


def with_parts(*parts: str, sp: Sp | None = None) -> bytes:
    """Parts of the role, before its end: real ones stand in every order."""
    text = "".join(parts).encode()
    return (sp or Sp()).metadata().replace(b"</md:SPSSODescriptor>", text + b"</md:SPSSODescriptor>")


def test_logout_endpoints_are_read_and_a_bad_one_is_left_out_with_a_note() -> None:
    view = read(
        with_parts(
            f'<md:SingleLogoutService Binding="{REDIRECT}" Location="https://sp.example/slo" ResponseLocation="https://sp.example/r"/>',
            f'<md:SingleLogoutService Binding="{POST}" Location="javascript:alert(1)"/>',
            f'<md:SingleLogoutService Binding="{SOAP}" Location="https://sp.example/soap"/>',
            '<md:SingleLogoutService Binding="urn:mace:other" Location="https://sp.example/x"/>',
        )
    )
    assert [(e.binding, e.url, e.for_answers) for e in view.logout] == [
        ("redirect", "https://sp.example/slo", "https://sp.example/r"),
        ("soap", "https://sp.example/soap", "https://sp.example/soap"),
    ]
    assert len(view.notes) == 1
    assert "logout" in view.notes[0]


def test_an_acs_may_take_artifacts_and_need_not_say_its_index() -> None:
    acs = f'<md:AssertionConsumerService Binding="{ARTIFACT}" Location="https://sp.example/art"/>'
    view = read(with_parts(acs))
    assert [(a.binding, a.index) for a in view.acs] == [("post", 0), ("post", 1), ("artifact", 2)]
    assert view.default_acs().index == 0


def test_wanted_attributes_categories_and_contacts_are_read() -> None:
    wanted = (
        '<md:AttributeConsumingService index="1"><md:ServiceName xml:lang="de">Laden</md:ServiceName><md:ServiceName '
        'xml:lang="en">Shop</md:ServiceName><md:RequestedAttribute Name="mail" FriendlyName="E-Mail" isRequired="1"/>'
        '<md:RequestedAttribute Name="cn"/></md:AttributeConsumingService>'
    )
    categories = (
        f'<md:Extensions><a:EntityAttributes xmlns:a="urn:oasis:names:tc:SAML:metadata:attribute" xmlns:saml="{SAML}">'
        '<saml:Attribute Name="http://macedir.org/entity-category"><saml:AttributeValue>urn:one</saml:AttributeValue>'
        "<saml:AttributeValue>urn:two</saml:AttributeValue></saml:Attribute></a:EntityAttributes></md:Extensions>"
    )
    people = (
        '<md:ContactPerson contactType="other"><md:EmailAddress>mailto:b@sp.example</md:EmailAddress></md:ContactPerson>'
        '<md:ContactPerson contactType="technical"><md:EmailAddress>a@sp.example</md:EmailAddress></md:ContactPerson>'
    )
    text = with_parts(wanted).replace(b"</md:SPSSODescriptor>", f"</md:SPSSODescriptor>{people}{categories}".encode())
    view = read(text)
    assert [(w.name, w.friendly_name, w.required) for w in view.wanted] == [("mail", "E-Mail", True), ("cn", "", False)]
    assert view.categories == ("urn:one", "urn:two")
    assert view.contacts == ("a@sp.example", "b@sp.example")
    assert view.name == "Shop"


def test_a_key_without_use_is_for_both_and_one_for_encryption_signs_nothing() -> None:
    both = read(Sp().metadata().replace(b'use="signing"', b""))
    assert len(both.signing_keys) == 1
    assert both.encrypt_to is not None
    only = read(Sp(signing=None, encryption=pair()).metadata())
    assert only.signing_keys == ()
    assert only.encrypt_to is not None


def test_one_key_that_is_too_weak_does_not_spoil_the_others() -> None:
    weak = Sp(signing=pair("rsa-1024")).metadata().decode()
    descriptor = weak[weak.index("<md:KeyDescriptor") : weak.index("</md:KeyDescriptor>") + len("</md:KeyDescriptor>")]
    view = read(with_parts(descriptor))
    assert len(view.signing_keys) == 1
    assert "2048" in view.notes[0]


def test_a_chain_with_a_certificate_that_says_a_thing_twice_is_read_all_the_same() -> None:
    """Its extensions cannot be read then, not even whether it is an authority."""
    twice = [x509.UnrecognizedExtension(x509.ObjectIdentifier(f"1.2.3.{n}"), b"\x05\x00") for n in (4, 5)]
    der = base64.b64decode(authority_certificate(*twice)).replace(b"\x06\x03\x2a\x03\x05", b"\x06\x03\x2a\x03\x04")
    more = b"</ds:X509Certificate><ds:X509Certificate>" + base64.b64encode(der) + b"</ds:X509Certificate>"
    assert len(read(Sp().metadata().replace(b"</ds:X509Certificate>", more)).signing_keys) == 1


def test_whoever_issued_a_certificate_does_not_speak_for_the_entity() -> None:
    authority = authority_certificate()
    chain = (
        Sp()
        .metadata()
        .replace(
            b"</ds:X509Certificate>",
            f"</ds:X509Certificate><ds:X509Certificate>{authority}</ds:X509Certificate>".encode(),
        )
    )
    assert len(read(chain).signing_keys) == 1
    alone = Sp().metadata().decode()
    bare = alone[alone.index("<ds:X509Certificate>") + 20 : alone.index("</ds:X509Certificate>")]
    assert read(alone.replace(bare, authority).encode()).certificates == (authority,), "self-signed ones often say so"


def authority_certificate(*more: x509.ExtensionType) -> str:
    from datetime import UTC, datetime

    from cryptography.hazmat.primitives.hashes import SHA256
    from cryptography.hazmat.primitives.serialization import Encoding

    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "authority")])
    key = pair("rsa-2048", 8).private
    made = x509.CertificateBuilder(
        name, name, key.public_key(), 1, datetime(2020, 1, 1, tzinfo=UTC), datetime(2120, 1, 1, tzinfo=UTC)
    )
    for one in (x509.BasicConstraints(ca=True, path_length=None), *more):
        made = made.add_extension(one, critical=True)
    return base64.b64encode(made.sign(key, SHA256()).public_bytes(Encoding.DER)).decode()


def test_the_content_methods_that_it_lists_are_kept_and_a_key_for_gcm_is_preferred() -> None:
    def descriptor(which: int, *methods: str) -> str:
        key = Sp(signing=None, encryption=pair("rsa-2048", which)).metadata().decode()
        start, end = key.index("<md:KeyDescriptor"), key.index("</md:KeyDescriptor>")
        listed = "".join(f'<md:EncryptionMethod Algorithm="http://www.w3.org/{m}"/>' for m in methods)
        return key[start:end] + listed + "</md:KeyDescriptor>"

    cbc, gcm = "2001/04/xmlenc#aes256-cbc", "2009/xmlenc11#aes128-gcm"
    view = read(with_parts(descriptor(5, cbc), descriptor(6, gcm, "2001/04/xmlenc#rsa-oaep-mgf1p")))
    assert view.encrypt_to is not None
    assert view.encrypt_to.methods == (f"http://www.w3.org/{gcm}",)
    only = read(with_parts(descriptor(5, cbc))).encrypt_to
    assert only is not None
    assert only.methods == (f"http://www.w3.org/{cbc}",)


def test_a_group_of_one_is_read_like_that_one_and_ends_with_the_group() -> None:
    group = b'<md:EntitiesDescriptor xmlns:md="%s" validUntil="2030-01-01T00:00:00Z" cacheDuration="PT1H">%s%s</md:EntitiesDescriptor>'
    provider = OTHER.replace(b"SPSSODescriptor", b"IDPSSODescriptor")
    view = read(group % (NS["md"].encode(), GOOD, provider))
    assert (view.entity_id, view.valid_until, view.cache_seconds) == (Sp().entity_id, 1893456000.0, 3600.0)
    both = group % (NS["md"].encode(), GOOD, OTHER)
    assert read(both, "https://other.example/metadata").entity_id == "https://other.example/metadata"
    assert "of the entity that is meant" in problem_of(both, "https://third.example/metadata")


def problem_of(metadata: bytes, entity_id: str = "") -> str:
    with pytest.raises(Refused) as caught:
        read(metadata, entity_id)
    return caught.value.message


def test_an_old_role_beside_the_one_for_saml_2_is_no_obstacle_and_two_of_them_are() -> None:
    role = GOOD[GOOD.index(b"<md:SPSSODescriptor") : GOOD.index(b"</md:EntityDescriptor>")]
    old = role.replace(NS["samlp"].encode(), b"urn:oasis:names:tc:SAML:1.1:protocol")
    assert read(GOOD.replace(role, old + role)).entity_id
    both = role.replace(NS["samlp"].encode(), b"urn:oasis:names:tc:SAML:1.1:protocol " + NS["samlp"].encode())
    assert read(GOOD.replace(role, both)).entity_id
    assert "exactly one" in problem_of(GOOD.replace(role, role + role))


def test_a_comment_within_a_value_neither_hides_nor_cuts_it() -> None:
    text = Sp(formats=(names.EMAIL,)).metadata().replace(b"nameid-format:email", b"nameid-format:<!-- x -->email")
    assert read(text).name_id_formats == (names.EMAIL,)


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("PT1H", 3600),
        ("P1DT12H", 129_600),
        ("P1Y", 31_536_000),
        ("PT90.5S", 90),
        ("P", 3600),
        ("-P1D", 3600),
        ("x" * 99, 3600),
    ],
)
def test_how_long_it_may_be_kept_is_advice_and_never_an_obstacle(text: str, seconds: float) -> None:
    assert read(Sp(extra=f'cacheDuration="{text}"').metadata()).cache_seconds == seconds


@pytest.mark.parametrize("end", ["2030-01-01T00:00:00Z", "2030-01-01T01:00:00.1234567+01:00", "2030-01-01T00:00:00"])
def test_an_end_is_read_in_every_spelling_and_one_that_is_none_is_refused(end: str) -> None:
    assert abs((read(Sp(extra=f'validUntil="{end}"').metadata()).valid_until or 0) - 1893456000.0) < 1
    assert "validUntil" in problem_of(Sp(extra='validUntil="soon"').metadata())

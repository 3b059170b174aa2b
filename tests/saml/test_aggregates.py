"""Federation metadata: verified as a stream, taken apart only when the signature holds."""

import io
from dataclasses import replace

import pytest
from lxml import etree

from idp.base.errors import Refused
from idp.saml import aggregate as reader
from idp.saml import xml
from idp.saml.metadata_document import Problem
from idp.saml.signatures import verify_element
from idp.saml.sp_metadata import read
from tests.saml.federation import MDUI, SIGNER, aggregate, member, members
from tests.saml.peer import NS, pair
from tests.support.clock import START

LIMIT = 10_000_000
MD = NS["md"]
STYLES = {
    "a prefix": f'<md:EntitiesDescriptor xmlns:md="{MD}" ID="_1">',
    "the default namespace": f'<EntitiesDescriptor xmlns="{MD}" ID="_1">',
    "both": f'<EntitiesDescriptor xmlns="{MD}" xmlns:md="{MD}" ID="_1">',
    "more than it uses": f'<md:EntitiesDescriptor xmlns:md="{MD}" xmlns:ds="{NS["ds"]}" xmlns:x="urn:x" ID="_1">',
    "an attribute with a namespace": (
        f'<md:EntitiesDescriptor xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance" xsi:schemaLocation="{MD} a&gt;b" '
        f'xmlns:md="{MD}" ID="_1">'
    ),
    "another name for it": f'<m:EntitiesDescriptor xmlns:m="{MD}" xml:lang="en" ID="_1">',
}


def load(text: bytes, certificate: str = SIGNER.certificate, limit: int = LIMIT) -> list[reader.Entry]:
    with reader.verified(io.BytesIO(text), [certificate], limit) as found:
        return list(found.entities())


def problem(text: bytes, certificate: str = SIGNER.certificate, limit: int = LIMIT) -> str:
    with pytest.raises(Problem) as caught:
        load(text, certificate, limit)
    return str(caught.value)


@pytest.mark.parametrize("style", STYLES)
@pytest.mark.parametrize("between", ["", "\n  ", "\n<!-- a comment -->\r\n\t", " &lt;&amp;&gt; "])
def test_what_the_stream_hashes_is_what_was_signed(style: str, between: str) -> None:
    text = aggregate(members(3), start=STYLES[style], between=between)
    verify_element(xml.bounded(text, LIMIT), [SIGNER.private.public_key()])  # the other way to say the same
    assert [one.entity_id for one in load(text)] == [member(n).entity_id for n in range(3)]


def test_prefixes_that_the_signature_lists_count(xmlsec) -> None:
    """As federations sign: with xmlsec1, and namespaces of the root listed for all that is below."""
    ec = "http://www.w3.org/2001/10/xml-exc-c14n#"
    listed = f'<ec:InclusiveNamespaces xmlns:ec="{ec}" PrefixList="md xs mdui #default"/>'
    template = (
        f'<ds:Signature xmlns:ds="{NS["ds"]}"><ds:SignedInfo><ds:CanonicalizationMethod Algorithm="{ec}"/>'
        '<ds:SignatureMethod Algorithm="http://www.w3.org/2001/04/xmldsig-more#rsa-sha256"/><ds:Reference URI="#_1"><ds:Transforms>'
        f'<ds:Transform Algorithm="{NS["ds"]}enveloped-signature"/><ds:Transform Algorithm="{ec}">{listed}</ds:Transform>'
        '</ds:Transforms><ds:DigestMethod Algorithm="http://www.w3.org/2001/04/xmlenc#sha256"/><ds:DigestValue/></ds:Reference>'
        "</ds:SignedInfo><ds:SignatureValue/></ds:Signature>"
    ).encode()
    root = f'<md:EntitiesDescriptor xmlns:md="{MD}" xmlns:xs="urn:xs" xmlns:mdui="{MDUI}" ID="_1">'
    text = aggregate(members(3), start=root, signer=None)
    text = text.replace(b'ID="_1">', b'ID="_1">' + template, 1)
    assert len(load(xmlsec.sign(text, SIGNER.pem, "EntitiesDescriptor", MD))) == 3


def test_an_entity_stands_alone_afterwards_and_says_the_same() -> None:
    entry = load(aggregate(members(2), start=STYLES["the default namespace"]))[1]
    assert etree.fromstring(entry.metadata).get("entityID") == entry.entity_id == member(1).entity_id
    view, before = read(entry.metadata.encode()), read(member(1).metadata())
    assert (view.acs, view.certificates, view.name) == (before.acs, before.certificates, before.name)


def test_groups_within_groups_are_read() -> None:
    group = b'<md:EntitiesDescriptor xmlns:md="%s" validUntil="2030-01-01T00:00:00Z">%s</md:EntitiesDescriptor>' % (
        MD.encode(),
        members(2)[1],
    )
    entries = load(aggregate([members(1)[0], group]))
    assert [one.entity_id for one in entries] == [member(0).entity_id, member(1).entity_id]
    assert [one.valid_until for one in entries] == [None, 1893456000.0]


def test_the_end_of_the_whole_is_the_end_of_each() -> None:
    assert [one.valid_until for one in load(aggregate(members(2), until=START))] == [START, START]


def test_only_service_providers_are_kept_and_each_once() -> None:
    provider = members(1)[0].replace(b"SPSSODescriptor", b"IDPSSODescriptor")
    old = member(3).metadata().replace(NS["samlp"].encode(), b"urn:oasis:names:tc:SAML:1.1:protocol")
    assert [one.entity_id for one in load(aggregate([provider, *members(2), old, *members(2)]))] == [
        member(0).entity_id,
        member(1).entity_id,
    ]


def test_an_entity_in_the_extensions_of_a_member_is_none() -> None:
    """A federation signs what its members hand in: one of them must not speak for another."""
    evil = replace(member(1), acs=("https://evil.example/acs",)).metadata()
    inside = b"<md:Extensions>%s</md:Extensions><md:SPSSODescriptor" % evil
    carrier = member(0).metadata().replace(b"<md:SPSSODescriptor", inside, 1)
    entries = {one.entity_id: one.metadata for one in load(aggregate([carrier, members(2)[1]]))}
    assert read(entries[member(1).entity_id].encode()).acs[0].url == member(1).acs[0]
    assert set(entries) == {member(0).entity_id, member(1).entity_id}
    assert load(aggregate([carrier]))[0].entity_id == member(0).entity_id
    group = aggregate([carrier], signer=None)
    assert read(group).entity_id == member(0).entity_id
    with pytest.raises(Refused):
        read(group, member(1).entity_id)


SIGNED = aggregate(members(3))


@pytest.mark.parametrize(
    ("text", "why"),
    [
        (aggregate(members(2), signer=None), "not signed"),
        (aggregate(members(2), signer=pair("rsa-2048", 71)), "none of the keys"),
        (SIGNED.replace(b"sp-1.example/acs", b"sp-6.example/acs"), "changed after"),
        (SIGNED.replace(b"</md:EntityDescriptor>\n", b"</md:EntityDescriptor>", 1), "changed after"),
        (SIGNED.replace(b'Name="https://federation', b'Name="http://federation'), "changed after"),
        (SIGNED.replace(b"\n</md:EntitiesDescriptor>", members(9)[8] + b"\n</md:EntitiesDescriptor>"), "changed after"),
        (SIGNED.replace(b"<md:EntityDescriptor", b"<md:EntitiesDescriptor><md:EntityDescriptor", 1)
         .replace(b"</md:EntityDescriptor>", b"</md:EntityDescriptor></md:EntitiesDescriptor>", 1), "changed after"),
        (SIGNED[:-30], "well-formed"),
        (SIGNED.replace(b'ID="_all"', b'ID="_other"'), "does not refer"),
        (b'<!DOCTYPE x>' + SIGNED, "DOCTYPE"),
        (SIGNED.replace(b"\n</md:Entities", b"<?php x?>\n</md:Entities"), "changed after"),
        (SIGNED.replace(b'xmlns:md', b'xmlns:mx="urn:x" xmlns:md', 1).replace(b"entityID", b'mx:y="1" entityID', 1), "changed after"),
        (members(1)[0], "not the metadata of a federation"),
        (b"", "well-formed"),
        ("<md:EntitiesDescriptor/>".encode("utf-16"), "not UTF-8"),
    ],
)  # fmt: skip
def test_what_the_signature_does_not_cover_is_refused(text: bytes, why: str) -> None:
    assert why in problem(text)


def test_a_signature_that_is_not_the_first_is_none() -> None:
    root = etree.fromstring(SIGNED)
    root.append(root[0])
    assert "not signed" in problem(etree.tostring(root))


def test_a_doctype_is_found_wherever_it_is_cut() -> None:
    for pad in range(65_520, 65_540):
        assert "DOCTYPE" in problem(b"<a>" + b" " * pad + b"<!DOCTYPE x></a>")


def test_what_is_larger_than_allowed_is_not_read_to_its_end() -> None:
    assert "larger" in problem(SIGNED, limit=5000)


def test_a_key_that_is_too_weak_vouches_for_nothing() -> None:
    weak = pair("rsa-1024")
    assert "signature is not good" in problem(aggregate(members(1), signer=weak), weak.certificate)

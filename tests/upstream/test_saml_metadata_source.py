"""Owns where a SAML upstream's metadata comes from: a file, or a URL; its keys, its end, and what an administrator is told."""

import re

import pytest

from idp.saml import encryption, names
from idp.saml.idp_metadata import BadIdpMetadata, read
from idp.upstream.parse import new_provider
from idp.upstream.registry import open_kind
from idp.upstream.saml_metadata import certificates_of
from tests.saml.peer import NS, POST, REDIRECT, instant, pair
from tests.upstream.conftest import CALLBACK, POLICY, tools_for
from tests.upstream.saml_double import WS_FEDERATION


@pytest.fixture
def opened(upstreams, clock, idp):
    """An upstream, stored and opened: (provider, kind)."""

    def make(kind="saml", **pairs):
        given = pairs or {"metadata_url": idp.metadata_url}
        provider = upstreams.add(new_provider(kind, "corp", given, clock()), secrets=(), actor="test")
        return provider, open_kind(provider, upstreams, tools_for(POLICY, clock))

    return make


@pytest.fixture
def arrive(idp):
    def go(opened, **changes):
        provider, kind = opened
        departure = kind.depart(provider, CALLBACK, force=False, login_hint=None)
        return kind.arrive(provider, CALLBACK, idp.respond(departure, **changes), departure.remembered)

    return go


# ---------------------------------------------------------------- where it comes from


def test_published_metadata_is_fetched_once_and_kept(opened, arrive, idp):
    corp = opened()
    for subject in ("ada", "bob"):
        assert arrive(corp, name_id=subject).subject == subject

    assert idp.fetched == 1


def test_stored_metadata_is_never_fetched(opened, arrive, idp):
    arrive(opened(metadata=idp.metadata().decode(), metadata_url=idp.metadata_url))

    assert idp.fetched == 0


def test_a_new_key_of_the_upstream_heals_by_itself(opened, arrive, idp):
    corp = opened()
    arrive(corp)
    idp.keys = [pair(which=3)]

    assert arrive(corp, name_id="bob").subject == "bob"
    assert idp.fetched == 2


def test_made_up_keys_do_not_make_us_hammer_the_upstream(opened, arrive, idp, refusal):
    corp = opened()
    for _ in range(20):
        assert refusal(arrive, corp, key=pair(which=9)).code == "upstream_answer_invalid"

    assert idp.fetched <= 6


class OneKey:
    """Ours, for what is encrypted."""

    def saml_decrypting(self):
        return [(pair(which=2).private, pair(which=2).certificate)]


@pytest.mark.parametrize("which", [2, 3])
def test_whether_we_fetch_metadata_tells_nobody_if_a_cipher_text_could_be_opened(
    upstreams, clock, idp, arrive, refusal, which
):
    """With AES-CBC that would be the oracle that all the care about one refusal for everything is to avoid."""
    wanted = new_provider("saml", "corp", {"metadata_url": idp.metadata_url, "cbc": "true"}, clock())
    provider = upstreams.add(wanted, secrets=(), actor="test")
    corp = provider, open_kind(provider, upstreams, tools_for(POLICY, clock, OneKey()))
    changes = {"encrypt_for": pair(which=which).certificate, "method_uri": encryption.AES256_CBC}

    found = refusal(arrive, corp, key=pair(which=9), **changes)

    assert found.reason.partition(":")[0] == ("signature" if which == 2 else "decryption")
    assert idp.fetched == 2


def test_an_old_key_counts_no_more_when_it_is_not_published_any_more(opened, arrive, idp, clock, refusal):
    corp = opened()
    arrive(corp)
    idp.keys = [pair(which=3)]
    clock.advance(601)

    assert refusal(arrive, corp, key=pair()).code == "upstream_answer_invalid"


def test_both_keys_count_during_a_rollover(opened, arrive, idp):
    idp.keys = [pair(), pair(which=3)]
    corp = opened()

    assert arrive(corp, name_id="a", key=pair()).subject == "a"
    assert arrive(corp, name_id="b", key=pair(which=3)).subject == "b"


def test_a_key_without_use_is_for_signing_too(opened, arrive, idp):
    idp.key_use = ""
    assert arrive(opened(), name_id="a").subject == "a"


def test_a_key_for_encryption_signs_nothing(opened, idp, refusal):
    idp.key_use = 'use="encryption"'
    found = refusal(opened()[1].view)

    assert (found.code, "signing" in found.reason) == ("upstream_misconfigured", True)


def test_metadata_past_its_end_is_refused_on_the_way_out_and_back(opened, idp, clock, refusal):
    idp.valid_until = instant(clock() + 300)
    provider, kind = opened(metadata=idp.metadata().decode())
    departure = kind.depart(provider, CALLBACK, force=False, login_hint=None)
    params = idp.respond(departure)
    clock.advance(301)

    for call in (
        lambda: kind.depart(provider, CALLBACK, force=False, login_hint=None),
        lambda: kind.arrive(provider, CALLBACK, params, departure.remembered),
    ):
        found = refusal(call)
        assert (found.code, "validUntil" in found.reason) == ("upstream_misconfigured", True)


def test_pinned_metadata_must_be_signed_by_the_pinned_key(opened, idp, refusal):
    pinned = {"metadata_url": idp.metadata_url, "metadata_certificates": pair(which=4).certificate}
    _, kind = opened(**pinned)
    assert "not signed" in refusal(kind.view).reason
    idp.sign_metadata = pair(which=9)
    assert "signature" in refusal(kind._metadata._fetch).reason

    idp.sign_metadata = pair(which=4)
    assert kind._metadata._fetch().entity_id == idp.entity_id


def test_one_of_many_is_found_by_its_name_and_no_other_is_taken(opened, idp, refusal):
    other = idp.metadata().decode().replace(idp.entity_id, "https://other.example")
    group = f'<md:EntitiesDescriptor xmlns:md="{NS["md"]}">{idp.metadata().decode()}{other}</md:EntitiesDescriptor>'
    group = group.replace('ID="_metadata"', "")

    _, kind = opened(metadata=group, entity_id="https://other.example")

    assert kind.view().entity_id == "https://other.example"
    assert "nobody said which" in refusal(read, group.encode()).reason
    assert "holds no IDPSSODescriptor" in refusal(read, group.encode(), "https://third.example").reason


# ---------------------------------------------------------------- reading it


def test_what_ad_fs_publishes_besides_does_no_harm(idp):
    idp.extra = WS_FEDERATION

    assert read(idp.metadata()).entity_id == idp.entity_id


def test_what_is_read_of_it(idp):
    idp.scopes = ("Corp.Example", "corp.example", "x.example")
    idp.wants_signed = True
    view = read(idp.metadata())

    assert [(one.binding, one.url) for one in view.sign_on] == [("redirect", idp.sso_url), ("post", idp.sso_url)]
    assert [one.binding for one in view.logout] == ["redirect"]
    assert (view.scopes, view.wants_signed_requests) == (("corp.example", "x.example"), True)
    assert view.name_id_formats == (names.PERSISTENT,)


def test_scopes_that_are_regular_expressions_are_left_out(idp):
    idp.scopes = ("corp.example",)
    text = idp.metadata().replace(b'regexp="false"', b'regexp="true"')

    assert read(text).scopes == ()


BAD = {
    "no identity provider": lambda text: text.replace(b"IDPSSODescriptor", b"SPSSODescriptor"),
    "another protocol": lambda text: text.replace(NS["samlp"].encode() + b'">', b'urn:oasis:names:tc:SAML:1.1:protocol">'),
    "no address": lambda text: text.replace(b"SingleSignOnService", b"ManageNameIDService"),
    "an address that runs": lambda text: _at(text, b"javascript:alert(1)"),
    "an address in clear": lambda text: _at(text, b"http://idp.example/sso"),
    "an address with a user": lambda text: _at(text, b"https://a@idp.example/sso"),
    "a host that breaks a header": lambda text: _at(text, b"https://idp.example;x/sso"),
    "no certificate": lambda text: text.replace(b"X509Certificate", b"X509SubjectName"),
    "a weak key": lambda text: text,
    "no entityID": lambda text: text.replace(b'entityID="http', b'entityID=" http').replace(b" http", b"ht tp"),
    "a DOCTYPE": lambda text: b"<!DOCTYPE x>" + text,
    "no XML": lambda text: b"<html>",
    "nothing": lambda text: b"",
}  # fmt: skip


def _at(text, address):
    return re.sub(rb'(SingleSignOnService Binding="[^"]*" Location=")[^"]*', lambda found: found[1] + address, text)


@pytest.mark.parametrize("what", list(BAD))
def test_metadata_with_this_is_refused_in_words(idp, what):
    if what == "a weak key":
        idp.keys = [pair("rsa-1024")]
    with pytest.raises(BadIdpMetadata) as caught:
        read(BAD[what](idp.metadata()))

    assert caught.value.message.startswith("The metadata cannot be used: ")


def test_a_weak_key_beside_a_good_one_is_left_out(idp):
    idp.keys = [pair("rsa-1024"), pair()]

    assert len(read(idp.metadata()).signing_keys) == 1


# ---------------------------------------------------------------- what an administrator is told


def test_transient_names_only_are_a_reason_for_a_note(opened, idp):
    idp.formats = (names.TRANSIENT,)
    _, kind = opened()

    assert "transient names only" in kind.notes()[0]


def test_there_is_no_note_when_all_is_well(opened):
    assert opened()[1].notes() == []


def test_the_end_of_each_signing_certificate_is_known(opened, idp):
    idp.keys = [pair(), pair(which=3)]
    provider, _ = opened(metadata=idp.metadata().decode())

    found = certificates_of(provider)

    assert [label for label, _ in found] == ["signing certificate 1", "signing certificate 2"]
    assert all(end > 4_000_000_000 for _, end in found)


def test_nothing_is_known_of_certificates_that_are_not_stored(opened):
    assert certificates_of(opened()[0]) == []


@pytest.mark.parametrize(
    ("bindings", "setting", "used"),
    [
        ((REDIRECT, POST), "auto", "redirect"),
        ((POST,), "auto", "post"),
        ((REDIRECT, POST), "post", "post"),
        ((POST,), "redirect", None),
    ],
)
def test_the_request_travels_as_metadata_and_settings_say(opened, idp, refusal, bindings, setting, used):
    idp.bindings = bindings
    provider, kind = opened(metadata=idp.metadata().decode(), request_binding=setting)
    if used is None:
        found = refusal(kind.depart, provider, CALLBACK, force=False, login_hint=None)
        assert found.code == "upstream_misconfigured"
        return
    departure = kind.depart(provider, CALLBACK, force=False, login_hint=None)

    assert (departure.form is None) == (used == "redirect")

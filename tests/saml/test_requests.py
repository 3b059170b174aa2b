"""AuthnRequests: who may ask, where to, and when. Each rule by name; a refusal is a page."""

import base64
import re
from dataclasses import replace
from typing import Any

import pytest

from idp.domain.relying import ServiceProvider
from idp.saml.sp_metadata import service_provider_from_metadata
from tests.saml.asking import NOW, PLAIN, SIGNING, SSO, Receive, ask, refusal
from tests.saml.peer import NS, Sp, form, new_id, pair
from tests.support.clock import FakeClock

# ---------------------------------------------------------------- what is accepted


def test_an_unsigned_request_of_a_service_provider_that_promises_none_is_accepted(receive: Receive) -> None:
    request = receive(PLAIN.query(ask(), "opaque state")).request
    assert (request.sp_id, request.acs_url, request.relay_state) == (PLAIN.entity_id, PLAIN.acs[0], "opaque state")
    assert (request.force, request.passive, request.name_id_format, request.contexts) == (False, False, "", ())


def test_a_signed_redirect_and_a_signed_post_are_accepted(receive: Receive) -> None:
    assert receive(SIGNING.query(ask(sp=SIGNING), "state")).request.relay_state == "state"
    assert receive(SIGNING.signed_form(ask(sp=SIGNING))).request.sp_id == SIGNING.entity_id


@pytest.mark.parametrize("kind", ["rsa-3072", "p-256", "p-384"])
def test_other_kinds_of_keys_sign_requests_too(receive: Receive, repo: Any, kind: str) -> None:
    sp = Sp(f"https://{kind}.example", signs=True, signing=pair(kind))
    repo.insert(service_provider_from_metadata(sp.metadata(), NOW))
    assert receive(sp.query(ask(sp=sp))).request.sp_id == sp.entity_id
    assert receive(sp.signed_form(ask(sp=sp))).request.sp_id == sp.entity_id


def test_a_signature_over_lower_case_escapes_is_checked_over_the_characters_that_were_sent(receive: Receive) -> None:
    """ADFS writes %2b where Python writes %2B; decoding and encoding again would break the signature."""
    assert SIGNING.signing
    query = (
        SIGNING.query(ask(sp=SIGNING), "a/b", sign=False)
        + "&SigAlg=http%3A%2F%2Fwww.w3.org%2F2001%2F04%2Fxmldsig-more%23rsa-sha256"
    )
    query = re.sub(r"%[0-9A-F]{2}", lambda m: m[0].lower(), query)
    from idp.saml.signatures import sign_bytes

    value = base64.b64encode(sign_bytes(query.encode(), SIGNING.signing.private)).decode()
    assert receive(f"{query}&Signature={value.replace('+', '%2b').replace('/', '%2f').replace('=', '%3d')}")


def test_booleans_may_be_written_as_words_or_digits(receive: Receive) -> None:
    for word, digit in (("true", "1"), ("false", "0")):
        for value in (word, digit, f" {word} "):
            request = receive(PLAIN.query(ask(attributes=f'ForceAuthn="{value}" IsPassive="{value}"'))).request
            assert request.force is request.passive is (word == "true")


def test_the_acs_is_chosen_by_url_by_index_or_by_default(receive: Receive) -> None:
    first, second = PLAIN.acs
    assert receive(PLAIN.query(ask())).request.acs_url == first
    assert receive(PLAIN.query(ask(attributes=f'AssertionConsumerServiceURL="{second}"'))).request.acs_url == second
    assert receive(PLAIN.query(ask(attributes='AssertionConsumerServiceIndex="1"'))).request.acs_url == second


# ---------------------------------------------------------------- who asks


def test_an_unknown_issuer_is_refused(receive: Receive) -> None:
    stranger = Sp("https://stranger.example")
    assert refusal(receive, stranger.query(ask(sp=stranger))) == "unknown_service_provider"


def test_a_request_that_must_be_signed_and_is_not_is_refused(receive: Receive) -> None:
    assert refusal(receive, SIGNING.query(ask(sp=SIGNING), sign=False)) == "saml_signature"
    assert refusal(receive, form(ask(sp=SIGNING))) == "saml_signature"
    assert refusal(receive, PLAIN.query(ask()), require_signed=True) == "saml_signature"
    assert receive(PLAIN.query(ask(), sign=True), require_signed=True)


def test_a_service_provider_may_have_to_sign_though_its_metadata_does_not_say_so(receive: Receive, repo: Any) -> None:
    stored = repo.get(ServiceProvider, PLAIN.entity_id)
    assert repo.replace_if(replace(stored, sign_requests="always"))
    assert refusal(receive, PLAIN.query(ask())) == "saml_signature"
    assert receive(PLAIN.query(ask(), sign=True))
    assert receive(PLAIN.signed_form(ask()))


def test_one_that_is_switched_off_is_refused(receive: Receive, repo: Any) -> None:
    stored = repo.get(ServiceProvider, PLAIN.entity_id)
    assert repo.replace_if(replace(stored, enabled=False))
    assert refusal(receive, PLAIN.query(ask(), sign=True)) == "sp_disabled"


def test_the_issuer_must_be_named_once_and_as_an_entity(receive: Receive) -> None:
    name = f"<saml:Issuer>{PLAIN.entity_id}</saml:Issuer>".encode()
    for odd in (
        b"",
        b"<saml:Issuer/>",
        name.replace(b"Issuer>", b'Issuer Format="urn:oasis:names:tc:SAML:1.1:nameid-format:emailAddress">', 1),
        b"<saml:Issuer>" + b"x" * 1025 + b"</saml:Issuer>",
    ):
        assert refusal(receive, form(ask().replace(name, odd))) == "saml_unreadable"
    split = name.replace(b"https://", b"https:<!-- evil.example -->//")
    assert receive(form(ask().replace(name, split))).request.sp_id == PLAIN.entity_id


def test_a_tampered_signed_redirect_is_refused(receive: Receive) -> None:
    query = SIGNING.query(ask(sp=SIGNING), "state")
    other = SIGNING.query(ask(sp=SIGNING), "state")
    swapped = other.split("&RelayState")[0] + "&RelayState" + query.split("&RelayState")[1]
    for tampered in (
        query.replace("RelayState=state", "RelayState=other"),
        query.replace("&RelayState=state", ""),
        query.replace("rsa-sha256", "rsa-sha512"),
        query.replace("xmldsig-more%23rsa-sha256", "xmldsig%23rsa-sha1").replace("2001%2F04", "2000%2F09"),
        swapped,
        query.split("&SigAlg")[0],
    ):
        assert tampered != query
        assert refusal(receive, tampered) == "saml_signature"
    assert receive(query)


def test_a_tampered_signed_post_is_refused(receive: Receive) -> None:
    signed = base64.b64decode(SIGNING.signed_form(ask(sp=SIGNING))["SAMLRequest"])
    for old, new in (
        (b"2.0", b'2.0" ForceAuthn="true'),
        (b"</saml:Issuer>", b"</saml:Issuer><samlp:Extensions><x/></samlp:Extensions>"),
    ):
        tampered = signed.replace(old, new, 1)
        assert refusal(receive, form(tampered)) in ("saml_signature", "saml_unreadable")
    tampered = signed.replace(SSO.encode(), b"https://idp.example/saml/SSO")
    assert refusal(receive, form(tampered)) == "saml_signature"


def test_a_garbage_signature_is_refused_though_none_was_required(receive: Receive) -> None:
    """pysaml2 looks at a signature only when a global switch demands one."""
    query = PLAIN.query(ask(), sign=True)
    assert refusal(receive, re.sub("Signature=.*", "Signature=AAAA", query)) == "saml_signature"
    attacker = Sp(signing=pair("rsa-2048", 666))
    assert refusal(receive, attacker.query(ask(), sign=True)) == "saml_signature"
    assert refusal(receive, attacker.signed_form(ask())) == "saml_signature"


def test_a_signature_is_refused_when_the_metadata_has_no_certificate(receive: Receive, repo: Any) -> None:
    keyless = Sp("https://keyless.example", signing=None)
    repo.insert(service_provider_from_metadata(keyless.metadata(), NOW))
    assert receive(keyless.query(ask(sp=keyless)))
    signer = Sp(keyless.entity_id)
    assert refusal(receive, signer.query(ask(sp=signer), sign=True)) == "saml_signature"


def test_a_signature_of_one_service_provider_is_worth_nothing_for_another(receive: Receive, repo: Any) -> None:
    other = Sp("https://other.example", signing=pair("rsa-2048", 2), signs=True)
    repo.insert(service_provider_from_metadata(other.metadata(), NOW))
    impostor = Sp(SIGNING.entity_id, signing=pair("rsa-2048", 2), signs=True)
    assert refusal(receive, impostor.query(ask(sp=impostor))) == "saml_signature"


def test_a_key_without_use_in_the_metadata_keeps_the_check_on(receive: Receive, repo: Any) -> None:
    """B53: a KeyDescriptor without `use` is for signing too."""
    sp = Sp("https://no-use.example", signs=True)
    repo.insert(service_provider_from_metadata(sp.metadata().replace(b' use="signing"', b""), NOW))
    assert receive(sp.query(ask(sp=sp)))
    attacker = Sp(sp.entity_id, signs=True, signing=pair("rsa-2048", 666))
    assert refusal(receive, attacker.query(ask(sp=sp))) == "saml_signature"
    assert refusal(receive, sp.query(ask(sp=sp), sign=False)) == "saml_signature"


def test_a_signature_that_is_somewhere_else_in_the_message_is_refused(receive: Receive) -> None:
    signed = base64.b64decode(PLAIN.signed_form(ask())["SAMLRequest"])
    signature = re.search(rb"<ds:Signature .*</ds:Signature>", signed)
    assert signature
    moved = ask().replace(
        b"</saml:Issuer>", b"</saml:Issuer><samlp:Extensions>" + signature[0] + b"</samlp:Extensions>"
    )
    assert refusal(receive, form(moved)) == "saml_signature"


def test_a_signed_request_wrapped_into_another_one_is_refused(receive: Receive) -> None:
    signed = base64.b64decode(SIGNING.signed_form(ask(sp=SIGNING))["SAMLRequest"])
    signature = re.search(rb"<ds:Signature .*</ds:Signature>", signed)
    assert signature
    evil = ask(sp=SIGNING, attributes='ForceAuthn="true"')
    inner = b"</saml:Issuer>%s<samlp:Extensions>%s</samlp:Extensions>"
    for wrapped in (
        evil.replace(b"</saml:Issuer>", inner % (b"", signed)),
        evil.replace(b"</saml:Issuer>", inner % (signature[0], signed.replace(signature[0], b""))),
        evil.replace(b"</saml:Issuer>", b"</saml:Issuer>" + signature[0]),
    ):
        assert refusal(receive, form(wrapped)) in ("saml_signature", "saml_unreadable")


def test_metadata_past_its_valid_until_serves_no_more(receive: Receive, repo: Any, clock: FakeClock) -> None:
    brief = Sp("https://brief.example", extra='validUntil="2027-01-16T00:00:00Z"')
    repo.insert(service_provider_from_metadata(brief.metadata(), NOW))
    assert receive(brief.query(ask(sp=brief)))
    clock.advance(10 * 86_400)
    assert refusal(receive, brief.query(ask(sp=brief, at=clock()))) == "sp_metadata_expired"


def test_a_service_provider_that_was_removed_or_changed_is_seen_at_once(receive: Receive, repo: Any) -> None:
    assert receive(PLAIN.query(ask()))
    moved = Sp(acs=("https://moved.example/acs",))
    stored = repo.get(ServiceProvider, PLAIN.entity_id)
    fresh = service_provider_from_metadata(moved.metadata(), NOW)
    repo.delete(ServiceProvider, stored.id)
    repo.insert(fresh)
    assert receive(PLAIN.query(ask())).request.acs_url == "https://moved.example/acs"
    repo.delete(ServiceProvider, PLAIN.entity_id)
    assert refusal(receive, PLAIN.query(ask())) == "unknown_service_provider"


# ---------------------------------------------------------------- where to and when


def test_a_foreign_acs_is_refused(receive: Receive) -> None:
    for url in (
        "https://evil.example/acs",
        f"{PLAIN.acs[0]}/",
        f"{PLAIN.acs[0]}?x",
        "javascript:alert(1)",
        PLAIN.acs[0].upper(),
    ):
        assert (
            refusal(receive, PLAIN.query(ask(attributes=f'AssertionConsumerServiceURL="{url}"'))) == "saml_acs_unknown"
        )
    assert refusal(receive, PLAIN.query(ask(attributes='AssertionConsumerServiceIndex="7"'))) == "saml_acs_unknown"
    both = f'AssertionConsumerServiceURL="{PLAIN.acs[0]}" AssertionConsumerServiceIndex="1"'
    assert refusal(receive, PLAIN.query(ask(attributes=both))) == "saml_acs_unknown"


def test_a_request_for_somebody_else_is_refused(receive: Receive) -> None:
    assert refusal(receive, PLAIN.query(ask(destination="https://other-idp.example/sso"))) == "saml_destination"


def test_a_signed_request_must_say_for_whom_it_is(receive: Receive) -> None:
    assert refusal(receive, SIGNING.query(ask(sp=SIGNING, destination=None))) == "saml_destination"
    assert receive(PLAIN.query(ask(destination=None)))


@pytest.mark.parametrize("seconds", [-301, 301, -63_000_000, 90_000])
def test_a_stale_or_early_request_is_refused(receive: Receive, seconds: float) -> None:
    assert refusal(receive, PLAIN.query(ask(at=NOW + seconds))) == "saml_stale"


@pytest.mark.parametrize(
    "text", ["9999-12-31T23:59:59Z", "12345-01-01T00:00:00Z", "2027-01-15T24:00:00Z", "-0001-01-01T00:00:00Z"]
)
def test_a_time_that_is_none_of_ours_is_refused(receive: Receive, text: str) -> None:
    odd = re.sub(rb'IssueInstant="[^"]*"', f'IssueInstant="{text}"'.encode(), ask())
    assert refusal(receive, PLAIN.query(odd)) in ("saml_stale", "saml_unreadable")


def test_times_with_fractions_and_offsets_are_understood(receive: Receive) -> None:
    for text in ("2027-01-15T08:00:00.1234567Z", "2027-01-15T09:00:00+01:00", "2027-01-15T08:00:00"):
        assert receive(PLAIN.query(re.sub(rb'IssueInstant="[^"]*"', f'IssueInstant="{text}"'.encode(), ask())))


def test_a_request_is_answered_once(receive: Receive, clock: FakeClock) -> None:
    query = SIGNING.query(ask(sp=SIGNING))
    assert receive(query)
    assert refusal(receive, query) == "saml_replayed"
    clock.advance(299)
    assert refusal(receive, query) == "saml_replayed"
    clock.advance(2)
    assert refusal(receive, query) == "saml_stale"


def test_two_service_providers_may_use_the_same_request_id(receive: Receive) -> None:
    same = new_id()
    assert receive(PLAIN.query(PLAIN.authn_request(NOW, SSO, id=same)))
    assert receive(SIGNING.query(SIGNING.authn_request(NOW, SSO, id=same)))


def test_another_message_than_an_authn_request_is_refused(receive: Receive) -> None:
    response = ask().replace(b"AuthnRequest", b"ManageNameIDRequest")
    assert refusal(receive, PLAIN.query(response)) == "saml_unreadable"
    logout = (
        f'<samlp:LogoutRequest xmlns:samlp="{NS["samlp"]}" xmlns:saml="{NS["saml"]}" ID="_l" Version="2.0" '
        f'IssueInstant="2027-01-15T08:00:00Z"><saml:Issuer>{PLAIN.entity_id}</saml:Issuer><saml:NameID>x</saml:NameID></samlp:LogoutRequest>'
    )
    assert refusal(receive, PLAIN.query(logout.encode())) == "saml_unreadable"
    assert refusal(receive, PLAIN.query(ask().replace(b'Version="2.0"', b'Version="1.1"'))) == "saml_unreadable"

"""Owns who may answer, and what must be signed, as the settings of an upstream say; through the whole door."""

import pytest

from idp.domain.upstream import FederatedLogin
from tests.saml.peer import NS, pair
from tests.upstream.browser import Browser
from tests.upstream.saml_browser import Way
from tests.upstream.saml_double import SamlDouble

# ---------------------------------------------------------------- another upstream


@pytest.fixture
def stranger(clock):
    double = SamlDouble(clock)
    double.keys = [pair(which=9)]
    yield double
    double.close()


@pytest.fixture
def two(way, add_saml, stranger):
    """A second upstream that is trusted for its own people."""
    add_saml("other", double=stranger)
    return stranger


def test_another_upstream_cannot_answer_for_the_one_that_was_asked(way, two, refused_for):
    """Mix-up: with its own key and its own name, and with its own key in the name of the other."""
    theirs = {"issuer": two.entity_id, "response_issuer": two.entity_id, "key": pair(which=9)}

    assert refused_for(**theirs) in ("issuer", "signature")
    assert refused_for(key=pair(which=9)) == "signature"


def test_an_answer_for_one_upstream_is_refused_at_the_address_of_another(way, two, refused_as):
    fields = way.answer(way.leave())

    assert refused_as(way.come_back(fields, "other"))[0] == "upstream_unexpected"
    assert way.come_back(fields).status_code == 303


def test_another_upstream_answers_a_request_that_was_made_to_it_and_no_other(app, way, two, refused_as):
    mine, theirs = way.leave(), Way(app, Browser(app), two, "other")
    asked = theirs.leave()
    # In the name of its own request, but delivered with the state of the other one.
    fields = {**theirs.answer(asked), "RelayState": mine.relay_state}

    assert refused_as(way.come_back(fields))[0] == "upstream_answer_invalid"


def test_an_upstream_whose_metadata_became_that_of_another_one_is_refused(way, idp, stranger, services, refused_as):
    fields = way.answer(way.leave())
    provider = services.upstreams.get("corp")
    services.upstreams.change(provider, {"metadata": stranger.metadata().decode()}, secrets=(), actor="test")

    assert refused_as(way.come_back(fields))[0] == "upstream_answer_invalid"


# ---------------------------------------------------------------- what must be signed


@pytest.mark.parametrize(
    ("wanted", "enough"),
    [
        ("either", [("assertion",), ("response",), ("assertion", "response")]),
        ("assertion", [("assertion",), ("assertion", "response")]),
        ("response", [("response",), ("assertion", "response")]),
        ("both", [("assertion", "response")]),
    ],
)
def test_what_must_be_signed_is_what_was_set(way, set_settings, refused_as, wanted, enough):
    set_settings(signed=wanted)
    for sign in [(), ("assertion",), ("response",), ("assertion", "response")]:
        response = way.come_back(way.answer(way.leave(), sign=sign))
        if sign in enough:
            assert response.status_code == 303
        else:
            assert refused_as(response)[1].startswith("signature: ")


def test_a_signature_that_is_there_must_hold_even_if_another_one_suffices(refused_for):
    """The response's is broken by the change of a name; the assertion's own still holds."""

    def spoil(text):
        return text.replace("<samlp:Response ", '<samlp:Response Consent="urn:x" ')

    assert refused_for(sign=("assertion", "response"), after_signing=spoil) == "signature"


def test_it_is_the_assertion_that_is_read_and_not_something_beside_it(way, repo):
    """Unsigned extensions of the response may say what they like."""

    def extend(text):
        extra = f'<samlp:Extensions><x:NameID xmlns:x="{NS["saml"]}">eve</x:NameID></samlp:Extensions>'
        return text.replace("<samlp:Status>", f"{extra}<samlp:Status>")

    way.browser.follow(way.come_back(way.answer(way.leave(), after_signing=extend)))

    assert [login.subject for login in repo.find(FederatedLogin)] == ["user-1"]

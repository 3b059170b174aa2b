"""Owns what is made of an assertion's names and attributes: who somebody is, and what we take over."""

import pytest

from idp.domain.upstream import UpstreamProvider
from idp.saml import names
from idp.saml.attributes import ADFS, AZURE_AD, EDU, EPPN, OID, PAIRWISE_ID, WS
from idp.saml.response import Login
from idp.saml.views import IdpView
from idp.upstream.saml_person import identity
from idp.upstream.saml_settings import SamlSettings
from tests.upstream.saml_double import SamlDouble

CORP = UpstreamProvider("corp", "saml", "Corporate login", 0.0)


@pytest.fixture(scope="module")
def metadata():
    double = SamlDouble(lambda: 0.0)
    double.close()
    return double.metadata().decode()


@pytest.fixture
def person(metadata):
    def make(
        told=(), *, name_id="ada", qualifier="", name_format=names.PERSISTENT, provider=CORP, published=(), **settings
    ):
        given = {name: value if isinstance(value, tuple) else (value,) for name, value in dict(told).items()}
        name = {"value": name_id, "Format": name_format} if name_id is not None else None
        if qualifier:
            name["NameQualifier"] = qualifier
        login = Login("_a", name, given, "_s", 1.0, names.PASSWORD_TRANSPORT, 2.0)
        view = IdpView("https://idp.example", "IdP", (), (), (), scopes=published)
        return identity(SamlSettings(metadata=metadata, **settings), provider, view, login)

    return make


@pytest.fixture
def why(person, refusal):
    def reason(*args, **named):
        found = refusal(person, *args, **named)
        assert found.code == "upstream_answer_invalid"
        return found.reason

    return reason


def test_the_name_id_is_who_somebody_is(person):
    who = person()

    assert (who.provider_id, who.issuer, who.subject) == ("corp", "https://idp.example", "ada")


@pytest.mark.parametrize(
    ("qualifier", "subject"),
    [("", "ada"), ("https://idp.example", "ada"), ("https://behind.example", "https://behind.example!ada")],
)
def test_names_that_the_upstream_passes_on_are_kept_apart(person, qualifier, subject):
    assert person(qualifier=qualifier).subject == subject


def test_what_logout_needs_is_kept(person):
    assert person().logout == {"value": "ada", "Format": names.PERSISTENT, "session_index": "_s"}
    assert person({f"{WS}upn": "ada"}, name_id=None, subject_attribute="upn").logout == {}


def test_without_a_name_id_the_attributes_that_came_are_listed(why):
    assert "set subject_attribute to one of: mail, uid" in why({"uid": "ada", "mail": "x"}, name_id=None)


def test_a_transient_name_id_is_nobody_but_its_attribute_may_be_somebody(person, why):
    assert why({"uid": "ada"}, name_format=names.TRANSIENT).startswith("the NameID is transient")
    assert person({"uid": "ada"}, name_format=names.TRANSIENT, subject_attribute="uid").subject == "ada"


def test_a_subject_attribute_counts_even_if_there_is_a_name_id(person):
    assert person({f"{WS}upn": "ada@corp"}, name_id="other", subject_attribute="upn").subject == "ada@corp"


def test_a_subject_attribute_by_its_full_name(person):
    assert person({"urn:x:badge": "17"}, subject_attribute="urn:x:badge").subject == "17"


@pytest.mark.parametrize("values", [(), ("a", "b")])
def test_a_subject_attribute_that_is_not_there_exactly_once_names_nobody(why, values):
    """The NameID is not taken instead: that would be another name of the same person, or the same of another one."""
    assert "subject_attribute" in why({"uid": values}, subject_attribute="uid")


def test_the_same_value_under_two_names_is_one(person):
    given = {"uid": "ada", OID["username"][0]: "ada"}
    assert person(given, subject_attribute="uid").subject == "ada"


@pytest.mark.parametrize("value", ["", "x" * 257, "a\x01b", "a\nb"])
def test_a_name_that_is_no_plain_text_is_refused(why, value):
    assert "plain text" in why(name_id=value)


PEOPLE = {
    "oid": {
        OID["email"][0]: "ada@corp.example",
        OID["name"][0]: "Ada L.",
        OID["username"][0]: "ada",
        OID["groups"][0]: ("staff", "it"),
    },
    "basic": {"mail": "ada@corp.example", "displayName": "Ada L.", "uid": "ada", "isMemberOf": ("staff", "it")},
    "eduperson": {OID["email"][0]: "ada@corp.example", OID["name"][1]: "Ada L.", EPPN: "ada", f"{EDU}7": ("staff", "it")},
    "adfs": {
        ADFS["email"][0]: "ada@corp.example",
        ADFS["name"][1]: "Ada L.",
        ADFS["username"][0]: "ada",
        ADFS["groups"][1]: ("staff", "it"),
    },
    "azure_ad": {
        AZURE_AD["email"][0]: "ada@corp.example",
        AZURE_AD["name"][0]: "Ada L.",
        AZURE_AD["username"][0]: "ada",
        AZURE_AD["groups"][0]: ("staff", "it"),
    },
}  # fmt: skip


@pytest.mark.parametrize("preset", list(PEOPLE))
def test_a_preset_knows_the_names_of_its_upstreams(person, preset):
    who = person(PEOPLE[preset], preset=preset)

    assert (who.email, who.name, who.username, who.groups) == ("ada@corp.example", "Ada L.", "ada", ("staff", "it"))


@pytest.mark.parametrize("preset", ["oid", "basic", "eduperson", "adfs"])
def test_auto_knows_them_all(person, preset):
    assert person(PEOPLE[preset]).email == "ada@corp.example"


def test_a_preset_takes_nothing_under_the_names_of_another_one(person):
    assert person(PEOPLE["basic"], preset="adfs").email is None


def test_names_of_its_own_come_before_those_of_the_preset(person):
    given = {**PEOPLE["oid"], "urn:x:mail": "own@corp.example"}

    assert person(given, attributes="email=urn:x:mail").email == "own@corp.example"


def test_a_name_is_made_of_its_parts(person):
    assert person({"givenName": "Ada", "sn": "Lovelace"}).name == "Ada Lovelace"


def test_control_characters_and_length_are_cut(person):
    assert person({"displayName": "A\u202eda" + "x" * 500}).name.startswith("Adax")
    assert len(person({"displayName": "x" * 500}).name) == 200


@pytest.mark.parametrize("address", ["ada", "ada@", "a@b@c", "ada@corp.example\n", "x" * 250 + "@corp.example"])
def test_what_is_no_address_is_left_out(person, address):
    assert person({"mail": address}, email_trusted=True).email_verified is False


# ---------------------------------------------------------------- trust


def test_an_address_is_not_verified_unless_an_administrator_trusts_it(person):
    assert person({"mail": "ada@corp.example"}).email_verified is False
    assert person({"mail": "ada@corp.example"}, email_trusted=True).email_verified is True


@pytest.mark.parametrize(
    ("address", "verified"),
    [
        ("ada@corp.example", True),
        ("ada@CORP.example", True),
        ("ada@evil.example", False),
        ("ada@x.corp.example", False),
    ],
)
def test_trust_ends_at_the_trusted_domains(person, address, verified):
    from dataclasses import replace

    provider = replace(CORP, trusted_domains=("corp.example",))

    assert person({"mail": address}, provider=provider, email_trusted=True).email_verified is verified


@pytest.mark.parametrize(
    ("value", "taken"),
    [
        ("ada@corp.example", True),
        ("ada@CORP.example", True),
        ("ada@other.example", False),
        ("ada@sub.corp.example", False),
        ("ada@other.example@corp.example", True),
        ("ada", False),
    ],
)
def test_a_scoped_value_counts_only_with_a_scope_of_the_upstream(person, why, value, taken):
    if taken:
        assert (
            person({PAIRWISE_ID: value}, subject_attribute="pairwise-id", published=("corp.example",)).subject == value
        )
    else:
        assert "of a scope" in why({PAIRWISE_ID: value}, subject_attribute="pairwise-id", published=("corp.example",))


def test_the_scopes_of_the_settings_replace_those_of_the_metadata(person):
    def user_name(value):
        return person({EPPN: value}, published=("theirs.example",), scopes="mine.example").username

    assert user_name("ada@mine.example") == "ada@mine.example"
    assert user_name("ada@theirs.example") is None


def test_without_any_scope_known_they_are_checked_only_when_that_is_set(person):
    assert person({EPPN: "ada@any.example"}).username == "ada@any.example"
    assert person({EPPN: "ada@any.example"}, check_scopes="always").username is None
    assert (
        person({EPPN: "ada@x.example"}, published=("corp.example",), check_scopes="never").username == "ada@x.example"
    )


def test_what_it_says_besides_is_bounded(person):
    who = person({f"urn:x:{n}": tuple(str(m) for m in range(100)) for n in range(100)})

    assert len(who.attributes) <= 40
    assert all(len(values) <= 20 for values in who.attributes.values())

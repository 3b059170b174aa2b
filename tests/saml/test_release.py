"""Names and attributes: what is released to whom, and what is kept back."""

import re
from dataclasses import replace
from typing import Any

from lxml import etree

from idp.saml import names
from tests.saml.issuing import ASKED, ENTITY, NOW, PEER, USER, Issuer, attributes
from tests.saml.peer import NS, Sp, Xmlsec, pair

# ---------------------------------------------------------------- names


def test_a_persistent_name_is_stable_and_another_one_at_each_service_provider(issuer: Issuer) -> None:
    other = Sp("https://other.example")
    asked = replace(ASKED, name_id_format=names.PERSISTENT)
    first, again = issuer.name_id(asked), issuer.name_id(asked)
    elsewhere = issuer.name_id(replace(asked, sp_id=other.entity_id), peer=other)
    somebody_else = issuer.name_id(asked, user=replace(USER, id="user_2"))
    assert first.text == again.text
    assert len({first.text, elsewhere.text, somebody_else.text}) == 3
    assert re.fullmatch("_[0-9a-f]{32}", first.text)
    assert (first.get("SPNameQualifier"), first.get("NameQualifier")) == (PEER.entity_id, ENTITY.entity_id)
    assert first.get("Format") == names.PERSISTENT


def test_a_transient_name_is_fresh_each_time(issuer: Issuer) -> None:
    asked = replace(ASKED, name_id_format=names.TRANSIENT)
    assert len({issuer.name_id(asked).text for _ in range(3)}) == 3


def test_email_and_unspecified_names(issuer: Issuer) -> None:
    email = issuer.name_id(replace(ASKED, name_id_format=names.EMAIL))
    assert (email.text, email.get("Format"), email.get("SPNameQualifier")) == ("ada@example.org", names.EMAIL, None)
    assert issuer.name_id(name_id_format="unspecified").text == "ada"
    assert (
        issuer.status(replace(ASKED, name_id_format=names.EMAIL), user=replace(USER, email=None))
        == names.INVALID_NAME_ID_POLICY
    )


def test_a_format_must_not_tell_what_the_attributes_keep_back(issuer: Issuer) -> None:
    asked = replace(ASKED, name_id_format=names.EMAIL)
    assert issuer.status(asked, **{"attributes.uid": "username"}) == names.INVALID_NAME_ID_POLICY
    assert issuer.name_id(asked, **{"attributes.uid": "username", "name_id_format": "email"}).text == "ada@example.org"


def test_without_a_wish_the_setting_decides_then_the_metadata_then_persistent(issuer: Issuer) -> None:
    listing = Sp(formats=(names.UNSPECIFIED, names.TRANSIENT, names.EMAIL))
    assert issuer.name_id().get("Format") == names.PERSISTENT
    assert issuer.name_id(peer=listing).get("Format") == names.TRANSIENT
    assert issuer.name_id(peer=listing, name_id_format="email").get("Format") == names.EMAIL
    wish = replace(ASKED, name_id_format=names.UNSPECIFIED)
    assert issuer.name_id(wish, peer=listing).get("Format") == names.TRANSIENT


def test_a_request_for_a_certain_subject_is_answered_about_that_one_only(issuer: Issuer) -> None:
    assert issuer.issue(replace(ASKED, subject="ADA"))
    assert issuer.issue(replace(ASKED, subject="ada@example.org", subject_format=names.EMAIL))
    assert issuer.status(replace(ASKED, subject="eve")) == names.UNKNOWN_PRINCIPAL
    assert issuer.status(replace(ASKED, subject="x", subject_format=names.TRANSIENT)) == names.UNKNOWN_PRINCIPAL
    own = issuer.name_id(replace(ASKED, name_id_format=names.PERSISTENT)).text
    assert issuer.issue(replace(ASKED, subject=own, subject_format=names.PERSISTENT))


def test_two_first_sign_ins_at_once_agree_on_one_persistent_name(repo: Any) -> None:
    from concurrent.futures import ThreadPoolExecutor

    from idp.services.name_ids import persistent_name_id

    with ThreadPoolExecutor(8) as pool:
        made = set(pool.map(lambda _: persistent_name_id(repo, "u", "sp", NOW), range(16)))
    assert len(made) == 1


# ---------------------------------------------------------------- attributes


def test_user_name_mail_and_display_name_are_released_and_roles_are_not(issuer: Issuer) -> None:
    document = issuer.issue()
    assert attributes(document) == {
        names.UID: ["ada"],
        names.MAIL: ["ada@example.org"],
        names.DISPLAY_NAME: [USER.name],
    }
    described = {
        (a.get("FriendlyName"), a.get("NameFormat"))
        for a in etree.fromstring(document).iter(f"{{{NS['saml']}}}Attribute")
    }
    assert described == {(n, names.URI_NAME) for n in ("uid", "mail", "displayName")}


def test_a_service_provider_gets_exactly_the_attributes_that_were_set_for_it(issuer: Issuer) -> None:
    chosen: Any = {"attributes.login": "username", "attributes.groups": "roles", "attributes.ref": "id"}
    document = issuer.issue(**chosen)
    assert attributes(document) == {"login": ["ada"], "groups": ["staff", "x"], "ref": ["user_1"]}
    formats = {a.get("NameFormat") for a in etree.fromstring(document).iter(f"{{{NS['saml']}}}Attribute")}
    assert formats == {names.BASIC_NAME}


def test_an_attribute_without_a_value_is_left_out(issuer: Issuer) -> None:
    nobody = replace(USER, email=None, name="", roles=())
    assert attributes(issuer.issue(user=nobody)) == {names.UID: ["ada"]}
    roles_only: Any = {"attributes.groups": "roles"}
    assert attributes(issuer.issue(user=nobody, **roles_only)) == {}


def test_an_unverified_mail_address_is_neither_an_attribute_nor_a_name(issuer: Issuer) -> None:
    """Who may choose an address freely would be taken for its owner by every app that goes by mail addresses."""
    claimed = replace(USER, email_verified=False)
    assert names.MAIL not in attributes(issuer.issue(user=claimed))
    assert issuer.status(replace(ASKED, name_id_format=names.EMAIL), user=claimed) == names.INVALID_NAME_ID_POLICY
    assert issuer.status(replace(ASKED, subject=USER.email), user=claimed) == names.UNKNOWN_PRINCIPAL


def test_a_name_cannot_break_out_of_its_element(issuer: Issuer, xmlsec: Xmlsec) -> None:
    evil = replace(USER, name="</saml:AttributeValue><x/>]]>\x00\ud800\x0b&amp;")
    document = issuer.issue(user=evil)
    assert attributes(document)[names.DISPLAY_NAME] == ["</saml:AttributeValue><x/>]]>&amp;"]
    assert xmlsec.verifies(document, pair().certificate, "Assertion", NS["saml"])

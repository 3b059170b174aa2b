"""Names and attributes: what is released to whom, and what is kept back."""

import re
from dataclasses import replace
from typing import Any

import pytest
from lxml import etree

from idp.base.errors import Refused
from idp.domain.relying import ServiceProvider
from idp.domain.user import User
from idp.protocols.saml.errors import SamlStatus
from idp.saml import names
from idp.saml.sp_metadata import read, service_provider_from_metadata
from idp.saml.views import WantedAttribute
from idp.services.release_saml import attributes_for, check_field, preview
from tests.saml.issuing import ASKED, ENTITY, NOW, PEER, USER, Issuer, attributes
from tests.saml.peer import NS, Sp, Xmlsec, one, pair

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


def test_a_request_for_a_subject_finds_out_nothing_that_the_attributes_keep_back(issuer: Issuer) -> None:
    """Else a service provider that gets no mail address could try the ones it thinks of, without anybody seeing it."""
    nothing = {"attributes.role": "roles", "name_id_format": "persistent"}
    assert issuer.status(replace(ASKED, subject=USER.email), **nothing) == names.UNKNOWN_PRINCIPAL
    assert issuer.status(replace(ASKED, subject="ada"), **nothing) == names.UNKNOWN_PRINCIPAL
    assert issuer.issue(replace(ASKED, subject=USER.email), **{"attributes.m": "claim:email"})
    assert issuer.issue(replace(ASKED, subject=USER.email), **(named := {**nothing, "name_id_format": "email"}))
    assert issuer.status(replace(ASKED, subject="ada"), **named) == names.UNKNOWN_PRINCIPAL


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


# ---------------------------------------------------------------- sources, filters, values, previews

RICH = replace(
    USER,
    groups=("staff", "wiki-admins", "wiki-users"),
    claims={
        "given_name": "Ada",
        "phone_number": "+49 431",
        "numbers": [1, 2.5, True, ["x"], {"a": "ö"}],
        "address": {"locality": "Kiel"},
        "nobody": "",
    },
)


def released(attributes: dict[str, str], user: User = RICH, **settings: Any) -> dict[str, tuple[str, ...]]:
    sp = ServiceProvider("https://sp.example", "SP", "", attributes=attributes, **settings)
    return {one.name: one.values for one in attributes_for(sp, user)}


def test_an_attribute_is_made_of_a_field_a_claim_a_group_or_a_constant() -> None:
    sources = {
        "login": "username",
        "mail": "email",
        "roles": "roles",
        "groups": "groups",
        "ref": "id",
        "first": "claim:given_name",
        "all": "claim:numbers",
        "home": "claim:address",
        "org": "=Kiel & Co",
        "eppn": "username@example.org",
        "scoped": "groups@example.org",
        "mail2": "claim:email",
        "none": "claim:nobody",
    }
    assert released(sources) == {
        "login": ("ada",),
        "mail": ("ada@example.org",),
        "roles": ("staff", "x"),
        "groups": ("staff", "wiki-admins", "wiki-users"),
        "ref": ("user_1",),
        "first": ("Ada",),
        "all": ("1", "2.5", "true", "x", '{"a":"ö"}'),
        "home": ('{"locality":"Kiel"}',),
        "org": ("Kiel & Co",),
        "eppn": ("ada@example.org",),
        "scoped": ("staff@example.org", "wiki-admins@example.org", "wiki-users@example.org"),
        "mail2": ("ada@example.org",),
        "none": (),
    }


def test_a_name_with_an_at_sign_of_its_own_gets_no_scope() -> None:
    """`root@sp.example@example.org`: an app that cuts at the first one takes it for root of somewhere."""
    chosen = replace(RICH, username="root@sp.example", groups=("staff", "a@b"))
    found = released({"eppn": "username@example.org", "g": "groups@example.org", "u": "username"}, chosen)
    assert found == {"eppn": (), "g": ("staff@example.org",), "u": ("root@sp.example",)}


def test_what_nobody_has_proved_is_kept_back_by_every_name() -> None:
    unproved = replace(RICH, email_verified=False)
    sources = {"a": "email", "b": "claim:email", "c": "email@example.org", "d": "claim:phone_number"}
    assert released(sources, unproved) == {"a": (), "b": (), "c": (), "d": ()}
    proved = replace(RICH, claims={**RICH.claims, "phone_number_verified": True})
    assert released({"d": "claim:phone_number"}, proved) == {"d": ("+49 431",)}
    forged = replace(unproved, claims={"email_verified": True})
    assert released({"a": "email"}, forged) == {"a": ()}


def test_a_filter_keeps_what_matches_and_a_mapping_what_it_names() -> None:
    sources = {"g": "groups"}
    assert released(sources, attribute_filters={"g": ("wiki-*",)}) == {"g": ("wiki-admins", "wiki-users")}
    assert released(sources, attribute_filters={"g": ("WIKI-*",)}) == {"g": ()}
    assert released(sources, attribute_filters={"g": ()}) == {"g": ()}
    assert released(sources, attribute_filters={"other": ("x",)}) == {"g": RICH.groups}
    theirs = {"wiki-admins": "Admin", "wiki-users": "Admin", "staff": "Staff"}
    assert released(sources, attribute_values={"g": theirs}) == {"g": ("Staff", "Admin")}
    both = released(sources, attribute_filters={"g": ("wiki-*",)}, attribute_values={"g": theirs})
    assert both == {"g": ("Admin",)}


def test_a_preview_says_what_is_left_out_and_why() -> None:
    sp = ServiceProvider(
        "https://sp.example",
        "SP",
        "",
        attributes={"g": "groups", "h": "groups", "m": "email", "n": "claim:nothing", "u": "username"},
        attribute_filters={"g": ("wiki-*",)},
        attribute_values={"h": {"staff": "S"}},
    )
    view = replace(
        read(PEER.metadata()), wanted=(WantedAttribute("x"), WantedAttribute("m", required=True), WantedAttribute("u"))
    )
    shown = preview(sp, view, replace(RICH, email_verified=False))
    assert {one.name: (one.values, one.left_out, one.why) for one in shown.attributes} == {
        "g": (("wiki-admins", "wiki-users"), ("staff",), "filtered"),
        "h": (("S",), ("wiki-admins", "wiki-users"), "not_mapped"),
        "m": ((), (), "unverified"),
        "n": ((), (), "no_value"),
        "u": (("ada",), (), ""),
    }
    assert [one.name for one in shown.sent] == ["g", "h", "u"]
    assert [one.name for one in shown.wanted] == ["m", "x"]
    assert (shown.name_id_format, shown.name_id, shown.name_id_why) == (names.PERSISTENT, "", "")
    assert preview(sp, view, RICH, names.EMAIL).name_id == "ada@example.org"
    assert preview(replace(sp, attributes={"u": "id"}), None, RICH, names.EMAIL).name_id_why == "not_released"


def test_a_name_id_is_made_of_the_field_that_is_set(issuer: Issuer) -> None:
    asked = replace(ASKED, name_id_format=names.EMAIL)
    sp = replace(service_provider_from_metadata(PEER.metadata(), NOW), name_id_field="username@id.example")
    name_id = one(etree.fromstring(issuer.issue_for(sp, asked)), "//saml:Subject/saml:NameID")
    assert (name_id.text, name_id.get("Format")) == ("ada@id.example", names.EMAIL)
    claimed = replace(sp, name_id_format=names.UNSPECIFIED, name_id_field="claim:staff_number")
    number = replace(USER, claims={"staff_number": 4711})
    assert one(etree.fromstring(issuer.issue_for(claimed, user=number)), "//saml:Subject/saml:NameID").text == "4711"
    with pytest.raises(SamlStatus, match="InvalidNameIDPolicy"):
        issuer.issue_for(claimed)


@pytest.mark.parametrize(
    "field",
    ["username", "email", "groups", "claim:given_name", "username@example.org", "claim:a@b.example", "=x", "= a b"],
)
def test_a_source_that_there_is_is_accepted(field: str) -> None:
    assert check_field(field) == field.strip()


@pytest.mark.parametrize(
    "field",
    [
        "",
        "password_hash",
        "claim:",
        "claim:sub",
        "claim:a b",
        "=",
        "=\x00",
        "=a\nb",
        "=" + "x" * 2000,
        "id@",
        "id@a b",
        "id@-x",
        "x@y",
    ],
)
def test_a_source_that_there_is_not_is_refused(field: str) -> None:
    with pytest.raises(Refused) as caught:
        check_field(field)
    assert caught.value.code == "invalid_sp_setting"


def test_a_name_id_is_made_of_one_value_of_the_person() -> None:
    for field in ("groups", "roles", "=constant"):
        with pytest.raises(Refused):
            check_field(field, one=True)
    assert check_field("claim:staff_number", one=True)

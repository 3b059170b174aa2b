"""Owns the settings that every upstream has: how they are typed, which values are refused, and that each text is read as written."""

from dataclasses import fields

import pytest
from hypothesis import given
from hypothesis import strategies as st

from idp.base.errors import Refused
from idp.domain.upstream import ICONS, UpstreamProvider
from idp.upstream import tables
from idp.upstream.addresses import addresses_of
from idp.upstream.as_text import as_text, common_text, in_line
from idp.upstream.common import Common, default_of
from idp.upstream.parse import changed_upstream, common_settings, new_provider, new_upstream
from idp.upstream.registry import issuer_of, kinds

GIVEN = {"issuer": "https://login.corp.example", "client_id": "sheaf", "client_secret": "TOPSECRET"}
NAME = st.text(st.characters(exclude_categories=("C", "Z")), min_size=1, max_size=20).map(str.strip).filter(bool)


def test_every_field_of_an_upstream_can_be_set_and_has_the_same_default() -> None:
    ours = {"id", "kind", "created_at", "settings", "version", "label"}
    known = {field.name: field for field in fields(UpstreamProvider) if field.name not in ours}
    assert set(known) == set(Common.model_fields) - {"label"}
    blank = UpstreamProvider("x", "oidc", "X", 0.0)
    for name in known:
        assert default_of(name) == getattr(blank, name), name


def test_every_icon_can_be_chosen() -> None:
    for icon in ICONS:
        assert common_settings({"icon": icon})["icon"] == icon


@pytest.mark.parametrize(
    ("setting", "text", "value"),
    [
        ("trusted_domains", "Corp.Example, bücher.example", ("corp.example", "xn--bcher-kva.example")),
        ("trusted_domains", "*", ("*",)),
        ("home_domains", "@corp.example", ("corp.example",)),
        ("order", "7", 7),
        ("always_ask", "yes", True),
        ("trusted_amr", "mfa, otp", ("mfa", "otp")),
        ("claim_map", "department = urn:oid:1=2; title=t", {"department": "urn:oid:1=2", "title": "t"}),
        ("keep_groups", "wiki-*\nAll Staff", ("wiki-*", "All Staff")),
        ("group_names", "CN=A,OU=B -> a; x -> y -> z", {"CN=A,OU=B": "a", "x -> y": "z"}),
        ("group_roles", "A b -> editor; A b -> auditor", {"A b": ("editor", "auditor")}),
        ("group_roles", '{"a;b": ["editor"]}', {"a;b": ("editor",)}),
        ("administrator_groups", '["a;b"]', ("a;b",)),
        ("secret_expires_at", "2027-01-31", 1_801_353_600.0),
        ("secret_expires_at", "2027-01-31T00:00:00+00:00", 1_801_353_600.0),
        ("secret_expires_at", "", None),
    ],
)
def test_settings_are_read_as_people_type_them(setting: str, text: str, value: object) -> None:
    assert common_settings({setting: text})[setting] == value


@pytest.mark.parametrize(
    ("setting", "text", "said"),
    [
        ("trusted_domains", "corp", "not a domain"),
        ("trusted_domains", "* corp.example", "any domain"),
        ("create_domains", "*", "not a domain"),
        ("home_domains", "a b..c", "domain"),
        ("order", "-1", "order"),
        ("order", "many", "order"),
        ("icon", "<svg>", "icon"),
        ("claim_map", "sub = x", "protocol"),
        ("claim_map", "email = x", "field of its own"),
        ("claim_map", "department", "CLAIM = ATTRIBUTE"),
        ("claim_map", "department = a; department = b", "twice"),
        ("claim_map", "[1]", "claim_map"),
        ("group_roles", "Admins -> administrator", "administrator_groups"),
        ("group_roles", '{"a": ["administrator"]}', "administrator_groups"),
        ("group_roles", "Admins", "THEIR GROUP -> OURS"),
        ("group_names", "a -> ", "THEIR GROUP -> OURS"),
        ("group_names", f"a -> {'x' * 200}", "128"),
        ("keep_groups", "{", "JSON"),
        ("keep_groups", "x" * 2000, "1024"),
        ("keep_groups", "\n".join(map(str, range(501))), "500"),
        ("trusted_amr", "x" * 600, "too long"),
        ("secret_expires_at", "soon", "2027-01-31"),
        ("secret_expires_at", "99999-01-01", "2027-01-31"),
        ("label", "two\nlines", "one line"),
        ("label", "x" * 81, "label"),
        ("client_id", "x", "no setting"),
    ],
)
def test_a_wrong_value_is_refused_by_the_name_of_its_setting(refusal, setting: str, text: str, said: str) -> None:
    found = refusal(common_settings, {setting: text})

    assert found.code in ("invalid_setting", "unknown_setting")
    assert said in found.message


# ---------------------------------------------------------------- what is written is read


@given(st.dictionaries(NAME, st.lists(NAME, min_size=1, max_size=3, unique=True), max_size=4))
def test_any_table_of_roles_is_read_as_it_was_written(value: dict[str, list[str]]) -> None:
    wanted = {theirs: tuple(ours) for theirs, ours in value.items()}
    for text in (as_text("group_roles", wanted), in_line("group_roles", wanted)):
        found = tables.roles(text)
        assert isinstance(found, dict)
        assert {theirs: tuple(ours) for theirs, ours in found.items()} == wanted


@given(st.dictionaries(NAME, NAME, max_size=4))
def test_any_table_of_names_is_read_as_it_was_written(value: dict[str, str]) -> None:
    for text in (as_text("group_names", value), in_line("group_names", value)):
        assert tables.names(text) == value


@given(st.lists(NAME, max_size=4, unique=True))
def test_any_list_of_groups_is_read_as_it_was_written(value: list[str]) -> None:
    for text in (as_text("keep_groups", tuple(value)), in_line("keep_groups", tuple(value))):
        assert tables.entries(text) == tuple(value)


@given(st.text(max_size=200))
def test_any_text_is_read_or_refused_by_name(text: str) -> None:
    for name in Common.model_fields:
        assert _refused_as({name: text}) in ("", "invalid_setting")


def _refused_as(given: dict[str, str]) -> str:
    try:
        common_settings(given)
    except Refused as refused:
        return refused.code
    return ""


def test_all_common_settings_are_written_in_lines_and_read_again() -> None:
    more = {"group_roles": "a b -> editor; a b -> auditor", "claim_map": "department = d", "trusted_domains": "*"}
    provider = new_provider("oidc", "corp", {**GIVEN, **more, "secret_expires_at": "2027-01-31", "order": "3"}, 1.0)
    pairs = dict(line.split("=", 1) for line in common_text(provider).splitlines())

    read = common_settings(pairs)
    assert {name: getattr(provider, name) for name in Common.model_fields} == read


# ---------------------------------------------------------------- by a browser or a program


@pytest.mark.parametrize("secret", ["env:HOME", "file:/etc/passwd"])
def test_a_browser_reads_no_file_and_no_variable_of_this_machine(refusal, secret: str) -> None:
    assert "command line" in refusal(new_upstream, "oidc", "corp", {**GIVEN, "client_secret": secret}, 1.0).message
    made = new_upstream("oidc", "corp", GIVEN, 1.0)
    assert "command line" in refusal(changed_upstream, made, {"client_secret": secret}).message


def test_a_document_is_taken_as_it_is_and_no_path_is_opened(refusal, tmp_path) -> None:
    file = tmp_path / "metadata.xml"
    file.write_text("<EntityDescriptor/>")
    for given_text in (f"@{file}", f"file:{file}"):
        assert refusal(new_upstream, "saml", "corp", {"metadata": given_text}, 1.0).code == "invalid_setting"


def test_one_that_comes_by_a_browser_is_off_whatever_it_says() -> None:
    assert new_upstream("oidc", "corp", {**GIVEN, "enabled": True}, 1.0).enabled is False


def test_nothing_is_the_default_again() -> None:
    made = new_upstream("oidc", "corp", {**GIVEN, "scopes": "openid", "trusted_domains": "*", "order": 3}, 1.0)
    changed, settings = changed_upstream(made, {"scopes": None, "trusted_domains": None, "order": None, "label": None})

    assert (changed.trusted_domains, changed.order, changed.label) == ((), 100, "corp")
    assert "scopes" not in {**changed.settings, **settings}
    assert changed.settings["issuer"] == GIVEN["issuer"]


@pytest.mark.parametrize("reserved", ["local", "new"])
def test_an_id_that_means_something_else_is_refused(upstreams, refusal, reserved: str) -> None:
    made = new_provider("oidc", reserved, GIVEN, 1.0)

    assert refusal(upstreams.add, made, secrets=("client_secret",), actor="test").code == "invalid_upstream"


@pytest.mark.parametrize("kind", kinds())
def test_our_addresses_hold_the_id_and_are_of_our_issuer(kind: str) -> None:
    for address in addresses_of("https://id.example", kind, "corp").values():
        assert address.startswith("https://id.example/upstream/corp/")


def test_without_a_label_it_has_the_name_that_people_know_or_its_id() -> None:
    client = {"client_id": "x", "client_secret": "y"}
    for kind, label in (("google", "Google"), ("github", "GitHub")):
        made = new_upstream(kind, "theirs", client, 1.0)
        assert made.label == label
        assert changed_upstream(made, {"label": "Other"})[0].label == "Other"
        assert changed_upstream(made, {"label": None})[0].label == label
    assert new_upstream("oidc", "corp", GIVEN, 1.0).label == "corp"


def test_the_issuer_of_logins_is_known_where_the_settings_say_it() -> None:
    client = {"client_id": "x", "client_secret": "y"}
    assert issuer_of(new_upstream("google", "g", client, 1.0)) == "https://accounts.google.com"
    assert issuer_of(new_upstream("github", "h", client, 1.0)) == "https://github.com/login/oauth"
    assert issuer_of(new_upstream("oidc", "corp", GIVEN, 1.0)) == GIVEN["issuer"]
    assert issuer_of(new_upstream("azure_ad", "a", {**client, "tenant": "example.org"}, 1.0)) == ""

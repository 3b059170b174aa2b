"""Owns the kind `ldap` against OpenLDAP itself: TLS, passwords, groups, the two ways to look people up."""

import pytest

from idp.base.errors import Refused
from idp.base.net import NetPolicy
from idp.domain.checks import Checks
from idp.domain.upstream import UpstreamProvider
from idp.upstream.kinds.ldap import Kind, Settings
from idp.upstream.parse import parse_settings
from tests.peers.slapd import (  # noqa: F401  (slapd is a fixture)
    AD,
    AD_ADA,
    ADA,
    BASE,
    ODD,
    PASSWORDS,
    READER,
    READER_PASSWORD,
    Slapd,
    certificates,
    slapd,
)
from tests.upstream.conftest import tools_for

PROVIDER = UpstreamProvider("directory", "ldap", "Directory", 0.0, claim_map={"badge": "employeeNumber"})
ODD_NAME = "odd, (*)\\ name"


@pytest.fixture
def prove(slapd: Slapd, clock):  # noqa: F811
    def go(login="ada", password=None, *, checks=None, **values):
        given = {
            "url": slapd.secure,
            "base_dn": BASE,
            "bind_dn": READER,
            "bind_password": READER_PASSWORD,
            "ca_certificates": slapd.ca,
            **values,
        }
        kind = Kind(Settings(**given), tools_for(NetPolicy(allow_private=True), clock))
        return kind.prove(PROVIDER, login, PASSWORDS["ada"] if password is None else password, checks)

    return go


@pytest.fixture
def refused(prove, refusal):
    def go(*args, **values):
        found = refusal(prove, *args, **values)
        return found.code, found.reason

    return go


@pytest.mark.parametrize("way", ["secure", "plain"])
def test_a_person_comes_in_by_name_and_password_over_tls(prove, slapd, way, clock):  # noqa: F811
    checks = Checks()

    who = prove(url=getattr(slapd, way), checks=checks)

    assert (who.provider_id, who.issuer, who.subject) == ("directory", "ldap:corp.example", ADA)
    assert (who.username, who.name, who.email, who.email_verified) == ("ada", "Ada Lovelace", "ada@corp.example", False)
    assert (who.amr, who.auth_time, set(who.groups)) == (("pwd",), clock(), {"staff", "ops"})
    assert who.attributes["employeeNumber"] == ("4711",)
    assert not {"userPassword", "jpegPhoto", "userpassword"} & set(who.attributes)
    assert [one.code for one in checks.made] == [
        "connection", "bind", "search", "password", "bind", "groups", "person",
    ]  # fmt: skip


def test_no_password_goes_over_the_wire_before_tls(prove, slapd):  # noqa: F811
    before = len(slapd.process.log_text())
    prove(url=slapd.plain)

    said = slapd.process.log_text()[before:]
    assert said.index("STARTTLS") < said.index("BIND dn=")
    assert "ssf=256" in said or "tls_proto" in said


@pytest.mark.parametrize(
    ("login", "password"),
    [
        ("ada", "wrong"),
        ("ada", PASSWORDS["grace"]),
        ("nobody", "x"),
        ("nopass", "x"),
        ("twin", "twins"),
        ("*", PASSWORDS["ada"]),
        ("ad*", PASSWORDS["ada"]),
        ("ada)(uid=*", PASSWORDS["ada"]),
        (f"uid=ada,ou=people,{BASE}", PASSWORDS["ada"]),
        ("ada", ""),
        ("sheaf", READER_PASSWORD),
    ],
)
def test_everything_wrong_is_refused_alike(refused, login, password):
    assert refused(login, password)[0] == "wrong_credentials"


def test_a_name_full_of_signs_is_just_a_name(prove):
    assert prove(ODD_NAME, PASSWORDS["odd"]).subject == ODD


def test_the_case_and_the_blanks_of_a_name_make_nobody_else_of_a_person(prove):
    assert prove(" ADA ").subject == ADA


def test_people_can_be_looked_up_as_themselves(prove):
    alone = {"bind_dn": "", "bind_password": "", "bind_template": f"uid={{login}},ou=people,{BASE}"}

    assert (prove(**alone).subject, set(prove(**alone).groups)) == (ADA, {"staff", "ops"})
    assert prove(ODD_NAME, PASSWORDS["odd"], **alone).subject == ODD


@pytest.mark.parametrize("login", ["ada,ou=people", f"ada,ou=people,{BASE}", "ada+cn=x", "nobody"])
def test_a_name_cannot_leave_its_place_in_the_template(refused, login):
    alone = {"bind_dn": "", "bind_password": "", "bind_template": f"uid={{login}},ou=people,{BASE}"}

    assert refused(login, **alone)[0] == "wrong_credentials"


def test_who_does_not_pass_the_filter_does_not_come_in_by_the_template_either(refused):
    alone = {"bind_dn": "", "bind_password": "", "bind_template": f"uid={{login}},ou=people,{BASE}"}

    assert refused(user_filter="(&(uid={login})(employeeNumber=1))", **alone)[0] == "wrong_credentials"


def test_active_directory_as_it_names_people(prove):
    given = {"base_dn": AD, "preset": "active_directory", "group_filter": "(member={dn})"}
    for login in ("ada", "AD\\ada", "ada@ad.example"):
        who = prove(login, **given)
        assert (who.issuer, who.subject, who.username) == ("ldap:ad.example", str(AD_ADA), "ada")
        assert who.groups == ("staff",)


def test_groups_by_their_whole_names_by_attribute_or_not_at_all(prove):
    assert prove(group_name_attribute="dn", group_filter="(member={dn})").groups == (f"cn=staff,ou=groups,{BASE}",)
    assert prove(groups_from="attribute", groups_attribute="memberOf").groups == (f"cn=staff,ou=groups,{BASE}",)
    assert prove(groups_from="none").groups == ()
    assert prove(group_base_dn=f"ou=people,{BASE}").groups == ()


# ---------------------------------------------------------------- what is not accepted


def test_a_certificate_of_an_unknown_authority_is_refused(refused, slapd):  # noqa: F811
    for url in (slapd.secure, slapd.plain):
        code, reason = refused(url=url, ca_certificates="")
        assert (code, "certificate is not accepted" in reason) == ("upstream_unreachable", True)


def test_a_certificate_for_another_name_is_refused(refused, slapd, monkeypatch):  # noqa: F811
    monkeypatch.setattr("idp.upstream.ldap.connection.address_of", lambda host, port, policy: "127.0.0.1")

    code, reason = refused(url=f"ldaps://dc1.corp.example:{slapd.ports[1]}")

    assert (code, "certificate is not accepted" in reason) == ("upstream_unreachable", True)


def test_a_wrong_account_of_ours_is_our_fault_and_not_that_of_the_person(refused):
    assert refused(bind_password="old")[0] == "upstream_misconfigured"
    assert refused(base_dn="dc=nothing,dc=example")[0] == "upstream_misconfigured"
    assert refused(subject_attribute="employeeType")[0] == "upstream_misconfigured"


def test_a_directory_that_is_down_has_a_name(refused, slapd):  # noqa: F811
    from tests.support.ports import free_port

    assert refused(url=f"ldaps://localhost:{free_port()}")[0] == "upstream_unreachable"


GIVEN = {"url": "ldaps://dc1.corp.example", "base_dn": BASE}


@pytest.mark.parametrize(
    ("values", "words"),
    [
        ({"url": "https://dc1.corp.example"}, "ldaps://HOST"),
        ({"url": "ldaps://user@dc1.corp.example"}, "ldaps://HOST"),
        ({"url": "ldaps://dc1.corp.example/ou=people"}, "ends after host"),
        ({"url": "ldap://dc1.corp.example", "starttls": "no"}, "in clear"),
        ({"user_filter": "(uid=ada)"}, "needs {login}"),
        ({"user_filter": "uid={login}"}, "begins with ("),
        ({"user_filter": "(uid={dn})"}, "there are {login}"),
        ({"group_filter": "(member={login})"}, "there are {dn}, {username}"),
        ({"bind_template": "uid=ada"}, "needs {login}, once"),
        ({"bind_dn": READER}, "belong together"),
        ({"bind_dn": READER, "bind_password": "x", "bind_template": "{login}@corp.example"}, "either"),
        ({"ca_certificates": "no certificate"}, "no certificates"),
        ({"url": ""}, "Setting url"),
    ],
)
def test_a_setting_that_cannot_work_is_refused_at_once(refusal, values, words):
    found = refusal(parse_settings, "ldap", {**GIVEN, **values})

    assert (found.code, words in found.message) == ("invalid_setting", True), found.message


def test_the_settings_read_as_they_are_written():
    ca, _, _ = certificates()
    parsed = parse_settings(
        "ldap", {**GIVEN, "url": "ldaps://dc1.corp.example, ldaps://dc2.corp.example", "ca_certificates": ca}
    )

    assert parsed.settings["url"] == ("ldaps://dc1.corp.example", "ldaps://dc2.corp.example")


def test_the_password_is_in_no_refusal_and_no_check(prove):
    checks = Checks()
    secret = "a password that nobody may see"
    with pytest.raises(Refused) as caught:
        prove("ada", secret, checks=checks)

    assert secret not in f"{caught.value} {caught.value.reason} {checks.made}"

"""Owns what the kind `azure_ad` adds to `oidc`: which tenant a token speaks for, `oid`, `xms_edov` and groups."""

import logging

import pytest

from idp.upstream.kinds.azure_ad import Kind, Settings
from tests.upstream.conftest import CALLBACK, CORP, POLICY, tools_for
from tests.upstream.openid_double import CLIENT_ID, CLIENT_SECRET, MISSING
from tests.upstream.vendor_doubles import FOREIGN, HOME, PARTNER, AzureDouble

GIVEN = {"client_id": CLIENT_ID, "client_secret": CLIENT_SECRET}
SEVERAL = {"tenant": "organizations", "allowed_tenants": f"{HOME} {PARTNER}"}
OVERAGE = {
    "_claim_names": {"groups": "src1"},
    "_claim_sources": {"src1": {"endpoint": "https://graph.windows.net/x/users/y/getMemberObjects"}},
}


class Journey:
    """The kind as configured, the double at its addresses, and round trips between them."""

    def __init__(self, clock, **settings) -> None:
        self.there = AzureDouble(clock, settings["tenant"])
        self.kind = Kind(Settings(**GIVEN, **settings), tools_for(POLICY, clock))

    def __call__(self, *, oid="oid-1", tenant=HOME, answer=None, **claims):
        self.there.tenant = tenant
        departure = self.kind.depart(CORP, CALLBACK, force=False, login_hint=None)
        params = {**self.there.authorize(departure.url, oid, **claims), **(answer or {})}
        return self.kind.arrive(CORP, CALLBACK, params, departure.remembered)


@pytest.fixture
def journey(clock):
    made = []

    def make(**settings):
        made.append(Journey(clock, **settings))
        return made[-1]

    yield make
    for one in made:
        one.there.close()
        assert one.there.faults == []


@pytest.fixture
def several(journey):
    return journey(**SEVERAL)


@pytest.fixture
def single(journey):
    return journey(tenant=HOME)


def test_it_goes_to_microsoft_and_nowhere_else():
    assert Kind._place == "https://login.microsoftonline.com"


# ---------------------------------------------------------------- tenants


def test_one_tenant_by_its_id(single):
    who = single(name="Ada Lovelace")

    assert (who.issuer, who.subject) == (single.there.issuer_of(HOME), "oid-1")
    assert (who.name, who.username, who.email_verified) == ("Ada Lovelace", "oid-1@corp.example", False)


def test_one_tenant_by_a_domain_has_the_issuer_of_its_id(journey):
    by_domain = journey(tenant="corp.example")

    assert by_domain().issuer == by_domain.there.issuer_of(HOME)


@pytest.mark.parametrize("word", ["organizations", "common"])
def test_each_allowed_tenant_has_an_issuer_of_its_own(journey, word):
    several = journey(tenant=word, allowed_tenants=f"{HOME} {PARTNER.upper()}")

    assert several().issuer == several.there.issuer_of(HOME)
    assert several(tenant=PARTNER).issuer == several.there.issuer_of(PARTNER)


def test_the_same_oid_in_two_tenants_is_two_people(several):
    one, other = several(), several(tenant=PARTNER)

    assert (one.issuer, one.subject) != (other.issuer, other.subject)


@pytest.mark.parametrize("settings", [SEVERAL, {"tenant": HOME}, {"tenant": "corp.example"}])
def test_a_foreign_tenant_is_refused_by_a_name_of_its_own(journey, refusal, settings):
    found = refusal(journey(**settings), tenant=FOREIGN)

    assert (found.code, found.status, FOREIGN in found.reason) == ("upstream_not_admitted", 403, True)


def test_a_domain_that_now_belongs_to_another_tenant_is_refused(journey, refusal):
    pinned = journey(tenant="corp.example", allowed_tenants=PARTNER)

    assert refusal(pinned).code == "upstream_not_admitted"
    assert journey(tenant="corp.example", allowed_tenants=HOME)().subject == "oid-1"


@pytest.mark.parametrize("settings", [SEVERAL, {"tenant": HOME}])
@pytest.mark.parametrize(
    "tid", [MISSING, None, "", 7, [HOME], HOME.upper(), f"{HOME} ", f"{HOME}\n", "organizations", "{tenantid}"]
)
def test_tid_missing_or_misshapen_is_refused(journey, refusal, settings, tid):
    found = refusal(journey(**settings), tid=tid)

    assert (found.code, "tid is missing" in found.reason) == ("upstream_answer_invalid", True)


@pytest.mark.parametrize("settings", [SEVERAL, {"tenant": HOME}])
def test_the_issuer_of_another_tenant_is_refused(journey, refusal, settings):
    there = journey(**settings)
    lies = [(HOME, PARTNER), (PARTNER, HOME), (FOREIGN, HOME), (HOME, FOREIGN)]

    for tid, issuer in lies:
        assert refusal(there, tid=tid, iss=there.there.issuer_of(issuer)).code == "upstream_answer_invalid"


@pytest.mark.parametrize("settings", [SEVERAL, {"tenant": HOME}])
@pytest.mark.parametrize("tid", [HOME, "{tenantid}", MISSING])
def test_the_template_issuer_spelled_literally_is_refused(journey, refusal, settings, tid):
    there = journey(**settings)

    assert refusal(there, iss=there.there.issuer_of("{tenantid}"), tid=tid).code == "upstream_answer_invalid"


def test_an_issuer_of_the_old_endpoints_is_refused(single, refusal):
    assert refusal(single, iss=f"https://sts.windows.net/{HOME}/").code == "upstream_answer_invalid"


@pytest.mark.parametrize("settings", [SEVERAL, {"tenant": HOME}, {"tenant": "corp.example"}])
@pytest.mark.parametrize("stated", ["{wrong}", FOREIGN, "https://evil.example"])
def test_metadata_that_states_another_issuer_is_a_wrong_configuration(journey, refusal, settings, stated):
    there = journey(**settings)
    issuer = stated if stated.startswith("https") else there.there.issuer_of(stated)
    there.there.metadata = {"issuer": issuer}
    expected = "upstream_not_admitted" if (settings["tenant"], stated) == ("corp.example", FOREIGN) else None

    assert refusal(there).code == (expected or "upstream_misconfigured")


@pytest.mark.parametrize(("stated", "good"), [(HOME, True), (PARTNER, True), (FOREIGN, False)])
def test_an_answer_that_names_its_issuer_must_name_an_allowed_one(several, refusal, stated, good):
    answer = {"iss": several.there.issuer_of(stated)}

    if good:
        assert several(answer=answer).subject == "oid-1"
    else:
        assert "RFC 9207" in refusal(several, answer=answer).reason


def test_a_key_of_one_tenant_does_not_sign_for_another(several, refusal):
    several.there.keys[0].extra["issuer"] = several.there.issuer_of(PARTNER)

    found = refusal(several)

    assert (found.code, "signed with a key of" in found.reason) == ("upstream_answer_invalid", True)
    assert several(tenant=PARTNER).subject == "oid-1"


def test_a_key_of_one_tenant_ends_no_session_of_another(several, clock, refusal):
    several()
    now = int(clock())
    event = {"http://schemas.openid.net/event/backchannel-logout": {}}

    def token(jti):
        about = {"iss": several.there.issuer_of(HOME), "tid": HOME, "aud": CLIENT_ID, "sub": "s", "events": event}
        return several.there.sign({**about, "iat": now, "exp": now + 60, "jti": jti})

    assert several.kind.logout.ended(CORP, token("1")).value == "s"
    several.there.keys[0].extra["issuer"] = several.there.issuer_of(PARTNER)
    clock.advance(700)
    now = int(clock())

    assert "speaks for another issuer" in refusal(several.kind.logout.ended, CORP, token("2")).reason


def test_a_key_that_names_no_issuer_signs_for_every_tenant(several):
    several.there.keys[0].extra = {}

    assert several().subject == "oid-1"


@pytest.mark.parametrize("oid", [MISSING, None, "", " ", 7, ["oid-1"], "a\x00b", "x" * 256])
def test_oid_missing_or_misshapen_is_refused(several, refusal, oid):
    claims = {"oid": oid} if oid is not MISSING else {}
    several.there.lies = {} if claims else {"oid": MISSING}
    departure = several.kind.depart(CORP, CALLBACK, force=False, login_hint=None)
    params = several.there.authorize(departure.url, "sub-only", **claims)

    found = refusal(several.kind.arrive, CORP, CALLBACK, params, departure.remembered)

    assert (found.code, "oid is missing" in found.reason) == ("upstream_answer_invalid", True)


# ---------------------------------------------------------------- e-mail


def test_xms_edov_verifies_the_address_as_a_boolean(single):
    who = single(email="ada@corp.example", xms_edov=True)

    assert (who.email, who.email_verified) == ("ada@corp.example", True)


@pytest.mark.parametrize(
    "told",
    [
        MISSING,
        None,
        False,
        0,
        1,
        2,
        1.0,
        "0",
        "1",
        "true",
        "false",
        "True",
        "TRUE",
        " true",
        "yes",
        "",
        [True],
        {"true": 1},
    ],
)
def test_any_other_xms_edov_verifies_nothing(single, told):
    assert single(email="ada@corp.example", xms_edov=told).email_verified is False


@pytest.mark.parametrize("claims", [{"email_verified": True}, {"email_verified": True, "xms_edov": False}])
def test_email_verified_is_not_believed(single, claims):
    assert single(email="victim@other.example", **claims).email_verified is False


def test_xms_edov_verifies_no_address_that_is_elsewhere(single):
    who = single(xms_edov=True, upn="ada@corp.example")

    assert (who.email, who.email_verified) == (None, False)
    assert single.there.times_asked("/oidc/userinfo") == 0


# ---------------------------------------------------------------- groups


def test_groups_come_as_they_are(single):
    assert single(groups=["b7c1", "Finance (EU)"]).groups == ("b7c1", "Finance (EU)")


@pytest.mark.parametrize("groups", [None, {"a": 1}, 7, [7, None, ["b7c1"], "", "ad\u200bmins", "x" * 201]])
def test_what_is_no_group_is_left_out(single, groups):
    assert single(groups=groups).groups == ()


@pytest.mark.parametrize(
    "claims", [OVERAGE, {"hasgroups": True}, {"hasgroups": "true"}, {**OVERAGE, "groups": ["b7c1"]}]
)
def test_overage_is_no_error_but_no_groups_and_a_note_in_the_log(single, caplog, claims):
    with caplog.at_level(logging.WARNING, logger="idp.upstream"):
        who = single(**claims)

    assert (who.subject, who.groups) == ("oid-1", ())
    [line] = [record.getMessage() for record in caplog.records if record.name == "idp.upstream"]
    assert line.startswith('groups_left_out upstream="corp"')
    assert "oid-1" not in line
    assert single.there.times_asked("/oidc/userinfo") == 0


@pytest.mark.parametrize(
    "claims", [{}, {"_claim_names": {"other": "src1"}}, {"_claim_names": "groups"}, {"hasgroups": False}]
)
def test_no_overage_no_note(single, caplog, claims):
    single(groups=["b7c1"], **claims)

    assert [record for record in caplog.records if record.name == "idp.upstream"] == []


# ---------------------------------------------------------------- settings


@pytest.mark.parametrize(
    "settings",
    [
        {"tenant": "organizations"},
        {"tenant": "common"},
        {"tenant": "common", "allowed_tenants": "*"},
        {"tenant": "common", "allowed_tenants": "corp.example"},
        {"tenant": "organizations", "allowed_tenants": "{tenantid}"},
        {"tenant": HOME, "allowed_tenants": PARTNER},
        {"tenant": "consumers"},
        {"tenant": ""},
        {"tenant": "{tenantid}"},
        {"tenant": "corp.example/../common"},
        {"tenant": "corp.example?x"},
        {},
    ],
)
def test_settings_that_would_let_in_anybody_or_nobody_cannot_be_made(settings):
    with pytest.raises(ValueError):
        Settings(**GIVEN, **settings)


def test_ids_and_domains_are_kept_in_lower_case():
    assert Settings(**GIVEN, tenant=HOME.upper()).tenant == HOME
    assert Settings(**GIVEN, tenant="Corp.Example").tenant == "corp.example"


def test_profile_is_always_asked_for_as_there_is_no_oid_without_it():
    assert Settings(**GIVEN, tenant=HOME, scopes="email").scopes == ("openid", "profile", "email")

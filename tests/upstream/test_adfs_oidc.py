"""Owns what the kind `adfs_oidc` adds to `oidc`: two issuers, claims in the ID token, addresses that are never said to be verified."""

import pytest

from idp.upstream.kinds.adfs_oidc import Kind, Settings
from tests.upstream.conftest import CALLBACK, CORP, POLICY, tools_for
from tests.upstream.openid_double import CLIENT_ID, CLIENT_SECRET, MISSING
from tests.upstream.vendor_doubles import AdfsDouble


@pytest.fixture
def adfs(clock):
    double = AdfsDouble(clock)
    yield double
    double.close()
    assert double.faults == []


@pytest.fixture
def arrive(adfs, clock):
    def go(sub="ada", *, max_age=None, **settings):
        given = {"issuer": adfs.issuer, "client_id": CLIENT_ID, "client_secret": CLIENT_SECRET, **settings}
        kind = Kind(Settings(**given), tools_for(POLICY, clock))
        departure = kind.depart(CORP, CALLBACK, force=False, login_hint=None, max_age=max_age)
        return kind.arrive(CORP, CALLBACK, adfs.authorize(departure.url, sub), departure.remembered)

    return go


def test_claims_come_in_the_id_token_and_userinfo_is_not_asked(adfs, arrive):
    adfs.told = {
        "email": "ada@corp.example",
        "given_name": "Ada",
        "family_name": "Lovelace",
        "group": ["Staff", "Domain Users"],
    }

    who = arrive()

    assert (who.issuer, who.subject, who.username, who.name) == (adfs.issuer, "ada", "ada@corp.example", "Ada Lovelace")
    assert (who.email, who.email_verified, who.groups) == ("ada@corp.example", False, ("Staff", "Domain Users"))
    assert who.attributes["unique_name"] == ("CORP\\ada",)
    assert "allatclaims" in adfs.last_asked["scope"].split()
    assert adfs.times_asked("/adfs/userinfo") == 0


def test_one_group_is_a_text_and_not_a_list(adfs, arrive):
    adfs.told = {"group": "Staff"}

    assert arrive().groups == ("Staff",)


@pytest.mark.parametrize("scopes", ["openid", "profile email"])
def test_allatclaims_cannot_be_left_out(adfs, arrive, scopes):
    arrive(scopes=scopes)

    assert {"openid", "allatclaims"} <= set(adfs.last_asked["scope"].split())


def test_a_token_of_the_issuer_of_access_tokens_is_refused(adfs, arrive, refusal):
    adfs.lies = {"iss": adfs.access_token_issuer}

    found = refusal(arrive)

    assert (found.code, "iss is" in found.reason) == ("upstream_answer_invalid", True)


def test_addresses_are_verified_only_where_an_administrator_says_so(adfs, arrive):
    adfs.told = {"email": "ada@corp.example", "email_verified": True}

    assert arrive().email_verified is False
    assert arrive(email_trusted=True).email_verified is True


@pytest.mark.parametrize("typed", ["{home}", "{home}/", "{home}/adfs", "{home}/adfs/.well-known/openid-configuration"])
def test_the_address_of_the_server_will_do(adfs, arrive, typed):
    assert arrive(issuer=typed.format(home=adfs.home)).issuer == adfs.issuer


def test_max_age_is_held_against_its_auth_time(adfs, arrive, refusal):
    assert arrive(max_age=600.0).auth_time == int(adfs.clock())
    adfs.lies = {"auth_time": int(adfs.clock()) - 3600}
    assert "auth_time is older" in refusal(arrive, max_age=600.0).reason
    adfs.lies = {"auth_time": MISSING}
    assert refusal(arrive, max_age=600.0).code == "upstream_answer_invalid"

"""Owns what the kind `google` adds to `oidc`: whose accounts are let in, and what Google does in its own way."""

from urllib.parse import parse_qs, urlsplit

import pytest

from idp.upstream.kinds.google import Kind, Settings
from idp.upstream.parse import new_provider
from tests.upstream.conftest import CALLBACK, CORP, POLICY, tools_for
from tests.upstream.openid_double import CLIENT_ID, CLIENT_SECRET, MISSING
from tests.upstream.vendor_doubles import GoogleDouble


@pytest.fixture
def there(clock):
    double = GoogleDouble(clock)
    yield double
    double.close()
    assert double.faults == []


@pytest.fixture
def make(there, clock):
    return lambda **given: Kind(
        Settings(client_id=CLIENT_ID, client_secret=CLIENT_SECRET, **given), tools_for(POLICY, clock)
    )


@pytest.fixture
def come(there, make):
    """A whole round trip."""

    def go(kind=None, *, force=False, **claims):
        kind = kind or make()
        departure = kind.depart(CORP, CALLBACK, force=force, login_hint=None)
        return kind.arrive(CORP, CALLBACK, there.authorize(departure.url, "10769", **claims), departure.remembered)

    return go


def asked_for(kind, *, force=False):
    url = kind.depart(CORP, CALLBACK, force=force, login_hint=None).url
    return {name: values[0] for name, values in parse_qs(urlsplit(url).query).items()}


def test_it_goes_to_google_and_nowhere_else():
    assert Kind._place == "https://accounts.google.com"


def test_a_client_id_and_a_secret_are_all_that_is_needed(come, there):
    who = come(email="ada@gmail.com", email_verified=True, name="Ada Lovelace")

    assert (who.issuer, who.subject) == (there.issuer, "10769")
    assert (who.email, who.email_verified, who.name, who.username) == (
        "ada@gmail.com", True, "Ada Lovelace", "ada@gmail.com",
    )  # fmt: skip


# ---------------------------------------------------------------- hosted domains


@pytest.mark.parametrize("listed", ["corp.example", "other.example CORP.example", "@corp.example"])
def test_an_account_of_a_hosted_domain_comes_in(come, make, there, listed):
    there.hosted = "corp.example"

    assert come(make(hosted_domains=listed)).subject == "10769"


def test_hd_missing_is_refused_whatever_the_address_says(come, make, refusal):
    found = refusal(come, make(hosted_domains="corp.example"), email="ada@corp.example", email_verified=True)

    assert (found.code, found.status, "there is no hd" in found.reason) == ("upstream_not_admitted", 403, True)


@pytest.mark.parametrize(
    "hd",
    ["evil.example", "sub.corp.example", "corp.example.evil.example", "corp.example ", "", ["corp.example"], None, 1],
)
def test_hd_of_another_domain_is_refused(come, make, refusal, hd):
    found = refusal(come, make(hosted_domains="corp.example"), hd=hd, email="ada@corp.example", email_verified=True)

    assert found.code == "upstream_not_admitted"


def test_hd_in_the_answer_of_the_browser_proves_nothing(make, there, refusal):
    kind = make(hosted_domains="corp.example")
    departure = kind.depart(CORP, CALLBACK, force=False, login_hint=None)
    params = {**there.authorize(departure.url), "hd": "corp.example"}

    assert refusal(kind.arrive, CORP, CALLBACK, params, departure.remembered).code == "upstream_not_admitted"


def test_hd_from_userinfo_proves_nothing(come, make, there, refusal):
    there.userinfo = {"email": "ada@corp.example", "email_verified": True, "hd": "corp.example"}

    assert refusal(come, make(hosted_domains="corp.example")).code == "upstream_not_admitted"


def test_without_hosted_domains_any_account_comes_in(come, there):
    there.hosted = "somebody.example"

    assert come().subject == "10769"


@pytest.mark.parametrize(("listed", "hint"), [("corp.example", "corp.example"), ("a.example b.example", "*")])
def test_the_hosted_domain_is_a_hint_for_its_page(make, listed, hint):
    assert asked_for(make(hosted_domains=listed))["hd"] == hint


def test_the_hint_cannot_be_set_to_another_domain_by_authorize_params(make):
    assert asked_for(make(hosted_domains="corp.example", authorize_params="hd=evil.example"))["hd"] == "corp.example"


def test_without_hosted_domains_there_is_no_hint(make):
    assert "hd" not in asked_for(make())


@pytest.mark.parametrize("listed", ["*", "example", "corp.example localhost"])
def test_what_is_no_domain_cannot_be_listed(make, listed):
    with pytest.raises(ValueError, match="not a domain"):
        make(hosted_domains=listed)


# ---------------------------------------------------------------- its own ways


def test_both_ways_of_writing_its_issuer_are_one_issuer(clock):
    kind = Kind(Settings(client_id=CLIENT_ID, client_secret=CLIENT_SECRET), tools_for(POLICY, clock))

    for iss in ("https://accounts.google.com", "accounts.google.com"):
        assert kind.token_issuer({"iss": iss}) == iss
        assert kind.key_of({"iss": iss, "sub": "10769"}) == ("https://accounts.google.com", "10769")
    assert kind.token_issuer({"iss": "http://accounts.google.com"}) == "https://accounts.google.com"


@pytest.mark.parametrize("iss", ["http://accounts.google.com", "accounts.google.com.evil.example", MISSING, None])
def test_any_other_issuer_is_refused(come, refusal, iss):
    assert refusal(come, iss=iss).code == "upstream_answer_invalid"


def test_a_fresh_sign_in_asks_for_the_account_and_needs_no_auth_time(come, make):
    assert asked_for(make(), force=True)["prompt"] == "select_account"
    assert asked_for(make(authorize_params="", auth_time="required"), force=True)["prompt"] == "select_account"
    assert come(force=True).subject == "10769"


def test_an_auth_time_that_it_does_say_must_be_fresh(come, clock, refusal):
    found = refusal(come, force=True, auth_time=int(clock()) - 3600)

    assert (found.code, "older" in found.reason) == ("upstream_answer_invalid", True)


@pytest.mark.parametrize(
    ("email", "hd", "verified"),
    [
        ("ada@gmail.com", MISSING, True),
        ("ada@googlemail.com", MISSING, True),
        ("ada@corp.example", "corp.example", True),
        ("ada@second.example", "corp.example", True),
        ("ada@corp.example", MISSING, False),
        ("ada@corp.example", "", False),
        ("ada@corp.example", True, False),
        ("ada@gmail.com.evil.example", MISSING, False),
    ],
)
def test_an_address_that_google_does_not_give_out_itself_is_not_verified(come, make, email, hd, verified):
    """Somebody could read mail there once, when the private account was made; that may be long ago."""
    assert come(make(), email=email, hd=hd, email_verified=True).email_verified is verified


def test_a_new_one_may_vouch_for_the_domains_that_are_its_own_unless_something_else_is_said():
    given = {"client_id": CLIENT_ID, "client_secret": CLIENT_SECRET}

    assert new_provider("google", "g", given, 0.0).trusted_domains == ("gmail.com", "googlemail.com")
    assert new_provider("google", "g", {**given, "hosted_domains": "corp.example"}, 0.0).trusted_domains == (
        "corp.example",
    )
    assert new_provider("google", "g", {**given, "trusted_domains": ""}, 0.0).trusted_domains == ()

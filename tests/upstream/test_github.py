"""Owns what is peculiar to GitHub: which number and which address a person has, errors with status 200, and where its API is."""

import pytest

from idp.domain.upstream import UpstreamProvider
from idp.upstream.kinds.github import Kind, Settings, api_of
from tests.upstream.conftest import POLICY, tools_for
from tests.upstream.oauth2_double import GitHubCounterpart
from tests.upstream.openid_double import MISSING, Trouble

CALLBACK = "https://sheaf.example/upstream/github/callback"
HUB = UpstreamProvider("github", "github", "GitHub", 0.0)
PRIMARY = {"email": "ada@octo.example", "primary": True, "verified": True, "visibility": "private"}
OTHER = {"email": "ada@other.example", "primary": False, "verified": True, "visibility": None}


@pytest.fixture
def counterpart(clock):
    counterpart = GitHubCounterpart(clock)
    yield counterpart
    counterpart.close()
    assert counterpart.provider.faults == []


@pytest.fixture
def github(counterpart):
    return counterpart.provider


@pytest.fixture
def arrive(counterpart, github, clock):
    def go(*, force=False, answer=None, **settings):
        kind = Kind(Settings(**{**counterpart.settings(), **settings}), tools_for(POLICY, clock))
        departure = kind.depart(HUB, CALLBACK, force=force, login_hint="ada@corp.example")
        params = {**github.authorize(departure.url, "583231"), **(answer or {})}
        return kind.arrive(HUB, CALLBACK, params, departure.remembered)

    return go


def test_a_person_is_the_number_of_the_account(arrive, github):
    who = arrive()

    assert (who.issuer, who.subject) == (f"{github.base}/login/oauth", "583231")
    assert (who.username, who.name) == ("octocat", "The Octocat")
    assert github.last_asked["scope"] == "read:user user:email"
    assert not {"login_hint", "prompt"} & set(github.last_asked)


@pytest.mark.parametrize("number", ["583231", 583231.0, True, 0, -1, None, MISSING])
def test_what_is_no_number_of_an_account_is_refused(arrive, github, refusal, number):
    github.userinfo = {"id": number}

    assert refusal(arrive).code == "upstream_answer_invalid"


def test_the_primary_address_is_taken_when_it_is_verified(arrive, github):
    github.emails = [OTHER, PRIMARY]

    who = arrive()

    assert (who.email, who.email_verified) == ("ada@octo.example", True)


@pytest.mark.parametrize(
    "emails",
    [
        [],
        [OTHER],
        [OTHER, {**PRIMARY, "verified": False}],
        [{**PRIMARY, "verified": "true"}],
        [{**PRIMARY, "primary": "true"}],
        [PRIMARY, {**PRIMARY, "email": "victim@octo.example"}],
        ["ada@octo.example", None, 7],
        None,
    ],
)
def test_no_other_address_is_taken_not_even_the_one_that_is_shown(arrive, github, emails):
    github.emails = emails

    assert (arrive().email, arrive().email_verified) == (None, False)


def test_without_the_scope_there_is_no_address(arrive, github):
    github.emails = [PRIMARY]

    assert arrive(scopes="read:user").email is None


def test_a_list_of_addresses_that_is_none_is_refused(arrive, github, refusal):
    github.trouble["/api/v3/user/emails"] = Trouble(body=b'{"email": "ada@octo.example"}')

    assert refusal(arrive).code == "upstream_answer_invalid"


@pytest.mark.parametrize(
    ("error", "code"),
    [
        ("bad_verification_code", "upstream_answer_invalid"),
        ("incorrect_client_credentials", "upstream_misconfigured"),
        ("redirect_uri_mismatch", "upstream_misconfigured"),
        ("unverified_user_email", "upstream_denied"),
    ],
)
def test_an_error_that_comes_with_status_200_is_an_error(arrive, github, refusal, error, code):
    github.trouble["/login/oauth/access_token"] = Trouble(body=f'{{"error": "{error}"}}'.encode())

    found = refusal(arrive)

    assert (found.code, error in found.reason) == (code, True)


def test_an_answer_of_another_github_is_refused(arrive, refusal):
    found = refusal(arrive, answer={"iss": "https://github.com/login/oauth"})

    assert (found.code, "RFC 9207" in found.reason) == ("upstream_answer_invalid", True)


def test_a_fresh_sign_in_is_refused_unless_coming_back_is_trusted(arrive, github, refusal):
    assert refusal(arrive, force=True).code == "upstream_misconfigured"

    arrive(force=True, reauthentication="trust")

    assert github.last_asked["prompt"] == "select_account"


@pytest.mark.parametrize(
    ("base", "api"),
    [
        ("https://github.com", "https://api.github.com"),
        ("https://octocorp.ghe.com", "https://api.octocorp.ghe.com"),
        ("https://git.example.org:8443", "https://git.example.org:8443/api/v3"),
        ("https://github.com.evil.example", "https://github.com.evil.example/api/v3"),
    ],
)
def test_the_api_is_where_each_edition_has_it(base, api):
    assert api_of(base) == api


@pytest.mark.parametrize(
    "base", ["http://git.example.org", "https://git.example.org/api/v3", "https://git.example.org?x", ""]
)
def test_an_address_that_is_not_githubs_own_cannot_be_configured(base):
    with pytest.raises(ValueError):
        Settings(base_url=base, client_id="c", client_secret="s")


def test_the_address_is_kept_in_one_way_of_writing():
    assert Settings(base_url="https://Git.Example.org:443/", client_id="c", client_secret="s").base_url == (
        "https://git.example.org"
    )

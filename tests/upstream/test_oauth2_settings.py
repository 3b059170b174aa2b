"""Owns which settings of the kind `oauth2` are refused, and what it makes of those that are not given."""

import pytest

from idp.upstream.kinds.oauth2 import Kind, Settings
from tests.upstream.conftest import POLICY, tools_for

SECRET = "never-to-be-seen"
GIVEN = {
    "authorization_endpoint": "https://tail.example/authorize",
    "token_endpoint": "https://tail.example/token",
    "userinfo_endpoint": "https://tail.example/userinfo",
    "client_id": "sheaf",
    "client_secret": SECRET,
}


@pytest.fixture
def make_kind(clock):
    return lambda **settings: Kind(Settings(**{**GIVEN, **settings}), tools_for(POLICY, clock))


@pytest.mark.parametrize(
    ("endpoint", "issuer"),
    [
        ("https://Tail.example:443/token", "https://tail.example"),
        ("https://tail.example:8443/a/token?x=1", "https://tail.example:8443"),
        ("http://[::1]:9000/token", "http://[::1]:9000"),
    ],
)
def test_logins_are_under_the_origin_of_the_token_endpoint(make_kind, endpoint, issuer):
    assert make_kind(token_endpoint=endpoint)._endpoints.issuer == issuer


@pytest.mark.parametrize(
    "url",
    ["http://tail.example/x", "tail.example", "https://a:b@tail.example", "https://tail.example/#x", "https://a:b:c"],
)
@pytest.mark.parametrize("name", ["authorization_endpoint", "token_endpoint", "userinfo_endpoint", "issuer"])
def test_an_unsafe_address_cannot_be_configured(make_kind, name, url):
    with pytest.raises(ValueError):
        make_kind(**{name: url})


@pytest.mark.parametrize(
    "settings",
    [
        {"client_secret": ""},
        {"token_endpoint_auth_method": "none", "pkce": False},
        {"authorize_params": "state=1"},
        {"reauthentication": "always"},
        {"issuer": "https://tail.example?x"},
    ],
)
def test_what_would_be_unsafe_cannot_be_configured(make_kind, settings):
    with pytest.raises(ValueError):
        make_kind(**settings)


def test_no_secret_stands_in_any_repr(make_kind):
    kind = make_kind()

    assert SECRET not in repr([kind, vars(kind), Settings(**GIVEN)])

"""Owns what the kind `oauth2` asks for, accepts and refuses, and which fields it reads."""

from dataclasses import replace
from urllib.parse import parse_qs, urlsplit

import pytest

from idp.domain.upstream import UpstreamProvider
from idp.upstream.kinds.oauth2 import Kind, Settings
from tests.upstream.conftest import POLICY, tools_for
from tests.upstream.oauth2_double import OAuth2Counterpart
from tests.upstream.openid_double import MISSING, Trouble

CALLBACK = "https://sheaf.example/upstream/tail/callback"
TAIL = UpstreamProvider("tail", "oauth2", "Long tail", 0.0)


@pytest.fixture
def counterpart(clock):
    counterpart = OAuth2Counterpart(clock)
    yield counterpart
    counterpart.close()
    assert counterpart.provider.faults == []


@pytest.fixture
def there(counterpart):
    return counterpart.provider


@pytest.fixture
def make_kind(counterpart, clock):
    def make(policy=POLICY, **settings) -> Kind:
        return Kind(Settings(**{**counterpart.settings(), **settings}), tools_for(policy, clock))

    return make


@pytest.fixture
def arrive(there, make_kind):
    """A whole round trip; answer: changes to the parameters that come back."""

    def go(kind=None, *, answer=None, force=False, callback=CALLBACK, **settings):
        kind = kind or make_kind(**settings)
        departure = kind.depart(TAIL, CALLBACK, force=force, login_hint=None)
        params = {**there.authorize(departure.url), **(answer or {})}
        given = {name: value for name, value in params.items() if value is not MISSING}
        return kind.arrive(TAIL, callback, given, departure.remembered)

    return go


@pytest.fixture
def refused(arrive, refusal):
    def go(*args, **named):
        found = refusal(arrive, *args, **named)
        return found.code, found.reason

    return go


# ---------------------------------------------------------------- the flow


def test_the_departure_asks_for_what_is_configured(make_kind, there):
    kind = make_kind(scopes="profile email", authorize_params="tenant=1")

    there.authorize(kind.depart(TAIL, CALLBACK, force=False, login_hint="ada@corp.example").url)

    assert there.last_asked["redirect_uri"] == CALLBACK
    assert (there.last_asked["scope"], there.last_asked["tenant"]) == ("profile email", "1")
    assert there.last_asked["login_hint"] == "ada@corp.example"
    assert not {"prompt", "nonce"} & set(there.last_asked)


def test_an_authorization_endpoint_with_a_query_keeps_it(make_kind, there):
    kind = make_kind(authorization_endpoint=f"{there.base}/authorize?tenant=1")

    url = kind.depart(TAIL, CALLBACK, force=False, login_hint=None).url

    assert parse_qs(urlsplit(url).query)["tenant"] == ["1"]


def test_pkce_is_sent_unless_it_is_switched_off(arrive, make_kind, there):
    there.pkce = False
    kind = make_kind(pkce=False)

    assert "verifier" not in kind.depart(TAIL, CALLBACK, force=False, login_hint=None).remembered
    assert arrive(kind).subject == "user-1"


@pytest.mark.parametrize("method", ["client_secret_basic", "client_secret_post", "none"])
def test_we_authenticate_at_the_token_endpoint_as_configured(arrive, there, method):
    there.auth_method = method

    assert arrive(token_endpoint_auth_method=method).subject == "user-1"


def test_an_answer_that_names_another_issuer_is_refused_before_the_code_is_sent(refused, there):
    code, reason = refused(answer={"iss": "https://evil.example"})

    assert (code, "RFC 9207" in reason) == ("upstream_answer_invalid", True)
    assert there.asked == []


def test_an_issuer_that_is_set_is_what_iss_must_say_and_what_logins_are_under(arrive, refused, there):
    there.issuer = "https://tail.example/oauth"

    assert arrive(issuer=there.issuer).issuer == there.issuer
    assert refused()[0] == "upstream_answer_invalid"


def test_an_answer_without_iss_is_fine(arrive, there):
    there.sends_iss = False

    assert arrive().issuer == there.base


def test_a_code_is_worth_nothing_at_the_callback_of_another_upstream(refused):
    assert refused(callback="https://sheaf.example/upstream/other/callback")[0] == "upstream_answer_invalid"


@pytest.mark.parametrize("token_type", ["mac", "DPoP", "", None, 7, ["bearer"], MISSING])
def test_a_token_of_another_type_than_bearer_is_refused(refused, there, token_type):
    there.token_answer = {"token_type": token_type}

    code, reason = refused()

    assert (code, "token_type" in reason) == ("upstream_answer_invalid", True)
    assert "/userinfo" not in there.asked


@pytest.mark.parametrize("token", [MISSING, "", None, 7, "a\nb", "a b", "ü"])
def test_a_token_that_no_header_can_carry_is_refused(refused, there, token):
    there.token_answer = {"access_token": token}

    assert refused()[0] == "upstream_answer_invalid"


def test_an_error_of_the_token_endpoint_counts_whatever_its_status(refused, there):
    there.token_answer = {"error": "invalid_grant", "error_description": "used"}

    assert refused() == ("upstream_answer_invalid", "token endpoint: invalid_grant: used")


def test_wrong_client_credentials_are_a_matter_for_an_administrator(refused):
    code, reason = refused(client_secret="wrong-secret")

    assert (code, "invalid_client" in reason, "wrong-secret" in reason) == ("upstream_misconfigured", True, False)


@pytest.mark.parametrize("path", ["/token", "/userinfo"])
@pytest.mark.parametrize(
    ("trouble", "code"),
    [
        (Trouble(wait=10), "upstream_unreachable"),
        (Trouble(drip=True), "upstream_unreachable"),
        (Trouble(size=2_000_000), "upstream_unreachable"),
        (Trouble(status=503), "upstream_unreachable"),
        (Trouble(status=302, location="http://169.254.169.254/"), "upstream_answer_invalid"),
        (Trouble(body=b"<html>"), "upstream_answer_invalid"),
        (Trouble(body=b"[" * 100_000), "upstream_answer_invalid"),
        (Trouble(body=b"[]"), "upstream_answer_invalid"),
    ],
)
def test_trouble_at_any_endpoint_has_a_name_and_an_end(refused, there, path, trouble, code):
    there.trouble[path] = trouble

    assert refused(policy=replace(POLICY, timeout=0.5))[0] == code


def test_without_leave_private_addresses_are_not_contacted(refused, there):
    assert refused(policy=replace(POLICY, allow_private=False))[0] == "upstream_unreachable"
    assert there.asked == []


# ---------------------------------------------------------------- a fresh sign-in


def test_a_fresh_sign_in_is_refused_in_words_because_nothing_could_show_it(refused):
    code, reason = refused(force=True)

    assert code == "upstream_misconfigured"
    assert "reauthentication=trust" in reason


def test_who_trusts_that_coming_back_is_enough_asks_for_a_prompt(arrive, there):
    assert arrive(force=True, reauthentication="trust").auth_time is None
    assert there.last_asked["prompt"] == "login"


def test_a_prompt_of_the_configuration_stays_when_a_fresh_sign_in_is_trusted(arrive, there):
    arrive(force=True, reauthentication="trust", authorize_params="prompt=consent")

    assert there.last_asked["prompt"] == "consent"


# ---------------------------------------------------------------- the person


def test_fields_are_found_in_nested_answers(arrive, there):
    there.userinfo = {
        "data": {"user": {"uid": "u-7", "nick": "ada", "full": "Ada\u202e Lovelace"}},
        "emails": [{"value": "ada@corp.example"}],
        "https://tail.example/ok": True,
    }

    who = arrive(
        subject_field="data.user.uid",
        username_field="data.user.nick",
        name_field="data.user.full",
        email_field="emails.0.value",
        email_verified_field="https://tail.example/ok",
    )

    assert (who.subject, who.username, who.name) == ("u-7", "ada", "Ada Lovelace")
    assert (who.email, who.email_verified) == ("ada@corp.example", True)


@pytest.mark.parametrize(
    "path", ["data.none", "data.user.uid.x", "list.1", "list.-1", "list.x", "list.²", ".", "data."]
)
def test_a_subject_that_is_not_where_it_should_be_is_refused(refused, there, path):
    there.userinfo = {"data": {"user": {"uid": "u-7"}}, "list": ["one"]}

    assert refused(subject_field=path)[0] == "upstream_answer_invalid"


@pytest.mark.parametrize("number", [7, 9007199254740993, 10**30])
def test_a_number_as_subject_is_taken_exactly(arrive, there, number):
    there.userinfo = {"uid": number}

    assert arrive(subject_field="uid").subject == str(number)


@pytest.mark.parametrize(
    "body", [b'{"sub": 1.0}', b'{"sub": 1e3}', b'{"sub": NaN}', b'{"sub": Infinity}', b'{"sub": true}']
)
def test_a_float_or_a_boolean_is_no_subject(refused, there, body):
    there.trouble["/userinfo"] = Trouble(body=body)

    assert "neither text nor a whole number" in refused()[1]


@pytest.mark.parametrize("value", [None, "", "  ", [], {}, ["a"], "x" * 256, 10**300, "a\x00b", "\ud800"])
def test_what_names_nobody_is_refused(refused, there, value):
    there.userinfo = {"sub": value}

    assert refused()[0] == "upstream_answer_invalid"


def test_without_a_subject_field_the_id_will_do(arrive, there):
    there.userinfo = {"sub": MISSING, "id": 42}

    assert arrive().subject == "42"


def test_sub_and_id_that_differ_are_a_question_for_an_administrator(refused, arrive, there):
    there.userinfo = {"id": 42}

    assert "set subject_field" in refused()[1]
    assert arrive(subject_field="sub").subject == "user-1"


@pytest.mark.parametrize("verified", ["true", 1, "yes", None, False, [True], {}, MISSING])
def test_only_the_boolean_true_verifies_an_email(arrive, there, verified):
    there.userinfo = {"email": "ada@corp.example", "ok": verified}

    who = arrive(email_verified_field="ok")

    assert (who.email, who.email_verified) == ("ada@corp.example", False)


def test_without_a_field_that_says_so_no_email_is_verified(arrive, there):
    there.userinfo = {"email": "ada@corp.example", "email_verified": True, "": True}

    assert arrive().email_verified is False

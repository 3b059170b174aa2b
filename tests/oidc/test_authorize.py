"""Owns the claims about /authorize: who gets a code, and each request that is refused, on a page or to the app.

The sign-in between is left to the tests of web and of next_step; tokens to test_token.
"""

from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest

from idp.domain.attempt import LoginAttempt
from idp.domain.grant import Consent
from idp.domain.session import ACR_MFA
from idp.services.attempts import consent_id
from idp.storage.sqlite import SqliteRepository
from tests.oidc.house import API, CALLBACK, CHALLENGE, ISSUER, House, sent_back


def test_a_browser_with_a_session_gets_a_code_at_once(house: House) -> None:
    answer = sent_back(house.authorize(house.person().browser, house.client()))
    assert set(answer) == {"code", "state", "iss", "session_state"}
    assert answer["state"] == "s-1"
    assert answer["iss"] == ISSUER


def test_nothing_is_stored_for_a_sign_in_that_needs_no_page(house: House) -> None:
    house.code(house.person(), house.client())
    assert house.parts.repo.find(LoginAttempt) == []


def test_a_sign_in_that_needs_no_page_reads_every_record_once(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    person, app = house.person(), house.client()
    house.code(person, app)  # whether passwords count is read once a second, for all requests
    read: list[str] = []
    real = SqliteRepository.get

    def counted(self: SqliteRepository, kind: type[Any], id: str) -> Any:
        read.append(kind.__name__)
        return real(self, kind, id)

    monkeypatch.setattr(SqliteRepository, "get", counted)
    house.code(person, app)
    assert sorted(read) == ["Client", "Session", "User"]


def test_a_browser_without_a_session_is_sent_to_the_sign_in_which_is_remembered(house: House) -> None:
    answer = house.authorize(house.browser(), house.client())
    assert answer.status_code == 303
    assert answer.headers["Location"].startswith("/flow/")
    attempt = house.parts.repo.find(LoginAttempt)[0]
    assert attempt.app_id == "shop"
    assert attempt.resume_path == "/authorize/resume"
    assert attempt.request["redirect_origin"] == "https://app.example"


def test_parameters_that_nobody_knows_are_ignored(house: House) -> None:
    assert "code" in sent_back(
        house.authorize(house.person().browser, house.client(), ui_theme="dark", display="popup")
    )


def test_a_request_may_be_posted(house: House) -> None:
    person, app = house.person(), house.client()
    assert "code" in sent_back(person.browser.post("/authorize", data=house.request_of(app)))


def test_a_form_posted_from_another_site_comes_back_with_its_cookies(house: House) -> None:
    # SameSite=Lax: the browser sends no cookies with that POST, but does with the GET that follows.
    person, app = house.person(), house.client()
    moved = house.app.test_client().post("/authorize", data=house.request_of(app))
    assert moved.status_code == 303
    assert moved.headers["Location"].startswith("/authorize?")
    assert "code" in sent_back(person.browser.get(moved.headers["Location"]))


def test_form_post_sends_the_code_in_a_form_that_only_the_app_gets(house: House) -> None:
    answer = house.authorize(house.person().browser, house.client(), response_mode="form_post")
    assert answer.status_code == 200
    assert f'action="{CALLBACK}"' in answer.text
    assert 'name="code"' in answer.text
    assert 'name="iss"' in answer.text
    assert "form-action 'self' https://app.example;" in answer.headers["Content-Security-Policy"]
    assert answer.headers["Cache-Control"] == "no-store"


def test_looking_with_head_issues_nothing(house: House) -> None:
    answer = house.person().browser.head("/authorize", query_string=house.request_of(house.client()))
    assert "Location" not in answer.headers


# ------------------------------------------------------------------ refused on a page


@pytest.mark.parametrize("client_id", ["", "nobody", "x" * 300])
def test_an_unknown_client_is_a_page_and_nobody_is_redirected(house: House, client_id: str) -> None:
    house.client()
    answer = house.authorize(house.person().browser, house.client("other"), client_id=client_id)
    assert answer.status_code == 400
    assert "Location" not in answer.headers
    assert "text/html" in answer.headers["Content-Type"]


@pytest.mark.parametrize(
    "uri",
    [
        None,
        "https://evil.example/callback",
        CALLBACK + "/",
        CALLBACK + "?x=1",
        CALLBACK + "#frag",
        CALLBACK.upper(),
        "https://app.example:443/callback",
        "https://app.example/callback/../callback",
        "https://app.example@evil.example/callback",
        "https://app.example/%63allback",
        "javascript:alert(1)",
        "/callback",
    ],
)
def test_a_redirect_uri_that_is_not_registered_byte_for_byte_is_a_page(house: House, uri: str | None) -> None:
    answer = house.authorize(house.person().browser, house.client(), redirect_uri=uri)
    assert answer.status_code == 400
    assert "Location" not in answer.headers


@pytest.mark.parametrize("name", ["client_id", "redirect_uri"])
def test_client_or_redirect_uri_sent_twice_is_a_page(house: House, name: str) -> None:
    asked = house.request_of(house.client())
    answer = house.person().browser.get("/authorize", query_string=[*asked.items(), (name, asked[name])])
    assert answer.status_code == 400
    assert "Location" not in answer.headers


@pytest.mark.parametrize(
    "query", ["%ff=1", "client_id=%ff", "x=" + "y" * 20_000, "&".join(f"a{i}=1" for i in range(200))]
)
def test_a_query_that_cannot_be_read_is_a_page_not_a_fault(house: House, query: str) -> None:
    assert house.person().browser.get(f"/authorize?{query}").status_code == 400


def test_a_native_app_may_choose_the_port_of_a_loopback_address(house: House) -> None:
    person = house.person()
    native = house.client("native", auth_method="none", redirect_uris=("http://127.0.0.1/cb", "http://[::1]:7/cb"))
    for uri in ("http://127.0.0.1:49152/cb", "http://127.0.0.1/cb", "http://[::1]:50000/cb"):
        assert "code" in sent_back(house.authorize(person.browser, native, redirect_uri=uri), uri)
    for uri in (
        "http://127.0.0.1:49152/other",
        "http://127.0.0.2:49152/cb",
        "http://localhost:49152/cb",
        "http://127.0.0.1:x/cb",
    ):
        assert house.authorize(person.browser, native, redirect_uri=uri).status_code == 400


@pytest.mark.parametrize("uri", ["http://127.0.0.1/cb", "com.example.app:/cb"])
def test_an_app_that_any_program_could_be_is_asked_about_every_time(house: House, uri: str) -> None:
    person = house.person()
    native = house.client("native", auth_method="none", consent="ask", redirect_uris=(uri, CALLBACK))
    scopes = ("openid", "profile", "email")
    house.parts.repo.insert(Consent(consent_id(person.user.id, "native"), person.user.id, "native", scopes, 0.0))
    silent = house.authorize(person.browser, native, redirect_uri=uri, prompt="none")
    assert sent_back(silent, uri)["error"] == "consent_required"
    assert "code" in sent_back(house.authorize(person.browser, native, prompt="none"))  # its https address is its own


def test_a_confidential_client_may_not_choose_the_port(house: House) -> None:
    web = house.client("web", redirect_uris=("http://127.0.0.1/cb",))
    assert house.authorize(house.person().browser, web, redirect_uri="http://127.0.0.1:49152/cb").status_code == 400


# ------------------------------------------------------------------ refused to the app

REFUSALS = [
    ({"code_challenge": None, "code_challenge_method": None}, "invalid_request"),
    ({"code_challenge_method": None}, "invalid_request"),
    ({"code_challenge_method": "plain"}, "invalid_request"),
    ({"code_challenge": None}, "invalid_request"),
    ({"code_challenge": CHALLENGE + "A"}, "invalid_request"),
    ({"code_challenge": "short"}, "invalid_request"),
    ({"response_type": None}, "invalid_request"),
    ({"response_type": "token"}, "unsupported_response_type"),
    ({"response_type": "code id_token"}, "unsupported_response_type"),
    ({"response_mode": "fragment"}, "invalid_request"),
    ({"scope": "openid admin"}, "invalid_scope"),
    ({"scope": "offline_access admin"}, "invalid_scope"),
    ({"resource": "urn:other:api"}, "invalid_target"),
    ({"prompt": "none login"}, "invalid_request"),
    ({"prompt": "sometimes"}, "invalid_request"),
    ({"max_age": "soon"}, "invalid_request"),
    ({"max_age": "-1"}, "invalid_request"),
    ({"request": "eyJhbGciOiJub25lIn0.e30."}, "invalid_request_object"),
    ({"request_uri": "https://app.example/r"}, "invalid_request_uri"),
    ({"response_mode": "fragment.jwt"}, "invalid_request"),
    ({"nonce": "n" * 1025}, "invalid_request"),
    ({"dpop_jkt": "short"}, "invalid_request"),
    ({"claims": "x"}, "invalid_request"),
    ({"claims": '{"id_token": {"acr": {"essential": true, "value": "urn:x"}}}'}, "unmet_authentication_requirements"),
    ({"registration": "{}"}, "registration_not_supported"),
    ({"id_token_hint": "not.a.token"}, "invalid_request"),
]


@pytest.mark.parametrize(("changes", "error"), REFUSALS)
def test_a_request_that_breaks_a_rule_is_refused_to_the_app(house: House, changes: dict[str, str], error: str) -> None:
    answer = sent_back(house.authorize(house.person().browser, house.client(), **changes))
    assert answer["error"] == error
    assert answer["state"] == "s-1"
    assert answer["iss"] == ISSUER
    assert "code" not in answer


def test_a_refusal_carries_a_trace_code_that_explains_it(house: House) -> None:
    answer = sent_back(house.authorize(house.person().browser, house.client(), scope="openid admin"))
    code = answer["error_description"].rpartition("trace ")[2].rstrip(")")
    trace = house.parts.traces.explain(code)
    assert trace is not None
    assert "admin" in trace.reason


@pytest.mark.parametrize("name", ["state", "scope", "nonce", "code_challenge", "unheard_of"])
def test_a_parameter_sent_twice_is_refused_to_the_app(house: House, name: str) -> None:
    asked = {**house.request_of(house.client()), "unheard_of": "1"}
    answer = sent_back(house.person().browser.get("/authorize", query_string=[*asked.items(), (name, "again")]))
    assert answer["error"] == "invalid_request"
    assert ("state" in answer) is (name != "state")


def test_resource_may_be_sent_twice(house: House) -> None:
    app = house.client(audiences=(API, "urn:second"))
    asked = [*house.request_of(app).items(), ("resource", API), ("resource", "urn:second")]
    assert "code" in sent_back(house.person().browser.get("/authorize", query_string=asked))


def test_a_client_for_machines_only_is_refused(house: House) -> None:
    app = house.client(grant_types=("client_credentials",))
    answer = sent_back(house.authorize(house.person().browser, app))
    assert answer["error"] == "unauthorized_client"


def test_pkce_is_optional_only_for_a_confidential_client_that_is_registered_so(house: House) -> None:
    person = house.person()
    old = house.client("old", pkce_required=False)
    none: dict[str, str | None] = {"code_challenge": None, "code_challenge_method": None}
    assert "code" in sent_back(house.authorize(person.browser, old, **none))
    assert sent_back(house.authorize(person.browser, old, code_challenge_method="plain"))["error"] == "invalid_request"


def test_offline_access_is_ignored_for_a_client_without_refresh_tokens(house: House) -> None:
    app = house.client(grant_types=("authorization_code",))
    answer = house.sign_in(house.person(), app, scope="openid offline_access")
    assert answer["scope"] == "openid"
    assert "refresh_token" not in answer


def test_without_a_scope_the_app_gets_those_it_is_registered_for_but_no_sign_in(house: House) -> None:
    answer = house.sign_in(house.person(), house.client(), scope=None)
    assert answer["scope"] == "profile email roles documents.read"
    assert "id_token" not in answer


# ------------------------------------------------------------------ prompt, max_age, acr_values, hints


def test_prompt_none_without_a_session_is_login_required(house: House) -> None:
    answer = sent_back(house.authorize(house.browser(), house.client(), prompt="none"))
    assert answer["error"] == "login_required"
    assert house.parts.repo.find(LoginAttempt) == []


def test_prompt_none_with_a_session_gives_a_code(house: House) -> None:
    assert "code" in sent_back(house.authorize(house.person().browser, house.client(), prompt="none"))


def test_prompt_none_without_the_second_factor_is_interaction_required(house: House) -> None:
    person = house.person(factor=False)
    assert sent_back(house.authorize(person.browser, house.client(), prompt="none"))["error"] == "interaction_required"


def test_prompt_none_without_consent_is_consent_required(house: House) -> None:
    app = house.client(consent="ask")
    assert sent_back(house.authorize(house.person().browser, app, prompt="none"))["error"] == "consent_required"


@pytest.mark.parametrize("prompt", ["login", "select_account", "login consent"])
def test_a_prompt_shows_the_sign_in_although_there_is_a_session(house: House, prompt: str) -> None:
    answer = house.authorize(house.person().browser, house.client(), prompt=prompt)
    assert answer.headers["Location"].startswith("/flow/")


def test_prompt_consent_asks_again_for_what_was_allowed(house: House) -> None:
    answer = house.authorize(house.person().browser, house.client(consent="ask"), prompt="consent")
    assert answer.headers["Location"].startswith("/flow/")


def test_max_age_counts_from_the_sign_in(house: House) -> None:
    person, app = house.person(), house.client()
    house.clock.advance(100)
    assert "code" in sent_back(house.authorize(person.browser, app, max_age="100"))
    assert house.authorize(person.browser, app, max_age="99").headers["Location"].startswith("/flow/")
    assert house.authorize(person.browser, app, max_age="0").headers["Location"].startswith("/flow/")
    assert sent_back(house.authorize(person.browser, app, max_age="99", prompt="none"))["error"] == "login_required"


def test_an_app_that_asks_for_two_factors_gets_a_step_up(house: House) -> None:
    app = house.client()
    house.authorize(house.browser(), app, acr_values=f"urn:x {ACR_MFA}")
    assert house.parts.repo.find(LoginAttempt)[0].wants.second_factor is True


def test_an_id_token_hint_of_another_person_is_not_answered_with_the_session_at_hand(house: House) -> None:
    app, ada, eve = house.client(), house.person("ada"), house.person("eve")
    hint = house.sign_in(ada, app)["id_token"]
    assert "code" in sent_back(house.authorize(ada.browser, app, id_token_hint=hint, prompt="none"))
    assert sent_back(house.authorize(eve.browser, app, id_token_hint=hint, prompt="none"))["error"] == "login_required"
    assert house.authorize(eve.browser, app, id_token_hint=hint).headers["Location"].startswith("/flow/")


def test_an_access_token_is_no_id_token_hint(house: House) -> None:
    app, ada = house.client(), house.person()
    token = house.sign_in(ada, app)["access_token"]
    assert sent_back(house.authorize(ada.browser, app, id_token_hint=token))["error"] == "invalid_request"


def test_a_disabled_user_with_a_session_gets_no_code(house: House) -> None:
    person, app = house.person(), house.client()
    house.parts.users.set_disabled(person.user, True, actor="test")
    answer = house.authorize(person.browser, app)
    assert urlsplit(answer.headers["Location"]).path.startswith("/flow/")
    assert parse_qs(urlsplit(answer.headers["Location"]).query) == {}

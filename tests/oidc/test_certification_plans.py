"""Owns the table of the OpenID Foundation's certification plans: which test of ours makes the claim of which module.

The tests themselves are in the files that the table names. Modules are named as in the plans of 2026.
"""

import ast
from pathlib import Path

import pytest

HERE = Path(__file__).parent
BASIC, DYNAMIC, LOGOUT, FAPI, PROOFS = OURS = tuple(
    f"certification_{name}" for name in ("basic", "dynamic", "logout", "fapi2", "fapi2_proofs")
)
WISH = "a_wish_that_may_be_passed_over_costs_nothing"
USERINFO = "userinfo_is_told_in_every_way_of_asking"
SCOPES = "scopes_release_their_claims"
UNSIGNED = "unsigned_request_objects_are_not_promised_and_not_taken"  # so the suite skips these modules
CODE = "a_code_works_once_and_the_second_time_ends_what_it_gave"
STAYS = "without_a_word_about_the_app_the_person_is_asked_and_stays"
HINT = "a_hint_that_is_not_good_sends_nobody_back_without_a_question"
ELSEWHERE = "nobody_is_sent_to_an_address_that_is_not_registered"
METADATA = "the_metadata_name_what_is_there_for_signing_out"

# plan -> where its tests are -> module, without the beginning that all have in common -> test
PLANS: dict[str, dict[str, dict[str, str]]] = {
    # Form Post Basic has the same modules; each test of the file runs both ways.
    "oidcc-basic-certification-test-plan": {
        BASIC: {
            "oidcc-server": "an_app_that_registers_itself_signs_a_person_in",
            "oidcc-response-type-missing": "without_a_response_type_nobody_is_signed_in",
            "oidcc-idtoken-signature": "id_tokens_are_signed_with_a_published_key_that_they_name",
            "oidcc-idtoken-unsigned": "nobody_can_register_for_unsigned_id_tokens",
            "oidcc-userinfo-get": USERINFO,
            "oidcc-userinfo-post-header": USERINFO,
            "oidcc-userinfo-post-body": USERINFO,
            "oidcc-ensure-request-without-nonce-succeeds-for-code-flow": "a_nonce_is_not_needed_with_a_code",
            "oidcc-scope-profile": SCOPES,
            "oidcc-scope-email": SCOPES,
            "oidcc-scope-address": SCOPES,
            "oidcc-scope-phone": SCOPES,
            "oidcc-scope-all": SCOPES,
            "oidcc-alternate-happy-flow": SCOPES,
            "oidcc-ensure-other-scope-order-succeeds": "openid_need_not_be_the_first_scope",
            "oidcc-display-page": WISH,
            "oidcc-display-popup": WISH,
            "oidcc-prompt-login": "prompt_login_makes_the_person_sign_in_again",
            "oidcc-prompt-none-not-logged-in": "prompt_none_without_a_session_is_an_error",
            "oidcc-prompt-none-logged-in": "prompt_none_with_a_session_shows_nothing",
            "oidcc-max-age-1": "an_age_that_is_over_makes_the_person_sign_in_again",
            "oidcc-max-age-10000": "an_age_that_is_not_over_shows_nothing",
            "oidcc-ensure-request-with-unknown-parameter-succeeds": WISH,
            "oidcc-id-token-hint": "a_hint_of_the_person_who_is_signed_in_shows_nothing",
            "oidcc-login-hint": "a_login_hint_fills_in_the_name",
            "oidcc-ui-locales": WISH,
            "oidcc-claims-locales": WISH,
            "oidcc-ensure-request-with-acr-values-succeeds": WISH,
            "oidcc-codereuse": CODE,
            "oidcc-codereuse-30seconds": CODE,
            "oidcc-ensure-registered-redirect-uri": "an_address_that_is_not_registered_is_a_page",
            "oidcc-ensure-post-request-succeeds": "a_request_may_be_posted",
            "oidcc-server-client-secret-post": "an_app_may_put_its_secret_into_the_form",
            "oidcc-request-uri-unsigned-supported-correctly-or-rejected-as-unsupported": UNSIGNED,
            "oidcc-unsigned-request-object-supported-correctly-or-rejected-as-unsupported": UNSIGNED,
            "oidcc-claims-essential": "claims_that_are_essential_come",
            "oidcc-ensure-request-object-with-redirect-uri": UNSIGNED,
            "oidcc-refresh-token": "refresh_tokens_belong_to_their_app",
            "oidcc-ensure-request-with-valid-pkce-succeeds": "pkce_is_checked_when_it_is_used",
        },
    },
    "oidcc-config-certification-test-plan": {
        DYNAMIC: {"oidcc-discovery-endpoint-verification": "the_metadata_hold_what_discovery_demands"},
    },
    "oidcc-dynamic-certification-test-plan": {
        DYNAMIC: {
            # The one module of all plans that fails, and means to.
            "oidcc-discovery-endpoint-verification": "what_dynamic_providers_owe_to_pages_in_browsers_is_not_there",
            "oidcc-server": "an_app_signs_its_way_in_with_keys_that_it_registered",
            "oidcc-idtoken-rs256": "an_app_signs_its_way_in_with_keys_that_it_registered",
            "oidcc-userinfo-rs256": "userinfo_is_signed_for_who_registers_so",
            "oidcc-ensure-redirect-uri-in-authorization-request": "without_a_redirect_uri_there_is_a_page",
            "oidcc-redirect-uri-query-OK": "a_query_that_is_registered_comes_back_with_the_answer",
            "oidcc-redirect-uri-query-mismatch": "another_query_than_the_registered_one_is_a_page",
            "oidcc-redirect-uri-query-added": "another_query_than_the_registered_one_is_a_page",
            "oidcc-redirect-uri-regfrag": "a_redirect_uri_with_a_fragment_cannot_be_registered",
            "oidcc-registration-logo-uri": "the_page_of_the_sign_in_shows_the_logo",
            "oidcc-registration-policy-uri": "the_page_of_the_sign_in_leads_to_what_an_app_says_of_itself",
            "oidcc-registration-tos-uri": "the_page_of_the_sign_in_leads_to_what_an_app_says_of_itself",
            "oidcc-registration-jwks-uri": "an_app_may_keep_its_keys_at_an_address",
            "oidcc-registration-sector-uri": "a_sector_must_list_the_redirect_uris",
            "oidcc-registration-sector-bad": "a_sector_must_list_the_redirect_uris",
            "oidcc-server-rotate-keys": "keys_of_ours_change_and_the_old_ones_stay_for_a_while",
            "oidcc-refresh-token-rp-key-rotation": "an_app_may_change_its_keys_between_two_requests",
            "oidcc-ensure-request-object-with-redirect-uri": "a_signed_request_counts_and_not_what_stands_beside_it",
            "oidcc-ensure-client-assertion-with-iss-aud-succeeds": "the_issuer_is_a_good_audience_of_an_assertion",
        },
        BASIC: {
            "oidcc-idtoken-unsigned": "nobody_can_register_for_unsigned_id_tokens",
            "oidcc-request-uri-unsigned": UNSIGNED,
            "oidcc-refresh-token": "refresh_tokens_belong_to_their_app",
        },
        "jar": {"oidcc-request-uri-signed-rs256": "a_fragment_says_nothing_of_a_request_that_is_signed"},
    },
    "oidcc-rp-initiated-logout-certification-test-plan": {
        LOGOUT: {
            "oidcc-rp-initiated-logout-discovery-endpoint-verification": METADATA,
            "oidcc-rp-initiated-logout": "the_person_comes_back_signed_out_with_the_state",
            "oidcc-rp-initiated-logout-bad-post-logout-redirect-uri": ELSEWHERE,
            "oidcc-rp-initiated-logout-query-added-to-post-logout-redirect-uri": ELSEWHERE,
            "oidcc-rp-initiated-logout-modified-id-token-hint": HINT,
            "oidcc-rp-initiated-logout-bad-id-token-hint": HINT,
            "oidcc-rp-initiated-logout-no-id-token-hint": HINT,
            "oidcc-rp-initiated-logout-no-params": STAYS,
            "oidcc-rp-initiated-logout-only-state": STAYS,
            "oidcc-rp-initiated-logout-no-post-logout-redirect-uri": "a_hint_alone_signs_out_and_stays",
            "oidcc-rp-initiated-logout-no-state": "without_a_state_none_comes_back",
        },
    },
    "oidcc-backchannel-rp-initiated-logout-certification-test-plan": {
        LOGOUT: {
            "oidcc-backchannel-logout-discovery-endpoint-verification": METADATA,
            "oidcc-backchannel-rp-initiated-logout": "the_app_gets_a_logout_token_behind_the_persons_back",
        },
    },
    "oidcc-frontchannel-rp-initiated-logout-certification-test-plan": {
        LOGOUT: {
            "oidcc-frontchannel-logout-discovery-endpoint-verification": METADATA,
            "oidcc-frontchannel-rp-initiated-logout": "the_app_is_shown_in_an_iframe_and_the_person_goes_on",
        },
    },
    "oidcc-session-management-certification-test-plan": {
        LOGOUT: {
            "oidcc-session-management-discovery-endpoint-verification": METADATA,
            "oidcc-session-management-rp-initiated-logout": "the_state_of_the_session_changes_when_it_ends",
        },
        "session_management": {
            "oidcc-session-management-rp-initiated-logout in a browser": (
                "in_a_browser_the_iframe_tells_whether_the_session_is_still_the_same"
            ),
        },
    },
}
ASSERTION = "an_assertion_that_is_wrong_in_one_way_is_refused"
MAY = "a_request_may_lack_or_hold_this"
BESIDE = "what_stands_beside_the_name_does_not_count"
NOT_PUSHED = "a_request_that_the_profile_does_not_allow_is_not_pushed"
WITHOUT = "a_code_is_not_redeemed_without_this"
KEY = "a_key_that_is_named_or_proved_when_pushing_is_needed_for_the_code"
# All begin with fapi2-security-profile-final-. Those of single countries and of grant management are left out.
PLANS["fapi2-security-profile-final-test-plan"] = {
    FAPI: {
        "discovery-end-point-verification": "the_metadata_hold_what_the_profile_demands",
        "happy-flow": "an_app_gets_bound_tokens_and_uses_them",
        "user-rejects-authentication": "a_person_may_say_no",
        "ensure-authorization-request-without-state-success": MAY,
        "ensure-authorization-request-without-nonce-success": MAY,
        "ensure-authorization-request-with-64-char-nonce-success": MAY,
        "ensure-other-scope-order-succeeds": MAY,
        "test-claims-parameter-identity-claims": MAY,
        "ensure-authorization-request-with-long-nonce": MAY,
        "ensure-authorization-request-with-long-state": MAY,
        "access-token-type-header-case-sensitivity": "the_scheme_is_the_same_in_every_spelling",
        "ensure-mismatched-dpop-jkt-fails": "the_key_that_is_named_must_be_the_one_that_is_proved",
        "ensure-token-endpoint-fails-with-mismatched-dpop-proof-jkt": KEY,
        "ensure-token-endpoint-fails-with-mismatched-dpop-jkt": KEY,
        "ensure-dpopproof-at-par-endpoint-binding-success": KEY,
        "ensure-dpop-auth-code-binding-success": KEY,
        "ensure-different-nonce-inside-and-outside-request-object": BESIDE,
        "ensure-different-state-inside-and-outside-request-object": BESIDE,
        "state-only-outside-request-object-not-used": BESIDE,
        "ensure-request-object-without-redirect-uri-fails": NOT_PUSHED,
        "ensure-registered-redirect-uri": NOT_PUSHED,
        "plain-fapi-tolerate-unregistered-redirect-uri": NOT_PUSHED,
        "ensure-redirect-uri-in-authorization-request": NOT_PUSHED,
        "ensure-unsigned-authorization-request-without-using-par-fails": "a_request_that_is_not_pushed_is_refused",
        "ensure-response-type-code-idtoken-fails": NOT_PUSHED,
        "ensure-response-type-token-fails": NOT_PUSHED,
        "ensure-client-id-in-token-endpoint": WITHOUT,
        "ensure-holder-of-key-required": WITHOUT,
        "ensure-client-assertion-in-token-endpoint": WITHOUT,
        "ensure-pkce-code-verifier-required": WITHOUT,
        "incorrect-pkce-code-verifier-rejected": WITHOUT,
        "ensure-authorization-code-is-bound-to-client": "a_code_is_for_the_app_that_asked",
        "attempt-reuse-authorization-code-after-one-second": "a_code_works_once",
        "ensure-token-endpoint-fails-with-expired-auth-code": "a_code_lives_a_minute_at_most",
        "refresh-token": "a_refresh_token_stays_the_same_and_needs_app_and_key",
        "par-ensure-reused-request-uri-prior-to-auth-completion-succeeds": (
            "a_name_is_good_until_the_person_has_signed_in_and_then_no_more"
        ),
        "par-attempt-reuse-request_uri": "a_name_is_good_until_the_person_has_signed_in_and_then_no_more",
        "par-attempt-to-use-expired-request_uri": "a_name_expires",
        "par-attempt-to-use-request_uri-for-different-client": "a_name_is_for_the_app_that_pushed",
        "par-authorization-request-containing-request_uri-form-param": NOT_PUSHED,
        "par-attempt-invalid-http-method": "pushing_is_done_by_post",
        "par-ensure-pkce-required": NOT_PUSHED,
        "par-plain-pkce-rejected": NOT_PUSHED,
        "par-without-duplicate-parameters": "an_app_gets_bound_tokens_and_uses_them",
    },
    PROOFS: {
        "check-dpop-proof-nbf-exp": "a_token_is_used_with_a_proof_and_with_no_other",
        "ensure-dpopproof-with-iat-10seconds-before-succeeds": "the_clock_of_a_proof_may_be_ten_seconds_off",
        "ensure-dpopproof-with-iat-10seconds-after-succeeds": "the_clock_of_a_proof_may_be_ten_seconds_off",
        "ensure-signed-client-assertion-with-RS256-fails": ASSERTION,
        "ensure-client-assertion-with-exp-is-5-minutes-in-past-fails": ASSERTION,
        "ensure-client-assertion-with-wrong-aud-fails": ASSERTION,
        "ensure-client-assertion-with-no-sub-fails": ASSERTION,
        "ensure-invalid-client-assertions-fail": ASSERTION,
        "dpop-negative-tests": "a_token_is_used_with_a_proof_and_with_no_other",
        "dpop-negative-tests with RS256": "a_proof_with_an_algorithm_that_the_profile_forbids_is_none_anywhere",
    },
}
TABLE = [
    (module, file, test)
    for files in PLANS.values()
    for file, modules in files.items()
    for module, test in modules.items()
]


@pytest.mark.parametrize("file", sorted({file for _, file, _ in TABLE}))
def test_every_module_of_the_plans_has_its_test(file: str) -> None:
    tree = ast.parse((HERE / f"test_{file}.py").read_text())
    there = {node.name for node in tree.body if isinstance(node, ast.FunctionDef)}
    assert [test for _, where, test in TABLE if where == file and f"test_{test}" not in there] == []


def test_no_test_of_the_plans_is_missing_in_the_table() -> None:
    """Further claims of these files are written beside the modules that they belong to."""
    for file in OURS:
        tree = ast.parse((HERE / f"test_{file}.py").read_text())
        tests = {node.name.removeprefix("test_") for node in tree.body if isinstance(node, ast.FunctionDef)}
        named = {test for _, where, test in TABLE if where == file}
        assert len(tests & named) >= len(named) > 0

"""Nothing before the second factor, on either front door; and tokens say what was really done."""

import base64
import time
from collections.abc import Callable
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import pytest

from tests.peers.oidc_provider import OidcProvider
from tests.saml.peer import Sp
from tests.support.http_browser import Page
from tests.support.oidc_app import OidcApp, claims
from tests.support.sheaf import Sheaf
from tests.support.totp import Authenticator

MFA = "https://refeds.org/profile/mfa"
SINGLE = "urn:sheaf:acr:1fa"
NO_PASSIVE = "urn:oasis:names:tc:SAML:2.0:status:NoPassive"
ACS = "https://wiki.test/acs"


def _passive(sheaf: Sheaf, sp: Sp) -> str:
    request = sp.authn_request(time.time(), sheaf.url("/saml/sso"), attributes='IsPassive="true"')
    return sheaf.url(f"/saml/sso?{sp.query(request)}")


def _answer(page: Page) -> str:
    """The SAML response in the form of a page."""
    fields = next(form.values for form in page.document.forms if "SAMLResponse" in form.values)
    return base64.b64decode(fields["SAMLResponse"]).decode()


def test_who_needs_a_second_factor_gets_no_session_code_token_or_assertion_before_it(
    sheaf: Sheaf, tmp_path: Path
) -> None:
    app, sp, ada = OidcApp(sheaf), Sp("https://wiki.test/metadata", acs=(ACS,)), sheaf.add_user(totp=True)
    (tmp_path / "sp.xml").write_bytes(sp.metadata())
    sheaf.add_sp(tmp_path / "sp.xml")
    with app.browser() as browser:
        half = app.ask(browser).submit(username=ada.username, password=ada.password)
        handle = half.url.partition("/flow/")[2].partition("/")[0]

        assert "code" in {name for form in half.document.forms for name in form.names}  # asked for, not skipped
        assert "sheaf_session" not in browser.cookies()
        assert app.ask(browser, prompt="none").params["error"] == "login_required"
        assert NO_PASSIVE in _answer(browser.open(_passive(sheaf, sp)))
        resumed = browser.open(sheaf.url(f"/authorize/resume?attempt={handle}"))
        assert (resumed.status, resumed.params.get("code")) == (409, None)
        assert "/flow/" in browser.open(sheaf.url("/account")).url
        assert sheaf.cli("user", "show", ada.username)["sessions"] == 0

        done = half.submit(code=ada.code())

        assert app.tokens(app.redeem(done.params["code"]))["access_token"]
        assert "<saml:Assertion" in _answer(browser.open(_passive(sheaf, sp))).replace("ns1:", "saml:")


def test_tokens_say_what_was_really_done_and_an_app_that_needs_more_gets_a_step_up(
    start_sheaf: Callable[..., Sheaf], oidc_upstream: OidcProvider
) -> None:
    home = start_sheaf(second_factor="administrators")
    app = OidcApp(home, scopes=("openid", "profile"))
    client = oidc_upstream.register(home.url("/upstream/corp/callback"))
    home.add_upstream(
        "oidc",
        "corp",
        label="Corporate",
        issuer=oidc_upstream.issuer,
        client_id=client.client_id,
        client_secret=client.client_secret,
    )
    # What the upstream claims to have done is its own word; ours says what we saw.
    oidc_upstream.add_user("frances", acr=MFA, amr=["otp", "mfa"])
    with app.browser() as browser:
        back = oidc_upstream.sign_in(app.ask(browser).submit("Corporate"), "frances")
        weak = claims(app.tokens(app.redeem(back.params["code"]))["id_token"])

        enrolling = app.ask(browser, acr_values=MFA)
        assert enrolling.path.endswith("/enrol")
        uri = next(href for _, href in enrolling.document.links if href.startswith("otpauth://"))
        phone = Authenticator(parse_qs(urlsplit(uri).query)["secret"][0])
        back = enrolling.submit(code=phone.code()).follow("/flow/")
        strong = claims(app.tokens(app.redeem(back.params["code"]))["id_token"])

    assert (weak["amr"], weak["acr"]) == (["fed"], SINGLE)
    assert (strong["amr"], strong["acr"]) == (["fed", "otp"], MFA)
    assert weak["sub"] == strong["sub"]


@pytest.mark.parametrize("totp", [True, False])
def test_wrong_codes_lock_a_factor_but_never_the_owner_out_of_the_other_one(sheaf: Sheaf, totp: bool) -> None:
    ada = sheaf.add_user(totp=True)
    assert ada.phone
    wrong, recovery = ada.phone.wrong_code(), ada.recovery_codes[0]
    with sheaf.browser() as attacker, sheaf.browser() as owner:
        page = attacker.open(sheaf.url("/sign-in")).submit(username=ada.username, password=ada.password)
        for _ in range(5):
            assert page.submit(code=wrong if totp else "aaaaa-aaaaa").status == 401
        assert page.submit(code=ada.code() if totp else recovery).status == 429

        page = owner.open(sheaf.url("/sign-in")).submit(username=ada.username, password=ada.password)
        page.submit(code=recovery if totp else ada.code())

        assert ada.username in owner.open(sheaf.url("/account")).text

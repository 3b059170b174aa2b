"""Attacks B87 and B88: odd addresses, and hostile values of administrators.

Every variant of them is tested in tests/domain, tests/base and tests/services.
"""

from typing import Any

import pytest

from idp.base.errors import Refused
from idp.base.net import NetPolicy, Unreachable, fetch
from idp.domain.audit_event import AuditEvent
from idp.domain.relying import Client
from idp.domain.upstream import FederatedLogin
from idp.domain.user import User
from idp.ports import Repository
from tests.admin.programs import Program
from tests.support.receiver import Receiver
from tests.upstream.browser import Browser as UpstreamBrowser
from tests.upstream.openid_double import OpenIdDouble, Trouble
from tests.web.house import House

CB = "https://wiki.example/cb"


# ------------------------------------------------------------------ odd addresses


ODD = {
    "two at signs": "ada@corp.example@evil.example",
    "two at signs, the other way round": "ada@evil.example@corp.example",
    "a trailing dot": "ada@corp.example.",
    "a NUL": "ada@corp.example\x00",
    "a NUL in the middle": "ada\x00@corp.example",
    "a blank": "ada @corp.example",
    "a line break": "ada@corp.example\nbcc: eve@evil.example",
    "a quoted name": '"ada"@corp.example',
    "a comment": "ada(x)@corp.example",
    "a Cyrillic letter in the name": "аda@corp.example",
    "a Cyrillic letter in the domain": "ada@cоrp.example",
    "a letter of full width in the domain": "ada@ｃorp.example",
    "a zero-width space": "a\u200bda@corp.example",
    "a plus": "ada+x@corp.example",
    "a percent sign": "ada%40corp.example@evil.example",
    "a source route": "@evil.example:ada@corp.example",
    "blanks around it": " ada@corp.example ",
    "a long s that lower case makes none of": "adaſ@corp.example",
    "brackets": "Ada <ada@corp.example>",
}
SAME = {"capitals": "ADA@Corp.Example", "capitals in the domain": "ada@CORP.EXAMPLE"}


def _arrives_with(browser: UpstreamBrowser, openid: OpenIdDouble, email: str) -> Any:
    params = openid.authorize(browser.leave(browser.begin()), "stranger", email=email, email_verified=True)
    return browser.follow(browser.come_back(params))


@pytest.mark.parametrize("odd", list(ODD))
def test_b87_an_odd_address_makes_nobody_somebody_else(
    browser: UpstreamBrowser, add_upstream: Any, openid: OpenIdDouble, make_user: Any, repo: Repository, odd: str
) -> None:
    """By an upstream that is believed for every domain, which is as bad as it gets."""
    add_upstream(trusted_domains="*")
    ada = make_user("ada")

    _arrives_with(browser, openid, ODD[odd])

    assert [login.user_id for login in repo.find(FederatedLogin) if login.user_id == ada.id] == []
    others = [user for user in repo.find(User) if user.id != ada.id]
    assert len(others) == 1, "somebody new, and nobody is asked for Ada's password"
    assert others[0].email_key != ada.email_key
    known = repo.find(User, email_key="ada@corp.example")
    assert [user.id for user in known] == [ada.id]
    assert others[0].email is None or others[0].email.isprintable()


@pytest.mark.parametrize("same", list(SAME))
def test_b87_two_spellings_of_one_address_are_one(
    browser: UpstreamBrowser, live_corp: Any, openid: OpenIdDouble, make_user: Any, repo: Repository, same: str
) -> None:
    make_user("ada")

    page = _arrives_with(browser, openid, SAME[same])

    assert "/password" in page.text
    assert not browser.is_signed_in
    assert len(repo.find(User)) == 1


@pytest.mark.parametrize("odd", [odd for odd in ODD if odd != "blanks around it"])
def test_b87_an_odd_address_is_no_name_of_somebody_on_the_form_either(house: House, odd: str) -> None:
    house.parts.users.add("ada", email="ada@corp.example", password="correct horse battery staple", actor="test")

    page = (
        house.browser().open("/sign-in").submit("/password", username=ODD[odd], password="correct horse battery staple")
    )

    assert page.status in (400, 401)
    assert page.path.endswith("/password")


# ------------------------------------------------------------------ hostile values of administrators


HOSTILE = [
    "javascript:alert(1)",
    "data:text/html,<script>alert(1)</script>",
    "vbscript:x",
    "file:///etc/passwd",
    "gopher://127.0.0.1:11211/",
    "http://169.254.169.254/latest/meta-data",
    "http://wiki.example/plain",
    "https://user:pass@wiki.example/",
    'https://wiki.example/"><script>',
    "//evil.example",
    "https://wiki.example/*",
]
ADDRESSES = (
    "logo_uri",
    "client_uri",
    "policy_uri",
    "tos_uri",
    "backchannel_logout_uri",
    "initiate_login_uri",
    "jwks_uri",
)


@pytest.mark.parametrize("uri", HOSTILE)
def test_b88_an_address_that_is_no_plain_web_address_is_refused_wherever_it_stands(
    house: House, program: Program, uri: str
) -> None:
    house.parts.apps.add_client(
        Client("wiki", "Wiki", house.clock(), redirect_uris=(CB,)), actor="test", with_secret=True
    )
    before = house.parts.apps.client("wiki")

    for name in ADDRESSES:
        answer = program.ask("PATCH", "/wiki", {name: uri})
        assert answer.status_code == 400, (name, answer.text)
    for name in ("redirect_uris", "post_logout_redirect_uris"):
        assert program.ask("PATCH", "/wiki", {name: [uri]}).status_code == 400, name
    assert house.parts.apps.client("wiki") == before


SCRIPT = "<script>alert(1)</script><img src=x onerror=alert(1)>\"'><svg onload=alert(1)>"


def test_b88_a_label_is_text_on_every_page(
    app: Any, browser: UpstreamBrowser, add_upstream: Any, openid: OpenIdDouble, make_user: Any, services: Any
) -> None:
    add_upstream(label=SCRIPT)
    make_user("ada")
    browser.sign_in()
    stranger = UpstreamBrowser(app)
    flow = stranger.begin()
    pages = [stranger.get(flow), stranger.post(f"{flow}/upstream/corp", on=flow), browser.get("/account")]

    for page in pages:
        assert page.status_code == 200
        assert "&lt;script&gt;alert(1)" in page.text
        for live in ("<script>alert", "<img src=x", "<svg onload"):
            assert live not in page.text
        assert "script-src 'none'" in page.headers["Content-Security-Policy"] or (
            "unsafe-inline" not in page.headers["Content-Security-Policy"]
        )


@pytest.mark.parametrize("icon", ["https://evil.example/x.svg", "javascript:alert(1)", "<svg>", "../../etc/passwd"])
def test_b88_an_icon_is_one_of_ours(add_upstream: Any, icon: str) -> None:
    with pytest.raises(Refused) as refused:
        add_upstream(icon=icon)
    assert refused.value.code == "invalid_setting"


INSIDE = [
    "https://169.254.169.254",
    "https://[fd00:ec2::254]",
    "https://[::ffff:169.254.169.254]",
    "https://2852039166",
    "https://0xa9fea9fe",
    "https://100.100.100.200",
    "https://0.0.0.0",
]


@pytest.mark.parametrize("issuer", INSIDE)
def test_b88_nothing_inside_is_asked_for_an_upstream(
    browser: UpstreamBrowser, add_upstream: Any, name_of: Any, issuer: str
) -> None:
    """Although this installation is on loopback, which lets it ask private addresses: where clouds keep secrets it may never."""
    with pytest.raises(Refused):
        add_upstream(issuer=issuer.replace("https:", "http:"))
    add_upstream(issuer=issuer)
    flow = browser.begin()
    assert name_of(browser.post(f"{flow}/upstream/corp", on=flow)) in ("upstream_unreachable", "upstream_misconfigured")


@pytest.mark.parametrize("path", ["/.well-known/openid-configuration", "/token", "/jwks"])
@pytest.mark.parametrize("status", [301, 302, 307, 308])
def test_b88_no_redirect_of_an_upstream_is_followed(
    browser: UpstreamBrowser, live_corp: Any, openid: OpenIdDouble, name_of: Any, path: str, status: int
) -> None:
    with Receiver() as inside:
        openid.trouble[path] = Trouble(status=status, location=inside.url("/secret"))
        flow = browser.begin()
        left = browser.post(f"{flow}/upstream/corp", on=flow)
        if left.status_code == 200:
            params = openid.authorize(left.headers["Refresh"].removeprefix("0;url="))
            left = browser.come_back(params)

        assert name_of(left).startswith("upstream_")
        assert inside.received == []
    assert not browser.is_signed_in


def test_b88_a_logo_is_fetched_through_the_guard(house: House) -> None:
    """house is on loopback and may fetch there; where clouds keep secrets it may not, whatever the name says."""
    for url in ("http://169.254.169.254/x", "http://[::ffff:169.254.169.254]/x", "http://100.100.100.200/x"):
        with pytest.raises(Unreachable):
            fetch("GET", url, NetPolicy(allow_private=True, timeout=1.0))
    for url in ("http://127.0.0.1:1/", "http://10.0.0.1/", "http://[::1]:1/", "http://localhost:1/"):
        with pytest.raises(Unreachable, match="private"):
            fetch("GET", url, NetPolicy(allow_private=False, timeout=1.0))
    assert house.parts.repo.find(AuditEvent, name="client.created") == []

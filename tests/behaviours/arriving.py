"""Owns a whole arrival by an upstream, and whose the logins are then, for the tests of attacks."""

from typing import Any

from idp.domain.upstream import FederatedLogin
from idp.ports import Repository
from tests.upstream.browser import Browser
from tests.upstream.openid_double import OpenIdDouble

ADA = "ada@corp.example"


def arrive(browser: Browser, double: OpenIdDouble, sub: str, provider: str = "corp", **claims: Any) -> Any:
    """A whole sign-in by an upstream, as far as it goes."""
    params = double.authorize(browser.leave(browser.begin(), provider), sub, **claims)
    return browser.follow(browser.come_back(params, provider))


def owners(repo: Repository) -> dict[str, str]:
    return {login.subject: login.user_id for login in repo.find(FederatedLogin)}

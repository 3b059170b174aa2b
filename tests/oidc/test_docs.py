"""Owns the claim that docs/oidc.md and the pages it leads to do not lag behind: endpoints, settings, scopes, prompts, grant
types."""

import re
from pathlib import Path

from idp.base.sections import Oidc
from idp.domain.claims import IDENTITY_SCOPES
from idp.protocols.oidc.checks import _UNSUPPORTED, PROMPTS
from idp.protocols.oidc.discovery import metadata
from idp.protocols.oidc.grants import GRANT_TYPES
from idp.services.manage_apps import AUTH_METHODS
from idp.services.scopes import known
from tests.oidc.house import ISSUER, House

DOCS = Path(__file__).parents[2] / "docs"
TEXT = (DOCS / "oidc.md").read_text(encoding="utf-8")
PAGES = {page for page in re.findall(r"\]\(([a-z-]+\.md)", TEXT) if page != "configuration.md"}  # that one is generated


def test_every_endpoint_is_in_the_table(house: House) -> None:
    rules = {rule.rule for rule in house.app.url_map.iter_rules() if rule.endpoint.startswith(("oidc.", "machine:"))}
    inner = {"/authorize/resume", "/end_session/confirm", "/healthz"}
    assert len(rules) >= 12
    for rule in sorted(rule for rule in rules - inner if not rule.startswith(("/admin/", "/saml/"))):
        assert f"| `{rule.replace('<path:_below>', 'CLIENT_ID')}` |" in TEXT, rule


def test_every_setting_scope_prompt_method_and_refused_parameter_is_named() -> None:
    names = [*(f"oidc.{name}" for name in Oidc.model_fields), *IDENTITY_SCOPES, *PROMPTS, *AUTH_METHODS, *_UNSUPPORTED]
    everything = TEXT + "".join((DOCS / page).read_text(encoding="utf-8") for page in PAGES)
    for name in names:
        assert f"`{name}" in everything, name
    for kind in GRANT_TYPES:
        assert kind.name in everything
    assert b"/authorize" in metadata(ISSUER, known(())).body

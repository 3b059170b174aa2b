"""Owns one good request for each thing that the administrators' JSON API does; it stands in the same table of endpoints."""

from typing import Any

from tests.oidc.fuzzing.book import RECIPES, Recipe, recipe
from tests.oidc.fuzzing.wire import Ask
from tests.oidc.fuzzing.world import World
from tests.oidc.house import CALLBACK


def _admin(method: str, page: str, document: Any = None) -> Recipe:
    def made(world: World) -> Ask:
        path = f"/admin/api/clients/{world.victim()}{page}"
        return Ask(method, path, headers=world.administering(), document=document)

    return made


RECIPES["admin_change"] = _admin("PATCH", "", {"name": "Other", "redirect_uris": [CALLBACK], "version": 0})
RECIPES["admin_replace"] = _admin(
    "PUT", "", {"name": "Other", "grant_types": ["client_credentials"], "redirect_uris": []}
)
RECIPES["admin_secret"] = _admin("POST", "/secret", {"overlap_seconds": 60})
RECIPES["admin_remove"] = _admin("DELETE", "")


@recipe
def admin_new(world: World) -> Ask:
    document = {
        "name": "Fuzz",
        "redirect_uris": [CALLBACK],
        "grant_types": ["authorization_code"],
        "scopes": ["openid"],
    }
    return Ask("POST", "/admin/api/clients", headers=world.administering(), document=document)


@recipe
def admin_list(world: World) -> Ask:
    return Ask("GET", "/admin/api/clients", query=[("q", "app"), ("limit", "5")], headers=world.administering())


@recipe
def admin_preview(world: World) -> Ask:
    query = [("user", "ada"), ("scope", "openid profile")]
    return Ask("GET", f"/admin/api/clients/{world.apps['shop'].id}/preview", query=query, headers=world.administering())

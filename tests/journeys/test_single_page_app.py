"""An app in the browser on npm oidc-client-ts, in a real Chromium: everything it does goes through CORS, iframes and pop-ups.

Tokens are bound to a DPoP key that the library keeps in the browser. Session management by itself is left to tests/oidc.
"""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from tests.peers.features import JS, add_app
from tests.support.chromium import Windows
from tests.support.needs import NODE, need
from tests.support.receiver import Receiver
from tests.support.sheaf import Person, Sheaf

if TYPE_CHECKING:
    from playwright.sync_api import Page

LIBRARY = JS / "node_modules" / "oidc-client-ts" / "dist" / "browser" / "oidc-client-ts.min.js"
APP = """<!doctype html><title>App</title><script src="/library.js"></script><script>
const manager = new oidc.UserManager({
  ...SETTINGS, redirect_uri: `${origin}/callback`, silent_redirect_uri: `${origin}/silent`, popup_redirect_uri: `${origin}/popup`,
  post_logout_redirect_uri: `${origin}/bye`, scope: 'openid profile email', monitorSession: true, checkSessionIntervalInSeconds: 1,
  automaticSilentRenew: false, dpop: { store: new oidc.IndexedDbDPoPStore(), bind_authorization_code: true },
})
const happened = []
manager.events.addUserSignedOut(() => happened.push('signed out'))
const said = (user) => ({ sub: user.profile.sub, sid: user.profile.sid, type: user.token_type, token: user.access_token })
async function userinfo(headers) {
  const user = await manager.getUser()
  const url = await manager.metadataService.getUserInfoEndpoint()
  const own = { Authorization: `DPoP ${user.access_token}`, DPoP: await manager.dpopProof(url, user, 'GET') }
  return (await fetch(url, { headers: headers ?? own })).json()
}
if (location.pathname === '/silent') manager.signinSilentCallback()
if (location.pathname === '/popup') manager.signinPopupCallback()
</script>"""


@pytest.fixture
def server() -> Iterator[Receiver]:
    with Receiver() as server:
        yield server


def serve(server: Receiver, sheaf: Sheaf) -> str:
    """Gives the address of an app that is registered and answers there."""
    need(NODE)  # the library came with it
    origin = server.url("").rstrip("/")
    back = " ".join(f"{origin}/{name}" for name in ("callback", "silent", "popup"))
    fields: dict[str, Any] = {
        "post_logout_redirect_uris": f"{origin}/bye",
        "auth_method": "none",
        "application_type": "web",
    }
    made = add_app(sheaf, back, **fields, dpop_bound_access_tokens="true", grant_types="authorization_code")
    settings = {"authority": sheaf.issuer, "client_id": made["client_id"]}
    page = APP.replace("SETTINGS", json.dumps(settings))
    server.pages |= {f"/{name}": page for name in ("", "callback", "silent", "popup", "bye")}
    server.pages["/library.js"] = Path(LIBRARY).read_text()
    return origin


def sign_in(page: "Page", person: Person) -> None:
    page.wait_for_url("**/flow/**")
    page.locator("[name=username]").fill(person.username)
    page.locator("[name=password]").fill(person.password)
    page.locator("[name=password]").press("Enter")
    page.get_by_label("6-digit code").fill(person.code())
    page.get_by_label("6-digit code").press("Enter")


def test_it_signs_in_renews_in_an_iframe_uses_a_pop_up_and_hears_of_the_sign_out(
    sheaf: Sheaf, windows: Windows, server: Receiver
) -> None:
    ada = sheaf.add_user(full_name="Ada Lovelace", totp=True)
    origin = serve(server, sheaf)
    page = windows.open(origin)

    page.evaluate("void manager.signinRedirect()")
    sign_in(page, ada)
    page.wait_for_url(f"{origin}/callback?**")
    first = page.evaluate("manager.signinRedirectCallback().then(said)")
    renewed = page.evaluate("manager.signinSilent().then(said)")
    popped_up = page.evaluate("manager.signinPopup().then(said)")
    told = page.evaluate("userinfo()")
    session = page.evaluate("manager.querySessionStatus()")
    assert windows.complaints == []
    refused = page.evaluate("userinfo({ Authorization: `Bearer ${'x'.repeat(40)}` })")

    elsewhere = page.context.new_page()
    elsewhere.goto(sheaf.url("/end_session"))
    elsewhere.locator("main form button").first.click()
    page.wait_for_function("happened.length > 0")
    page.evaluate("void manager.signoutRedirect()")
    page.wait_for_url(f"{origin}/bye**")

    assert (first["sub"], first["type"]) == (ada.id, "DPoP")
    assert {one["sid"] for one in (first, renewed, popped_up)} == {first["sid"]}
    assert len({one["token"] for one in (first, renewed, popped_up)}) == 3
    assert (told["sub"], told["email"]) == (ada.id, ada.email)
    assert session["sub"] == ada.id
    assert refused["error"] == "invalid_token"

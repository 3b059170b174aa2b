"""Owns one good request for each page of the OIDC door, with a browser that has got as far as that.

What is changed about them is left to changes, sending them to world.
"""

from tests.oidc.fuzzing.book import recipe
from tests.oidc.fuzzing.wire import Ask, encoded
from tests.oidc.fuzzing.world import BROWSER, World
from tests.oidc.house import BYE, CALLBACK


@recipe
def authorize_get(world: World) -> Ask:
    said = world.house.request_of(
        world.apps["shop"], prompt="none", max_age="3600", ui_locales="de en", login_hint="ada"
    )
    return Ask("GET", "/authorize", query=list(said.items()), headers={"cookie": world.cookies()})


@recipe
def authorize_post(world: World) -> Ask:
    said = world.house.request_of(world.apps["mac"], response_mode="form_post.jwt", claims='{"userinfo":{"name":null}}')
    return Ask("POST", "/authorize", form=list(said.items()), headers={"cookie": world.cookies()})


@recipe
def authorize_object(world: World) -> Ask:
    query = [
        ("client_id", "shop"),
        ("redirect_uri", CALLBACK),
        ("response_type", "code"),
        ("request", world.jwt("request:shop")),
    ]
    return Ask("GET", "/authorize", query=query, headers={"cookie": world.cookies()})


@recipe
def authorize_pushed(world: World) -> Ask:
    query = [("client_id", "shop"), ("request_uri", world.pushed(world.apps["shop"]))]
    return Ask("GET", "/authorize", query=query, headers={"cookie": world.cookies()})


@recipe
def authorize_resume(world: World) -> Ask:
    said = world.house.request_of(world.apps["shop"], state="s-2")
    path, _, query = world.finished("/authorize?" + encoded(list(said.items()))).partition("?")
    headers = {"cookie": world.cookies(signed_in=False)}
    return Ask("GET", path, query=[("attempt", query.partition("=")[2])], headers=headers)


@recipe
def end_session_get(world: World) -> Ask:
    hint = world.tokens(world.apps["shop"])["id_token"]
    query = [("id_token_hint", hint), ("post_logout_redirect_uri", BYE), ("state", "s"), ("ui_locales", "de")]
    headers = {"cookie": f"sheaf_browser={BROWSER}"}  # without the session, which the others need
    return Ask("GET", "/end_session", query=query, headers=headers)


@recipe
def end_session_post(world: World) -> Ask:
    form = [("client_id", "shop"), ("post_logout_redirect_uri", BYE), ("logout_hint", "ada")]
    return Ask("POST", "/end_session", form=form, headers={"cookie": world.cookies()})


@recipe
def end_session_confirm(world: World) -> Ask:
    form = [("csrf", world.csrf()), ("client_id", "shop"), ("post_logout_redirect_uri", BYE), ("state", "s")]
    return Ask("POST", "/end_session/confirm", form=form, headers={"cookie": f"sheaf_browser={BROWSER}"})


@recipe
def signed_out(world: World) -> Ask:
    return Ask("GET", world.signed_out(), query=[("looked", "1")], headers={"cookie": world.cookies(signed_in=False)})


@recipe
def device_page(world: World) -> Ask:
    return Ask("GET", "/device", query=[("user_code", world.user_code(world.apps["public"]))])


@recipe
def device_typed(world: World) -> Ask:
    browser = f"{next(world.serial):043}"
    form = [("csrf", world.csrf(browser)), ("user_code", world.user_code(world.apps["public"]))]
    return Ask("POST", "/device", form=form, headers={"cookie": f"sheaf_browser={browser}"})


@recipe
def device_resume(world: World) -> Ask:
    form = {"csrf": world.csrf(), "user_code": world.user_code(world.apps["public"])}
    path, _, query = world.finished("/device", form).partition("?")
    headers = {"cookie": world.cookies(signed_in=False)}
    return Ask("GET", path, query=[("attempt", query.partition("=")[2])], headers=headers)

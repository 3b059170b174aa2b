"""The administrators' JSON API: list, create, read, remove, preview; strict about all of them."""

from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from idp.admin.client_json import OURS, SETTABLE
from idp.domain.audit_event import AuditEvent
from idp.domain.relying import Client
from tests.admin.programs import Program
from tests.oidc.house import App
from tests.oidc.house import House as OidcHouse
from tests.support.proofs import make_key
from tests.web.house import House, Person

CALLBACK = "https://shop.example/cb"
SHOP = {"name": "Shop", "redirect_uris": [CALLBACK]}


def error(program: Program, method: str, path: str, body: Any = None, **more: Any) -> tuple[int, str, str]:
    answer = program.ask(method, path, body, **more)
    return answer.status_code, answer.json["error"], answer.json["error_description"]


def works(house: House, client_id: str, secret: str) -> bool:
    """Is this a secret of the app?"""
    app = App(Client(client_id, "x", 0.0), secret)
    return OidcHouse(house.app, house.clock).post("/introspect", app, token="x").status_code == 200


# ---------------------------------------------------------------- list


def test_the_list_is_searched_and_paged(program: Program) -> None:
    for n in range(5):
        program.done("POST", body={**SHOP, "name": f"Shop {n}", "client_id": f"shop-{n}"}, status=201)
    first = program.done("GET", "?q=shop&limit=2")
    assert [one["client_id"] for one in first["clients"]] == ["shop-0", "shop-1"]
    assert first["total"] == 5
    second = program.done("GET", f"?q=shop&limit=2&after={first['next']}")
    third = program.done("GET", f"?q=shop&limit=2&after={second['next']}")
    assert [one["client_id"] for one in second["clients"] + third["clients"]] == ["shop-2", "shop-3", "shop-4"]
    assert "next" not in third
    assert program.done("GET", "?q=SHOP.example")["total"] == 5
    assert program.done("GET", "?q=no%20such")["clients"] == []
    line = program.done("GET", "?q=shop-3")["clients"][0]
    assert line == {
        "client_id": "shop-3",
        "name": "Shop 3",
        "auth_method": "client_secret_basic",
        "profile": "",
        "grant_types": ["authorization_code", "refresh_token"],
        "redirect_uris": [CALLBACK],
        "registered_itself": False,
    }


@pytest.mark.parametrize(
    "query",
    [
        *("?limit=0", "?limit=201", "?limit=x", "?limit=-1", "?limit=1&limit=2", "?page=2", "?q=%ff", "?q=a%00"),
        *("?q=" + "a" * 5000, "?after=%21%21", "?after=" + "A" * 3000, "?" + "&".join(f"q{n}=1" for n in range(20))),
    ],
)
def test_a_list_that_is_asked_for_wrongly_is_refused(program: Program, query: str) -> None:
    assert program.ask("GET", query).status_code == 400


# ---------------------------------------------------------------- create


def test_an_app_is_created_with_what_follows_and_its_secret_is_told_once(house: House, program: Program) -> None:
    answer = program.ask("POST", body=SHOP)
    made = answer.json
    assert answer.status_code == 201
    assert set(made) == {*SETTABLE, *OURS, "client_secret"}
    assert made["grant_types"] == ["authorization_code", "refresh_token"]
    assert made["scopes"] == ["openid", "profile", "email", "offline_access"]
    assert made["client_id"].startswith("app_")
    assert answer.headers["Location"] == f"http://localhost/admin/api/clients/{made['client_id']}"
    assert answer.headers["ETag"] == '"0"'
    assert works(house, made["client_id"], made["client_secret"])
    assert "client_secret" not in program.done("GET", f"/{made['client_id']}")
    [event] = house.parts.repo.find(AuditEvent, subject=made["client_id"])
    assert (event.name, event.actor) == ("client.added", "deployer")
    assert made["client_secret"] not in str(event)


def test_a_machine_and_an_app_without_a_secret_get_what_fits_them(program: Program) -> None:
    machine = program.done("POST", body={"name": "Backup", "grant_types": ["client_credentials"]}, status=201)
    assert machine["scopes"] == []
    native = {"name": "Phone", "redirect_uris": ["http://127.0.0.1/cb"], "auth_method": "none"}
    phone = program.done("POST", body=native, status=201)
    assert phone["application_type"] == "native"
    assert "client_secret" not in phone
    assert phone["has_secret"] is False


def test_keys_are_objects(program: Program) -> None:
    keys = {"keys": [make_key("ES256", "k1").as_dict(private=False)]}
    body = {**SHOP, "auth_method": "private_key_jwt", "jwks": keys}
    made = program.done("POST", body=body, status=201)
    assert made["jwks"] == keys
    private = {"keys": [make_key("ES256", "k1").as_dict(private=True)]}
    assert error(program, "POST", "", {**body, "jwks": private})[1] == "invalid_client_metadata"


@pytest.mark.parametrize("client_id", ["https://app.example.org/x?y=1", "new", "a/secret", "..", "~x", " b", "a" * 256])
def test_every_client_id_has_an_address(program: Program, client_id: str) -> None:
    made = program.ask("POST", body={**SHOP, "client_id": client_id})
    path = made.headers["Location"].removeprefix("http://localhost/admin/api/clients")
    assert program.done("GET", path)["client_id"] == client_id
    assert program.done("PATCH", path, {"name": "Other"})["name"] == "Other"
    assert program.ask("DELETE", path).status_code == 204


@pytest.mark.parametrize(
    ("body", "code", "named"),
    [
        ({**SHOP, "colour": "red"}, "unknown_field", "colour"),
        ({**SHOP, "secret_digest": "0" * 64}, "unknown_field", "secret_digest"),
        ({**SHOP, "id": "x"}, "unknown_field", "id"),
        ({**SHOP, "registration_token_digest": None}, "unknown_field", "registration_token_digest"),
        ({**SHOP, "created_at": "2020-01-01T00:00:00Z"}, "read_only_field", "created_at"),
        ({**SHOP, "has_secret": True}, "read_only_field", "has_secret"),
        ({"redirect_uris": [CALLBACK]}, "invalid_client_metadata", "name"),
        ({"name": "Nothing"}, "invalid_client_metadata", "grant_types"),
        ({**SHOP, "name": 5}, "invalid_client_metadata", "name"),
        ({**SHOP, "name": None}, "invalid_client_metadata", "name"),
        ({**SHOP, "client_id": 5}, "invalid_client_metadata", "client_id"),
        ({**SHOP, "client_id": ""}, "invalid_client_metadata", "id"),
        ({**SHOP, "redirect_uris": CALLBACK}, "invalid_redirect_uri", "redirect_uris"),
        ({**SHOP, "redirect_uris": [5]}, "invalid_redirect_uri", "redirect_uris"),
        ({**SHOP, "redirect_uris": ["javascript:alert(1)"]}, "invalid_redirect_uri", "redirect_uris"),
        ({**SHOP, "logo_uri": "http://169.254.169.254/x"}, "invalid_client_metadata", "logo_uri"),
        ({**SHOP, "pkce_required": "yes"}, "invalid_client_metadata", "pkce_required"),
        ({**SHOP, "pkce_required": 1}, "invalid_client_metadata", "pkce_required"),
        ({**SHOP, "access_token_seconds": 60.0}, "invalid_client_metadata", "access_token_seconds"),
        ({**SHOP, "access_token_seconds": True}, "invalid_client_metadata", "access_token_seconds"),
        ({**SHOP, "access_token_seconds": 10**30}, "invalid_client_metadata", "access_token_seconds"),
        ({**SHOP, "auth_method": "magic"}, "invalid_client_metadata", "auth_method"),
        ({**SHOP, "auth_method": ["none"]}, "invalid_client_metadata", "auth_method"),
        ({**SHOP, "jwks": "{}"}, "invalid_client_metadata", "jwks"),
        ({**SHOP, "claims": {"email": True}}, "invalid_client_metadata", "claims"),
        ({**SHOP, "scopes": "openid"}, "invalid_client_metadata", "scopes"),
    ],
    ids=lambda value: str(value)[:60],
)
def test_what_is_wrong_is_refused_by_its_name(
    house: House, program: Program, body: dict[str, Any], code: str, named: str
) -> None:
    status, found, said = error(program, "POST", "", body)
    assert (status, found) == (400, code)
    assert named in said
    assert [one.id for one in house.parts.apps.clients()] == ["deployer"]


@pytest.mark.parametrize(
    "more",
    [
        {"data": b"{}", "content_type": "text/plain"},
        {"data": b"name=Shop", "content_type": "application/x-www-form-urlencoded"},
        {"data": b"", "content_type": "application/json"},
        {"data": b"[]", "content_type": "application/json"},
        {"data": b"null", "content_type": "application/json"},
        {"data": b'{"name": "a", "name": "b"}', "content_type": "application/json"},
        {"data": b'{"default_max_age": NaN}', "content_type": "application/json"},
        {"data": b'{"name": "\xff"}', "content_type": "application/json"},
        {"data": b'{"name": "\\ud800"}', "content_type": "application/json"},
        {"data": b"[" * 100_000, "content_type": "application/json"},
        {"data": b'{"jwks": {"a": ' * 5_000, "content_type": "application/json"},
    ],
    ids=lambda more: str(more)[:50],
)
@pytest.mark.parametrize(
    ("method", "path"), [("POST", ""), ("PUT", "/wiki"), ("PATCH", "/wiki"), ("POST", "/wiki/secret")]
)
def test_a_body_that_is_no_json_object_is_refused(
    program: Program, wiki: Client, house: House, method: str, path: str, more: dict[str, Any]
) -> None:
    answer = program.ask(method, path, **more)
    assert (answer.status_code, answer.json["error"]) == (400, "invalid_request")
    assert house.parts.apps.client("wiki") == wiki


@pytest.mark.parametrize(
    ("method", "path"), [("POST", ""), ("PUT", "/wiki"), ("PATCH", "/wiki"), ("POST", "/wiki/secret")]
)
@pytest.mark.parametrize("size", [140_000, 600_000])
def test_a_body_that_is_too_large_is_refused(program: Program, wiki: Client, method: str, path: str, size: int) -> None:
    assert program.ask(method, path, {"name": "x" * size}).status_code == 413


def test_the_same_app_created_twice_at_once_is_there_once(house: House, program: Program) -> None:
    body = {**SHOP, "client_id": "shop"}
    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(lambda _: program.ask("POST", body=body), range(8)))
    made = [answer.json for answer in answers if answer.status_code == 201]
    assert sorted(answer.status_code for answer in answers) == [201] + [409] * 7
    assert {answer.json["error"] for answer in answers if answer.status_code == 409} == {"client_taken"}
    assert works(house, "shop", made[0]["client_secret"])


# ---------------------------------------------------------------- remove, preview, addresses


def test_an_app_is_removed_once(house: House, program: Program, wiki: Client) -> None:
    with ThreadPoolExecutor(4) as pool:
        statuses = sorted(answer.status_code for answer in pool.map(lambda _: program.ask("DELETE", "/wiki"), range(4)))
    assert statuses == [204, 404, 404, 404]
    assert house.parts.apps.client("wiki") is None
    assert [event.actor for event in house.parts.repo.find(AuditEvent, name="client.removed")] == ["deployer"]


def test_a_preview_tells_what_the_app_would_get(program: Program, wiki: Client, ada: Person) -> None:
    found = program.done("GET", "/wiki/preview?user=ada&scope=openid+email")
    assert found["userinfo"] == {"sub": ada.user.id, "email": "ada@example.org", "email_verified": False}
    assert found["id_token"]["aud"] == "wiki"
    assert found["access_token"]["scope"] == "openid email"
    assert program.done("GET", "/wiki/preview?user=ada@example.org")["userinfo"]["name"] == "Ada"
    assert error(program, "GET", "/wiki/preview?user=nobody")[:2] == (404, "unknown_user")
    assert error(program, "GET", "/wiki/preview?user=ada&scope=roles")[:2] == (400, "invalid_scope")
    assert error(program, "GET", "/wiki/preview")[:2] == (400, "invalid_request")
    assert error(program, "GET", "/wiki/preview?user=ada&user=bob")[:2] == (400, "invalid_request")


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        *(("GET", "/nobody", 404), ("PATCH", "/nobody", 404), ("DELETE", "/nobody", 404), ("GET", "/wiki/", 200)),
        *(("GET", "/wiki/other", 404), ("GET", "/wiki/secret/more", 404), ("GET", "/~", 404), ("GET", "/~!!", 404)),
        *(("GET", "/" + "x" * 3000, 404), ("GET", "/%00", 404), ("GET", "/wiki?x=1", 400)),
        *(("POST", "/wiki", 405), ("GET", "/wiki/secret", 405), ("POST", "/wiki/preview", 405), ("PUT", "", 405)),
        *(("DELETE", "", 405), ("GET", "/~d2lraQ", 404)),
    ],
)
def test_addresses_and_methods_that_there_are_not(
    program: Program, wiki: Client, method: str, path: str, status: int
) -> None:
    answer = program.ask(method, path, {"name": "x"} if method in ("PATCH", "PUT", "POST") else None)
    assert answer.status_code == status, answer.text
    if status != 200:
        assert set(answer.json) >= {"error", "error_description", "trace"}


def test_other_addresses_below_the_api_answer_in_json(house: House) -> None:
    answer = house.app.test_client().get("/admin/api/nothing")
    assert (answer.status_code, answer.json["error"]) == (404, "not_found")


def test_no_page_of_another_origin_may_ask(program: Program) -> None:
    answer = program.ask("GET", headers={"Origin": "https://evil.example"})
    assert "Access-Control-Allow-Origin" not in answer.headers

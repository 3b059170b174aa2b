"""Secrets are made here, stay here, and are said to nobody: not in answers, not in the log, not in the store."""

import json
import re
import stat
from collections.abc import Callable
from pathlib import Path

import pytest
import requests

from tests.cli.conftest import Shell
from tests.peers.oidc_provider import OidcProvider
from tests.support.oidc_app import API_SCOPES, AUDIENCE, OidcApp, api
from tests.support.sheaf import Sheaf

WRONG_PASSWORD = "this-was-typed-into-the-wrong-field"


def _stored(sheaf: Sheaf) -> bytes:
    """Everything in the data folder, the folder of keys left out."""
    files = [path for path in sheaf.data.rglob("*") if path.is_file() and "secrets" not in path.parts]
    assert any(path.name == "idp.db" for path in files)
    return b"".join(path.read_bytes() for path in files)


def test_no_secret_of_a_sign_in_stands_in_the_log_the_store_or_what_the_command_line_shows(
    start_sheaf: Callable[..., Sheaf], oidc_upstream: OidcProvider
) -> None:
    sheaf = start_sheaf(api=True)
    upstream = oidc_upstream.register(sheaf.url("/upstream/corp/callback"))
    told = {"issuer": oidc_upstream.issuer, "client_id": upstream.client_id, "client_secret": upstream.client_secret}
    sheaf.add_upstream("oidc", "corp", label="Corporate", **told)
    app, ada = OidcApp(sheaf, scopes=("openid", *API_SCOPES), audiences=[AUDIENCE]), sheaf.add_user(totp=True)
    assert ada.phone
    assert app.client.client_secret
    with app.browser() as browser, app.browser() as second:
        asked = app.ask(browser)
        asked.submit(username=ada.username, password=WRONG_PASSWORD)
        page = asked.submit(username=ada.username, password=ada.password)
        page.submit(code=ada.phone.wrong_code())
        code = page.submit(code=ada.code()).params["code"]
        tokens = app.tokens(app.redeem(code))
        app.redeem(code)  # a refusal, which is logged
        app.refresh(tokens["refresh_token"])
        api(sheaf, tokens["access_token"], "POST", "/documents/notes", {"data": {}})
        requests.post(sheaf.url("/token"), auth=(app.client.client_id, WRONG_PASSWORD), timeout=10)
        oidc_upstream.add_user("somebody")
        oidc_upstream.sign_in(second.open(sheaf.url("/sign-in")).submit("Corporate"), "somebody")
        callback = next(url for url in second.visited if "/upstream/corp/callback" in url)
        session = browser.cookies()["sheaf_session"]

    secrets = {
        "password": ada.password,
        "wrong password": WRONG_PASSWORD,
        "TOTP secret": ada.phone.secret,
        "recovery code": ada.recovery_codes[0],
        "client secret": app.client.client_secret,
        "upstream's secret": upstream.client_secret,
        "upstream's code": _parameter(callback, "code"),
        "authorization code": code,
        "access token": tokens["access_token"],
        "ID token": tokens["id_token"],
        "refresh token": tokens["refresh_token"],
        "session": session,
    }
    shown = json.dumps(
        [
            sheaf.cli("user", "show", ada.username),
            sheaf.cli("user", "list"),
            sheaf.cli("client", "show", app.client.client_id),
            sheaf.cli("client", "list"),
            sheaf.cli("upstream", "show", "corp"),
            sheaf.cli("upstream", "list"),
            sheaf.cli("keys", "list"),
        ]
    )
    log, store = sheaf.log, _stored(sheaf)
    assert "wrong password" in log  # the log is the right one, and talkative
    for name, secret in secrets.items():
        assert secret not in log, f"{name} stands in the log"
        assert secret.encode() not in store, f"{name} stands in the store"
        assert secret not in shown, f"{name} is shown by the command line"
    assert not re.search(r"\$argon2|PRIVATE KEY|sealed", shown)


def _parameter(address: str, name: str) -> str:
    found = re.search(rf"[?&]{name}=([^&]+)", address)
    assert found, address
    return found[1]


def test_the_sign_in_page_says_of_an_upstream_only_what_its_button_needs(sheaf: Sheaf) -> None:
    told = {"issuer": "https://corp.test/tenant-77", "client_id": "known-there-as", "client_secret": "between-us-only"}
    sheaf.add_upstream("oidc", "secretive", label="Secretive corporation", **told)
    try:
        with sheaf.browser() as browser:
            page = browser.open(sheaf.url("/sign-in"))
        assert "Secretive corporation" in page.text
        assert not [value for value in (*told.values(), "corp.test") if value in page.body]
    finally:
        sheaf.cli("upstream", "remove", "secretive")


def test_two_new_installations_have_no_secret_in_common_and_keep_theirs_to_their_owner(tmp_path: Path) -> None:
    made: list[dict[str, str]] = []
    for name in ("one", "two"):
        (tmp_path / name).mkdir()
        shell = Shell(tmp_path / name)
        link = shell.json("setup-link")
        keys = shell.json("keys", "list")
        files = [path for path in shell.data.rglob("*") if path.is_file()]
        assert files
        assert {stat.S_IMODE(path.stat().st_mode) for path in files} == {0o600}
        assert stat.S_IMODE(shell.data.stat().st_mode) == 0o700
        secrets = {path.name: path.read_text() for path in (shell.data / "secrets").iterdir()}
        assert secrets
        made.append({**secrets, "link": json.dumps(link).split("/setup/")[1], "keys": json.dumps(keys)})

    one, two = made
    assert one.keys() == two.keys()
    assert not {name for name in one if one[name] == two[name] and one[name] != "[]"}


@pytest.mark.parametrize("listing", ["/users", "/api/users", "/clients", "/.well-known/users", "/admin", "/metrics"])
def test_no_address_lists_people_or_apps(sheaf: Sheaf, listing: str) -> None:
    answer = requests.get(sheaf.url(listing), timeout=10)
    if listing == "/admin":
        assert "/flow/" in answer.url, "strangers are sent to the sign-in"
    else:
        assert answer.status_code == 404

"""Owns the claims about examples/watch.html in a real Chromium, and how the pages that show documents and queues look there."""

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.support.chromium import DESKTOP, PHONE, Windows
from tests.support.ports import free_port
from tests.support.receiver import Receiver
from tests.support.sheaf import Person, Sheaf

if TYPE_CHECKING:
    from playwright.sync_api import Page

PAGE = (Path(__file__).parents[2] / "examples" / "watch.html").read_text()


@pytest.fixture(scope="module")
def server() -> Iterator[Receiver]:
    with Receiver() as server:
        server.pages["/watch.html"] = PAGE
        yield server


@pytest.fixture(scope="module")
def sheaf(start_sheaf: Callable[..., Sheaf], server: Receiver) -> Sheaf:
    origin = server.url("").rstrip("/")
    env = {"IDP_API__STREAMS_PORT": str(free_port()), "IDP_API__ORIGINS": origin}
    sheaf = start_sheaf(api=True, second_factor="administrators", env=env)
    words = ("--scope", "openid", "--scope", "documents.read", "--audience", "urn:sheaf:api", "--public")
    sheaf.cli(
        "client", "add", "--name", "Counts", "--client-id", "counts-page", "--redirect-uri", f"{origin}/watch.html", *words
    )  # fmt: skip
    return sheaf


@pytest.fixture(scope="module")
def ada(sheaf: Sheaf) -> Person:
    return sheaf.add_user()


def store(sheaf: Sheaf, person: Person, collection: str, data: dict[str, object], *more: str) -> str:
    words = ("docs", "insert", collection, json.dumps(data), *more, "--as", person.username)
    done = sheaf.command(*words)
    assert done.returncode == 0, done.stderr
    return str(json.loads(done.stdout)["id"])


def sign_in(page: "Page", person: Person) -> None:
    page.locator("[name=username]").fill(person.username)
    page.locator("[name=password]").fill(person.password)
    page.locator("[name=password]").press("Enter")


def test_the_example_shows_what_is_there_follows_it_and_hears_that_its_token_is_over(
    sheaf: Sheaf, ada: Person, server: Receiver, windows: Windows
) -> None:
    store(sheaf, ada, "counts", {"name": "first.txt", "words": 12})
    page = windows.open(f"{server.url('/watch.html')}#issuer={sheaf.issuer}&api={sheaf.api_url}")
    page.get_by_role("button", name="Sign in").click()
    sign_in(page, ada)
    page.get_by_role("button", name="Allow Counts").click()
    page.get_by_text("Following.").wait_for()
    assert page.locator("#rows tr").all_inner_texts() == ["first.txt\t12"]
    store(sheaf, ada, "counts", {"name": "<b>second</b>.txt", "words": 7})
    page.get_by_text("<b>second</b>.txt").wait_for()
    assert "code=" not in page.url
    assert windows.violations(page) == []
    sheaf.cli("user", "disable", ada.username)
    page.get_by_text("Sign in again.").wait_for()
    sheaf.cli("user", "enable", ada.username)
    assert windows.complaints == []


def test_the_pages_for_documents_and_queues_are_readable_in_every_light(sheaf: Sheaf, windows: Windows) -> None:
    root = sheaf.add_user("root", admin=True, totp=True)
    bob = sheaf.add_user("bob")
    acl = json.dumps(
        [
            {"kind": "user", "id": bob.id, "rights": ["read", "update", "share"]},
            {"kind": "everyone", "rights": ["read"]},
        ]
    )
    id = store(
        sheaf,
        bob,
        "notes",
        {"title": "A page with a long name", "text": "word " * 60, "url": "https://x/" + "y" * 200},
        "--acl",
        acl,
    )
    sheaf.command("queue", "declare", "page-jobs", "--as", root.username)
    sheaf.command(
        "queue",
        "publish",
        "page-jobs",
        '{"do": "paint", "where": "in the garden, behind the house"}',
        "--as",
        root.username,
    )
    found = []
    for language in ("en", "de"):
        page = windows.open(sheaf.url("/data"), locale=language)
        sign_in(page, root)
        page.locator("#f-code").fill(root.code())
        page.locator("#f-code").press("Enter")
        page.wait_for_url("**/data")
        for name, path in (
            ("data", "/data"),
            ("collection", "/data/collections/notes"),
            ("document", f"/data/collections/notes/{id}"),
            ("queue", "/data/queues/page-jobs"),
        ):
            page.goto(sheaf.url(path))
            if name == "collection":
                assert page.get_by_text("bob", exact=True).count() == 1, "administrators read names, not ids"
            found += look(windows, page, f"data-{language}-{name}", axe=language == "en")
    assert found == []


def look(windows: Windows, page: "Page", name: str, *, axe: bool) -> list[str]:
    found = []
    for width, size, scheme in (("phone", PHONE, "dark"), ("desktop", DESKTOP, "light"), ("phone", PHONE, "light")):
        page.set_viewport_size(size)  # type: ignore[arg-type]
        page.emulate_media(color_scheme=scheme, reduced_motion="reduce")  # type: ignore[arg-type]
        windows.screenshot(page, f"{name}-{width}-{scheme}")
        if page.locator("body").evaluate("body => body.scrollWidth > innerWidth"):
            found.append(f"{name} {width}: wider than the window")
        if axe and scheme == "dark":
            found += [f"{name}: {one}" for one in windows.violations(page)]
    return found

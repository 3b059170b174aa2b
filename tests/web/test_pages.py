"""What holds for every page: strict CSP, small, in both languages, no sentence missing."""

import re
import string
from collections.abc import Iterator
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest

from idp.app import create_app
from idp.base.config import Settings
from idp.http.render import catalogue
from idp.ports import StoreUnavailable
from idp.resources import resource_dir
from idp.storage.sqlite import SqliteRepository
from tests.support.clock import FakeClock
from tests.web.house import House, Seen

KIB = 1024
STATIC = resource_dir("static")
TEMPLATES = resource_dir("templates")
IDP = Path(__file__).parents[2] / "idp"
PAGES = ("web", "http", "admin")
MACHINE_FILES = (
    "local_login_api.py",
    *("json_body.py", "json_api.py", "client_json.py", "json_requests.py", "json_resource.py", "json_values.py"),
    *("sp_json.py", "sp_json_api.py", "federation_json_api.py", "inspector_api.py", "trace_api.py"),
    *("user_json.py", "user_json_api.py", "invitation_json_api.py", "upstream_json.py", "upstream_json_api.py"),
)

LOCAL_LOGIN = ("local_login", "turn_local_login", "break_glass", "break_glass_codes")


def _pages(house: House) -> Iterator[Seen]:
    """Every page that a person can come to by themselves."""
    yield house.browser().open("/")
    yield house.browser().open(f"/setup/{house.parts.set_up.fresh_link()}")
    newcomer = house.password_step(house.browser(), house.person("new", totp=False))
    yield newcomer
    yield newcomer.submit("/enrol", code=house.code(newcomer.html.split('data-text="')[1].split('"')[0]))
    person = house.person(admin=True)
    browser = house.browser()
    start = house.attempt("openid")
    yield browser.open(start)
    yield browser.open(start).submit("/password", username="ada", password="wrong")
    factor = house.password_step(browser, person, start)
    yield factor
    consent = factor.submit("/factor", code=house.code(person.secret))
    yield consent
    consent.submit("/consent", answer="allow")
    for path in (
        "/",
        "/account",
        "/account/password",
        "/account/authenticator",
        "/account/recovery-codes",
        "/sign-out",
    ):
        yield browser.open(path)
    yield browser.open("/nothing-here")
    yield browser.post("/sign-out", {})


class _Inline(HTMLParser):
    """Finds what a CSP without 'unsafe-inline' would stop."""

    def __init__(self) -> None:
        super().__init__()
        self.found: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        names = dict(attrs)
        if tag == "style" or (tag == "script" and not names.get("src")):
            self.found.append(f"<{tag}>")
        self.found += [f"{tag} {name}" for name in names if name == "style" or name.startswith("on")]
        self.found += [f"{tag} javascript:" for value in names.values() if (value or "").startswith("javascript:")]


def test_no_page_has_inline_script_or_style_and_the_csp_allows_none(house: House) -> None:
    seen = 0
    for page in _pages(house):
        policy = page.response.headers["Content-Security-Policy"]
        assert "default-src 'none'" in policy
        assert "unsafe" not in policy
        assert "frame-ancestors 'none'" in policy
        assert page.response.headers["Cache-Control"] == "no-store"
        assert page.response.headers["X-Content-Type-Options"] == "nosniff"
        inline = _Inline()
        inline.feed(page.html)
        assert (page.path, inline.found) == (page.path, [])
        seen += 1
    assert seen > 15


def test_only_the_forms_of_a_sign_in_may_end_at_the_app(house: House) -> None:
    """Browsers hold the form's CSP against every redirect that follows it."""
    page = house.browser().open(house.attempt("openid"))
    targets = _form_targets(page)
    assert "https://wiki.example" in targets
    assert not {"*", "http:", "data:"} & set(targets)
    assert _form_targets(house.browser().open("/")) == ["'self'"]


def test_the_sign_in_page_weighs_at_most_30_kib_with_everything_it_loads(house: House) -> None:
    browser = house.browser()
    page = browser.open("/sign-in")
    loaded = [browser.client.get(address) for address in page.document.resources]
    assert len(loaded) == 3
    assert all(answer.status_code == 200 for answer in loaded)
    total = len(page.response.data) + sum(len(answer.data) for answer in loaded)
    for answer in loaded:
        answer.close()
    assert total <= 30 * KIB
    assert (STATIC / "style.css").stat().st_size <= 12 * KIB


def test_every_page_is_in_the_language_of_the_reader(house: House) -> None:
    german = house.browser().open("/sign-in").browser
    page = german.client.get("/", headers={"Accept-Language": "de-CH, en;q=0.5"})
    assert '<html lang="de">' in page.text
    assert "Noch nicht eingerichtet" in page.text
    assert '<html lang="en">' in german.client.get("/", headers={"Accept-Language": "fr"}).text


def test_both_languages_have_the_same_sentences_with_the_same_blanks() -> None:
    english, german = catalogue("en"), catalogue("de")
    assert list(english) == list(german)
    for key in english:
        assert (key, _blanks(english[key])) == (key, _blanks(german[key]))
        assert german[key].strip()


def test_german_says_du_everywhere() -> None:
    polite = re.compile(r"\b(Ihnen|Ihrem|Ihres|Guten Tag)\b|[a-zäöü]en Sie\b|\b([Ww]enn|Was|Wie|sobald) Sie\b")
    assert [key for key, words in catalogue("de").items() if polite.search(words)] == []


def test_every_sentence_that_templates_and_code_name_exists() -> None:
    named = set()
    for file in [*TEMPLATES.glob("*.html"), *(file for one in PAGES for file in (IDP / one).glob("*.py"))]:
        source = file.read_text()
        named |= set(re.findall(r'\b(?:t|text)\("([a-z_]+\.[a-z_.]+)"[,)]', source))
        named |= {f"{key}_one" for key in re.findall(r'\bcounted\("([a-z_]+\.[a-z_]+)"', source)}
    assert len(named) > 100
    assert named - set(catalogue("en")) == set()


def test_every_refusal_that_a_page_can_show_has_a_sentence_in_the_catalogue() -> None:
    """Those of machine doors and of the command line speak for themselves, in English."""
    codes = set()
    for folder in ("web", "http", "admin", "upstream"):
        for file in (IDP / folder).rglob("*.py"):
            if file.name in MACHINE_FILES:
                continue
            codes |= set(re.findall(r'Refused\(\s*"([a-z_]+)"', file.read_text()))
    for service in (
        "sign_in",
        "factors",
        "link_login",
        "set_up",
        "throttle",
        "change_password",
        "depart_upstream",
        *LOCAL_LOGIN,
    ):
        codes |= set(re.findall(r'Refused\(\s*"([a-z_]+)"', (IDP / "services" / f"{service}.py").read_text()))
    codes -= {"invalid_setting", "unknown_setting", "unknown_upstream_kind"}  # only the command line sets those
    assert {code for code in codes if f"error.{code}" not in catalogue("en")} == set()


@pytest.mark.parametrize("template", sorted(path.name for path in TEMPLATES.glob("*.html")))
def test_templates_hold_no_words_of_their_own(template: str) -> None:
    source = (TEMPLATES / template).read_text()
    for junk in (r"\{#.*?#\}", r"\{%.*?%\}", r"\{\{.*?\}\}", r"<[^>]*>"):
        source = re.sub(junk, " ", source, flags=re.DOTALL)
    words = re.findall(r"[A-Za-z]{3,}", source)
    assert words == []


def test_an_error_page_says_what_to_do_and_carries_a_code_that_stands_in_the_log(house: House) -> None:
    page = house.browser().open("/nothing-here")
    trace = page.html.split('data-text="')[1].split('"')[0]
    kept = house.parts.traces.explain(trace)
    assert page.status == 404
    assert ("Go to the home page", "/") in page.document.links
    assert kept is not None
    assert kept.code == "not_found"
    assert "UTC" in page.text


class _Store:
    """A store that can be taken away."""

    def __init__(self, real: SqliteRepository) -> None:
        self.real = real
        self.away = False

    def __getattr__(self, verb: str) -> Any:
        if self.away:
            raise StoreUnavailable("the test took it away")
        return getattr(self.real, verb)


@pytest.mark.parametrize("issuer", ["", "https://id.example.org"])
def test_the_error_page_comes_up_when_the_store_does_not(
    repo: SqliteRepository, clock: FakeClock, tmp_path: Path, issuer: str
) -> None:
    store = _Store(repo)
    house = House(create_app(Settings(issuer=issuer, data=str(tmp_path / "data")), repo=store, clock=clock), clock)
    house.browser().open("/")
    store.away = True
    clock.advance(60)
    browser = house.app.test_client()
    browser.set_cookie("sheaf_session", "x" * 43)
    for path in ("/", "/sign-in", "/readyz"):
        page = browser.get(path)
        assert (path, page.status_code, page.headers["Retry-After"]) == (path, 503, "5")
        assert "cannot reach our store" in page.text
    assert browser.get("/healthz").status_code == 200


def _form_targets(page: Seen) -> list[str]:
    policy = page.response.headers["Content-Security-Policy"]
    return next(part.split()[1:] for part in policy.split("; ") if part.startswith("form-action"))


def _blanks(sentence: str) -> set[str]:
    return {name for _, name, _, _ in string.Formatter().parse(sentence) if name}

"""What needs an administrator: on the home page, in words, and as JSON."""

from dataclasses import replace
from typing import Any, get_args

import pytest

from idp.domain.upstream import UpstreamProvider
from idp.http.parts import Parts
from idp.resources import resource_dir
from idp.services.metadata.ends import DAY
from idp.services.upkeep import Code, Need
from idp.web.attention import Installed, points
from tests.admin.programs import Program
from tests.web.house import Browser, House

API = "/admin/api/attention"
WELL = Installed("https://id.example.org", users=5, administrators=2, apps=1, upstreams=1)


def failing(parts: Parts, clock: Any) -> None:
    parts.repo.insert(UpstreamProvider("corp", "oidc", "Corp <b>", clock(), secret_expires_at=clock() + 20.5 * DAY))
    parts.upstream_health.failed("corp", "no answer <script>")


def test_home_names_an_upstream_that_fails_and_leads_to_it(house: House, browser: Browser) -> None:
    failing(house.parts, house.clock)
    page = browser.open("/")
    assert "Corp <b> does not work" in page.text
    assert "no answer <script>" in page.text
    assert "The client secret of Corp <b> ends in 20 days" in page.text
    assert any(href == "/admin/upstreams/corp" for _, href in page.document.links)


def test_nothing_of_it_is_shown_to_others(house: House) -> None:
    failing(house.parts, house.clock)
    assert "Corp" not in house.sign_in(house.person("bob")).open("/").text


def test_a_proxy_that_is_not_trusted_is_told_when_it_shows(house: House, browser: Browser) -> None:
    assert "A proxy hides where people come from" not in browser.open("/").text
    page = browser.open("/", **{"X-Forwarded-For": "203.0.113.7"})
    assert "A proxy hides where people come from" in page.text
    assert "server: {trusted_proxies: 1}" in page.text


NEEDS = [
    Need(code, n=n, days=days, at=1.8e9, name="Corp", id="upstream:corp", more=True)
    for code in get_args(Code)
    for n, days in ((1, None), (2, None), (None, 1), (None, 5), (None, -1))
]


@pytest.mark.parametrize("language", ["en", "de"])
def test_each_need_has_words_in_both_languages(language: str) -> None:
    import tomllib

    words = tomllib.loads((resource_dir("templates") / "text" / f"{language}.toml").read_text())["home"]
    counted = {"upstream_failing", "upstream_failed", "metadata_problem", "locked_out", "would_be_locked_out",
               "administrators_without_factor", "without_factor"}  # fmt: skip
    ends = {"secret_ends", "certificate_ends"}
    for need in NEEDS:
        if (need.code in counted) != (need.n is not None) and need.code not in ends:
            continue
        if (need.code in ends) != (need.days is not None):
            continue
        (point,) = points(None, WELL, [need])
        keys = [f"{point.name}_one" if point.n == 1 else f"{point.name}_other"] if point.n is not None else [point.name]
        for key in [*keys, f"{point.name}_why", *([point.link[1].removeprefix("home.")] if point.link else [])]:
            assert key in words, key
            words[key].format(n=2, name="x", detail="y")


def test_each_need_has_a_cure() -> None:
    for need in NEEDS:
        (point,) = points(None, WELL, [need])
        assert point.link or point.commands, need.code


def test_programs_read_the_same_as_json(house: House, program: Program) -> None:
    failing(house.parts, house.clock)
    needs = replace(program, api=API).done("GET")["needs"]
    told = {need["code"]: need for need in needs}
    assert told["upstream_failing"] == {
        "code": "upstream_failing", "urgent": True, "name": "Corp <b>", "id": "corp", "n": 1, "more": False,
        "at": house.clock(), "detail": "no answer <script>",
    }  # fmt: skip
    assert told["secret_ends"]["days"] == 20
    assert needs[0]["urgent"]


def test_json_is_for_programs_that_may_and_for_reading(house: House, program: Program, browser: Browser) -> None:
    asking = replace(program, api=API)
    assert replace(asking, token="rubbish").ask("GET").status_code == 401
    assert browser.client.get(API).status_code == 401
    assert asking.ask("POST", body={}).status_code == 405
    assert asking.ask("GET", "?people=1000000").status_code == 400

"""Why a sign-in ended as it did, for administrators: the same story on pages and in JSON, replay without side effects."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from idp.base.errors import Refused
from idp.domain.attempt import noted
from idp.domain.decision import SignInRecord
from idp.domain.upstream import FederatedLogin, UpstreamIdentity, UpstreamProvider
from idp.domain.user import User
from idp.services.record_audit import STORED_IN_WINDOW
from idp.services.sign_in_records import canonical
from idp.upstream.edited_rules import NEVER_AUTO_LINK
from tests.admin.programs import Program, Programs
from tests.web.house import PASSWORD, Browser, House, Person
from tests.web.test_pages import _Inline

PATH, API = "/admin/trace", "/admin/api/traces"
CORP = UpstreamProvider("corp", "oidc", "Corporate login", 0.0, may_create="nobody")
SAID = UpstreamIdentity(
    "corp",
    "https://corp.example",
    "s-1",
    "eve@corp.example",
    email_verified=True,
    name="<b>Eve</b>",
    groups=("staff",),
    attributes={"department": ("<script>alert(1)</script>",), "access_token": ("s3cret",)},
    logout={"value": "n-99"},
)


@pytest.fixture
def corp(house: House) -> UpstreamProvider:
    house.parts.repo.insert(CORP)
    return CORP


@pytest.fixture
def refused(house: House, corp: UpstreamProvider) -> str:
    """The code of a sign-in of Eve that was refused, as nobody may be created."""
    parts = house.parts
    draft = parts.sign_in.draft("oidc", "/resume", {}, app_id="wiki", app_name="Wiki")
    attempt = parts.sign_in.load(parts.sign_in.save(draft), "b" * 64)
    attempt = noted(replace(attempt, said=SAID), house.clock(), "message", "arrived", upstream="corp")
    with pytest.raises(Refused) as caught:
        parts.sign_in.arrive(attempt, SAID, corp)
    return parts.traces.keep(
        "upstream",
        caught.value,
        besides=lambda code: parts.records.of_refusal(code, caught.value, caught.value.attempt),
    )


def _paths(code: str) -> list[str]:
    return [PATH, f"{PATH}?code={code}", f"{PATH}/{code}", f"/trace/{code}"]


# ---------------------------------------------------------------- who may


def test_whoever_is_not_signed_in_signs_in_first_and_comes_back(house: House, ada: Person, refused: str) -> None:
    for path, back in (
        (PATH, PATH),
        (f"{PATH}/{refused}", f"{PATH}/{refused}"),
        (f"/trace/{refused}", f"{PATH}/{refused}"),
    ):
        page = house.password_step(house.browser(), ada, path).submit("/factor", code=house.code(ada.secret))
        assert (page.path, page.status) == (back, 200)


def test_nobody_else_sees_or_replays_a_sign_in(house: House, refused: str) -> None:
    bob = house.sign_in(house.person("bob"))
    for path in _paths(refused):
        page = bob.open(path)
        assert page.status == 403
        assert "eve@corp.example" not in page.text
    assert bob.post_blindly(f"{PATH}/{refused}/replay", rules="enabled=true").status == 403


def test_a_replay_needs_the_token_of_the_form(browser: Browser, refused: str) -> None:
    for fields in ({"rules": "x=y"}, {"rules": "x=y", "csrf": "0" * 40}):
        assert browser.post(f"{PATH}/{refused}/replay", fields).status == 403


def test_the_api_is_for_programs_and_administrators(house: House, programs: Programs, refused: str) -> None:
    nobody = house.app.test_client()
    elsewhere = programs.add("elsewhere", audiences=("urn:example:api",))
    for method, path in (("GET", API), ("GET", f"{API}/{refused}"), ("POST", f"{API}/{refused}/replay")):
        assert nobody.open(path, method=method).status_code == 401
        bearer = {"Authorization": f"Bearer {elsewhere.token}"}
        assert nobody.open(path, method=method, headers=bearer).status_code == 401


# ---------------------------------------------------------------- the story


def test_the_page_tells_the_cause_the_steps_and_what_to_do(browser: Browser, refused: str) -> None:
    page = browser.open(f"{PATH}/{refused}")

    assert page.status == 200
    for words in (
        "Wiki asked for a sign-in",
        "An answer of Corporate login arrived",
        "Neither the login nor its e-mail address is known",
        "Nobody has this login, and the upstream may not make a user for it",
        "Link it to a user, send an invitation",
        "Refused: not_invited",
        "eve@corp.example",
    ):
        assert words in page.text
    assert "s3cret" not in page.html
    assert "n-99" not in page.html


def test_the_page_is_in_the_language_of_the_reader(browser: Browser, refused: str) -> None:
    page = browser.open(f"{PATH}/{refused}", **{"Accept-Language": "de"})
    for words in (
        "Die genaue Ursache",
        "Eine Antwort von Corporate login kam an",
        "Damals",
        "ablehnen",
        "Verbürgt: nein",
    ):
        assert words in page.text


def test_what_strangers_said_is_shown_as_text(browser: Browser, refused: str) -> None:
    page = browser.open(f"{PATH}/{refused}")
    assert "<script>alert" not in page.html
    assert "<b>Eve" not in page.html
    inline = _Inline()
    inline.feed(page.html)
    assert inline.found == []


@pytest.mark.parametrize(
    "write",
    [str.lower, lambda code: f"{code[:4]}-{code[4:]}", lambda code: f" {code[:4]} {code[4:]} "],
    ids=["small", "dash", "blanks"],
)
def test_a_code_is_found_however_it_was_written_down(
    write: Callable[[str], str], browser: Browser, refused: str
) -> None:
    page = browser.open(f"{PATH}?code={write(refused)}")
    assert page.path == f"{PATH}/{refused}"


def test_a_letter_that_looks_like_a_digit_is_read_as_the_digit() -> None:
    assert canonical("oil1-OIL0") == "01110110"
    assert canonical("../../etc") == ""
    assert canonical("ＡＢ") == ""


def test_the_sign_ins_of_a_person_are_found_by_their_name(house: House, browser: Browser) -> None:
    bob = house.person("bob")
    house.sign_in(bob)
    house.clock.advance(1)
    attempt = house.browser()
    attempt.open("/sign-in").submit("/password", username="bob", password="wrong" + PASSWORD)

    page = browser.open(f"{PATH}?code=BOB@example.org")

    assert "Sign-ins of bob" in page.text
    assert "signed in" in page.text
    [found] = house.parts.records.of_user(bob.user.id)[-1:]
    assert found.outcome == "signed_in"


def test_what_is_no_code_and_no_name_is_said_to_be_neither(browser: Browser) -> None:
    for typed in ("ABCD2345", "nobody", "%00", "x" * 1000, "<b>"):
        page = browser.open(f"{PATH}?code={typed}")
        assert page.status == 200
        assert "There is no such code" in page.text
    assert browser.open(f"{PATH}/ABCD2345").status == 404
    assert browser.open(f"{PATH}/..%2f..").status in (404, 400)


def test_the_list_shows_the_newest_and_can_leave_out_what_went_well(
    browser: Browser, house: House, refused: str
) -> None:
    everything = browser.open(PATH).text
    only = browser.open(f"{PATH}?failed=1").text

    assert "signed in" in everything
    assert "not invited" in everything
    assert "signed in" not in only.partition("Show all")[2]
    assert "not invited" in only


# ---------------------------------------------------------------- replay


def test_edited_rules_are_tried_and_nothing_is_stored(browser: Browser, house: House, refused: str) -> None:
    before = _stored(house)
    page = browser.open(f"{PATH}/{refused}")

    page = page.submit(
        "/replay", rules="# let them in\nmay_create=anybody\ntrusted_domains=corp.example\ngroup_roles=staff -> editor"
    )

    assert page.status == 200
    for words in ("With these rules", "make a new user", "vouched for", "editor"):
        assert words in page.text
    assert "<mark>" in page.html
    assert _stored(house) == before


@pytest.mark.parametrize(
    ("rules", "words"),
    [
        ("nonsense", "Line 1"),
        ("may_create=sometimes", "may_create"),
        ("client_secret=file:/etc/passwd", "There is no setting"),
        ("may_creat=anybody", "Did you mean may_create"),
        ("enabled=true\nenabled=false", "Line 2"),
    ],
    ids=["no-pair", "bad-value", "of-the-kind", "unknown", "twice"],
)
def test_rules_that_make_no_sense_are_refused_on_the_form(
    rules: str, words: str, browser: Browser, refused: str
) -> None:
    page = browser.open(f"{PATH}/{refused}").submit("/replay", rules=rules)
    assert page.status == 400
    assert words in page.text
    assert "root:" not in page.html


def test_too_many_rules_and_none_are_refused(browser: Browser, refused: str) -> None:
    assert browser.post_blindly(f"{PATH}/{refused}/replay", rules="a=b\n" * 20_000).status in (400, 413)
    assert browser.post_blindly(f"{PATH}/{refused}/replay").status == 400


def test_rules_never_read_a_file_or_the_environment(browser: Browser, refused: str) -> None:
    page = browser.open(f"{PATH}/{refused}").submit("/replay", rules="label=file:/etc/hostname\nmay_create=nobody")
    assert page.status == 200
    page = browser.open(f"{PATH}/{refused}").submit("/replay", rules="create_domains=@/etc/passwd")
    assert "root" not in page.html


def test_the_upstream_may_be_gone_by_now(browser: Browser, house: House, refused: str) -> None:
    house.parts.repo.delete(UpstreamProvider, "corp")
    page = browser.open(f"{PATH}/{refused}")
    assert page.status == 200
    assert "does not exist any more" in page.text
    assert browser.post_blindly(f"{PATH}/{refused}/replay", rules="enabled=true").status == 409


# ---------------------------------------------------------------- JSON


def test_the_api_tells_the_same_story(program: Program, refused: str) -> None:
    program.api = API
    found = program.done("GET", f"/{refused}")

    assert (found["error"], found["outcome"], found["upstream"]) == ("not_invited", "refused", "corp")
    assert [step["step"] for step in found["steps"]][-2:] == ["rule", "outcome"]
    assert found["said"]["subject"] == "s-1"
    assert found["cure"].startswith("Nobody has this login")
    listed = program.done("GET", "?outcome=refused")["traces"]
    assert [one["code"] for one in listed] == [refused]
    assert program.done("GET", "?outcome=signed_in")["traces"] == []


def test_the_api_replays(program: Program, house: House, refused: str) -> None:
    program.api = API
    before = _stored(house)

    found = program.done("POST", f"/{refused}/replay", {})
    assert set(found) == {"then", "now"}
    assert (found["then"]["rule"], found["now"]["rule"]) == ("not_invited", "not_invited")
    found = program.done("POST", f"/{refused}/replay", {"rules": {"may_create": "anybody"}})
    assert (found["edited"]["rule"], found["edited"]["action"]) == ("new_user", "create")
    assert _stored(house) == before


@pytest.mark.parametrize(
    "body",
    [
        [],
        {"rules": []},
        {"rules": {"enabled": True}},
        {"other": 1},
        {"rules": {"x": "y"}},
        {"rules": {"mode": "x" * 50_000}},
    ],
    ids=["array", "rules-array", "not-text", "unknown-member", "unknown-setting", "too-long"],
)
def test_the_api_refuses_what_it_cannot_use(body: object, program: Program, refused: str) -> None:
    program.api = API
    assert program.ask("POST", f"/{refused}/replay", body).status_code == 400


def test_the_api_knows_no_other_addresses_and_methods(program: Program, refused: str) -> None:
    program.api = API
    assert program.ask("GET", "/ABCD2345").status_code == 404
    assert program.ask("GET", f"/{refused}/other").status_code == 404
    assert program.ask("POST", f"/{refused}").status_code == 405
    assert program.ask("GET", f"/{refused}/replay").status_code == 405
    assert program.ask("GET", "?limit=0").status_code == 400
    assert program.ask("GET", "?outcome=other").status_code == 400
    assert program.ask("GET", "?user=nobody").status_code == 404


def test_the_documentation_says_what_the_code_does(house: House) -> None:
    words = (Path(__file__).parents[2] / "docs" / "seeing-why.md").read_text(encoding="utf-8")
    rules = {rule.rule for rule in house.app.url_map.iter_rules() if rule.endpoint.startswith("trace.")}
    assert rules == {PATH, f"{PATH}/<code>", f"{PATH}/<code>/replay", "/trace/<code>"}
    for said in (f"`{PATH}`", "`/trace/CODE`", f"GET {API}/CODE", f"POST {API}/CODE/replay", NEVER_AUTO_LINK):
        assert said in words
    assert f"at a rate of {STORED_IN_WINDOW} a minute" in words
    assert f"({house.parts.settings.log.trace_days})" in words


def _stored(house: House) -> list[int]:
    kinds = (User, FederatedLogin, UpstreamProvider, SignInRecord)
    return [len(house.parts.repo.find(kind)) for kind in kinds]

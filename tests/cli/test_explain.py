"""`idp explain CODE` and `idp user sign-ins` on a stopped installation: the story in words, and a replay that changes nothing."""

from dataclasses import replace

import pytest

from idp.assemble import build_parts
from idp.base.config import load
from idp.base.errors import Refused
from idp.domain.attempt import Proof
from idp.domain.upstream import UpstreamIdentity
from tests.cli.conftest import Shell

SAID = UpstreamIdentity(
    "corp", "https://corp.example", "s-1", "eve@corp.example", email_verified=True, name="Eve\x1b[31m"
)


@pytest.fixture
def codes(shell: Shell) -> dict[str, str]:
    """Of a refused sign-in of Eve, and of one of Ada that went well."""
    shell("user", "add", "ada", "--email", "ada@example.org")
    given = (
        "issuer=https://corp.example",
        "client_id=x",
        "client_secret=y",
        "may_create=nobody",
        "label=Corporate login",
    )
    shell("upstream", "add", "oidc", "--id", "corp", *(word for pair in given for word in ("--set", pair)))
    parts = build_parts(load(None, {"data": str(shell.data)}, env=shell.env))
    try:
        corp, ada = parts.upstreams.get("corp"), parts.users.by_login("ada")
        assert corp is not None
        assert ada is not None
        draft = parts.sign_in.draft("oidc", "/resume", {}, app_id="wiki", app_name="Wiki")
        attempt = replace(parts.sign_in.load(parts.sign_in.save(draft), "b" * 64), said=SAID)
        with pytest.raises(Refused) as caught:
            parts.sign_in.arrive(attempt, SAID, corp)
        refused = caught.value
        bad = parts.traces.keep(
            "upstream", refused, besides=lambda code: parts.records.of_refusal(code, refused, refused.attempt)
        )  # type: ignore[arg-type]
        good = parts.records.finished(replace(attempt, said=None, proof=Proof(ada.id, parts.clock(), ("pwd",))))
        return {"bad": bad, "good": good}
    finally:
        parts.repo.close()


def test_a_refusal_is_told_in_words_with_what_to_do(shell: Shell, codes: dict[str, str]) -> None:
    told = shell("explain", f"{codes['bad'][:4]}-{codes['bad'][4:].lower()}").stdout

    for words in ("not_invited", "Wiki asked for a sign-in", "FAILED  Nobody has this login", "Link it to a user"):
        assert words in told
    assert "\x1b" not in told
    found = shell.json("explain", codes["bad"])
    assert (found["error"], found["upstream"], found["said"]["subject"]) == ("not_invited", "corp", "s-1")


def test_a_sign_in_that_went_well_has_a_story_too(shell: Shell, codes: dict[str, str]) -> None:
    assert "Signed in" in shell("explain", codes["good"]).stdout
    found = shell.json("explain", codes["good"])
    assert (found["outcome"], found["user"]) == ("signed_in", "ada")


def test_a_replay_tries_other_rules_and_stores_nothing(shell: Shell, codes: dict[str, str]) -> None:
    found = shell.json("explain", codes["bad"], "--replay", "--set", "may_create=anybody")["replay"]
    assert [found[side]["action"] for side in ("then", "now", "edited")] == ["refuse", "refuse", "create"]
    assert shell.json("upstream", "show", "corp")["may_create"] == "nobody"
    told = shell("explain", codes["bad"], "--replay").stdout
    assert "not_invited" in told.partition("then")[2]


def test_what_cannot_be_replayed_or_found_is_said_in_one_line(shell: Shell, codes: dict[str, str]) -> None:
    assert "nothing to decide once more" in shell.refused("explain", codes["good"], "--replay")[1]
    assert "No such code" in shell.refused("explain", "../../etc/passwd")[1]
    assert "--set goes with --replay" in shell.refused("explain", codes["bad"], "--set", "may_create=anybody")[1]
    assert (
        "Did you mean may_create" in shell.refused("explain", codes["bad"], "--replay", "--set", "may_creat=anybody")[1]
    )
    secret = shell.refused("explain", codes["bad"], "--replay", "--set", "client_secret=file:/etc/hostname")
    assert "There is no setting" in secret[1]


def test_the_sign_ins_of_a_person_are_listed(shell: Shell, codes: dict[str, str]) -> None:
    [one] = shell.json("user", "sign-ins", "ada")
    assert (one["code"], one["outcome"]) == (codes["good"], "signed_in")
    assert shell.json("user", "sign-ins", "ada", "--refused") == []
    assert "There is no user" in shell.refused("user", "sign-ins", "nobody")[1]

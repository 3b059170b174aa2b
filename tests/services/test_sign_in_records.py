"""Records of sign-ins: what is kept, under which code, for how long, within which bounds; and that every note has words."""

import ast
import json
import re
from dataclasses import asdict, replace
from pathlib import Path
from typing import get_args

import pytest

from idp.base import ids
from idp.base.errors import Refused
from idp.domain.attempt import LoginAttempt, Proof, noted
from idp.domain.audit_event import Trace
from idp.domain.decision import MAX_NOTES, Outcome, SignInRecord, fitting, made
from idp.domain.linking import RULES
from idp.domain.replay import redacted, restored
from idp.domain.saml import MessageCheck
from idp.domain.upstream import UpstreamIdentity
from idp.ports import StoreUnavailable
from idp.resources import catalogue
from idp.services.explain_sign_in import Names, key_of, notes_of, told
from idp.services.record_audit import STORED_IN_WINDOW
from idp.services.sign_in_records import _ASKED, SignInRecords, of_checks

IDP = Path(__file__).parents[2] / "idp"
SAID = UpstreamIdentity(
    "corp", "https://corp.example", "s-1", "eve@corp.example", email_verified=True, groups=("staff",)
)
NOBODY = Names(lambda _: None, lambda _: None)


@pytest.fixture
def records(services) -> SignInRecords:
    return services.records


@pytest.fixture
def attempt(services) -> LoginAttempt:
    draft = services.sign_in.draft("oidc", "/resume", {"state": "top-secret-state"}, app_id="wiki", app_name="Wiki")
    return draft.attempt


def refuse(services, attempt, code="not_invited"):
    refused = Refused(code, "No.", reason="because").about(attempt)
    return services.traces.keep(
        "flow", refused, besides=lambda found: services.records.of_refusal(found, refused, attempt)
    )


# ---------------------------------------------------------------- what is kept


def test_a_refusal_and_its_record_have_one_code(services, records, attempt):
    code = refuse(services, attempt)

    found = records.get(code)

    assert (found.code, found.reason, found.outcome, found.app_name) == (code, "not_invited", "refused", "Wiki")
    assert [note.step for note in found.notes] == ["asked", "outcome"]
    assert services.traces.explain(code).reason == "because"


def test_of_the_request_of_the_app_nothing_is_kept(services, records, attempt):
    assert "top-secret-state" not in json.dumps(asdict(records.get(refuse(services, attempt))))


def test_a_record_is_gone_when_its_days_are_over(services, records, attempt, clock):
    code = refuse(services, attempt)
    clock.advance(13.9 * 86_400)
    assert records.get(code) is not None
    clock.advance(0.2 * 86_400)
    assert records.get(code) is None


def test_whoever_is_refused_on_purpose_does_not_fill_the_disk(services, repo, attempt):
    for _ in range(STORED_IN_WINDOW + 50):
        refuse(services, attempt)

    assert len(repo.find(SignInRecord)) == len(repo.find(Trace)) == STORED_IN_WINDOW


def test_whoever_turns_sign_ins_down_without_end_does_not_fill_the_disk_either(services, records, repo, attempt):
    for number in range(STORED_IN_WINDOW + 5):
        records.finished(replace(attempt, id=f"attempt-{number}", denied=True))
    assert len(repo.find(SignInRecord)) == STORED_IN_WINDOW

    records.finished(replace(attempt, id="mine", denied=True, proof=Proof("u-1", 0.0, ("pwd",))))
    assert len(records.of_user("u-1")) == 1


def test_a_finished_attempt_has_one_record_however_often_it_is_told(records, repo, attempt, clock):
    done = replace(attempt, proof=Proof("usr_ada", clock(), ("pwd", "otp"), clock()))

    assert records.finished(done) == records.finished(done) == ids.derived_code(attempt.id)

    [found] = repo.find(SignInRecord)
    assert (found.outcome, found.user_id) == ("signed_in", "usr_ada")
    assert [f"{note.step}_{note.result}" for note in found.notes] == [
        "asked_app", "factor_proved", "session_made", "outcome_signed_in",
    ]  # fmt: skip


def test_what_an_app_was_told_is_added_by_name(records, attempt, clock):
    code = records.finished(replace(attempt, proof=Proof("usr_ada", clock(), ("pwd",))))

    records.released(attempt.id, "Wiki", {"sub", "email"})
    records.released("unknown", "Wiki", {"sub"})

    assert records.get(code).notes[-1].facts == {"app": "Wiki", "names": "email, sub"}


def test_a_store_that_is_away_hinders_nobody_from_signing_in(records, attempt, clock, monkeypatch):
    def away(*_args, **_more):
        raise StoreUnavailable("away")

    for verb in ("insert", "find"):
        monkeypatch.setattr(records._repo, verb, away)

    assert records.finished(replace(attempt, proof=Proof("usr_ada", clock(), ("pwd",))))
    records.released(attempt.id, "Wiki", {"sub"})


def test_the_newest_come_first_for_a_user_too(services, records, attempt, clock):
    for number, name in enumerate(("usr_ada", "usr_eve", "usr_ada")):
        clock.advance(1)
        records.finished(replace(attempt, id=f"attempt-{number}", proof=Proof(name, clock(), ("pwd",))))
    refuse(services, noted(attempt, clock(), "password", "wrong", user="usr_eve"))

    assert [one.at for one in records.of_user("usr_ada")] == sorted(
        (one.at for one in records.of_user("usr_ada")), reverse=True
    )
    assert {one.outcome for one in records.of_user("usr_eve")} == {"signed_in", "refused"}
    assert [one.outcome for one in records.newest(10, outcome="refused")] == ["refused"]


# ---------------------------------------------------------------- bounds and redaction


def test_of_too_many_notes_the_first_and_the_last_stay():
    notes = [made(float(number), "check", "passed", code=str(number)) for number in range(500)]

    kept = fitting(notes)

    assert len(kept) == MAX_NOTES
    assert (kept[0].facts["code"], kept[-1].facts["code"]) == ("0", "499")


def test_facts_are_short_printable_and_few():
    note = made(0.0, "identity", "read", **{f"fact{n}": "\x1b[31m" + "x" * 5000 for n in range(50)})

    assert len(note.facts) == 12
    assert all(len(value) <= 300 and value.isprintable() for value in note.facts.values())


@pytest.mark.parametrize(
    "name",
    [
        "access_token",
        "refreshToken",
        "id_token",
        "Password",
        "client_secret",
        "nonce",
        "at_hash",
        "code",
        "SAMLAssertion",
    ],
)
def test_attributes_that_could_be_used_again_are_not_kept(name):
    said = replace(SAID, attributes={name: ("s3cret",), "department": ("physics",)})
    assert redacted(said)["attributes"] == {"department": ["physics"]}


def test_what_ends_a_session_there_is_not_kept():
    assert "n-99" not in json.dumps(redacted(replace(SAID, logout={"value": "n-99"})))


def test_a_flood_of_attributes_is_bounded_and_still_storable(services, records, attempt):
    many = {f"a{n}\ud800": tuple("\x00" + "x" * 4000 for _ in range(80)) for n in range(300)}
    code = refuse(services, replace(attempt, said=replace(SAID, attributes=many, groups=("g" * 900,) * 2000)))
    kept = records.get(code).identity
    assert len(json.dumps(kept)) < 50_000
    assert kept["cut_short"] is True


def test_what_was_kept_is_the_same_identity_again():
    said = replace(SAID, amr=("mfa",), acr="high", attributes={"department": ("physics", "maths")})
    assert restored(redacted(said)) == said
    assert restored({}) is None


# ---------------------------------------------------------------- words


def test_checks_that_passed_in_a_row_are_one_note_and_are_told_one_by_one(records, attempt):
    checks = [MessageCheck(code, True) for code in ("state", "nonce")]
    notes = of_checks([*checks, MessageCheck("audience", False, "who?")], 1.0, saml=False)
    record = records.of_refusal("CODE", Refused("x", "y"), None, provider_id="corp", notes=notes)

    assert [note.facts for note in notes] == [{"codes": "state, nonce"}, {"code": "audience", "detail": "who?"}]
    told_ones = [told(note, NOBODY) for note in notes_of(record)]
    assert [one.key for one in told_ones[:3]] == [f"upstream_check.{code}" for code in ("state", "nonce", "audience")]
    assert told_ones[2].cure == "upstream_cure.audience"


@pytest.mark.parametrize("language", ["en", "de"])
def test_every_rule_and_action_has_words(language):
    words = catalogue(language)
    assert {rule for rule in RULES if f"rule.{rule}" not in words} == set()
    actions = {"sign_in", "join", "ask_owner", "create", "refuse"}
    assert {one for one in actions if f"action.{one}" not in words} == set()


def _noted() -> list[tuple[str, set[str], set[str]]]:
    """(step, results as far as they stand there, names of facts) of every call of noted(…) and made(…) in the source."""
    found = []
    for file in IDP.rglob("*.py"):
        for call in ast.walk(ast.parse(file.read_text())):
            if isinstance(call, ast.Call) and getattr(call.func, "id", "") in ("noted", "made"):
                texts = [_texts(one) for one in call.args]
                steps = [at for at, words in enumerate(texts) if words]
                if steps and steps[0] + 1 < len(texts):
                    facts = {one.arg for one in call.keywords if one.arg}
                    found += [(step, texts[steps[0] + 1], facts) for step in texts[steps[0]]]
    return found


def _texts(argument: ast.expr) -> set[str]:
    if isinstance(argument, ast.IfExp):
        return _texts(argument.body) | _texts(argument.orelse)
    return {argument.value} if isinstance(argument, ast.Constant) and isinstance(argument.value, str) else set()


def test_every_note_that_the_code_makes_has_words():
    keys = {
        key_of(made(0.0, step, result))
        for step, results, _ in _noted()
        for result in results
        if step not in ("check", "saml_check")
    }
    assert {"rule.owner_confirmed", "note.password_wrong", "note.outcome_refused", "note.session_used"} <= keys
    assert {key for key in keys if key not in catalogue("en")} == set()


def test_no_words_are_kept_for_notes_that_nothing_makes():
    noted = {f"note.{step}_{result}" for step, results, _ in _noted() for result in results}
    noted |= {f"note.asked_{door}" for door in (*_ASKED.values(), "link")}
    noted |= {f"note.candidates_{found}" for found in ("login", "address", "none", "invitation")}
    noted |= {f"note.outcome_{outcome}" for outcome in get_args(Outcome)}
    assert {key for key in catalogue("en") if key.startswith("note.") and key not in noted} == set()


def test_every_fact_that_the_code_notes_has_a_label():
    names = {name for _, _, facts in _noted() for name in facts}
    assert {"user", "action", "vouched"} <= names
    assert {name for name in names - {"codes"} if f"fact.{name}" not in catalogue("en")} == set()


def test_every_check_of_the_kinds_has_words_and_a_cure():
    codes = set()
    for file in (IDP / "upstream").rglob("*.py"):
        if "saml" not in file.name:
            codes |= set(re.findall(r'\bchecks?\.(?:passed|failed)\(\s*"([a-z_]+)"', file.read_text()))
    assert {code for code in codes if f"upstream_check.{code}" not in catalogue("en")} == set()
    assert {code for code in codes if f"upstream_cure.{code}" not in catalogue("en")} == set()

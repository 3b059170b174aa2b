"""`idp saml …` and the checks in `idp explain`: what was kept is shown with cures, what was copied is decoded and checked."""

import time

import pytest

from idp.base.config import Settings
from idp.base.errors import Refused
from idp.domain.saml import MessageCheck
from idp.services.explain_messages import facts
from tests.cli.conftest import Shell
from tests.saml.peer import Sp

PEER = Sp(signs=True)
SSO = "http://127.0.0.1:8000/saml/sso"


@pytest.fixture
def kept(shell: Shell) -> dict[str, str]:
    """An app, and two messages of it as a running installation keeps them; ids and the trace code by a name of ours."""
    from idp.assemble import build_parts

    file = shell.folder / "metadata.xml"
    file.write_bytes(PEER.metadata())
    shell.json("sp", "add", file)
    parts = build_parts(Settings(data=str(shell.data)))
    request, peer = PEER.authn_request(time.time(), SSO), f"sp:{PEER.entity_id}"
    code = parts.traces.keep("saml", Refused("saml_acs_unknown", "No.", reason="another address"))
    failed = (MessageCheck("schema", True), MessageCheck("acs", False, "https://evil.example/\x1b[31m"))
    parts.saml_messages.keep(peer, "in", "AuthnRequest", "redirect", request)
    parts.saml_messages.keep(peer, "in", "AuthnRequest", "redirect", request, checks=failed, ok=False, trace=code)
    parts.saml_messages.flush()
    bad, good = (facts(one)["id"] for one in parts.saml_messages.of(peer))
    parts.repo.close()
    return {"good": good, "bad": bad, "trace": code}


def test_messages_are_listed_and_shown_with_checks_and_cures(shell: Shell, kept: dict[str, str]) -> None:
    assert [one["id"] for one in shell.json("saml", "messages")] == [kept["bad"], kept["good"]]
    for peer in (PEER.entity_id, f"sp:{PEER.entity_id}"):
        [failed] = shell.json("saml", "messages", peer, "--failed")
        assert (failed["id"], failed["cause"], failed["trace"]) == (kept["bad"], "acs", kept["trace"])
    assert shell.json("saml", "messages", "unknown") == []
    shown = shell("saml", "show", kept["bad"]).stdout
    in_one_line = " ".join(shown.split())
    for words in ("FAILED Registered address for the answer", "Import its current metadata", "<saml:Issuer>"):
        assert words in in_one_line
    assert "\x1b" not in shown
    assert shell.json("saml", "show", kept["bad"])["checks"][1]["code"] == "acs"
    assert "no such message" in shell.refused("saml", "show", "sm_nothing")[1]


def test_a_trace_code_leads_to_the_checks_of_the_message(shell: Shell, kept: dict[str, str]) -> None:
    told = shell("explain", kept["trace"].lower())
    assert "FAILED  Registered address for the answer" in told.stdout
    assert f"idp saml show {kept['bad']}" in told.stderr
    found = shell.json("explain", kept["trace"])
    assert (found["error"], found["message"]) == ("saml_acs_unknown", kept["bad"])
    assert [check["ok"] for check in found["checks"]] == [True, False]


def test_what_was_copied_is_decoded_and_checked(shell: Shell, kept: dict[str, str]) -> None:
    copied = f"{SSO}?{PEER.query(PEER.authn_request(time.time(), SSO), 'state')}\n"
    found = shell.json("saml", "decode", stdin=copied)
    assert (found["kind"], found["binding"], found["peer"]) == ("AuthnRequest", "redirect", f"sp:{PEER.entity_id}")
    assert found["relay_state"] == "state"
    assert all(check["ok"] for check in found["checks"])
    old = PEER.authn_request(time.time() - 4000, SSO)
    assert "FAILED  Age (IssueInstant)" in shell("saml", "decode", stdin=old.decode()).stdout


@pytest.mark.parametrize("rubbish", ["", "x" * 3_000_000])
def test_what_is_no_message_is_refused_in_one_line(shell: Shell, rubbish: str) -> None:
    code, line = shell.refused("saml", "decode", stdin=rubbish)
    assert code == 1
    assert "There is no SAML message in that" in line

"""`idp doctor`: what is in order, what is wrong and how to mend it, on a stopped installation."""

import base64
import secrets
import sqlite3

from tests.cli.conftest import Shell
from tests.support.ports import free_port


def findings(report: dict) -> dict[str, dict]:
    return {finding["check"]: finding for finding in report["checks"]}


def report_of(shell: Shell, code: int, **env: str) -> dict:
    import json

    done = shell("doctor", "--json", env=env)
    assert done.returncode == code, done.stdout
    report: dict = json.loads(done.stdout)
    assert report["ok"] is (code == 0)
    return report


def test_a_healthy_installation_that_is_stopped_is_in_order(shell: Shell) -> None:
    shell.json("user", "add", "root", "--email", "root@example.org", "--admin", "--totp")
    shell.json("keys", "list")
    report = report_of(shell, 0, IDP_SERVER__PORT=str(free_port()))  # somebody's `make run` may be at 8000
    found = findings(report)
    assert found["data folder"]["detail"].endswith("(mode 0700)")
    assert found["secrets/seal.key"]["detail"].endswith("(mode 0600)")
    assert found["store"]["detail"].startswith(f"SQLite {sqlite3.sqlite_version}")
    assert "time_cost=1" in found["passwords"]["detail"]
    assert " ms a hash" in found["passwords"]["detail"]
    assert found["seal key"]["detail"].startswith("id ")
    assert "0 days old" in found["signing keys"]["detail"]
    assert found["second factor"]["detail"] == "for everyone; 1 of 1 users have one"
    assert found["issuer"]["state"] == "hint"
    assert found["issuer"]["cure"]
    assert report["versions"]["Sheaf"]
    assert report["settings"]["oidc.code_seconds"] == 60


def test_for_people_it_ends_with_one_plain_sentence(shell: Shell) -> None:
    shell.json("user", "list")
    done = shell("doctor")
    hints = done.stdout.count("\nhint ")
    assert hints > 1
    assert done.stdout.strip().endswith(f"Nothing is wrong; {hints} hints above.")
    assert "-> Open the link that this prints: idp setup-link" in done.stdout


def test_before_the_first_start_it_makes_nothing(shell: Shell) -> None:
    report = report_of(shell, 1)
    assert findings(report)["data folder"]["cure"] == "Start once with: idp run"
    assert not shell.data.exists()


def test_a_folder_that_others_can_read_is_wrong_and_the_cure_is_a_command(shell: Shell) -> None:
    shell.json("user", "list")
    shell.data.chmod(0o755)
    key = shell.data / "secrets" / "seal.key"
    key.chmod(0o644)
    found = findings(report_of(shell, 1))
    assert found["data folder"]["cure"] == f"chmod 700 {shell.data}"
    assert found["secrets/seal.key"]["cure"] == f"chmod 600 {key}"


def test_another_seal_key_than_that_of_the_store_is_wrong(shell: Shell) -> None:
    shell.json("keys", "list")
    found = findings(report_of(shell, 1, IDP_SEAL_KEY=base64.b64encode(secrets.token_bytes(32)).decode()))
    assert found["sealed secrets"]["state"] == "wrong"
    assert "backup" in found["sealed secrets"]["cure"]


def test_unsafe_production_settings_are_wrong_with_their_cure(shell: Shell) -> None:
    shell.json("user", "list")
    found = findings(report_of(shell, 1, IDP_MODE="production", IDP_ISSUER="http://login.example.org"))
    assert "issuer" in found["mode"]["detail"]
    assert "Put TLS in front" in found["mode"]["cure"]


def test_secrets_in_the_settings_are_never_shown(shell: Shell) -> None:
    shell.json("user", "list")
    env = {
        "IDP_API__INTROSPECTION_CLIENT_SECRET": "hide-me-1",
        "IDP_API__BROKER": "amqp://user:hide-me-2@broker.example.org/x",
    }
    done = shell("doctor", env=env)
    assert "hide-me" not in done.stdout + done.stderr
    assert "api.introspection_client_secret = (set)" in done.stdout
    assert "amqp://(secret)@broker.example.org/x" in done.stdout


def test_a_store_that_does_not_answer_is_a_finding(shell: Shell) -> None:
    shell.json("user", "list")
    found = findings(report_of(shell, 1, IDP_STORE__URL="mongodb://127.0.0.1:1/sheaf?serverSelectionTimeoutMS=200"))
    assert found["store"]["state"] == "wrong"


def test_a_clock_behind_the_store_is_wrong(shell: Shell) -> None:
    shell.json("user", "add", "ada", "--email", "ada@example.org")
    from idp.base.clock import system_clock
    from idp.services.record_audit import Audit
    from idp.storage.sqlite import SqliteRepository

    repo = SqliteRepository(shell.data / "idp.db", system_clock)
    Audit(repo, lambda: system_clock() + 86_400).record("user.changed", actor="test", subject="test")
    repo.close()
    assert findings(report_of(shell, 1))["clock"]["state"] == "wrong"


def test_ways_in_that_end_fail_or_lock_people_out_are_told_with_their_cure(shell: Shell) -> None:
    from idp.assemble import build_parts
    from idp.base.config import load
    from idp.domain.upstream import FederatedLogin, UpstreamProvider

    shell.json("user", "add", "root", "--email", "root@example.org", "--admin", "--totp")
    bob = shell.json(
        "user", "add", "bob", "--email", "bob@example.org", "--password-stdin", stdin="long enough words\n"
    )
    parts = build_parts(load(None, {"data": str(shell.data)}, env={}))
    now = parts.clock()
    parts.repo.insert(UpstreamProvider("google", "google", "Google", now - 9, secret_expires_at=now + 6.5 * 86_400))
    parts.repo.insert(UpstreamProvider("corp", "oidc", "Corp", now - 9))
    parts.repo.insert(FederatedLogin("fl1", "usr-gone", "google", "https://google.example", "1", now))
    parts.upstream_health.failed("corp", "no answer within 5 s")
    parts.repo.close()

    port = str(free_port())
    report = report_of(shell, 1, IDP_SERVER__PORT=port, IDP_ISSUER="https://id.example.org")
    told = [(one["check"], one["state"], one["detail"]) for one in report["checks"]]
    assert ("upstreams", "ok", "2 enabled: corp, google") in told
    assert any(check == "upstream corp" and "no answer within 5 s" in detail for check, _, detail in told)
    assert any(
        check == "upstream google" and detail.startswith("now: its client secret ends") for check, _, detail in told
    )
    assert ("second factor", "hint", f"1 user without one: {bob['username']}") in told
    assert ("local login", "hint", "1 user could not sign in if local login were off: bob") in told
    assert {"mail", "proxy"} <= {check for check, state, _ in told if state == "hint"}
    assert all(one["cure"] for one in report["checks"] if one["state"] != "ok")

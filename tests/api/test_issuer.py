"""What the companion knows of its issuer: keys, introspection, absence; and how fast a revocation bites."""

from collections.abc import Callable

import pytest

from idp.api.issuer import introspection_client_of, issuer_of
from idp.base.config import Settings
from idp.base.errors import Misconfigured
from tests.api.conftest import Companion, refusal
from tests.api.test_caller import QUERY, judged


def test_a_revoked_token_is_refused_within_five_seconds(asking_companion: Companion) -> None:
    token = asking_companion.as_user()
    assert judged(asking_companion, token) == (200, "")
    asking_companion.issuer.revoked.add(token)
    asking_companion.clock.advance(4.5)
    assert judged(asking_companion, token) == (401, "revoked_token")


def test_introspection_is_asked_once_for_many_requests_in_its_seconds(asking_companion: Companion) -> None:
    token = asking_companion.as_user()
    for _ in range(20):
        assert judged(asking_companion, token) == (200, "")
    assert asking_companion.issuer.asked.count("/introspect") == 1
    assert asking_companion.issuer.asked.count("/jwks") == 1


def test_what_introspection_takes_away_is_gone_and_what_it_adds_is_not_believed(asking_companion: Companion) -> None:
    c = asking_companion
    c.issuer.answers = {"scope": "documents.write queues.manage"}
    assert judged(c, c.as_user()) == (403, "insufficient_scope")
    c.issuer.answers = {"roles": []}
    hidden = c.call("POST", "/documents/notes", c.as_admin(), {"data": {}, "acl": None})
    assert refusal(hidden) == (403, "not_permitted")
    c.issuer.answers = {"roles": ["administrator"]}
    assert refusal(c.call("POST", "/documents/notes", c.as_user(), {"data": {}, "acl": None})) == (403, "not_permitted")
    c.issuer.answers = {"sub": "somebody else"}
    assert judged(c, c.as_user()) == (401, "revoked_token")


def test_when_introspection_gives_no_answer_the_request_waits_for_later(asking_companion: Companion) -> None:
    c = asking_companion
    c.issuer.broken.add("/introspect")
    answer = c.call(*QUERY, c.as_user())
    assert refusal(answer) == (503, "issuer_unavailable")
    assert answer.headers["Retry-After"]
    c.issuer.broken.clear()
    assert judged(c, c.as_user()) == (200, "")
    c.issuer.answers = {"active": "true"}
    assert judged(c, c.as_user()) == (503, "issuer_unavailable")


def test_without_the_issuer_nobody_comes_in(start: Callable[..., Companion]) -> None:
    away = start(issuer="http://127.0.0.1:9")
    token = away.issuer.mint(iss="http://127.0.0.1:9")
    assert judged(away, token) == (503, "issuer_unavailable")


def test_while_the_issuer_is_away_it_is_asked_once_a_second_and_not_by_every_request(companion: Companion) -> None:
    c = companion
    c.issuer.broken.add("/jwks")
    for _ in range(10):
        assert judged(c, c.as_user()) == (503, "issuer_unavailable")
    assert c.issuer.asked.count("/jwks") == 1
    c.issuer.broken.clear()
    c.clock.advance(1)
    assert judged(c, c.as_user()) == (200, "")


def test_discovery_that_speaks_for_another_issuer_is_not_believed(companion: Companion) -> None:
    companion.issuer.says_issuer = "https://elsewhere.example"
    assert judged(companion, companion.as_user()) == (503, "issuer_unavailable")


def test_a_new_key_is_found_at_once_but_strange_kids_do_not_make_a_flood(companion: Companion) -> None:
    c = companion
    assert judged(c, c.as_user()) == (200, "")
    c.issuer.add_key("new", "ES256")
    c.clock.advance(6)
    assert judged(c, c.issuer.mint(kid="new")) == (200, "")
    before = c.issuer.asked.count("/jwks")
    for number in range(30):
        assert judged(c, c.issuer.mint(header={"kid": f"strange{number}"})) == (401, "invalid_signature")
    assert c.issuer.asked.count("/jwks") == before
    c.clock.advance(6)
    for number in range(30):
        judged(c, c.issuer.mint(header={"kid": f"strange{number}"}))
    assert c.issuer.asked.count("/jwks") == before + 1


def test_keys_outlive_a_short_absence_of_the_issuer_but_not_a_long_one(companion: Companion) -> None:
    c = companion
    assert judged(c, c.as_user()) == (200, "")
    c.issuer.broken.add("/jwks")
    c.clock.advance(400)
    assert judged(c, c.as_user()) == (200, "")
    c.clock.advance(600)
    assert judged(c, c.as_user()) == (503, "issuer_unavailable")


def test_a_removed_key_is_not_believed_for_long(companion: Companion) -> None:
    c = companion
    c.issuer.add_key("old", "ES256")
    token = c.issuer.mint(kid="old", exp=int(c.clock()) + 3000)
    assert judged(c, token) == (200, "")
    del c.issuer.keys["old"]
    c.clock.advance(361)
    assert judged(c, token) == (401, "invalid_signature")


def test_the_companion_does_not_start_in_production_with_an_http_issuer_or_half_an_introspection_client(
    start: Callable[..., Companion],
) -> None:
    with pytest.raises(Misconfigured, match=r"api\.issuer"):
        issuer_of(Settings.model_validate({"mode": "production", "api": {"issuer": "http://id.example"}}))
    assert (
        issuer_of(Settings.model_validate({"mode": "production", "issuer": "https://id.example"}))
        == "https://id.example"
    )
    with pytest.raises(Misconfigured, match=r"api\.introspection_client_secret"):
        introspection_client_of(Settings.model_validate({"api": {"introspection_client_id": "x"}}))
    with pytest.raises(Misconfigured, match=r"api\.introspection_client_secret_file"):
        introspection_client_of(
            Settings.model_validate(
                {"api": {"introspection_client_id": "x", "introspection_client_secret_file": "/no"}}
            )
        )

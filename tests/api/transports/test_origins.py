"""Pages in browsers: those of the configured origins may use the API, and those of nobody else may read its answers."""

from collections.abc import Callable

import pytest

from tests.api.conftest import Companion

OURS = "https://app.example.org"
THEIRS = ("https://evil.example", "null", f"{OURS}.evil.example", "http://app.example.org", f"{OURS}:444", "*")
ASKING = {"Access-Control-Request-Method": "PATCH", "Access-Control-Request-Headers": "authorization"}


@pytest.fixture
def open_companion(start_with: Callable[..., Companion]) -> Companion:
    return start_with(api={"origins": [OURS]})


def test_a_page_of_ours_may_ask_and_read(open_companion: Companion) -> None:
    answer = open_companion.client.options("/documents/notes/x", headers={"Origin": OURS, **ASKING})
    assert answer.status_code == 204
    assert answer.headers["Access-Control-Allow-Origin"] == OURS
    assert "PATCH" in answer.headers["Access-Control-Allow-Methods"]
    assert "Access-Control-Allow-Credentials" not in answer.headers  # no cookie counts here
    token = open_companion.as_user()
    for path in ("/documents/notes/x", "/"):
        answer = open_companion.call("GET", path, token, headers={"Origin": OURS})
        assert answer.headers["Access-Control-Allow-Origin"] == OURS
        assert answer.headers["Vary"] == "Origin"


@pytest.mark.parametrize("origin", THEIRS, ids=range(len(THEIRS)))
def test_a_page_of_strangers_learns_nothing(open_companion: Companion, origin: str) -> None:
    answers = [
        open_companion.client.options("/documents/notes/x", headers={"Origin": origin, **ASKING}),
        open_companion.call("GET", "/", None, headers={"Origin": origin}),
    ]
    assert answers[0].status_code == 405
    assert not any("Access-Control-Allow-Origin" in answer.headers for answer in answers)


def test_without_configured_origins_no_page_may(start_with: Callable[..., Companion]) -> None:
    answer = start_with().client.options("/documents/notes/x", headers={"Origin": OURS, **ASKING})
    assert answer.status_code == 405
    assert not any(name.startswith("Access-Control") for name in dict(answer.headers))

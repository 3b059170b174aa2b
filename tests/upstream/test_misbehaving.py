"""Owns that no kind of upstream is taken in, or held up, by one that misbehaves; and that each works again afterwards as it is.

Runs every misbehaviour of misbehaving on every kind that can have it. Directories are in test_ldap.
"""

from dataclasses import replace
from typing import Any

import pytest

from idp.base.errors import Refused
from idp.upstream.parse import new_provider
from idp.upstream.registry import open_kind, secret_fields
from tests.upstream.conftest import POLICY, tools_for
from tests.upstream.doubles import DOUBLES, SUBJECTS
from tests.upstream.misbehaving import LIES, OPENID, ROTATIONS, TROUBLE, behave

CALLBACK = "https://sheaf.example/upstream/under-test/callback"
SECONDS = 1.0
PAUSE = 6  # after a failure nobody is asked for a while


def _cases(table: dict[str, dict[str, Any]]) -> list[Any]:
    return [pytest.param(kind, name, id=f"{kind}: {name}") for kind, acts in table.items() for name in acts]


class Scene:
    """An upstream of a kind, opened, and its double."""

    def __init__(self, kind_name: str, upstreams: Any, clock: Any) -> None:
        self.clock = clock
        self.double = DOUBLES[kind_name](clock)
        self.server: Any = self.double.provider  # type: ignore[attr-defined]
        self.person = SUBJECTS.get(kind_name, "person-1")
        made = new_provider(kind_name, "under-test", self.double.settings(), clock())
        self.provider = upstreams.add(made, secrets=secret_fields(kind_name), actor="test")
        self.kind = open_kind(self.provider, upstreams, tools_for(replace(POLICY, timeout=SECONDS), clock))

    def sign_in(self, misbehave: Any = None) -> str:
        """misbehave: after the person has left, while they are there."""
        departure = self.kind.depart(self.provider, CALLBACK, force=False, login_hint=None)
        params = self.double.come_back(departure, self.person)
        if misbehave is not None:
            misbehave(self.server)
        return self.kind.arrive(self.provider, CALLBACK, params, departure.remembered).subject

    def remember_a_token(self) -> None:
        """A true token of another sign-in, and its nonce, for who wants to show it again."""

        def make(claims: dict[str, Any]) -> str:
            self.server.earlier_nonce = claims["nonce"]
            self.server.earlier_token = self.server.sign(claims)
            return str(self.server.earlier_token)

        self.server.make_token = make
        self.sign_in()
        self.server.make_token = None


@pytest.fixture
def scene(kind_name: str, upstreams: Any, clock: Any) -> Any:
    made = Scene(kind_name, upstreams, clock)
    yield made
    made.double.close()


@pytest.mark.parametrize(("kind_name", "lie"), _cases(LIES))
def test_an_answer_that_lies_is_refused_and_the_next_true_one_is_accepted(
    scene: Scene, kind_name: str, lie: str
) -> None:
    if kind_name in OPENID:
        scene.remember_a_token()

    with pytest.raises(Refused) as refused:
        scene.sign_in(LIES[kind_name][lie])

    assert refused.value.code == "upstream_answer_invalid"
    assert refused.value.reason
    behave(scene.server, clock=scene.clock)
    assert scene.sign_in() == scene.person


@pytest.mark.parametrize(("kind_name", "trouble"), _cases(TROUBLE))
def test_trouble_at_a_server_ends_by_name_and_is_over_when_it_is_over(
    scene: Scene, kind_name: str, trouble: str
) -> None:
    """The double would stall for 30 seconds; whoever waited for it would be found waiting here."""
    TROUBLE[kind_name][trouble](scene.server)

    with pytest.raises(Refused) as refused:
        scene.sign_in()

    assert refused.value.code in ("upstream_unreachable", "upstream_misconfigured", "upstream_answer_invalid")
    assert refused.value.status in (400, 401, 403, 502, 503, 504)
    assert scene.server.finished == [], "nobody waited for the end of it"
    behave(scene.server, clock=scene.clock)
    scene.clock.advance(PAUSE)
    assert scene.sign_in() == scene.person


@pytest.mark.parametrize("kind_name", OPENID)
@pytest.mark.parametrize("rotation", list(ROTATIONS))
def test_a_new_key_is_found_without_a_restart(scene: Scene, kind_name: str, rotation: str) -> None:
    scene.sign_in()

    ROTATIONS[rotation](scene.server)

    assert scene.sign_in() == scene.person

"""Owns the claims of the certification plans about logout: RP-initiated, back-channel, front-channel, session management.

The names of the modules are in test_certification_plans; each channel by itself is in the test file of its name.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
from joserfc import jwt

from tests.oidc.app_keys import unsigned
from tests.oidc.certified import Party, Signed, Suite, Visit
from tests.oidc.house import BYE, CALLBACK, ISSUER, House
from tests.oidc.listening import deliver
from tests.oidc.test_certification_basic import OPEN
from tests.support.html import parse
from tests.support.receiver import Receiver

EVENT = "http://schemas.openid.net/event/backchannel-logout"


@dataclass
class Scene:
    suite: Suite
    party: Party
    visit: Visit
    signed: Signed

    @property
    def hint(self) -> str:
        return str(self.signed.tokens["id_token"])

    def leave(self, **params: str) -> Visit:
        return self.visit.open("/end_session", **params)

    def still_signed_in(self) -> bool:
        heard = self.visit.authorize(self.party, prompt="none").heard()
        assert heard is not None
        return "code" in heard

    def came_back(self) -> str | None:
        return self.visit.page.headers.get("Location")


@pytest.fixture
def scene(house_with: Callable[..., House]) -> Scene:
    return scene_with(Suite(house_with(**OPEN)))


def scene_with(suite: Suite, **metadata: Any) -> Scene:
    party, visit = suite.party(**metadata), suite.visit()
    return Scene(suite, party, visit, party.sign_in(visit))


def test_the_metadata_name_what_is_there_for_signing_out(scene: Scene) -> None:
    said = scene.suite.metadata()
    assert said["end_session_endpoint"] == f"{ISSUER}/end_session"
    assert said["check_session_iframe"] == f"{ISSUER}/session/check"
    for channel in ("backchannel", "frontchannel"):
        assert said[f"{channel}_logout_supported"] is said[f"{channel}_logout_session_supported"] is True


# ------------------------------------------------------------------ RP-initiated


def test_the_person_comes_back_signed_out_with_the_state(scene: Scene) -> None:
    scene.leave(id_token_hint=scene.hint, post_logout_redirect_uri=BYE, state="s-9")
    assert scene.came_back() == f"{BYE}?state=s-9"
    assert not scene.still_signed_in()


def test_without_a_state_none_comes_back(scene: Scene) -> None:
    scene.leave(id_token_hint=scene.hint, post_logout_redirect_uri=BYE)
    assert scene.came_back() == BYE


@pytest.mark.parametrize(
    "uri", [f"{BYE}/other", f"{BYE}?foo=bar", CALLBACK], ids=["other", "query added", "for sign-in"]
)
def test_nobody_is_sent_to_an_address_that_is_not_registered(scene: Scene, uri: str) -> None:
    scene.leave(id_token_hint=scene.hint, post_logout_redirect_uri=uri, state="s-9")
    assert scene.came_back() is None
    assert scene.visit.page.status_code == 400


@pytest.mark.parametrize("kind", ["alg none", "another signature", "rubbish", "none"])
def test_a_hint_that_is_not_good_sends_nobody_back_without_a_question(scene: Scene, kind: str) -> None:
    hint = {
        "alg none": unsigned(scene.signed.claims),
        "another signature": scene.hint[:-6] + "AAAAAA",
        "rubbish": "rubbish",
        "none": "",
    }[kind]
    scene.leave(id_token_hint=hint, post_logout_redirect_uri=BYE, state="s-9")
    assert scene.came_back() is None
    assert scene.still_signed_in()


@pytest.mark.parametrize("params", [{}, {"state": "s-9"}], ids=["no parameters", "state only"])
def test_without_a_word_about_the_app_the_person_is_asked_and_stays(scene: Scene, params: dict[str, str]) -> None:
    scene.leave(**params)
    form = next(one for one in parse(scene.visit.page.text).forms if one.action == "/end_session/confirm")
    assert scene.still_signed_in()
    scene.visit.open(form.action, post=form.values)
    assert (scene.visit.page.status_code, scene.came_back()) == (200, None)
    assert not scene.still_signed_in()


def test_a_hint_alone_signs_out_and_stays(scene: Scene) -> None:
    scene.leave(id_token_hint=scene.hint)
    assert (scene.visit.page.status_code, scene.came_back()) == (200, None)
    assert not scene.still_signed_in()


# ------------------------------------------------------------------ to the apps


def test_the_app_gets_a_logout_token_behind_the_persons_back(scene: Scene) -> None:
    with Receiver() as server:
        told = {"backchannel_logout_uri": server.url("/out"), "backchannel_logout_session_required": True}
        there = scene_with(scene.suite, **told)
        there.leave(id_token_hint=there.hint, post_logout_redirect_uri=BYE, state="s-9")
        assert deliver(scene.suite.house) == 1
        (got,) = server.received
    token = jwt.decode(got.form["logout_token"][0], there.party.published(), algorithms=["RS256"])
    claims = token.claims
    assert (claims["iss"], claims["aud"]) == (ISSUER, there.party.id)
    assert (claims["sub"], claims["sid"]) == (there.signed.claims["sub"], there.signed.claims["sid"])
    assert claims["events"] == {EVENT: {}}
    assert claims["jti"]
    assert "nonce" not in claims


def test_the_app_is_shown_in_an_iframe_and_the_person_goes_on(scene: Scene) -> None:
    there = scene_with(
        scene.suite, frontchannel_logout_uri="https://app.example/frame", frontchannel_logout_session_required=True
    )
    there.leave(id_token_hint=there.hint, post_logout_redirect_uri=BYE, state="s-9")
    page = there.visit.page.text
    source = page.partition("<iframe")[2].partition('src="')[2].partition('"')[0].replace("&amp;", "&")
    assert source.startswith("https://app.example/frame?")
    assert parse_qs(urlsplit(source).query) == {"iss": [ISSUER], "sid": [there.signed.claims["sid"]]}
    assert f"url={BYE}?state=s-9" in there.visit.page.headers["Refresh"]


def test_the_state_of_the_session_changes_when_it_ends(scene: Scene) -> None:
    before = scene.visit.browser.get_cookie("sheaf_state")
    assert scene.signed.answer["session_state"]
    assert before is not None
    scene.leave(id_token_hint=scene.hint, post_logout_redirect_uri=BYE)
    after = scene.visit.browser.get_cookie("sheaf_state")
    assert after is None or after.value != before.value

"""The story of a sign-in of an OpenID Connect app: what it was told by name, who turned back, and what it was refused for."""

import re

import pyotp

from idp.domain.decision import SignInRecord
from idp.domain.user import User
from tests.oidc.house import House, sent_back
from tests.oidc.test_whole_sign_in import ada, phone, signed_in  # noqa: F401  (fixtures)


def _only(house: House) -> SignInRecord:
    [found] = house.parts.repo.find(SignInRecord)
    return found


def test_the_names_of_the_claims_stand_in_the_story_and_their_values_do_not(
    house: House,
    ada: User,  # noqa: F811
    phone: pyotp.TOTP,  # noqa: F811
) -> None:
    window = signed_in(house, house.client(), phone, scope="openid email")
    assert window.answer is not None
    assert "code" in sent_back(window.answer)

    found = _only(house)

    assert (found.outcome, found.user_id, found.app_id) == ("signed_in", ada.id, "shop")
    assert [note.step for note in found.notes] == [
        "asked",
        "password",
        "factor",
        "factor",
        "session",
        "outcome",
        "released",
    ]
    assert found.notes[-1].facts["names"] == "email, email_verified, sub"
    assert [note.facts for note in found.notes if "@" in str(note.facts)] == []


def test_who_declines_has_a_story_that_says_so(
    house: House,
    ada: User,  # noqa: F811
    phone: pyotp.TOTP,  # noqa: F811
) -> None:
    signed_in(house, house.client(consent="ask"), phone).submit("/consent", answer="deny")

    found = _only(house)

    assert (found.outcome, found.notes[-1].result) == ("denied", "denied")


def test_a_wrong_password_has_a_story_under_the_code_on_the_form(
    house: House,
    ada: User,  # noqa: F811
    phone: pyotp.TOTP,  # noqa: F811
) -> None:
    window = signed_in(house, house.client(), phone, prompt="login")
    window.open("/authorize", **house.request_of(house.client("other"), prompt="login"))
    page = window.submit("/password", username="ada", password="wrong")
    code = re.search(r'class="mono">([0-9A-Z]{8})<', page.text)
    assert code is not None

    found = house.parts.records.get(code[1])

    assert found is not None
    assert (found.reason, found.user_id, found.app_id) == ("wrong_credentials", ada.id, "other")
    assert found.notes[-1].facts["why"] == "wrong password"


def test_single_sign_on_that_needs_no_page_leaves_no_record(house: House) -> None:
    house.code(house.person(), house.client())
    assert house.parts.repo.find(SignInRecord) == []

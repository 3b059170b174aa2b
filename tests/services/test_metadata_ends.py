"""What ends by itself: how soon is soon, and whose business it is."""

from dataclasses import replace

import pytest

from idp.domain.relying import ServiceProvider
from idp.saml.sp_metadata import read
from idp.services.metadata.ends import DAY, endings, endings_of_app
from tests.saml.peer import Sp, instant
from tests.support.clock import START

APP = ServiceProvider(Sp().entity_id, "Wiki", "", START)


@pytest.mark.parametrize(
    ("days", "urgency"),
    [(-1, "over"), (0, "over"), (1, "last"), (7, "last"), (8, "sooner"), (30, "sooner"), (31, "soon"), (60, "soon")],
)
def test_it_becomes_urgent_in_three_steps(days: int, urgency: str) -> None:
    [one] = endings([("metadata", START + days * DAY)], START)
    assert (one.urgency, one.days) == (urgency, days)
    assert one.grave is (urgency == "over")


def test_nobody_is_told_of_what_ends_later() -> None:
    assert endings([("metadata", START + 61 * DAY)], START) == []


def test_a_certificate_that_is_over_does_no_harm_by_itself() -> None:
    [one] = endings([("signing certificate", START - DAY)], START)
    assert (one.urgency, one.grave) == ("over", False)


def test_a_federation_renews_the_metadata_of_its_members_itself() -> None:
    view = read(Sp(extra=f'validUntil="{instant(START + 5 * DAY)}"').metadata())
    member = replace(APP, source_id="campus")
    assert [one.what for one in endings_of_app(APP, view, START)] == ["metadata"]
    assert endings_of_app(member, view, START) == []
    assert [one.what for one in endings_of_app(member, view, START + 4 * DAY)] == ["metadata"]

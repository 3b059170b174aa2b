"""Owns what tests of signing out share: apps that listen for logout tokens, and the queue that sends them.

The people and the apps themselves are those of tests/oidc/house.
"""

from typing import Any

from idp.services.deliver_logout import DeliverLogout
from tests.oidc.house import App, House, Person
from tests.support.html import parse
from tests.support.receiver import Receiver


def listening(house: House, receiver: Receiver, id: str = "shop", **more: Any) -> App:
    return house.client(id, backchannel_logout_uri=receiver.url(f"/{id}/logout"), **more)


def deliver(house: House) -> int:
    return queue_of(house).run_due()


def csrf_of(person: Person) -> str:
    return parse(person.browser.get("/sign-out").text).forms[0].values["csrf"]


def queue_of(house: House) -> DeliverLogout:
    queue: DeliverLogout = house.app.extensions["sheaf_deliveries"]
    return queue

"""Two registered service providers, and requests of theirs for the tests of `inbound`."""

from collections.abc import Callable
from typing import Any

import pytest

from idp.base.errors import Refused
from idp.protocols.saml import inbound
from idp.protocols.saml.errors import SamlStatus
from tests.saml.peer import Sp
from tests.support.clock import START

SSO = "https://idp.example/saml/sso"
NOW = START
SIGNING = Sp("https://signing.example/metadata", acs=("https://signing.example/acs",), signs=True)
PLAIN = Sp()
Receive = Callable[..., inbound.Received]


def ask(body: str = "", attributes: str = "", sp: Sp = PLAIN, destination: str | None = SSO, at: float = NOW) -> bytes:
    return sp.authn_request(at, destination, attributes=attributes, body=body)


def refusal(receive: Receive, arrived: Any, **how: Any) -> str:
    with pytest.raises(Refused) as caught:
        receive(arrived, **how)
    return caught.value.code


def status(receive: Receive, body: str = "", attributes: str = "") -> str:
    with pytest.raises(SamlStatus) as caught:
        receive(PLAIN.query(ask(body, attributes)))
    assert caught.value.request.acs_url in PLAIN.acs
    return caught.value.second

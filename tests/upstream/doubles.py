"""Owns, for each upstream kind, how a true and a lying counterpart of it is driven. A new kind adds one class here.

The suite that runs on every kind is test_every_kind.
"""

from collections.abc import Mapping
from typing import Protocol

from idp.ports import Departure
from tests.upstream.openid_double import CLIENT_ID, CLIENT_SECRET, MISSING, OpenIdDouble


class Double(Protocol):
    """The other side of one kind. `come_back` is what the browser brings after the person signed in there; the rest makes
    the next answer a lie."""

    def settings(self) -> dict[str, str]: ...

    def come_back(self, departure: Departure, subject: str) -> dict[str, str]: ...

    def other_state(self, params: Mapping[str, str]) -> dict[str, str]: ...

    def say_no(self, params: Mapping[str, str]) -> dict[str, str]: ...

    def answer_expired(self) -> None: ...

    def answer_for_another_audience(self) -> None: ...

    def answer_from_another_issuer(self) -> None: ...

    def answer_without_subject(self) -> None: ...

    def answer_unsigned(self) -> None: ...

    def close(self) -> None: ...


class OidcDouble:
    def __init__(self, clock) -> None:
        self.provider = OpenIdDouble(clock)

    def settings(self) -> dict[str, str]:
        return {"issuer": self.provider.issuer, "client_id": CLIENT_ID, "client_secret": CLIENT_SECRET}

    def come_back(self, departure: Departure, subject: str) -> dict[str, str]:
        return self.provider.authorize(departure.url, subject)

    def other_state(self, params: Mapping[str, str]) -> dict[str, str]:
        return {**params, "state": "x" * 43}

    def say_no(self, params: Mapping[str, str]) -> dict[str, str]:
        return {"error": "access_denied", "state": params["state"], "iss": self.provider.issuer}

    def answer_expired(self) -> None:
        self.provider.lies = {"exp": int(self.provider.clock()) - 3600}

    def answer_for_another_audience(self) -> None:
        self.provider.lies = {"aud": "another-client"}

    def answer_from_another_issuer(self) -> None:
        self.provider.lies = {"iss": "https://evil.example"}

    def answer_without_subject(self) -> None:
        self.provider.lies = {"sub": MISSING}

    def answer_unsigned(self) -> None:
        self.provider.make_token = self.provider.unsigned

    def close(self) -> None:
        self.provider.close()


DOUBLES: dict[str, type[Double]] = {"oidc": OidcDouble}

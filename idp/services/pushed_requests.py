"""Authorization requests that an app sends beforehand (RFC 9126): kept under a random name, found by it, answered once.

Leaves what is in them to the OIDC door.
"""

from collections.abc import Iterable, Mapping

from idp.base import ids
from idp.base.clock import Clock
from idp.base.errors import Refused
from idp.domain.grant import PushedRequest
from idp.domain.relying import Client
from idp.ports import Repository

PREFIX = "urn:ietf:params:oauth:request_uri:"


class PushedRequests:
    """seconds: so long the name is good for beginning a sign-in; attempt_seconds: so long that may take."""

    def __init__(self, repo: Repository, clock: Clock, seconds: int, attempt_seconds: int) -> None:
        self._repo = repo
        self._clock = clock
        self.seconds = seconds
        # Remembered until the last sign-in that it can have begun is over: a second answer must be recognised as such.
        self._remembered = seconds + attempt_seconds + seconds

    def push(
        self, client: Client, parameters: Iterable[tuple[str, str]], confirmation: Mapping[str, str] | None = None
    ) -> str:
        """Gives the request_uri."""
        name, now = ids.secret(), self._clock()
        self._repo.insert(
            PushedRequest(
                id=ids.digest(name),
                client_id=client.id,
                parameters=tuple(parameters),
                created_at=now,
                expires_at=now + self._remembered,
                confirmation=dict(confirmation or {}),
            )
        )
        return PREFIX + name

    def find(self, uri: str, client: Client) -> PushedRequest:
        """What this client pushed. Looking does not use it up: a person may load the page of a sign-in twice, and so may
        a program that looks at links first (FAPI 2.0 Security Profile 5.3.2.2, note on one-time use).

        Raises Refused(request_expired | request_used).
        """
        found = self._repo.get(PushedRequest, ids.digest(uri.removeprefix(PREFIX))) if len(uri) <= 200 else None
        if found is None or found.client_id != client.id:
            raise _expired("unknown, long expired, or of another client")
        if found.consumed_at is not None:
            raise _used()
        if self._clock() >= found.created_at + self.seconds:
            raise _expired("not begun in time")
        return found

    def answer(self, id: str) -> None:
        """An answer is about to be given: of all that are tried, one passes. Raises Refused(request_used)."""
        if self._repo.consume(PushedRequest, id) is None:
            raise _used()


def _expired(reason: str) -> Refused:
    return Refused(
        "request_expired",
        "This sign-in request has expired. Go back to the app and start again there.",
        status=410,
        reason=f"request_uri: {reason}",
    )


def _used() -> Refused:
    return Refused(
        "request_used",
        "This sign-in request was already answered. Go back to the app; if you are not signed in there, start again.",
        status=410,
        reason="the request_uri was used before",
    )

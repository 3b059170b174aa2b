"""Initial access tokens: who holds one may register apps (RFC 7591 1.2). Only a digest is kept; uses are counted atomically.

Leaves what may be registered to register_client.
"""

from dataclasses import replace

from idp.base import ids
from idp.base.clock import Clock
from idp.base.errors import Refused
from idp.base.secret import Secret
from idp.domain.relying import InitialAccessToken
from idp.ports import Repository
from idp.services.record_audit import Audit

MOST_USES = 100_000
MOST_SECONDS = 3650 * 86_400
MAX_NAME = 100


class InitialTokens:
    def __init__(self, repo: Repository, clock: Clock, audit: Audit) -> None:
        self._repo = repo
        self._clock = clock
        self._audit = audit

    def add(self, name: str, *, uses: int | None, seconds: float, actor: str) -> tuple[InitialAccessToken, Secret]:
        """A token, shown this once. uses: None for any number. Raises Refused(bad_token | token_taken)."""
        if not 0 < len(name.strip()) <= len(name) <= MAX_NAME or not name.isprintable():
            raise Refused("bad_token", f"A name has 1 to {MAX_NAME} printable characters.")
        if uses is not None and not 1 <= uses <= MOST_USES:
            raise Refused("bad_token", f"A token has 1 to {MOST_USES} uses.")
        if not 60 <= seconds <= MOST_SECONDS:
            raise Refused("bad_token", "A token lasts from a minute to ten years.")
        if any(one.name == name for one in self.all()):
            raise Refused("token_taken", "There is a token of this name.", status=409)
        secret, now = Secret(ids.secret()), self._clock()
        made = InitialAccessToken(ids.digest(secret.reveal()), name, now, now + seconds, uses)
        self._repo.insert(made)
        self._audit.record("registration_token.added", actor=actor, subject=name, uses=str(uses or "any number"))
        return made, secret

    def all(self) -> list[InitialAccessToken]:
        return self._repo.find(InitialAccessToken, limit=10_000)

    def remove(self, name: str, *, actor: str) -> None:
        """Raises Refused(unknown_token)."""
        found = [one for one in self.all() if one.name == name]
        if not found:
            raise Refused("unknown_token", "There is no token of this name.", status=404)
        for one in found:
            self._repo.delete(InitialAccessToken, one.id)
        self._audit.record("registration_token.removed", actor=actor, subject=name)

    def find(self, token: str) -> InitialAccessToken | None:
        """The token, while it is good for another registration."""
        found = self._repo.get(InitialAccessToken, ids.digest(token))
        return None if found is None or found.uses_left == 0 else found

    def take(self, id: str) -> bool:
        """Use it once. With one use left, exactly one of any number of callers gets True."""
        while (found := self._repo.get(InitialAccessToken, id)) is not None:
            if found.uses_left is None:
                return True
            if found.uses_left <= 0:
                return False
            if self._repo.replace_if(replace(found, uses_left=found.uses_left - 1)) is not None:
                return True
        return False

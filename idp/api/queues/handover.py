"""Owns tokens that senders hand over with a message: which may be, and how they are kept until the taker gets them.

Only a token that the identity provider exchanged for being sent to that queue (detail `sheaf_handover`), of the same person,
never the caller's own: whoever takes the message can do with it what it was narrowed to, and nothing else.
"""

import logging

from idp.api.caller import Caller, TokenJudge
from idp.api.documents.keyring import CannotOpen, Keyring
from idp.api.problems import bad_request
from idp.base.errors import Refused
from idp.base.log import event

logger = logging.getLogger("idp.api.handover")


class Handover:
    def __init__(self, judge: TokenJudge, keyring: Keyring) -> None:
        self._judge = judge
        self._keyring = keyring

    def sealed(self, caller: Caller, queue: str, place: str, id: str, token: str) -> str:
        """As it is kept with the message `id`. Raises Refused 400 bad_handover."""
        handed = self._judged(token)
        if handed.token_id == caller.token_id or handed.subject != caller.subject:
            raise _bad("It is not a token that was exchanged for you.")
        if handed.narrowing is None or queue not in handed.narrowing.handover:
            raise _bad("It was not exchanged for being sent to this queue.")
        return self._keyring.seal_text(token, ("handover", place, id))

    def opened(self, place: str, id: str, sealed: str | None) -> str | None:
        """None when there is none. One whose key is gone is left out too: the message itself must still reach somebody."""
        if sealed is None:
            return None
        try:
            return self._keyring.open_text(sealed, ("handover", place, id))
        except CannotOpen as why:
            event(logger, "handover_lost", logging.ERROR, message=id, reason=str(why))
            return None

    def _judged(self, token: str) -> Caller:
        try:
            return self._judge.judge(f"Bearer {token}")
        except Refused as refused:
            if refused.status >= 500:
                raise
            # Its own code would be read as a word about the token of the request.
            raise _bad(f"It is refused itself: {refused.code}.") from None


def _bad(why: str) -> Refused:
    return bad_request("bad_handover", f"This token cannot be handed over. {why}")

"""GET /saml/sso of a browser whose session suffices: the answer at once, without Flask.

Reads, decides and answers with the functions of `door`, and stores nothing before all of them have said yes. All else (a sign-in, a
refusal, a status) is left to `routes`, which then begins anew.
"""

import sys
from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING

from idp.base.waiting import about_to_wait
from idp.domain.attempt import Step
from idp.http.machine import Asked, Told
from idp.http.parts import Parts
from idp.http.visit import cookies, signed_in
from idp.protocols.saml.drafts import RESUME, wants
from idp.protocols.saml.incoming import Incoming
from idp.protocols.saml.posting import Posting, language_of

if TYPE_CHECKING:
    from idp.protocols.saml.door import Door


def sso_at_once(parts: Parts, find_door: "Callable[[], Door]", posting: Posting, asked: Asked) -> Told | None:
    """The answer; None: ask the page. Raises Refused where the page does."""
    header = asked.headers.get("cookie", "")
    if "sheaf_session" not in header or not header.isascii():
        return None
    found = signed_in(parts, cookies(header))
    if found is None:
        return None
    if not loaded():
        about_to_wait()  # the libraries for XML take a while to load
    from idp.saml.bindings import from_query

    door, incoming = find_door(), Incoming()
    received = door.receive(partial(from_query, asked.query), incoming)
    session, user = found
    attempt = parts.sign_in.draft("saml", RESUME, {}, app_id=received.sp.id, wants=wants(received)).attempt
    decision = parts.sign_in.decide(attempt, session, known=user)
    if decision.step is not Step.DONE or decision.user is None:
        return None
    answer = door.answer(received.request, decision.user, session, received)
    incoming.accepted(parts)
    return posting.told(answer, language_of(asked.headers.get("accept-language", "")))


def loaded() -> bool:
    """Is everything there that reads and writes messages?"""
    return "idp.protocols.saml.door" in sys.modules

"""How pages ask the companion: over HTTP as every client does, with a token of the person who looks at the page.

So nobody sees more there than through an app. Leaves making the token to services.companion_tokens.
"""

import json
from collections.abc import Mapping
from typing import Any

from idp.base.claims import DOCUMENTS_MANAGE, DOCUMENTS_READ, QUEUES_CONSUME, QUEUES_MANAGE
from idp.base.errors import Refused
from idp.base.net import NetPolicy, Unreachable, fetch
from idp.domain.session import Session
from idp.domain.user import User
from idp.http.parts import parts

# For looking only: none of them lets a page change a document or a message.
SCOPES = (DOCUMENTS_READ, DOCUMENTS_MANAGE, QUEUES_CONSUME, QUEUES_MANAGE)
TIMEOUT_SECONDS = 10.0
MAX_ANSWER_BYTES = 33_554_432  # a page of the largest messages


class Companion:
    """Of one page: all its requests have the same token."""

    def __init__(self, session: Session, user: User) -> None:
        settings = parts().settings
        self._url = settings.api_url
        # Where the companion is, the operator says; it may be inside.
        self._policy = NetPolicy(True, TIMEOUT_SECONDS, MAX_ANSWER_BYTES, settings.tls_certificate)
        token = parts().companion_tokens.for_session(user, session, SCOPES)
        self._headers = {"Authorization": f"Bearer {token}", "Content-Type": "application/json"}

    def ask(self, operation: str, members: Mapping[str, Any]) -> Any:
        """Raises Refused as the companion refuses, Refused(companion_unreachable)."""
        url = f"{self._url}/commands/{operation}"
        try:
            answer = fetch("POST", url, self._policy, headers=self._headers, body=json.dumps(members).encode())
            body = json.loads(answer.body or b"{}")
        except Unreachable as error:
            raise _unreachable(error.reason) from None
        except ValueError:
            raise _unreachable("it answers with something else than JSON") from None
        if answer.status >= 400:
            said = str(body.get("detail", ""))
            reason = f"the companion: {body.get('code')}, its trace {body.get('trace')}: {said}"
            raise Refused(str(body.get("code", "refused")), said, status=answer.status, reason=reason, detail=body)
        return body


def _unreachable(reason: str) -> Refused:
    message = "The companion, where documents and queues are, does not answer. Try again in a moment."
    return Refused("companion_unreachable", message, status=503, reason=reason)

"""How the SAML door says no: a page for the person, or a status for the service provider once it is known where to send it.

Leaves the page to idp.http.errors and the status message to `outbound`.
"""

from idp.base.errors import Refused
from idp.domain.relying import SamlRequestSeen
from idp.protocols.saml.request import AuthnRequest
from idp.saml import names

_SENTENCE = (
    "The app sent a sign-in request that we cannot accept. Go back to the app and try once more; "
    "if this page comes again, give the code below to whoever runs the app."
)


def refuse(code: str, reason: str, *, status: int = 400, message: str = _SENTENCE) -> Refused:
    """A page: nothing is sent to a service provider that is unknown, or in whose name somebody else may speak."""
    return Refused(code, message, status=status, reason=reason)


class SamlStatus(Refused):
    """An answer without an assertion, for the ACS of a request that was checked. top and second: status codes. seen: to be
    stored before the answer goes out, when nobody has done so."""

    def __init__(self, request: AuthnRequest, second: str, reason: str, *, top: str = names.RESPONDER) -> None:
        super().__init__("saml_status", _SENTENCE, status=403, reason=f"{second.rpartition(':')[2]}: {reason}")
        self.request = request
        self.top = top
        self.second = second
        self.seen: SamlRequestSeen | None = None

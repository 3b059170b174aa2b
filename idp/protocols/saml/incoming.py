"""A message on its way in: what arrived, who it says it is from, and the checks that were made of it, for the message inspector.

Leaves reading it to `inbound` and `artifacts`. Loads no lxml.
"""

from typing import TYPE_CHECKING

from idp.base.errors import Refused
from idp.domain.checks import Checks
from idp.http.parts import Parts

if TYPE_CHECKING:
    from idp.saml.bindings import Arrived


class Incoming:
    """arrived: None while it could not even be taken from the request. issuer: empty while nobody is named."""

    def __init__(self, arrived: "Arrived | None" = None) -> None:
        self.arrived = arrived
        self.issuer = ""
        self.kind = ""
        self.checks = Checks()

    @property
    def message(self) -> "Arrived":
        assert self.arrived is not None
        return self.arrived

    def accepted(self, parts: Parts) -> None:
        """For the message inspector, once: it was answered, or a sign-in began, for the first time."""
        self.checks.passed("replay")
        self._keep(parts, ok=True)

    def refused(self, parts: Parts, why: Refused, trace: str) -> None:
        """For the message inspector, once: there the message is known by its trace code."""
        if why.code == "saml_replayed":
            self.checks.failed("replay", why.reason)
        elif all(check.ok for check in self.checks.made):
            self.checks.failed("answer", why.reason)  # nothing was wrong with the message itself
        self._keep(parts, ok=False, trace=trace)

    def _keep(self, parts: Parts, *, ok: bool, trace: str = "") -> None:
        arrived = self.arrived
        parts.saml_messages.keep(
            f"sp:{self.issuer}" if self.issuer else "",
            "in",
            self.kind,
            arrived.binding if arrived is not None else "",
            arrived.document if arrived is not None else b"",
            checks=self.checks.made,
            ok=ok,
            trace=trace,
        )

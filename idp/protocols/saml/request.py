"""AuthnRequest: what a service provider asks for, after every check, as plain values that a LoginAttempt can keep.

Imported by the routes, so it must not load pysaml2. Made by `inbound` only.
"""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any, Self


@dataclass(frozen=True, slots=True)
class AuthnRequest:
    """id: ID of the message. acs_url: one that the registered metadata names. name_id_format: empty when the choice is ours.

    contexts and comparison: RequestedAuthnContext. subject_format and subject: who must sign in, when the request says so.
    """

    id: str
    sp_id: str
    acs_url: str
    relay_state: str | None = None
    force: bool = False
    passive: bool = False
    name_id_format: str = ""
    contexts: tuple[str, ...] = ()
    comparison: str = "exact"
    subject_format: str = ""
    subject: str | None = None

    def to_json(self) -> dict[str, Any]:
        return asdict(self)

    @classmethod
    def from_json(cls, values: Mapping[str, Any]) -> Self:
        return cls(**{**values, "contexts": tuple(values["contexts"])})

"""AuthnRequest: what a service provider asks for, after every check, as plain values that a LoginAttempt can keep.

Imported by the routes, so it must not load lxml. Made by `inbound`, and by `idp_initiated` where nobody asked.
"""

from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Any, Literal, Self


@dataclass(frozen=True, slots=True)
class AuthnRequest:
    """id: ID of the message; empty when nobody asked. acs_url, binding: where and how it is answered; the registered metadata
    names both. name_id_format: empty when the choice is ours.

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
    binding: Literal["post", "artifact"] = "post"

    def to_json(self) -> dict[str, Any]:
        return {field.name: getattr(self, field.name) for field in fields(self)}

    @classmethod
    def from_json(cls, values: Mapping[str, Any]) -> Self:
        return cls(**{**values, "contexts": tuple(values["contexts"])})

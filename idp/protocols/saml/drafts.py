"""A sign-in for a service provider, as the attempt that the pages go on with. Loads no lxml."""

from typing import TYPE_CHECKING

from idp.domain.attempt import Wants
from idp.http.parts import Parts
from idp.protocols.saml.contexts import strength_needed
from idp.saml import names
from idp.services.attempts import Draft

if TYPE_CHECKING:
    from idp.protocols.saml.inbound import Received

RESUME = "/saml/resume"


def draft(parts: Parts, received: "Received") -> Draft:
    called = f"{received.sp.name} ({received.called})" if received.called not in ("", received.sp.name) else ""
    return parts.sign_in.draft(
        "saml",
        RESUME,
        received.request.to_json(),
        app_id=received.sp.id,
        app_name=called or received.sp.name,
        wants=wants(received),
    )


def wants(received: "Received") -> Wants:
    """What the sign-in must fulfil for this request."""
    request = received.request
    hint = request.subject if request.subject_format in ("", names.EMAIL, names.UNSPECIFIED) else None
    strong = (strength_needed(request.contexts, request.comparison) or 0) > 1
    return Wants(
        force=request.force,
        second_factor=strong or received.sp.second_factor_required,
        login_hint=hint,
        upstreams=received.sp.upstreams,
    )

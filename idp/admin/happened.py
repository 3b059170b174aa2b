"""What happened in a test sign-in, step by step, in words: what every front door's has in common.

Leaves what an app of each kind would get to the pages about them.
"""

from dataclasses import dataclass

from markupsafe import Markup

from idp.domain.attempt import LoginAttempt
from idp.http.parts import parts
from idp.http.render import ago, text


@dataclass(frozen=True, slots=True)
class Happened:
    """One step of a sign-in. notes: why it was so; good: nobody turned back."""

    words: Markup
    notes: tuple[Markup, ...] = ()
    good: bool = True


def first_step(attempt: LoginAttempt) -> Happened:
    proof = attempt.proof
    assert proof is not None
    if proof.session_id is not None:
        return Happened(text("admin_test.by_session", when=ago(proof.auth_time)))
    if proof.provider_id is not None:
        labels = {one.id: one.label for one in parts().upstreams.all()}
        return Happened(text("admin_test.by_provider", provider=labels.get(proof.provider_id, proof.provider_id)))
    return Happened(text("admin_test.by_password"))


def second_step(attempt: LoginAttempt) -> Happened:
    assert attempt.proof is not None
    if attempt.proof.factor_at is None:
        return Happened(text("admin_test.factor_none"))
    why = "admin_test.factor_app" if attempt.wants.second_factor else "admin_test.factor_rule"
    return Happened(text("admin_test.factor_done", when=ago(attempt.proof.factor_at)), (text(why),))

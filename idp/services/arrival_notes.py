"""What is noted of a sign-in that came by an upstream: what was found, which rule fired, what the mapping did. Pure.

Leaves keeping notes to sign_in_records, and the words to the text catalogue (`note.STEP_RESULT`, `rule.RULE`).
"""

from idp.domain.attempt import LoginAttempt, noted
from idp.domain.linking import Known, Ruling, vouches
from idp.domain.mapping import Given
from idp.domain.upstream import UpstreamIdentity, UpstreamProvider


def of_ruling(
    attempt: LoginAttempt,
    at: float,
    identity: UpstreamIdentity,
    provider: UpstreamProvider,
    known: Known,
    ruling: Ruling,
) -> LoginAttempt:
    told = noted(
        attempt,
        at,
        "candidates",
        _found(known),
        user=known.user.id if known.user else None,
        by_email=known.by_email.id if known.by_email else None,
        owner=attempt.owner_id,
        vouched=vouches(provider, identity),
    )
    return noted(
        told,
        at,
        "rule",
        ruling.rule,
        action=ruling.action,
        user=ruling.user.id if ruling.user else None,
        displaced=ruling.displaced.id if ruling.displaced else None,
    )


def of_mapping(
    attempt: LoginAttempt,
    at: float,
    given: Given,
    *,
    added: tuple[str, ...] = (),
    removed: tuple[str, ...] = (),
    left_out: tuple[str, ...] = (),
    kept: bool = False,
) -> LoginAttempt:
    """given: by the rules of the provider; added, removed: what the user got and lost; kept: the last administrator."""
    omitted = tuple(dict.fromkeys((*given.left_out, *left_out)))
    return noted(
        attempt,
        at,
        "mapping",
        "applied" if added or removed or omitted or kept else "unchanged",
        roles=given.roles or None,
        groups=given.groups or None,
        given=added or None,
        removed=removed or None,
        left_out=omitted or None,
        last_administrator=True if kept else None,
    )


def _found(known: Known) -> str:
    if known.linked:
        return "login"
    if known.invitation is not None:
        return "invitation"
    return "address" if known.by_email is not None else "none"

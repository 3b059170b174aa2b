"""What a request learns of a sign-in, kept for its record: the attempt, the upstream, the checks of its answer.

Every door that refuses a sign-in gets its code here. Leaves making and keeping records to idp.services.sign_in_records.
"""

from collections.abc import Iterable
from dataclasses import replace

from flask import g

from idp.base.errors import Refused
from idp.domain.attempt import LoginAttempt
from idp.domain.checks import Checks
from idp.domain.decision import Note, SignInRecord, fitting, made
from idp.domain.upstream import UpstreamIdentity, UpstreamProvider
from idp.http.parts import parts
from idp.services.attempts import Finished
from idp.services.sign_in_records import of_checks, of_identity


def about(attempt: LoginAttempt) -> LoginAttempt:
    """This request is about this attempt, as it stands now. Gives it."""
    g.sheaf_attempt = attempt
    return attempt


def via(provider: UpstreamProvider) -> None:
    """This request is about this upstream."""
    g.sheaf_provider = provider.id


def checks(provider: UpstreamProvider) -> Checks:
    """For the kind that reads an answer of this upstream: whatever it writes there stands in the record."""
    via(provider)
    g.sheaf_saml = bool(getattr(parts().kinds.open(provider), "arrives_by_post", False))
    g.sheaf_checks = made_checks = Checks()
    return made_checks


def arrived(attempt: LoginAttempt, identity: UpstreamIdentity) -> LoginAttempt:
    """The attempt with what the upstream said and how that was checked; not stored yet."""
    notes = (*attempt.notes, *_message(), of_identity(identity, parts().clock()))
    g.pop("sheaf_checks", None)
    return about(replace(attempt, notes=fitting(notes), said=identity))


def kept(door: str, refused: Refused, **detail: str) -> str:
    """The code under which the refusal is found, with a record of the sign-in if it was about one."""
    return parts().traces.keep(door, refused, besides=lambda code: _record(code, refused), **detail)


def finished(attempt: LoginAttempt) -> str:
    """A sign-in ended well, or was turned down by the person. Gives its code."""
    return parts().records.finished(attempt)


def linked(attempt: LoginAttempt) -> str:
    return parts().records.linked(attempt)


def collected(finished: Finished) -> Finished:
    """The front door answers the app now: a refusal from here on belongs to this sign-in. Gives what it got."""
    about(finished.attempt)
    return finished


def released(finished: Finished, names: Iterable[str]) -> None:
    """The app of this sign-in was told these claims, by their names."""
    parts().records.released(finished.attempt.id, finished.attempt.app_name or finished.attempt.app_id, names)


def _record(code: str, refused: Refused) -> SignInRecord | None:
    attempt = refused.attempt if isinstance(refused.attempt, LoginAttempt) else g.get("sheaf_attempt")
    provider_id = g.get("sheaf_provider")
    if attempt is None and provider_id is None:
        return None
    return parts().records.of_refusal(code, refused, attempt, provider_id=provider_id, notes=_message())


def _message() -> list[Note]:
    """What was found of an answer that this request brought."""
    found: Checks | None = g.get("sheaf_checks")
    if found is None:
        return []
    at = parts().clock()
    return [
        made(at, "message", "arrived", upstream=g.get("sheaf_provider")),
        *of_checks(found.made, at, saml=g.get("sheaf_saml", False)),
    ]

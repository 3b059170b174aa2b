"""A sign-in when two requests meet in the middle, and an attempt of one kind used as another: what the last check holds off."""

import pytest

from idp.base import ids
from idp.base.errors import Refused
from idp.crypto import totp
from idp.domain.upstream import FederatedLogin, UpstreamIdentity, UpstreamProvider

BROWSER = ids.digest("browser one")
CORP = UpstreamProvider("corp", "oidc", "Corporate login", 0.0)
ADA_AT_CORP = UpstreamIdentity("corp", "https://corp.example", "sub-1", "ada@example.org", True)


def begun(sign_in):
    return sign_in.save(sign_in.draft("oidc", "/authorize/resume", {"client_id": "app"}, app_id="app"))


def signed_in(services, ada, clock):
    """A finished attempt and its session; gives (handle, session)."""
    sign_in, handle = services.sign_in, begun(services.sign_in)
    attempt = sign_in.prove_password(sign_in.load(handle, BROWSER), "ada", "correct horse", "127.0.0.1")
    enrolment, _ = services.factors.enrol_for(ada, actor="test")
    attempt = sign_in.prove_factor(attempt, None, totp.code_at(enrolment.secret, int(clock() // 30)))
    _, session_handle = sign_in.finish(attempt, None, "test")
    return handle, services.sessions.load(session_handle)[0]


def test_of_two_requests_that_collect_one_sign_in_at_the_same_moment_one_gets_it(services, ada, clock, monkeypatch):
    sign_in, (handle, _) = services.sign_in, signed_in(services, ada, clock)
    as_both_read_it = sign_in.load(handle, BROWSER, finished=True)
    monkeypatch.setattr(sign_in, "load", lambda *_args, **_named: as_both_read_it)

    assert sign_in.collect(handle, BROWSER).user.id == ada.id
    with pytest.raises(Refused, match="attempt_used"):
        sign_in.collect(handle, BROWSER)


def test_an_ordinary_sign_in_never_links_a_login_to_who_happens_to_be_signed_in(services, ada, clock, repo):
    """Its owner is asked for a proof first; the page for linking is another one, with another attempt."""
    sign_in, (_, session) = services.sign_in, signed_in(services, ada, clock)
    waiting = sign_in.arrive(sign_in.load(begun(sign_in), BROWSER), ADA_AT_CORP, CORP)
    assert waiting.owner_id == ada.id == session.user_id

    with pytest.raises(Refused, match="attempt_used"):
        sign_in.link_more(waiting, session, ADA_AT_CORP)

    assert repo.find(FederatedLogin, user_id=ada.id) == []

"""Owns the claims about the queue of logout notes: stored with the end of a session, claimed once, tried again, given up.

What a note looks like to an app is in tests/oidc/test_backchannel_logout.
"""

import threading
from dataclasses import replace

import pytest

from idp.domain.attempt import Proof
from idp.domain.audit_event import AuditEvent
from idp.domain.grant import Grant, LogoutDelivery
from idp.domain.relying import Client
from idp.domain.session import Session
from idp.ports import StoreUnavailable
from idp.services.deliver_logout import DELAYS, LONGEST_DELAY, REFUSED_TRIES, DeliverLogout, NotTold
from idp.services.logout import KEEP_TRYING_SECONDS

DAY = 86_400


class Apps:
    """The other side: what each app answers, and who asked it."""

    def __init__(self):
        self.told = []
        self.answers = {}

    def __call__(self, delivery):
        self.told.append(delivery)
        answer = self.answers.get(delivery.client_id)
        if answer is not None:
            raise answer


@pytest.fixture
def apps():
    return Apps()


@pytest.fixture
def queue(services, apps):
    return DeliverLogout(services.repo, services.clock, services.audit, apps)


def client(services, id="wiki", **more):
    fields = {"backchannel_logout_uri": f"https://{id}.example/logout", "redirect_uris": (f"https://{id}.example/cb",)}
    made = Client(id=id, name=id.title(), created_at=services.clock(), **fields | more)
    services.repo.insert(made)
    return made


def signed_in(services, user, *clients):
    proof = Proof(user.id, services.clock(), ("pwd",))
    session, _ = services.sessions.establish(proof, None, "test")
    for one in clients:
        services.sessions.used_by(services.sessions.by_sid(session.sid), one.id)
    return services.sessions.by_sid(session.sid)


def waiting(services):
    return services.repo.find(LogoutDelivery, state="waiting")


def only(services, sid):
    (found,) = services.repo.find(LogoutDelivery, sid=sid)
    return found


def test_the_end_of_a_session_leaves_a_note_to_each_app_that_wants_to_know(services, ada):
    wiki, mail = client(services), client(services, "mail")
    silent = client(services, "silent", backchannel_logout_uri=None)
    never_used = client(services, "other")
    session = signed_in(services, ada, wiki, mail, silent)
    services.sessions.end(session, actor=ada.id)
    notes = {note.client_id: note for note in waiting(services)}
    assert set(notes) == {"wiki", "mail"}
    assert never_used.id not in notes
    assert (notes["wiki"].sid, notes["wiki"].subject, notes["wiki"].uri) == (
        session.sid,
        ada.id,
        "https://wiki.example/logout",
    )
    assert notes["wiki"].expires_at == services.clock() + KEEP_TRYING_SECONDS


def test_a_pairwise_app_is_told_the_name_that_it_knows(services, ada):
    wiki = client(services, subject_type="pairwise")
    services.sessions.end(signed_in(services, ada, wiki), actor=ada.id)
    assert waiting(services)[0].subject == services.subjects.of(wiki, ada.id) != ada.id


def test_a_session_without_such_an_app_ends_without_a_further_write(services, ada, monkeypatch):
    session = signed_in(services, ada, client(services, backchannel_logout_uri=None))
    written = []
    insert = services.repo.insert
    monkeypatch.setattr(services.repo, "insert", lambda record: (written.append(type(record)), insert(record))[1])
    services.sessions.end(session, actor=ada.id)
    assert written == [AuditEvent]


def test_an_app_is_noted_once_in_a_session_however_often_it_signs_in(services, ada, monkeypatch):
    wiki = client(services)
    session = signed_in(services, ada, wiki)
    monkeypatch.setattr(services.repo, "replace_if", lambda record: pytest.fail("a write"))
    services.sessions.used_by(session, wiki.id)
    assert session.apps == ("wiki",)


def test_the_apps_of_a_session_survive_a_new_proof_of_the_same_person_and_not_of_another(services, ada):
    eve = services.users.add("eve", email="eve@example.org", actor="test")
    session = signed_in(services, ada, client(services))
    again, _ = services.sessions.establish(Proof(ada.id, services.clock(), ("pwd",)), session, "test")
    assert (again.sid, again.apps) == (session.sid, ("wiki",))
    other, _ = services.sessions.establish(Proof(eve.id, services.clock(), ("pwd",)), again, "test")
    assert other.apps == ()
    assert [note.sid for note in waiting(services)] == [session.sid]


def test_an_app_is_told_although_its_grant_has_long_expired(services, ada, clock):
    wiki = client(services)
    session = signed_in(services, ada, wiki)
    services.repo.insert(Grant("gr", wiki.id, clock(), clock() + 660, ada.id, session.sid))
    clock.advance(3600)
    services.sessions.end(session, actor=ada.id)
    assert len(waiting(services)) == 1


def test_a_session_that_is_ended_twice_at_once_has_one_note_and_one_line_in_the_audit(services, ada):
    session = signed_in(services, ada, client(services))
    threads = [threading.Thread(target=services.sessions.end, args=(session,), kwargs={"actor": "t"}) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(services.repo.find(LogoutDelivery, sid=session.sid)) == 1
    assert len(services.repo.find(AuditEvent, name="session.ended")) == 1


@pytest.mark.parametrize("how", ["disabled", "password", "all"])
def test_apps_hear_of_it_when_the_user_is_disabled_or_the_password_changed(services, ada, how):
    first, second = signed_in(services, ada, client(services)), signed_in(services, ada, client(services, "mail"))
    if how == "disabled":
        services.users.set_disabled(ada, True, actor="test")
    elif how == "password":
        services.users.set_password(ada, "another good password", actor="test")
    else:
        services.sessions.end_all(ada.id, actor="test")
    assert {note.sid for note in waiting(services)} == {first.sid, second.sid}


def test_a_note_that_is_taken_is_delivered_once(services, ada, queue, apps, clock):
    session = signed_in(services, ada, client(services))
    services.sessions.end(session, actor=ada.id)
    assert queue.run_due() == 1
    clock.advance(10 * 60)
    assert queue.run_due() == 0
    assert len(apps.told) == 1
    assert (only(services, session.sid).state, only(services, session.sid).problem) == ("reached", "")
    (event,) = services.repo.find(AuditEvent, name="logout.told")
    assert (event.actor, event.subject, event.detail["sid"]) == ("wiki", ada.id, session.sid)


def test_an_app_that_does_not_answer_is_tried_again_later_and_later(services, ada, queue, apps, clock):
    services.sessions.end(signed_in(services, ada, client(services)), actor=ada.id)
    apps.answers["wiki"] = NotTold("time-out")
    for tries, delay in enumerate([*DELAYS, LONGEST_DELAY, LONGEST_DELAY], 1):
        assert queue.run_due() == 1
        assert (waiting(services)[0].attempts, waiting(services)[0].problem) == (tries, "time-out")
        clock.advance(delay - 1)
        assert queue.run_due() == 0
        clock.advance(1)
    del apps.answers["wiki"]
    assert queue.run_due() == 1
    assert waiting(services) == []


def test_it_is_given_up_after_a_day_and_the_audit_says_so(services, ada, queue, apps, clock):
    session = signed_in(services, ada, client(services))
    services.sessions.end(session, actor=ada.id)
    apps.answers["wiki"] = NotTold("no connection")
    for _ in range(60):
        if not waiting(services):
            break
        clock.set(waiting(services)[0].next_at)
        queue.run_due()
    assert only(services, session.sid).state == "failed"
    assert clock() - session.created_at <= DAY
    (event,) = services.repo.find(AuditEvent, name="logout.failed")
    assert event.detail["why"] == "no connection"


def test_an_app_that_says_no_is_asked_a_few_times_only(services, ada, queue, apps, clock):
    session = signed_in(services, ada, client(services))
    services.sessions.end(session, actor=ada.id)
    apps.answers["wiki"] = NotTold("it answered with status 400", refused=True)
    for delay in DELAYS:
        queue.run_due()
        clock.advance(delay)
    assert len(apps.told) == REFUSED_TRIES
    assert only(services, session.sid).state == "failed"


def test_an_app_that_is_gone_is_not_tried_again(services, ada, queue, apps):
    session = signed_in(services, ada, client(services))
    services.sessions.end(session, actor=ada.id)
    apps.answers["wiki"] = NotTold("the app was removed", gone=True)
    queue.run_due()
    assert only(services, session.sid).state == "failed"


def test_a_fault_of_ours_stops_neither_this_note_nor_the_others(services, ada, queue, apps, caplog):
    session = signed_in(services, ada, client(services), client(services, "mail"))
    services.sessions.end(session, actor=ada.id)
    apps.answers["wiki"] = ValueError("secret inside")
    assert queue.run_due() == 2
    states = {
        note.client_id: (note.state, note.problem) for note in services.repo.find(LogoutDelivery, sid=session.sid)
    }
    assert states == {"wiki": ("waiting", "a fault of ours (ValueError)"), "mail": ("reached", "")}


def test_of_many_processes_one_takes_a_note(services, ada, apps):
    services.sessions.end(signed_in(services, ada, client(services)), actor=ada.id)
    (note,) = waiting(services)
    nodes = [DeliverLogout(services.repo, services.clock, services.audit, apps) for _ in range(8)]
    threads = [threading.Thread(target=node.attempt, args=(note,)) for node in nodes]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(apps.told) == 1


def test_a_note_whose_process_died_at_it_is_taken_up_by_another(services, ada, queue, apps, clock):
    services.sessions.end(signed_in(services, ada, client(services)), actor=ada.id)

    def die(_note):
        raise StoreUnavailable("as good as dead")

    with pytest.raises(StoreUnavailable):
        DeliverLogout(services.repo, clock, services.audit, die).attempt(waiting(services)[0])
    assert queue.run_due() == 0
    clock.advance(15)
    assert queue.run_due() == 1
    assert len(apps.told) == 1


def test_one_app_that_hangs_does_not_keep_the_others_waiting(services, ada):
    hanging, done = threading.Event(), threading.Semaphore(0)

    def tell(note):
        if note.client_id == "slow":
            hanging.wait(30)
        else:
            done.release()

    queue = DeliverLogout(services.repo, services.clock, services.audit, tell)
    slow, quick = client(services, "slow"), client(services, "quick")
    services.logout.on_new = queue.take
    try:
        for _ in range(20):
            services.sessions.end(signed_in(services, ada, slow, quick), actor=ada.id)
        assert all(done.acquire(timeout=10) for _ in range(20))
    finally:
        hanging.set()
        assert queue.quiet(20)


def test_the_person_waits_for_the_first_tries_and_no_longer(services, ada, apps):
    queue = DeliverLogout(services.repo, services.clock, services.audit, apps)
    session = signed_in(services, ada, client(services))
    services.logout.on_new = queue.take
    services.sessions.end(session, actor=ada.id)
    services.logout.first_tries(session.sid, 10)
    assert queue.quiet(20)
    assert services.logout.all_reached(session.sid)


def test_nobody_waits_in_a_process_that_does_not_deliver(services, ada):
    session = signed_in(services, ada, client(services))
    services.sessions.end(session, actor=ada.id)
    services.logout.first_tries(session.sid, 1_000_000)
    assert not services.logout.all_reached(session.sid)


def test_only_so_many_wait_at_once(services, ada):
    session = signed_in(services, ada, client(services))
    services.logout.on_new = lambda notes: None
    services.sessions.end(session, actor=ada.id)
    while services.logout._waiters.acquire(blocking=False):
        pass
    services.logout.first_tries(session.sid, 1_000_000)


def test_the_page_is_for_the_browser_that_signed_out_and_for_a_quarter_of_an_hour(services, ada, clock):
    session = signed_in(services, ada, client(services))
    clients = services.logout.can_be_told(services.sessions.end(session, actor=ada.id), here=True)
    handle = services.logout.remember(session.sid, clients, "digest-of-a-browser", target="https://wiki.example/")
    assert services.logout.remembered(handle, "digest-of-a-browser").target == "https://wiki.example/"
    for other in ("another", None, ""):
        assert services.logout.remembered(handle, other) is None
    assert services.logout.remembered("x" * 43, "digest-of-a-browser") is None
    clock.advance(901)
    assert services.logout.remembered(handle, "digest-of-a-browser") is None


def test_the_states_that_the_person_sees(services, ada, queue, apps, clock):
    used = [client(services, name) for name in ("reached", "trying", "failed")]
    front = client(services, "framed", backchannel_logout_uri=None, frontchannel_logout_uri="https://f.example/out")
    session = signed_in(services, ada, *used, front)
    clients = services.logout.can_be_told(services.sessions.end(session, actor=ada.id), here=True)
    page = services.logout.remembered(services.logout.remember(session.sid, clients, "b"), "b")
    assert [(app.name, app.state) for app in services.logout.told(page)] == [
        ("Failed", "telling"),
        ("Framed", "here"),
        ("Reached", "telling"),
        ("Trying", "telling"),
    ]
    apps.answers |= {"trying": NotTold("no"), "failed": NotTold("gone", gone=True)}
    queue.run_due()
    assert {app.name: app.state for app in services.logout.told(page)} == {
        "Reached": "reached",
        "Trying": "trying",
        "Failed": "failed",
        "Framed": "here",
    }
    elsewhere = replace(page, here=False)
    assert "Framed" not in {app.name for app in services.logout.told(elsewhere)}


def test_a_session_of_an_older_version_that_knows_no_apps_still_ends(services, ada):
    wiki = client(services)
    session = signed_in(services, ada)
    services.repo.insert(Grant("gr", wiki.id, services.clock(), services.clock() + 660, ada.id, session.sid))
    services.sessions.end(session, actor=ada.id)
    assert services.repo.find(Session, sid=session.sid) == []
    assert len(waiting(services)) == 1

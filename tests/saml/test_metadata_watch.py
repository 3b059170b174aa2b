"""Metadata that are watched where a service provider publishes them: what is taken over, what waits, what is refused."""

import threading
from dataclasses import replace

import pytest

from idp.base.errors import Refused
from idp.domain.relying import ServiceProvider
from idp.saml.sp_metadata import read
from idp.services.metadata.jobs import MetadataJobs
from tests.saml.peer import Sp, pair
from tests.saml.watching import DAY, PEER, SIGNER, SP, Watching, saying, signed
from tests.support.clock import START

FIRST = saying()
MOVED = saying("https://sp.example/new-acs")


@pytest.fixture
def it(services, clock, publisher) -> Watching:
    return Watching(services, clock, publisher)


def refused(it: Watching, published: bytes) -> str:
    before = it.metadata
    with pytest.raises(Refused) as caught:
        it.look(published)
    assert it.metadata == before
    assert it.watch.problem == caught.value.reason
    return caught.value.reason


# ---------------------------------------------------------------- what changes


def test_a_change_waits_until_somebody_agrees(it: Watching) -> None:
    it.begin(FIRST)
    it.look(MOVED)
    assert it.metadata == FIRST
    waiting = it.services.metadata_watch.pending(PEER)
    assert [(one.part, one.gone, one.new, one.grave) for one in waiting.changes] == [
        ("acs", ("https://sp.example/acs (post, index 0)",), ("https://sp.example/new-acs (post, index 0)",), True)
    ]
    it.services.metadata_watch.adopt(PEER, digest=waiting.digest, actor="root")
    assert it.metadata == MOVED
    assert it.watch.pending is None
    assert it.watch.last_change[0] == "- acs: https://sp.example/acs (post, index 0)"
    assert [one.actor for one in it.events("sp.metadata_changed")] == ["root"]
    assert len(it.events("sp.metadata_pending")) == 1


def test_the_same_change_is_told_once_however_often_it_is_seen(it: Watching) -> None:
    it.begin(FIRST)
    first = it.look(MOVED)
    it.clock.advance(DAY)
    again = it.look(MOVED.replace(b'ID="_m"', b'ID="_n"'))
    assert again.pending_at == first.pending_at
    assert b'ID="_n"' in again.pending.encode(), "the newest copy that says so"
    assert len(it.events("sp.metadata_pending")) == 1


def test_a_change_that_is_taken_back_waits_no_longer(it: Watching) -> None:
    it.begin(FIRST)
    it.look(MOVED)
    it.look(FIRST)
    assert it.services.metadata_watch.pending(PEER) is None


def test_what_was_discarded_is_not_offered_again_until_it_says_something_else(it: Watching) -> None:
    it.begin(FIRST)
    it.look(MOVED)
    waiting = it.services.metadata_watch.pending(PEER)
    it.services.metadata_watch.discard(PEER, digest=waiting.digest, actor="root")
    it.look(MOVED.replace(b'ID="_m"', b'ID="_n"'))
    assert it.services.metadata_watch.pending(PEER) is None
    it.look(saying("https://sp.example/third"))
    assert it.services.metadata_watch.pending(PEER) is not None


def test_nobody_agrees_to_another_copy_than_the_one_that_was_shown(it: Watching) -> None:
    it.begin(FIRST)
    it.look(MOVED)
    shown = it.services.metadata_watch.pending(PEER)
    it.look(saying("https://evil.example/acs"))
    for act in (it.services.metadata_watch.adopt, it.services.metadata_watch.discard):
        with pytest.raises(Refused) as caught:
            act(PEER, digest=shown.digest, actor="root")
        assert (caught.value.code, caught.value.status) == ("changed_meanwhile", 409)
    assert it.metadata == FIRST


def test_adopting_twice_at_the_same_time_happens_once(it: Watching) -> None:
    it.begin(FIRST)
    it.look(MOVED)
    digest, codes = it.services.metadata_watch.pending(PEER).digest, []

    def adopt() -> None:
        try:
            it.services.metadata_watch.adopt(PEER, digest=digest, actor="root")
            codes.append("done")
        except Refused as error:
            codes.append(error.code)

    threads = [threading.Thread(target=adopt) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert it.metadata == MOVED
    assert codes.count("done") == 1
    assert set(codes) <= {"done", "changed_meanwhile", "nothing_pending"}
    assert it.watch.pending is None


def test_what_waits_ends_like_everything_else(it: Watching) -> None:
    it.begin(FIRST)
    it.look(saying("https://sp.example/new-acs", until=START + DAY))
    it.clock.advance(2 * DAY)
    waiting = it.services.metadata_watch.pending(PEER)
    assert waiting.problem
    with pytest.raises(Refused, match="validUntil"):
        it.services.metadata_watch.adopt(PEER, digest=waiting.digest, actor="root")


def test_settings_that_the_new_copy_makes_impossible_stop_it(it: Watching) -> None:
    first = saying(encryption=pair("rsa-2048", 61))
    it.begin(first)
    sp = it.services.apps.service_provider(SP.entity_id)
    it.services.apps.change_service_provider(replace(sp, encrypt="always"), actor="test")
    it.look(FIRST)
    with pytest.raises(Refused, match="encrypt"):
        it.services.metadata_watch.adopt(PEER, digest=None, actor="root")
    assert it.metadata == first


# ---------------------------------------------------------------- by itself


def test_a_later_end_is_taken_over_by_itself_and_is_no_change(it: Watching) -> None:
    it.begin(saying(until=START + DAY))
    it.look(saying(until=START + 2 * DAY))
    assert read(it.metadata).valid_until == START + 2 * DAY
    assert it.watch.valid_until == START + 2 * DAY
    assert it.events("sp.metadata_changed") == []


def test_an_earlier_end_waits_as_it_may_be_an_older_copy(it: Watching) -> None:
    it.begin(saying(until=START + 5 * DAY))
    it.look(saying(until=START + 2 * DAY))
    assert [one.part for one in it.services.metadata_watch.pending(PEER).changes] == ["valid_until"]
    assert it.services.metadata_watch.pending(PEER).grave


def test_automatic_takes_over_what_does_no_harm(it: Watching) -> None:
    it.begin(FIRST, adopt="auto")
    it.look(saying(formats=("urn:oasis:names:tc:SAML:1.1:nameid-format:emailAddress",)))
    assert read(it.metadata).name_id_formats
    assert [one.actor for one in it.events("sp.metadata_changed")] == ["test"]


@pytest.mark.parametrize(
    "published", [MOVED, saying(signing=pair("rsa-2048", 62)), saying(encryption=pair("rsa-2048", 63))]
)
def test_on_the_word_of_tls_alone_keys_and_addresses_wait_even_when_automatic(it: Watching, published: bytes) -> None:
    it.begin(FIRST, adopt="auto")
    it.look(published)
    assert it.metadata == FIRST
    assert it.services.metadata_watch.pending(PEER).grave


def test_automatic_takes_over_everything_that_the_pinned_key_has_signed_and_shows_it(it: Watching) -> None:
    it.begin(FIRST, adopt="auto", certificates=[pair("rsa-2048", 9).certificate + SIGNER.certificate])
    it.look(signed(MOVED))
    assert read(it.metadata).acs[0].url == "https://sp.example/new-acs"
    assert it.watch.last_change


@pytest.mark.parametrize("until", [START + 2 * DAY, None])
def test_an_older_copy_waits_although_the_pinned_key_has_signed_it(it: Watching, until: float | None) -> None:
    """Whoever stands between us and the address can play it again, and with it keys that were taken out since."""
    it.begin(saying(until=START + DAY), adopt="auto", certificates=[SIGNER.certificate])
    it.look(signed(saying(until=START + 5 * DAY, signing=pair("rsa-2048", 65))))
    before = it.metadata
    it.look(signed(saying(until=until)))
    assert it.metadata == before
    assert "valid_until" in [one.part for one in it.services.metadata_watch.pending(PEER).changes]
    it.look(signed(saying(until=START + 6 * DAY)))
    assert it.metadata != before, "a newer one is taken as ever"


def test_automatic_never_takes_over_what_weakens_the_protection_on_the_word_of_tls_alone(it: Watching) -> None:
    """Without a method that we have, what is encrypted when possible would go out in clear text."""
    first = saying(signs=True, encryption=pair("rsa-2048", 66))
    it.begin(first, adopt="auto")
    it.look(saying(encryption=pair("rsa-2048", 66)))
    assert it.metadata == first
    cbc = b'<md:EncryptionMethod Algorithm="http://www.w3.org/2001/04/xmlenc#aes128-cbc"/></md:KeyDescriptor>'
    it.look(cbc.join(first.rsplit(b"</md:KeyDescriptor>", 1)))
    assert it.metadata == first
    assert [one.part for one in it.services.metadata_watch.pending(PEER).changes] == ["encryption_methods"]


# ---------------------------------------------------------------- what is refused


def test_only_what_the_pinned_key_has_signed_is_read(it: Watching) -> None:
    it.begin(FIRST, adopt="auto", certificates=[SIGNER.certificate])
    assert "not signed" in refused(it, MOVED)
    assert "none of the keys" in refused(it, signed(MOVED, pair("rsa-2048", 64)))
    assert "changed after" in refused(it, signed(MOVED).replace(b"new-acs", b"old-acs"))
    wrapped = b'<md:EntitiesDescriptor xmlns:md="urn:oasis:names:tc:SAML:2.0:metadata">%s%s</md:EntitiesDescriptor>'
    other = Sp("https://other.example/metadata", extra='ID="_o"').metadata()
    assert "not signed" in refused(it, wrapped % (MOVED.replace(b'ID="_m"', b'ID="_x"'), signed(other)))
    it.look(wrapped % (other, signed(MOVED)))
    assert read(it.metadata, SP.entity_id).acs[0].url == "https://sp.example/new-acs"


@pytest.mark.parametrize(
    ("published", "why"),
    [
        (b"<html>We moved</html>", "not SAML metadata"),
        (b"\xff\xfe\x00", "not UTF-8"),
        (Sp("https://other.example/metadata").metadata(), "of the entity that is meant"),
        (saying(until=START - 1), "in the past"),
        (saying("javascript:alert(1)"), "AssertionConsumerService"),
        (FIRST + b"<!-- -->" * 140_000, "larger"),
    ],
)
def test_a_copy_that_cannot_be_used_changes_nothing_and_says_why(it: Watching, published: bytes, why: str) -> None:
    it.begin(FIRST)
    assert why in refused(it, published)
    assert it.look(FIRST).problem == ""


def test_a_copy_counts_until_its_own_end_while_the_address_is_broken(it: Watching) -> None:
    it.begin(saying(until=START + 3 * DAY))
    it.publisher.broken = True
    waits = []
    for _ in range(12):
        with pytest.raises(Refused):
            it.look()
        waits.append(it.watch.next_at - it.clock())
        it.clock.set(it.watch.next_at)
    assert waits[:3] == [300, 600, 1200]
    assert max(waits) <= 21_600
    assert len(it.events("sp.metadata_failed")) == 1, "told once, not each time"
    assert it.services.providers.get(SP.entity_id)[1].valid_until == START + 3 * DAY


def test_a_redirect_is_followed_but_not_for_ever_and_not_out_of_tls(it: Watching) -> None:
    it.begin(FIRST)
    it.publisher.documents.clear()
    it.publisher.moved["/metadata"] = "/elsewhere"
    it.publisher.put(MOVED, "/elsewhere")
    assert it.look().pending is not None
    it.publisher.moved["/elsewhere"] = "/metadata"
    with pytest.raises(Refused, match="more than 3 times"):
        it.look()
    it.publisher.moved["/metadata"] = "http://example.org/metadata"
    with pytest.raises(Refused, match="https"):
        it.look()


@pytest.mark.parametrize(
    ("url", "how", "code"),
    [
        ("http://sp.example/metadata", {}, "metadata_url"),
        ("ftp://sp.example/metadata", {}, "metadata_url"),
        ("file:///etc/passwd", {}, "metadata_url"),
        ("https://user:secret@sp.example/metadata", {}, "metadata_url"),
        ("https://sp.example/a b", {}, "metadata_url"),
        ("https://sp.example:99999/", {}, "metadata_url"),
        ("https://sp.example/" + "x" * 3000, {}, "metadata_url"),
        ("https://sp.example/", {"certificates": ["junk"]}, "metadata_watch"),
        ("https://sp.example/", {"certificates": [pair("rsa-1024").certificate]}, "metadata_watch"),
        ("https://sp.example/", {"certificates": [SIGNER.certificate] * 11}, "metadata_watch"),
        ("https://sp.example/", {"adopt": "never"}, "metadata_watch"),
        ("https://sp.example/", {"every_seconds": 1}, "metadata_watch"),
        ("https://sp.example/", {"every_seconds": "300"}, "metadata_watch"),
    ],
)
def test_what_cannot_be_watched_is_refused_by_name(it: Watching, url: str, how: dict, code: str) -> None:
    it.begin(FIRST)
    with pytest.raises(Refused) as caught:
        it.services.metadata_watch.watch(PEER, url, actor="test", **how)
    assert caught.value.code == code
    assert "secret" not in caught.value.message
    assert it.watch.url == it.publisher.url()


def test_only_what_is_registered_is_watched(it: Watching) -> None:
    for peer in ("sp:https://nobody.example", "upstream:x", "x", ""):
        with pytest.raises(Refused):
            it.services.metadata_watch.watch(peer, "https://sp.example/", actor="test")
        with pytest.raises(Refused):
            it.services.metadata_watch.look(peer)
        assert it.services.metadata_watch.pending(peer) is None


# ---------------------------------------------------------------- the job


def test_the_job_looks_when_it_is_due_and_asks_only_for_what_is_new(it: Watching) -> None:
    it.publisher.etags = True
    it.begin(FIRST)
    job = MetadataJobs(it.services.metadata_watch, it.services.federations)
    assert job.run_due() == 1
    assert job.run_due() == 0
    it.clock.advance(DAY + 1)
    assert job.run_due() == 1
    assert it.publisher.asked == [("/metadata", 200), ("/metadata", 304)]
    assert it.watch.checked_at == it.clock()
    it.services.apps.put_service_provider(
        replace(it.services.apps.service_provider(SP.entity_id), metadata=MOVED.decode()), actor="test"
    )
    it.look()
    assert it.publisher.asked[-1] == ("/metadata", 200), "somebody has brought another copy since"
    assert it.watch.pending is not None


def test_of_several_processes_one_looks(it: Watching) -> None:
    it.begin(FIRST)
    job = MetadataJobs(it.services.metadata_watch, it.services.federations)
    threads = [threading.Thread(target=job.run_due) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert it.publisher.asked == [("/metadata", 200)]
    assert it.watch.problem == ""


def test_a_peer_that_fails_does_not_keep_the_others_waiting(it: Watching) -> None:
    it.begin(FIRST)
    other = Sp("https://other.example/metadata")
    it.services.apps.add_service_provider(
        ServiceProvider(other.entity_id, "Other", other.metadata().decode(), START), actor="test"
    )
    it.services.metadata_watch.watch(f"sp:{other.entity_id}", it.publisher.url("/missing"), actor="test")
    assert MetadataJobs(it.services.metadata_watch, it.services.federations).run_due() == 1
    assert "404" not in it.watch.problem
    assert it.services.metadata_watch.of(f"sp:{other.entity_id}").problem


def test_it_is_asked_more_often_before_the_copy_ends_and_not_more_often_than_an_hour_for_its_cache(
    it: Watching,
) -> None:
    it.begin(saying(until=START + 0.9 * DAY))
    assert it.look().next_at == START + 0.3 * DAY
    assert it.look(saying(until=START + 9 * DAY)).next_at == START + DAY
    cached = FIRST.replace(b'ID="_m"', b'ID="_m" cacheDuration="PT10S"')
    it.services.apps.put_service_provider(
        replace(it.services.apps.service_provider(SP.entity_id), metadata=FIRST.decode()), actor="test"
    )
    assert it.look(cached).next_at == START + 3600


def test_a_peer_that_is_removed_is_watched_no_longer(it: Watching) -> None:
    it.begin(FIRST)
    it.services.apps.remove_service_provider(SP.entity_id, actor="test")
    assert it.services.metadata_watch.due() == []


def test_without_anything_due_the_job_loads_no_xml_library() -> None:
    import subprocess
    import sys

    code = (
        "import sys, tempfile\nfrom idp.base import config\nfrom idp.assemble import build_parts\n"
        "from idp.services.metadata.jobs import MetadataJobs\n"
        "parts = build_parts(config.load(None, {'data': tempfile.mkdtemp()}))\n"
        "MetadataJobs(parts.metadata_watch, parts.federations).run_due()\n"
        "sys.exit(bool({'saml2', 'lxml'} & set(sys.modules)))"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0

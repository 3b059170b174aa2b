"""Owns the claims about secrets of clients: rotated with an overlap, ended at once, sealed only where that is needed."""

from dataclasses import replace
from typing import Any

import pytest

from idp.base import ids
from idp.base.errors import Refused
from idp.base.secret import Secret
from idp.domain.audit_event import AuditEvent
from idp.domain.relying import Client
from idp.domain.upstream import UpstreamProvider


def client(**more: Any) -> Client:
    fields: dict[str, Any] = {"redirect_uris": ("https://app.example/cb",), **more}
    return Client(id="shop", name="Shop", created_at=1.0, **fields)


def add(services: Any, **more: Any) -> tuple[Client, Secret]:
    return services.apps.add_client(client(**more), actor="test", with_secret=True)


def test_the_old_secret_stays_good_for_the_overlap_and_no_older_one(services, clock):
    _, first = add(services)
    stored, second = services.apps.rotate_secret("shop", 600, "test")
    assert stored.secret_digest == ids.digest(second.reveal())
    assert stored.old_secret_digest == ids.digest(first.reveal())
    assert stored.old_secret_until == clock() + 600
    again, _ = services.apps.rotate_secret("shop", 600, "test")
    assert again.old_secret_digest == ids.digest(second.reveal()), "the first one is no longer good"
    (one, other) = services.repo.find(AuditEvent, name="client.secret_rotated")
    assert {one.subject, other.subject} == {"shop"}
    assert second.reveal() not in repr((stored, one))


def test_without_an_overlap_the_old_secret_ends_at_once(services):
    add(services)
    stored, _ = services.apps.rotate_secret("shop", 0, "test")
    assert (stored.old_secret_digest, stored.old_secret_until) == (None, None)


def test_an_overlap_can_be_ended_and_ending_it_twice_is_no_fault(services):
    add(services)
    services.apps.rotate_secret("shop", 600, "test")
    for _ in range(2):
        assert services.apps.retire_old_secret("shop", "test").old_secret_digest is None
    assert len(services.repo.find(AuditEvent, name="client.secret_retired")) == 1


def test_client_secret_jwt_keeps_both_secrets_sealed_and_others_none(services):
    _, first = add(services, auth_method="client_secret_jwt")
    stored, second = services.apps.rotate_secret("shop", 600, "test")
    opened = [
        services.seal.open(one, owner="shop", field="secret")
        for one in (stored.sealed_secret, stored.old_sealed_secret)
    ]
    assert opened == [second.reveal(), first.reveal()]
    plain = services.apps.change_client(replace(stored, auth_method="client_secret_basic"), actor="test")
    assert (plain.sealed_secret, plain.old_sealed_secret) == (None, None)
    with pytest.raises(Refused, match="client_secret_jwt needs a new secret"):
        services.apps.change_client(replace(plain, auth_method="client_secret_jwt"), actor="test")
    changed, third = services.apps.change_client_with_new_secret(
        replace(plain, auth_method="client_secret_jwt"), actor="test"
    )
    assert services.seal.open(changed.sealed_secret, owner="shop", field="secret") == third.reveal()


def test_a_client_that_no_longer_needs_a_secret_keeps_none(services):
    stored, _ = add(services)
    public = services.apps.change_client(replace(stored, auth_method="none"), actor="test")
    assert public.secret_digest is None
    with pytest.raises(Refused) as refused:
        services.apps.rotate_secret("shop", 0, "test")
    assert refused.value.code == "no_secret"


@pytest.mark.parametrize("overlap", [-1, 30 * 86_400 + 1])
def test_an_overlap_has_an_end(services, overlap):
    add(services)
    with pytest.raises(Refused) as refused:
        services.apps.rotate_secret("shop", overlap, "test")
    assert refused.value.code == "bad_overlap"


def test_a_secret_that_is_too_short_for_a_mac_is_refused(services):
    with pytest.raises(Refused, match="at least 32 bytes"):
        services.apps.add_client(
            client(auth_method="client_secret_jwt"), actor="test", with_secret=True, secret=Secret("short")
        )


def test_of_two_changes_at_once_one_is_told_to_look_again(services):
    stored, _ = add(services)
    services.apps.change_client(replace(stored, name="One"), actor="test")
    with pytest.raises(Refused) as refused:
        services.apps.change_client(replace(stored, name="Two"), actor="test")
    assert refused.value.code == "changed_meanwhile"


def test_a_client_that_is_changed_is_looked_at_like_a_new_one(services):
    stored, _ = add(services)
    with pytest.raises(Refused) as refused:
        services.apps.change_client(replace(stored, redirect_uris=("http://app.example/",)), actor="test")
    assert refused.value.code == "invalid_redirect_uri"


def test_an_app_names_only_ways_in_that_there_are_so_that_a_slip_of_the_pen_shuts_nobody_out(services):
    with pytest.raises(Refused, match="upstreams: there is no upstream 'corpp'"):
        add(services, upstreams=("local", "corpp"))
    services.repo.insert(UpstreamProvider("corp", "oidc", "Corp", 0.0))
    stored, _ = add(services, upstreams=("local", "corp"))

    with pytest.raises(Refused, match="there is no upstream 'other'"):
        services.apps.change_client(replace(stored, upstreams=("corp", "other")), actor="test")
    services.repo.delete(UpstreamProvider, "corp")
    assert services.apps.change_client(replace(stored, name="New name"), actor="test").upstreams == ("local", "corp")

"""Owns the same promises on MongoDB, which has no transactions here: many at once end in one user, and nothing is left over."""

from collections.abc import Iterator

import pytest

from idp.domain.link_change import Invitation
from idp.domain.upstream import FederatedLogin
from idp.domain.user import User
from idp.storage.mongo import MongoRepository
from tests.upstream.conftest import says
from tests.upstream.test_linking import together

TRUSTED = {"trusted_domains": ("corp.example",)}


@pytest.fixture
def repo(mongo_uri, clock) -> Iterator[MongoRepository]:
    repository = MongoRepository(f"{mongo_uri}/linking_at_once", clock)
    for kind in (User, FederatedLogin):
        for record in repository.find(kind):
            repository.delete(kind, record.id)
    yield repository
    repository.close()


def test_one_person_by_two_upstreams_and_two_tabs_at_once_is_one_user(services, begin, make_user, add_provider, repo):
    one, two = add_provider("one", **TRUSTED), add_provider("two", **TRUSTED)
    for number in range(6):
        email = f"new-{number}@corp.example"
        if number % 2:
            make_user(f"squatter-{number}", email=email, email_verified=False)

        def comes(provider, email=email):
            said = says(provider_id=provider.id, subject=email, email=email)
            return services.sign_in.arrive(begin(), said, provider).proof.user_id

        given = together(*[lambda provider=provider, comes=comes: comes(provider) for provider in (one, one, two)])

        assert len(set(given)) == 1
        assert len(services.links.of(given[0])) == 2
    assert all(repo.get(User, login.user_id) for login in repo.find(FederatedLogin))
    assert all(services.links.of(user.id) for user in repo.find(User) if not user.disabled)


def test_an_invitation_lets_one_of_two_in_and_leaves_nothing_of_the_other(services, begin, add_provider, repo, clock):
    from dataclasses import replace

    closed = add_provider("closed", may_create="nobody")
    for number in range(4):
        repo.insert(Invitation(f"inv-{number}", clock(), clock() + 3600, "admin"))

        def comes(subject, number=number):
            attempt = services.sign_in.store(replace(begin(), invitation=f"inv-{number}"))
            said = says(provider_id="closed", subject=subject, email=None)
            return services.sign_in.arrive(attempt, said, closed).proof.user_id

        pair = (f"a-{number}", f"b-{number}")
        given = together(*[lambda subject=subject, comes=comes: comes(subject) for subject in pair])

        assert len([one for one in given if isinstance(one, Exception)]) == 1
        assert len(repo.find(User)) == len(repo.find(FederatedLogin)) == number + 1

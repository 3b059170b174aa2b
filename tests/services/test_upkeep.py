"""What an administrator has to see to, as the home page and `idp doctor` tell it."""

from dataclasses import replace

import pytest

from idp.domain.factor import ConfirmedTotp
from idp.domain.local_login import SWITCH, LocalLoginSwitch
from idp.domain.saml import MetadataWatch
from idp.domain.upstream import FederatedLogin, UpstreamProvider
from idp.services.metadata.ends import DAY

PASSWORD = "correct horse battery staple"


@pytest.fixture
def google(services, repo, clock):
    provider = UpstreamProvider("google", "google", "Google", clock())
    repo.insert(provider)
    return provider


@pytest.fixture
def person(services, repo):
    """Makes a user with a second step."""

    def made(name, **more):
        user = services.users.add(name, email=f"{name}@example.org", password=PASSWORD, actor="test", **more)
        repo.insert(ConfirmedTotp(user.id, sealed_secret="sealed"))
        return user

    return made


def linked(repo, clock, user, provider_id="google"):
    repo.insert(FederatedLogin(f"fl-{user.id}", user.id, provider_id, "https://google.example", user.id, clock()))


def codes(services):
    return [need.code for need in services.upkeep.needs()]


def test_nothing_is_to_be_done_where_all_is_well(services, google, person):
    person("ada", administrator=True)

    assert services.upkeep.needs() == []


def test_an_upstream_that_fails_is_urgent_until_it_works(services, google):
    services.upstream_health.failed("google", "no answer within 5 s")
    (need,) = services.upkeep.needs()
    assert (need.code, need.urgent, need.name, need.id, need.n) == ("upstream_failing", True, "Google", "google", 1)
    assert need.detail == "no answer within 5 s"

    services.upstream_health.worked("google")
    (need,) = services.upkeep.needs()
    assert (need.code, need.urgent) == ("upstream_failed", False)


def test_one_that_is_switched_off_concerns_nobody(services, repo, google):
    services.upstream_health.failed("google", "gone")
    repo.replace_if(replace(google, enabled=False, secret_expires_at=google.created_at))

    assert services.upkeep.needs() == []


@pytest.mark.parametrize(
    ("days", "told"),
    [(61, None), (59.5, (59, False)), (29.5, (29, False)), (6.5, (6, True)), (-1.5, (-1, True))],
)
def test_a_client_secret_that_ends_is_told_sixty_days_before(services, repo, clock, google, days, told):
    repo.replace_if(replace(google, secret_expires_at=clock() + days * DAY))

    assert [(need.days, need.urgent) for need in services.upkeep.needs()] == ([told] if told else [])


def test_of_several_certificates_in_metadata_the_newest_counts(services, repo, clock, monkeypatch):
    repo.insert(UpstreamProvider("corp", "adfs", "Corp", clock()))
    ends = [("signing certificate 1", clock() - DAY), ("signing certificate 2", clock() + 20.5 * DAY)]
    monkeypatch.setattr(services.upkeep, "_certificates", lambda provider: ends)

    assert [(need.code, need.days) for need in services.upkeep.needs()] == [("certificate_ends", 20)]


def test_changed_metadata_that_wait_and_metadata_that_cannot_be_fetched_are_told(services, repo, clock):
    url = "https://corp.example/metadata"
    watch = MetadataWatch("upstream:corp", url, clock(), clock(), pending="<xml/>", pending_at=clock())
    repo.insert(watch)
    repo.insert(MetadataWatch("sp:wiki", url, clock(), clock(), problem="no answer", failures=1))
    repo.insert(MetadataWatch("sp:shop", url, clock(), clock(), problem="no answer", failures=2))

    assert [(need.code, need.id) for need in services.upkeep.needs()] == [
        ("metadata_problem", "sp:shop"),
        ("metadata_changed", "upstream:corp"),
    ]


def test_who_has_only_a_password_is_told_once_somebody_comes_in_from_elsewhere(services, repo, clock, google, person):
    ada, _bob = person("ada"), person("bob")
    assert codes(services) == []

    linked(repo, clock, ada)
    found = {need.code: need for need in services.upkeep.needs()}
    assert (found["would_be_locked_out"].n, found["would_be_locked_out"].detail) == (1, "bob")
    assert not found["would_be_locked_out"].urgent


def test_who_is_locked_out_while_local_login_is_off_is_urgent(services, repo, clock, google, person):
    person("bob")
    repo.insert(LocalLoginSwitch(SWITCH, "off", clock(), "test"))

    assert [(need.code, need.urgent, need.n) for need in services.upkeep.needs()] == [("locked_out", True, 1)]


def test_a_wish_in_the_settings_that_is_not_in_force_is_urgent(settings, repo, clock):
    from idp.assemble import build_parts

    services = build_parts(settings.model_copy(update={"local_login": False}), repo=repo, clock=clock)

    assert [(need.code, need.urgent) for need in services.upkeep.needs()] == [("wish_unmet", True)]


def test_an_administrator_without_a_second_step_is_urgent_others_are_not(services, google):
    services.users.add("root", email="root@example.org", password=PASSWORD, administrator=True, actor="test")
    for name in ("ada", "bob"):
        services.users.add(name, email=f"{name}@example.org", password=PASSWORD, actor="test")

    assert [(need.code, need.urgent, need.n, need.more) for need in services.upkeep.needs()] == [
        ("administrators_without_factor", True, 1, False),
        ("without_factor", False, 2, False),
    ]


def test_a_disabled_user_needs_no_second_step(services):
    user = services.users.add("ada", email="ada@example.org", password=PASSWORD, actor="test")
    services.users.set_disabled(user, True, actor="test")

    assert services.upkeep.needs() == []


def test_of_many_users_only_some_are_looked_at_and_that_is_said(services, repo):
    for number in range(6):
        services.users.add(f"user{number}", email=None, actor="test")

    (need,) = services.upkeep.needs(people=4)

    assert (need.code, need.n, need.more) == ("without_factor", 4, True)


def test_without_mail_nobody_hears_of_a_login_that_is_joined_to_them(services, repo, clock, google, person):
    assert "no_mail" not in codes(services)
    linked(repo, clock, person("ada"))
    assert "no_mail" in codes(services)

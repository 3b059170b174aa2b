"""Owns what must hold for every upstream kind, whatever its protocol. Runs on each file in idp/upstream/kinds."""

import pytest

from idp.domain.checks import Checks
from idp.upstream.parse import new_provider
from idp.upstream.registry import kind_class, kinds, open_kind, secret_fields
from tests.upstream.conftest import POLICY, tools_for
from tests.upstream.doubles import DOUBLES, PASSWORD_DOUBLES, SUBJECTS

CALLBACK = "https://sheaf.example/upstream/under-test/callback"


def _asks_password(kind: str) -> bool:
    return bool(getattr(kind_class(kind), "asks_password", False))


def test_every_kind_has_a_double():
    assert set(DOUBLES) | set(PASSWORD_DOUBLES) == set(kinds())
    assert {kind for kind in kinds() if _asks_password(kind)} == set(PASSWORD_DOUBLES)


@pytest.fixture(params=[kind for kind in kinds() if not _asks_password(kind)])
def kind_name(request) -> str:
    return request.param


@pytest.fixture
def person(kind_name) -> str:
    return SUBJECTS.get(kind_name, "person-1")


@pytest.fixture
def double(kind_name, clock):
    double = DOUBLES[kind_name](clock)
    yield double
    double.close()


@pytest.fixture
def provider(kind_name, double, upstreams, clock):
    made = new_provider(kind_name, "under-test", double.settings(), clock())
    return upstreams.add(made, secrets=secret_fields(kind_name), actor="test")


@pytest.fixture
def kind(provider, upstreams, clock):
    return open_kind(provider, upstreams, tools_for(POLICY, clock))


@pytest.fixture
def leave(kind, provider):
    return lambda: kind.depart(provider, CALLBACK, force=False, login_hint=None)


def test_a_person_arrives_under_the_key_of_provider_issuer_and_subject(kind, provider, double, leave, person):
    departure = leave()

    who = kind.arrive(provider, CALLBACK, double.come_back(departure, person), departure.remembered)

    assert (who.provider_id, who.subject) == ("under-test", person)
    assert who.issuer
    assert who.email_verified is False


def test_every_departure_has_a_state_of_its_own(leave):
    assert leave().remembered["state"] != leave().remembered["state"]


def test_nothing_secret_that_is_remembered_travels_in_the_url(leave):
    departure = leave()

    assert departure.remembered.get("verifier", "none") not in departure.url


def test_a_replayed_answer_is_refused(kind, provider, double, leave, refusal, person):
    departure = leave()
    params = double.come_back(departure, person)
    kind.arrive(provider, CALLBACK, params, departure.remembered)

    assert refusal(kind.arrive, provider, CALLBACK, params, departure.remembered).code == "upstream_answer_invalid"


def test_an_answer_to_another_departure_is_refused(kind, provider, double, leave, refusal, person):
    mine, other = leave(), leave()
    params = double.come_back(other, person)

    assert refusal(kind.arrive, provider, CALLBACK, params, mine.remembered).code == "upstream_answer_invalid"


def test_an_answer_with_another_state_is_refused(kind, provider, double, leave, refusal, person):
    departure = leave()
    params = double.other_state(double.come_back(departure, person))

    assert refusal(kind.arrive, provider, CALLBACK, params, departure.remembered).code == "upstream_answer_invalid"


def test_a_no_of_the_other_side_has_a_name(kind, provider, double, leave, refusal, person):
    departure = leave()
    params = double.say_no(double.come_back(departure, person))

    assert refusal(kind.arrive, provider, CALLBACK, params, departure.remembered).code == "upstream_denied"


@pytest.mark.parametrize(
    "lie",
    [
        "answer_expired",
        "answer_for_another_audience",
        "answer_from_another_issuer",
        "answer_without_subject",
        "answer_unsigned",
    ],
)
def test_an_answer_that_lies_is_refused(kind, provider, double, leave, refusal, lie, person):
    departure = leave()
    params = double.come_back(departure, person)
    getattr(double, lie)()

    assert refusal(kind.arrive, provider, CALLBACK, params, departure.remembered).code == "upstream_answer_invalid"


def test_an_answer_without_anything_is_refused(kind, provider, leave, refusal):
    assert refusal(kind.arrive, provider, CALLBACK, {}, leave().remembered).code == "upstream_answer_invalid"


def test_an_upstream_that_is_down_is_named(kind, provider, double, leave, refusal):
    double.close()

    def go() -> None:
        departure = leave()  # who needs metadata notices here, who needs none when the person is back
        params = {"code": "any", "state": departure.remembered["state"]}
        kind.arrive(provider, CALLBACK, params, departure.remembered)

    assert refusal(go).code == "upstream_unreachable"


def test_the_checks_are_noted_and_the_one_that_fails_comes_last(kind, provider, double, leave, refusal, person):
    departure, good, bad = leave(), Checks(), Checks()
    params = double.come_back(departure, person)
    kind.arrive(provider, CALLBACK, params, departure.remembered, good)
    refusal(kind.arrive, provider, CALLBACK, params, departure.remembered, bad)

    assert good.made
    assert all(one.ok for one in good.made)
    assert [one.ok for one in bad.made] == [True] * (len(bad.made) - 1) + [False]


# ---------------------------------------------------------------- kinds whose people type a password on a page of ours


@pytest.fixture(params=sorted(PASSWORD_DOUBLES))
def directory(request):
    double = PASSWORD_DOUBLES[request.param]()
    yield double
    double.close()


@pytest.fixture
def opened(directory, upstreams, clock):
    made = new_provider(directory.kind, "under-test", directory.settings(), clock())
    provider = upstreams.add(made, secrets=secret_fields(directory.kind), actor="test")
    return provider, open_kind(provider, upstreams, tools_for(POLICY, clock))


def test_a_name_and_a_password_give_a_person(directory, opened):
    provider, kind = opened
    checks = Checks()

    who = kind.prove(provider, *directory.person("person-1"), checks)

    assert (who.provider_id, who.subject, who.email_verified) == ("under-test", "person-1", False)
    assert who.issuer
    assert checks.made
    assert all(one.ok for one in checks.made)


@pytest.mark.parametrize("password", ["", "wrong", "x" * 2000, "\0"])
def test_a_wrong_password_has_one_name(directory, opened, refusal, password):
    provider, kind = opened
    login, _ = directory.person("person-1")

    assert refusal(kind.prove, provider, login, password).code == "wrong_credentials"
    assert refusal(kind.prove, provider, "nobody", password).code == "wrong_credentials"


def test_a_directory_that_is_down_is_named(directory, opened, refusal):
    provider, kind = opened
    given = directory.person("person-1")
    directory.close()

    assert refusal(kind.prove, provider, *given).code == "upstream_unreachable"

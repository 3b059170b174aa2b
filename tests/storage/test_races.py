"""Several processes and threads on one store at the same moment: one winner, nothing lost, nothing done twice."""

import time
from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import pytest

from idp.domain.attempt import LoginAttempt
from idp.domain.audit_event import AuditEvent, StoredSetting
from idp.domain.grant import AuthorizationCode
from idp.domain.user import User
from idp.ports import Duplicate
from tests.storage.engines import Engine, race
from tests.storage.examples import example

pytestmark = pytest.mark.slow
PROCESSES = 8


def codes(engine: Engine, count: int) -> list[str]:
    """So many fresh codes in the store. The stand-in for MongoDB is slow, so it gets few of everything."""
    now = time.time()
    ids = [f"code-{number}" for number in range(count)]
    with engine.opened() as repository:
        for id in ids:
            repository.insert(AuthorizationCode(id, "g", "c", "https://app.example/cb", None, now, now + 600))
    return ids


def test_of_eight_processes_that_redeem_one_code_exactly_one_wins(engine: Engine) -> None:
    ids = codes(engine, 300 if engine.kind == "sqlite" else 12)
    won = Counter(id for lines in race(engine, "redeem", PROCESSES, *ids) for id in lines)
    assert won == Counter(ids)


def test_of_eight_processes_that_register_one_name_exactly_one_wins(engine: Engine) -> None:
    names = [f"ada{number}" for number in range(200 if engine.kind == "sqlite" else 8)]
    won = Counter(name for lines in race(engine, "register", PROCESSES, *names) for name in lines)
    assert won == Counter(names)
    with engine.opened() as repository:
        assert sorted(user.username for user in repository.find(User)) == sorted(names)


def test_no_update_of_eight_processes_is_lost(engine: Engine) -> None:
    times = 50 if engine.kind == "sqlite" else 4
    with engine.opened() as repository:
        repository.insert(StoredSetting("counter", "0", 0.0))
        race(engine, "count_up", PROCESSES, "counter", str(times))
        counter = repository.get(StoredSetting, "counter")
    assert counter is not None
    assert (counter.value, counter.version) == (str(PROCESSES * times), PROCESSES * times)


def test_eight_processes_that_open_a_new_store_at_once_all_find_it_complete(engine: Engine) -> None:
    processes = PROCESSES if engine.kind == "sqlite" else 3
    assert race(engine, "open", processes) == [["opened"]] * processes
    with engine.opened() as repository:
        repository.insert(example(User, 1))
        with pytest.raises(Duplicate):
            repository.insert(example(User, 2, email_key=example(User, 1).email_key))


def in_threads(count: int, work: Callable[[int], object]) -> list[object]:
    with ThreadPoolExecutor(count) as threads:
        return list(threads.map(work, range(count)))


def test_threads_share_one_repository(engine: Engine) -> None:
    each = 100 if engine.kind == "sqlite" else 8
    threads = 8 if engine.kind == "sqlite" else 4
    with engine.opened() as repository:

        def work(thread: int) -> None:
            for number in range(each):
                id = f"{thread}-{number:04d}"
                repository.insert(AuditEvent(id, 1.0, "sign_out", f"thread-{thread}", "x"))
                found = repository.get(AuditEvent, id)
                assert found is not None
                assert found.actor == f"thread-{thread}"

        in_threads(threads, work)
        assert len(repository.find(AuditEvent, limit=10_000)) == threads * each


def test_of_several_threads_that_redeem_one_code_exactly_one_wins(engine: Engine) -> None:
    ids = codes(engine, 50 if engine.kind == "sqlite" else 5)
    with engine.opened() as repository:
        for id in ids:
            won = in_threads(4, lambda _, id=id: repository.consume(AuthorizationCode, id))  # type: ignore[misc]
            assert len([record for record in won if record is not None]) == 1


def test_a_consumption_that_meets_a_replacement_still_happens_exactly_once(engine: Engine) -> None:
    """One thread keeps changing the attempt while others try to finish it; the winner has it as it was at the end."""
    with engine.opened() as repository:
        for number in range(20 if engine.kind == "sqlite" else 3):
            attempt = example(LoginAttempt, number, id=f"attempt-{number}")
            repository.insert(attempt)

            def work(thread: int, id: str = attempt.id) -> object:
                if thread > 0:
                    return repository.consume(LoginAttempt, id)
                current = repository.get(LoginAttempt, id)
                while current is not None and current.consumed_at is None:
                    repository.replace_if(replace(current, app_name=f"changed {current.version}"))
                    current = repository.get(LoginAttempt, id)
                return None

            won = [record for record in in_threads(4, work) if record is not None]
            assert len(won) == 1
            assert repository.get(LoginAttempt, attempt.id) == won[0]

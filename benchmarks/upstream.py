"""Owns the lines of `make bench` about upstreams: CPU of the server for the leg on which somebody comes back from an OpenID
Provider, and finding a login among many.

Nothing is asserted: the goals stand beside the figures. Alone: python -m benchmarks.upstream [--people 1000000]
"""

import argparse
import http.client
import statistics
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlencode, urlsplit

from benchmarks import processes
from idp.base.net import NetPolicy, fetch
from idp.domain.upstream import FederatedLogin
from idp.domain.user import User
from idp.storage.sqlite import SqliteRepository
from tests.support.http_browser import PlainBrowser
from tests.support.sheaf import Sheaf
from tests.upstream.openid_double import CLIENT_ID, CLIENT_SECRET, OpenIdDouble

ARRIVALS = 300
STEPS = (10, 1_000, 100_000, 1_000_000)
BATCH = 10_000
LOOK_UPS = 2_000


def main() -> None:
    wanted = argparse.ArgumentParser(
        prog="python -m benchmarks.upstream", description="Measure upstreams on this machine."
    )
    wanted.add_argument("--people", type=int, default=100_000, help="logins in the largest store (default 100000)")
    options = wanted.parse_args()
    with (
        tempfile.TemporaryDirectory(prefix="sheaf-bench-") as folder,
        Sheaf(Path(folder), second_factor="administrators") as sheaf,
    ):
        print_upstream(sheaf, options.people)


def print_upstream(sheaf: Sheaf, people: int = 100_000) -> None:
    print("\nUpstreams")
    double = OpenIdDouble()
    try:
        sheaf.add_upstream(
            "oidc", "bench", label="Bench", issuer=double.issuer, client_id=CLIENT_ID, client_secret=CLIENT_SECRET
        )
        for what, subjects in (
            ("a new person comes back", [f"person-{n}" for n in range(ARRIVALS)]),
            ("a known person comes back", [f"person-{n}" for n in range(ARRIVALS)]),
        ):
            back, rest = _arrivals(sheaf, double, subjects)
            asking = _asking(double)
            remark = f"CPU, without {asking:.2f} ms for asking the token endpoint; then finishing {rest:.2f} ms"
            _say(what, f"{back - asking:.2f} ms", "3 ms", remark)
        _say(
            "  yardstick",
            f"{_yardstick():.0f} ms",
            "",
            "CPU of a million passes of a loop; 50 on an idle machine of 2023",
        )
    finally:
        double.close()
    with tempfile.TemporaryDirectory(prefix="sheaf-bench-") as folder:
        for number, micros in _look_ups(Path(folder), people):
            _say(
                f"a login among {number:,}",
                f"{micros:.0f} µs",
                "flat",
                "CPU; the first thousand are remembered as they were read",
            )


def _arrivals(sheaf: Sheaf, double: OpenIdDouble, subjects: list[str]) -> tuple[float, float]:
    """CPU of the server in milliseconds: for the request with the upstream's answer, and for the end of the sign-in."""
    away = [_away(sheaf, double, subject) for subject in subjects]
    connection = http.client.HTTPConnection("127.0.0.1", sheaf.port)
    back: list[tuple[str, str]] = []
    before = processes.cpu_seconds(sheaf.process.pid)
    for path, cookie in away:
        status, location = _get(connection, path, cookie)
        assert status == 303, (status, location)
        back.append((location, cookie))
    between = processes.cpu_seconds(sheaf.process.pid)
    for path, cookie in back:
        status, location = _get(connection, urlsplit(path).path, cookie)
        assert status == 303, (status, location)
    after = processes.cpu_seconds(sheaf.process.pid)
    connection.close()
    return 1000 * (between - before) / len(subjects), 1000 * (after - between) / len(subjects)


def _asking(double: OpenIdDouble) -> float:
    """CPU in milliseconds of asking a token endpoint on this machine, and of nothing that is made of the answer."""
    policy, url = NetPolicy(allow_private=True), double.at("token")
    fetch("POST", url, policy, body=b"")
    begun = time.thread_time()
    for _ in range(ARRIVALS):
        assert fetch("POST", url, policy, body=b"grant_type=authorization_code").status == 401
    return 1000 * (time.thread_time() - begun) / ARRIVALS


def _yardstick() -> float:
    """Other work on the machine makes every figure worse, this one as well."""
    begun = time.thread_time()
    total = 0
    for number in range(1_000_000):
        total += number
    return 1000 * (time.thread_time() - begun)


def _away(sheaf: Sheaf, double: OpenIdDouble, subject: str) -> tuple[str, str]:
    """The address with which somebody comes back, and the cookies of that browser."""
    with PlainBrowser([double.issuer]) as browser:
        url = browser.open(sheaf.url("/sign-in")).submit("Bench").url
        answer = double.authorize(url, subject, email=f"{subject}@bench.example", email_verified=True, name="Bench")
        cookie = "; ".join(f"{name}={value}" for name, value in browser.cookies().items())
        return f"/upstream/bench/callback?{urlencode(answer)}", cookie


def _get(connection: http.client.HTTPConnection, path: str, cookie: str) -> tuple[int, str]:
    connection.request("GET", path, headers={"Cookie": cookie})
    response = connection.getresponse()
    response.read()
    return response.status, response.getheader("Location", "")


def _look_ups(folder: Path, people: int) -> Iterator[tuple[int, float]]:
    """(logins in the store, microseconds for finding one of them and its user), for stores of more and more people."""
    repo = SqliteRepository(folder / "many.db", time.time)
    stored = 0
    try:
        for number in (*(step for step in STEPS if step < people), people):
            for first in range(stored, number, BATCH):
                repo.insert_all(*(one for n in range(first, min(first + BATCH, number)) for one in _person(n)))
            stored = number
            yield number, _look_up_micros(repo, number)
    finally:
        repo.close()


def _person(number: int) -> tuple[FederatedLogin, User]:
    user_id, name = f"usr_{number:032d}", f"person-{number}"
    login = FederatedLogin(f"fed_{number:032d}", user_id, "bench", "https://bench.example", f"subject-{number}", 0.0)
    return login, User(user_id, name, name, f"{name}@bench.example", f"{name}@bench.example", True, name, 0.0)


def _look_up_micros(repo: SqliteRepository, number: int) -> float:
    rounds = []
    for step in range(3):
        begun = time.thread_time()
        for n in range(LOOK_UPS):
            subject = f"subject-{(n * 7919 + step) % number}"
            (login,) = repo.find(FederatedLogin, provider_id="bench", issuer="https://bench.example", subject=subject)
            assert repo.get(User, login.user_id) is not None
        rounds.append((time.thread_time() - begun) / LOOK_UPS)
    return 1_000_000 * statistics.median(rounds)


def _say(what: str, measured: str, goal: str, remark: str) -> None:
    print(f"{what:36}{measured:>10}   {f'goal {goal}' if goal else '':13} {remark}", flush=True)


if __name__ == "__main__":
    main()

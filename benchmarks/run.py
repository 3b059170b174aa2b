"""Owns `make bench`: cold start, idle memory, weight of the sign-in page, and speed against a yardstick in the same run.

Nothing is asserted: the goals stand beside the figures. Linux only (/proc).
"""

import argparse
import os
import re
import statistics
import sys
import tempfile
import time
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urljoin

import requests

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from benchmarks import companion, load, processes, saml, subjects, upstream
from benchmarks.subjects import WORKLOADS, Subject
from tests.support.html import parse
from tests.support.ports import free_port
from tests.support.running import answers, until
from tests.support.sheaf import Sheaf

# What the defaults are; the tests use cheaper ones.
REAL_PASSWORDS = {"IDP_PASSWORDS__TIME_COST": "2", "IDP_PASSWORDS__MEMORY_KIB": "19456"}
STARTS = 3
SETTLE_SECONDS = 3.0


@dataclass(frozen=True)
class Figure:
    per_second: float
    cpu_ms: float
    error: str


def main() -> None:
    wanted = argparse.ArgumentParser(prog="make bench", description="Measure Sheaf on this machine.")
    wanted.add_argument("--seconds", type=float, default=2.0, help="per workload and round, at most 8 (default 2)")
    wanted.add_argument("--rounds", type=int, default=3, help="the median counts, at most 9 (default 3)")
    options = wanted.parse_args()
    with tempfile.TemporaryDirectory(prefix="sheaf-bench-") as folder, ExitStack() as servers:
        env = REAL_PASSWORDS | companion.NO_LIMITS | {"IDP_API__STREAMS_PORT": str(free_port())}  # as `idp run` has it
        sheaf = Sheaf(Path(folder), api=True, second_factor="administrators", env=env)
        print_cold_start(sheaf)
        servers.enter_context(sheaf)
        print_idle_memory(sheaf)
        print_page_weight(sheaf)
        print_speed(sheaf, Path(folder), servers, min(options.seconds, 8.0), min(options.rounds, 9))
        saml.print_saml(sheaf, min(options.seconds, 8.0), min(options.rounds, 9))
        upstream.print_upstream(sheaf)
        companion.print_companion(sheaf)


def print_cold_start(sheaf: Sheaf) -> None:
    """The first start makes keys and the store; the ones after it are what a restart costs."""
    (first, _), *later = [_start_seconds(sheaf) for _ in range(1 + STARTS)]
    cpu = statistics.median(one[1] for one in later)
    load = os.getloadavg()[0]
    remark = (
        f"on an empty folder {first:.2f} s; CPU {cpu:.2f} s; load of the machine {load:.1f} on {os.cpu_count()} cores"
    )
    say("cold start, all processes", f"{statistics.median(one[0] for one in later):.2f} s", "2 s", remark)


def _start_seconds(sheaf: Sheaf) -> tuple[float, float]:
    """Until the first answer: time on the clock, and CPU time of all processes."""
    sheaf.folder.mkdir(parents=True, exist_ok=True)
    discovery = sheaf.url("/.well-known/openid-configuration")
    begun = time.perf_counter()
    with sheaf._process() as process:
        until(lambda: answers(discovery), f"{discovery} gives 200\n{sheaf.log}", seconds=60, every=0.01)
        return time.perf_counter() - begun, processes.cpu_seconds(process.pid)


def print_idle_memory(sheaf: Sheaf) -> None:
    # Rest is what is measured here, so there is nothing to wait for but time.
    time.sleep(SETTLE_SECONDS)
    count = len(processes.tree(sheaf.process.pid))
    say(
        "idle memory (PSS), all processes",
        f"{processes.pss_mb(sheaf.process.pid):.0f} MB",
        "150 MB",
        f"{count} processes",
    )


def print_page_weight(sheaf: Sheaf) -> None:
    """Bytes of the sign-in page and everything it loads, as they go over the wire."""
    with requests.Session() as session:
        session.trust_env = False
        page = session.get(sheaf.url("/sign-in"), timeout=10, stream=True)
        parts = {"HTML": len(page.raw.read())}
        document = parse(session.get(sheaf.url("/sign-in"), timeout=10).text)
        for address in _resources(session, page.url, document.resources):
            kind = address.rpartition(".")[2].partition("?")[0]
            parts[kind] = parts.get(kind, 0) + len(session.get(address, timeout=10, stream=True).raw.read())
    total = sum(parts.values())
    say(
        "sign-in page",
        f"{total / 1000:.1f} kB",
        "30 kB",
        ", ".join(f"{kind} {size:,} B" for kind, size in parts.items()),
    )


def _resources(session: requests.Session, page: str, found: list[str]) -> list[str]:
    """What the page names, and what its style sheets name in turn."""
    addresses = [urljoin(page, one) for one in found]
    for sheet in [one for one in addresses if ".css" in one]:
        urls = re.findall(r"url\(['\"]?(?!data:)([^'\")]+)", session.get(sheet, timeout=10).text)
        addresses += [urljoin(sheet, one) for one in urls]
    return list(dict.fromkeys(addresses))


def print_speed(sheaf: Sheaf, folder: Path, servers: ExitStack, seconds: float, rounds: int) -> None:
    ours = subjects.from_sheaf(sheaf, load.CONNECTIONS)
    started = subjects.start_oidc_provider(folder, load.CONNECTIONS)
    if not started:
        print(
            "\noidc-provider, the yardstick, is not installed (`make test` installs it): a bare WSGI answer stands in."
        )
        started = subjects.start_hello(folder)
    server, yardstick = started
    servers.callback(server.stop)
    print(f"\n{'':20}{'Sheaf':>10}{'':>12}{yardstick.name:>16}{'':>12}{'ratio':>10}{'ratio':>10}")
    print(f"{'':20}{'op/s':>10}{'CPU ms/op':>12}{'op/s':>16}{'CPU ms/op':>12}{'op/s':>10}{'CPU':>10}")
    for workload in WORKLOADS:
        results: dict[str, list[Figure]] = {ours.name: [], yardstick.name: []}
        for _ in range(rounds):
            for subject in (ours, yardstick):
                results[subject.name].append(measure(subject, workload, seconds))
        print_row(workload, _median(results[ours.name]), _median(results[yardstick.name]))
    print(
        "\nop/s depends on what else the machine does, and for cheap answers on the generator; CPU ms/op is steadier."
        "\nState: Sheaf writes to SQLite with fsync; oidc-provider keeps everything in memory. No TLS on either side."
    )


def measure(subject: Subject, workload: str, seconds: float) -> Figure:
    before = processes.cpu_seconds(subject.pid)
    result = load.run(subject.port, subject.requests(workload), subject.answered(workload), seconds)
    cpu = processes.cpu_seconds(subject.pid) - before
    operations = max(result.operations, 1)
    error = f"{result.errors} errors, the first: {result.first_error}" if result.errors else ""
    return Figure(result.operations / result.seconds, cpu * 1000 / operations, error)


def print_row(workload: str, ours: Figure, theirs: Figure) -> None:
    speed = ours.per_second / theirs.per_second if theirs.per_second else 0.0
    cost = ours.cpu_ms / theirs.cpu_ms if theirs.cpu_ms else 0.0
    print(
        f"{workload:20}{ours.per_second:>10,.0f}{ours.cpu_ms:>12.3f}{theirs.per_second:>16,.0f}{theirs.cpu_ms:>12.3f}"
        f"{speed:>10.2f}{cost:>10.2f}"
    )
    for error in filter(None, (ours.error, theirs.error)):
        print(f"    {error}")


def _median(figures: list[Figure]) -> Figure:
    return Figure(
        statistics.median(figure.per_second for figure in figures),
        statistics.median(figure.cpu_ms for figure in figures),
        next((figure.error for figure in figures if figure.error), ""),
    )


def say(what: str, measured: str, goal: str, remark: str) -> None:
    print(f"{what:36}{measured:>10}   goal {goal:<8} {remark}", flush=True)


if __name__ == "__main__":
    main()

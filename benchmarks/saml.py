"""Owns the SAML lines of `make bench`: CPU of the server per SP-initiated sign-in with a session, with one and with 5,000 service
providers; building the answer alone; what SAML adds to the start.

Sending and counting is left to load.py. Nothing is asserted: the goals stand beside the figures. Alone: python -m benchmarks.saml
"""

import argparse
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from urllib.parse import urlsplit

from benchmarks import load, processes
from benchmarks.load import Request, http_request
from tests.saml.peer import Sp
from tests.support.http_browser import PlainBrowser
from tests.support.sheaf import PASSWORD, Sheaf

MANY = 5_000
WARM_UP_SECONDS = 1.0
ONE = Sp("https://bench.example/metadata", acs=("https://bench.example/acs",))
SIGNING = Sp("https://signing.example/metadata", acs=("https://signing.example/acs",), signs=True)


def main() -> None:
    wanted = argparse.ArgumentParser(
        prog="python -m benchmarks.saml", description="Measure the SAML door on this machine."
    )
    wanted.add_argument("--seconds", type=float, default=2.0, help="per workload and round (default 2)")
    wanted.add_argument("--rounds", type=int, default=3, help="the median counts (default 3)")
    options = wanted.parse_args()
    with (
        tempfile.TemporaryDirectory(prefix="sheaf-bench-") as folder,
        Sheaf(Path(folder), second_factor="administrators") as sheaf,
    ):
        print_saml(sheaf, options.seconds, options.rounds)


def print_saml(sheaf: Sheaf, seconds: float, rounds: int) -> None:
    print("\nSAML")
    print_start()
    print_building()
    cookie = _signed_in(sheaf)
    for sp in (ONE, SIGNING):
        _register(sheaf, [sp])
    server = Server(sheaf, cookie, seconds, rounds)
    server.print_sign_in("sign-in with a session", [ONE])
    server.print_sign_in("  the request signed", [SIGNING])
    others = [replace(ONE, entity_id=f"https://sp-{n}.example/metadata") for n in range(MANY - 2)]
    _register(sheaf, others)
    server.print_sign_in(f"  one of {MANY:,} SPs", [ONE])
    server.print_sign_in(f"  all of {MANY:,} SPs in turn", [ONE, *others])


def print_start() -> None:
    program = "import idp.app, sys; print(sum(name.split('.')[0] in ('lxml', 'saml2') for name in sys.modules))"
    found = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True, timeout=60)
    print(f"{'modules of lxml and pysaml2 at start':36}{found.stdout.strip():>10}   goal 0")


def print_building() -> None:
    """In this process: a Response with a signed assertion, RSA-2048."""
    from idp.protocols.saml import outbound
    from idp.saml.algorithms import sign_bytes
    from idp.saml.sp_metadata import read, service_provider_from_metadata
    from tests.saml.issuing import ASKED, PEER, SESSION, USER, Issuer
    from tests.saml.peer import pair
    from tests.support.clock import START

    issuing, name_id = (
        Issuer(None).issuing,
        {"Format": "f", "NameQualifier": "n", "SPNameQualifier": "s", "value": "_v"},
    )
    subject, view = outbound.Subject(USER, SESSION, "_index"), read(PEER.metadata())

    def build(**settings: str) -> Callable[[], object]:
        sp = service_provider_from_metadata(PEER.metadata(), START, **settings)
        return lambda: outbound.assertion_response(issuing, ASKED, sp, view, subject, name_id)

    rsa = _cpu_ms(lambda: sign_bytes(b"x" * 500, pair().private))
    for what, made in (
        ("building an answer, two signatures", build()),
        ("  the assertion signed only", build(sign_response="no")),
        ("  encrypted, two signatures", build(encrypt="always")),
    ):
        print(f"{what:36}{_cpu_ms(made):>7.2f} ms   goal 2 ms     one RSA-2048 signature {rsa:.2f} ms", flush=True)


def _cpu_ms(function: Callable[[], object], times: int = 200) -> float:
    """The best of several runs: other work on the machine only ever adds."""
    best = float("inf")
    for _ in range(5):
        begun = time.process_time()
        for _ in range(times):
            function()
        best = min(best, time.process_time() - begun)
    return best * 1000 / times


@dataclass(frozen=True)
class Server:
    """A running Sheaf, the cookie of somebody who is signed in there, and how long to ask it."""

    sheaf: Sheaf
    cookie: str
    seconds: float
    rounds: int

    def print_sign_in(self, what: str, sps: list[Sp]) -> None:
        requests, pid = self._requests(sps), self.sheaf.process.pid
        figures, speeds, error = [], [], ""
        load.run(self.sheaf.port, lambda: next(requests), lambda _body: None, WARM_UP_SECONDS)  # libraries, keys, names
        for _ in range(self.rounds):
            before = processes.cpu_seconds(pid)
            result = load.run(self.sheaf.port, lambda: next(requests), lambda _body: None, self.seconds)
            cpu = processes.cpu_seconds(pid) - before
            figures.append(cpu * 1000 / max(result.operations, 1))
            speeds.append(result.operations / result.seconds)
            error = error or result.first_error
        cost, speed = statistics.median(figures), statistics.median(speeds)
        print(f"{what:36}{cost:>7.2f} ms   goal 3 ms     CPU of the server; {speed:,.0f}/s {error}", flush=True)

    def _requests(self, sps: list[Sp]) -> Iterator[Request]:
        """Each AuthnRequest is good once, so each is made anew; that costs this process, not the server."""
        destination, headers = self.sheaf.url("/saml/sso"), {"Cookie": self.cookie}
        while True:
            for sp in sps:
                path = f"/saml/sso?{sp.query(sp.authn_request(time.time(), destination), 'state')}"
                yield http_request("GET", self.sheaf.port, path, headers=headers, expect='name="SAMLResponse"')


def _signed_in(sheaf: Sheaf) -> str:
    person = sheaf.add_user(full_name="Ada")
    with PlainBrowser() as browser:
        browser.open(sheaf.url("/sign-in")).submit(username=person.username, password=PASSWORD)
        return "; ".join(f"{name}={value}" for name, value in browser.cookies().items() if "session" in name)


def _register(sheaf: Sheaf, sps: list[Sp]) -> None:
    """Straight into the store: `idp sp add` is one process for each."""
    from idp.base.clock import system_clock
    from idp.saml.sp_metadata import service_provider_from_metadata
    from idp.storage.sqlite import SqliteRepository

    (path,) = [one for one in sheaf.data.glob("*.db") if urlsplit(one.name).path]
    repo = SqliteRepository(path, system_clock)
    template = service_provider_from_metadata(sps[0].metadata(), time.time())
    made = [replace(template, id=sp.entity_id, metadata=sp.metadata().decode()) for sp in sps]
    for start in range(0, len(made), 500):
        repo.insert_all(*made[start : start + 500])
    repo.close()


if __name__ == "__main__":
    main()

"""A federation of 5,000 service providers: loaded whole, in little memory, and as cheap to look up as one of three."""

import subprocess
import sys
from pathlib import Path
from typing import Any

from idp.services.service_providers import Providers
from tests.saml.federation import SIGNER, Federation, aggregate, member, members

MANY = 5000


class Reads:
    """A store that counts what is read from it."""

    def __init__(self, repo: Any) -> None:
        self._repo = repo
        self.count = 0

    def __getattr__(self, name: str) -> Any:
        self.count += name in ("get", "find")
        return getattr(self._repo, name)


def reads_for(it: Federation, entity_id: str) -> int:
    counting = Reads(it.services.repo)
    federations = type(it.federations)(counting, it.clock, it.services.audit, None, None)
    assert Providers(counting, federations).get(entity_id) is not None
    return counting.count


def test_thousands_are_loaded_once_and_cost_a_lookup_each(services: Any, clock: Any, publisher: Any) -> None:
    it = Federation(services, clock, publisher)
    it.add()
    it.load(aggregate(members(3)))
    few = reads_for(it, member(1).entity_id)
    assert it.load(aggregate(members(MANY))).entities == MANY
    assert reads_for(it, member(MANY - 1).entity_id) == few == 3
    assert it.get("https://nobody.example") is None
    assert len(it.rows) == MANY


def test_reading_thousands_takes_little_memory(tmp_path: Path) -> None:
    """At most as much as a few of them: the tree of the whole would be four times the file."""
    file = tmp_path / "all.xml"
    padding = b"<md:Extensions><!-- -->%s</md:Extensions><md:SPSSODescriptor" % (
        b"<a xmlns='urn:a'>" + b"x" * 10_000 + b"</a>"
    )
    wide = [one.replace(b"<md:SPSSODescriptor", padding, 1) for one in members(2000)]
    file.write_bytes(aggregate(wide))
    assert file.stat().st_size > 20_000_000
    code = (
        "import resource, sys\nfrom idp.saml.aggregate import verified\nfrom idp.saml.sp_metadata import read\n"
        "peak = lambda: resource.getrusage(resource.RUSAGE_SELF).ru_maxrss\nbefore = peak()\n"
        "with open(sys.argv[1], 'rb') as file, verified(file, [sys.argv[2]], 10**9) as found:\n"
        "    assert sum(1 for _ in found.entities()) == 2000\n"
        "print(peak() - before)"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, str(file), SIGNER.certificate], capture_output=True, text=True, check=True
    )
    assert int(done.stdout) < 12_000, "KiB"

"""Peak memory of this process over a few lines. Linux gives it anew for each; elsewhere only growth over the whole run shows."""

import resource
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

_STATUS, _RESET = Path("/proc/self/status"), Path("/proc/self/clear_refs")


def _peak_kib() -> int:
    if _STATUS.exists():
        return int(_STATUS.read_text().split("VmHWM:")[1].split()[0])
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss


@contextmanager
def growth() -> Iterator[Callable[[], float]]:
    """Gives a function that tells by how many MiB the peak has risen since."""
    if _RESET.exists():
        _RESET.write_text("5")
    before = _peak_kib()
    yield lambda: (_peak_kib() - before) / 1024


@contextmanager
def flat(mebibytes: float = 16.0) -> Iterator[None]:
    """Fails when the peak rises by more. What these tests refuse would take hundreds, some of it gigabytes."""
    with growth() as grown:
        yield
        assert grown() < mebibytes, f"{grown():.1f} MiB more"

"""Owns reading CPU time and memory of a process tree from /proc (Linux).

What is measured when is left to run.py.
"""

import os
from pathlib import Path

TICKS = os.sysconf("SC_CLK_TCK")


def tree(root: int) -> list[int]:
    """The process and all its descendants."""
    children: dict[int, list[int]] = {}
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit() and (fields := _stat(int(entry.name))):
            children.setdefault(int(fields[1]), []).append(int(entry.name))
    found, queue = [], [root]
    while queue:
        found.append(queue.pop())
        queue += children.get(found[-1], [])
    return found


def cpu_seconds(root: int) -> float:
    """User and system time of the tree so far."""
    return sum(int(fields[11]) + int(fields[12]) for pid in tree(root) if (fields := _stat(pid))) / TICKS


def pss_mb(root: int) -> float:
    """Proportional set size of the tree in MB: pages shared among processes count once."""
    return sum(_pss_kb(pid) for pid in tree(root)) / 1024


def _stat(pid: int) -> list[str]:
    """Fields of /proc/PID/stat from the state on (index 0 is field 3); empty when it has ended."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return []


def _pss_kb(pid: int) -> int:
    try:
        lines = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()
    except OSError:
        return 0
    return sum(int(line.split()[1]) for line in lines if line.startswith("Pss:"))

"""Owns installing Debian packages when that is possible: as root, on Debian or a relative, without starting services.

Which packages, and what to do without them, is decided by the callers. Standard library only.
"""

import os
import shutil
import subprocess
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

LISTS = Path("/var/lib/apt/lists")
POLICY = Path("/usr/sbin/policy-rc.d")
A_DAY = 86_400
APT = ["apt-get", "-q", "-o", "DPkg::Lock::Timeout=300", "-o", "Acquire::Retries=3"]


def can_install() -> bool:
    return os.geteuid() == 0 and shutil.which("apt-get") is not None


def installed(package: str) -> bool:
    query = ["dpkg-query", "-W", "-f=${Status}", package]
    if not shutil.which("dpkg-query"):
        return False
    found = subprocess.run(query, capture_output=True, text=True, check=False)
    return found.stdout.endswith("ok installed")


def install(packages: Iterable[str]) -> str | None:
    """Install what is missing. Gives None, or the end of apt's words when it failed."""
    missing = [package for package in packages if not installed(package)]
    if not missing:
        return None
    print(f"Installing Debian packages: {' '.join(missing)}", flush=True)
    with no_service_starts():
        _update_old_lists()
        failure = _apt("install", "-y", "--no-install-recommends", *missing)
        if failure:
            # Old lists name packages that the archive no longer has.
            _apt("update")
            failure = _apt("install", "-y", "--no-install-recommends", *missing)
    return failure


@contextmanager
def no_service_starts() -> Iterator[None]:
    """Debian asks policy-rc.d before a package starts its service; 101 says no. What stood there comes back."""
    before = POLICY.read_bytes() if POLICY.exists() else None
    mode = POLICY.stat().st_mode if before is not None else 0
    POLICY.write_text("#!/bin/sh\nexit 101\n")
    POLICY.chmod(0o755)
    try:
        yield
    finally:
        if before is None:
            POLICY.unlink(missing_ok=True)
        else:
            POLICY.write_bytes(before)
            POLICY.chmod(mode)


def _update_old_lists() -> None:
    lists = [file.stat().st_mtime for file in LISTS.glob("*_Packages*")] if LISTS.is_dir() else []
    stamp = LISTS / "partial"
    newest = max([*lists, stamp.stat().st_mtime if stamp.exists() and lists else 0], default=0)
    if time.time() - newest > A_DAY:
        _apt("update")


def _apt(*words: str) -> str | None:
    env = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
    done = subprocess.run(
        [*APT, *words],
        env=env,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )
    return None if done.returncode == 0 else "\n".join(done.stdout.splitlines()[-5:])

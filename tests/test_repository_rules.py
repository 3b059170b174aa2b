"""Owns rules about what is committed and what is shipped: no registry hosts, no machine paths, no keys, nothing left out.

Rules about imports stand in pyproject.toml ([tool.importlinter]).
"""

import re
import subprocess
import sys
import tomllib
import zipfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.needs import GIT, need

ROOT = Path(__file__).parent.parent
# Written in pieces, so that this file does not break its own rule.
REGISTRIES = (
    "pypi" + ".org",
    "pythonhosted" + ".org",
    "npmjs" + ".org",
    "npmjs" + ".com",
    "yarnpkg" + ".com",
    "deb.debian" + ".org",
    "crates" + ".io",
    "docker" + ".io",
    "ghcr" + ".io",
)
MACHINE_PATH = re.compile(r"(?<![\w.~-])/(?:work|root|home/\w+|Users/\w+)/[\w.]")
PRIVATE_KEY = re.compile(r"-----BEGIN (?:[A-Z]+ )*PRIVATE KEY-----\s+[A-Za-z0-9+/]{20}")
SHIPPED = {"templates": "idp/_resources/templates", "static": "idp/_resources/static", "idp": "idp"}


def committed() -> list[Path]:
    """Every file that is committed or would be: tracked, or new and not ignored."""
    listed = subprocess.run(
        [need(GIT), "ls-files", "--cached", "--others", "--exclude-standard", "-z"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    )
    return [path for name in sorted(set(listed.stdout.split("\0"))) if name and (path := ROOT / name).is_file()]


def lines() -> Iterator[tuple[str, str]]:
    for path in committed():
        try:
            text = path.read_text()
        except UnicodeDecodeError:
            continue
        for number, line in enumerate(text.splitlines(), 1):
            yield f"{path.relative_to(ROOT)}:{number}", line


def test_no_committed_file_names_the_host_of_a_package_registry() -> None:
    found = [where for where, line in lines() for host in REGISTRIES if host in line]

    assert found == []


def test_no_committed_file_holds_an_absolute_path_of_somebodys_machine() -> None:
    found = [f"{where}: {line.strip()[:100]}" for where, line in lines() if MACHINE_PATH.search(line)]

    assert found == []


def test_no_committed_file_holds_a_private_key() -> None:
    found = [str(path.relative_to(ROOT)) for path in committed() if PRIVATE_KEY.search(path.read_text(errors="ignore"))]

    assert found == []


def test_every_python_file_begins_with_what_it_owns() -> None:
    silent = [
        str(path.relative_to(ROOT))
        for path in committed()
        if path.suffix == ".py" and path.read_text().strip() and not path.read_text().startswith(('"""', "#!"))
    ]

    assert silent == []


def test_make_help_names_every_command() -> None:
    makefile = (ROOT / "Makefile").read_text()
    phony = next(line for line in makefile.splitlines() if line.startswith(".PHONY:")).split()[1:]

    helped = subprocess.run(["make", "-s"], cwd=ROOT, capture_output=True, text=True, check=True).stdout

    assert [target for target in phony if target != "python" and f"make {target} " not in helped] == []


def test_the_lock_files_of_the_tests_hold_digests_and_no_addresses() -> None:
    secantus = (ROOT / "tests" / "requirements-secantus.txt").read_text()
    npm = (ROOT / "tests" / "peers" / "js" / "package-lock.json").read_text()

    for requirement in re.findall(r"^([a-z0-9-]+)==\S+ (.*)$", secantus, re.MULTILINE):
        assert requirement[1] == "\\", f"{requirement[0]} is not locked to digests"
    assert "http" not in secantus
    assert '"resolved"' not in npm
    assert npm.count('"integrity": "sha512-') == npm.count('    "node_modules/')


@pytest.mark.slow
def test_the_wheel_holds_exactly_the_committed_files(tmp_path: Path) -> None:
    built = [
        sys.executable,
        "-m",
        "pip",
        "--disable-pip-version-check",
        "wheel",
        str(ROOT),
        "-q",
        "--no-deps",
        "-w",
        str(tmp_path),
    ]
    subprocess.run(built, check=True, capture_output=True, text=True, timeout=150)
    (wheel,) = tmp_path.glob("*.whl")

    with zipfile.ZipFile(wheel) as archive:
        shipped = {name for name in archive.namelist() if ".dist-info/" not in name and not name.endswith("/")}
    expected = {
        f"{target}/{path.relative_to(ROOT / source).as_posix()}"
        for source, target in SHIPPED.items()
        for path in committed()
        if path.is_relative_to(ROOT / source)
    }

    assert shipped == expected


def test_the_test_environment_is_named_nowhere_in_what_is_shipped() -> None:
    dependencies = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["dependencies"]

    assert [name for name in dependencies if "secantus" in name.lower()] == []

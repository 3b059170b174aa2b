"""Owns the virtual environment .venv: `python3 scripts/make_venv.py [EXTRA...]` makes it and installs the project into it.

A stamp per set of extras holds the digest of pyproject.toml, so an up-to-date environment costs nothing. The installation
points at this checkout: changed source needs no new one. Standard library only.
"""

import hashlib
import importlib.util
import subprocess
import sys
from collections.abc import Iterable
from pathlib import Path

import debian

ROOT = Path(__file__).resolve().parent.parent
VENV = ROOT / ".venv"
PYTHON = VENV / "bin" / "python"
STAMP = "sheaf-installed-{}"


def make(extras: Iterable[str] = ()) -> None:
    """Make .venv if it is missing or broken and install the project with these extras. Ends the program when it cannot."""
    wanted = sorted(extras)
    digest = hashlib.sha256((ROOT / "pyproject.toml").read_bytes()).hexdigest()
    healthy = _works()
    if healthy and any(set(wanted) <= have for have in _installed(digest)):
        return
    if not healthy:
        _create()
    name = f"{ROOT}[{','.join(wanted)}]" if wanted else str(ROOT)
    print(f"Installing Sheaf{' with extras ' + ', '.join(wanted) if wanted else ''} into .venv …", flush=True)
    pip("install", "-e", name)
    (VENV / STAMP.format("-".join(wanted))).write_text(digest)


def _installed(digest: str) -> list[set[str]]:
    """The sets of extras that this pyproject.toml was installed with."""
    stamps = [stamp for stamp in VENV.glob(STAMP.format("*")) if stamp.read_text() == digest]
    return [set(stamp.name.removeprefix(STAMP.format("")).split("-")) - {""} for stamp in stamps]


def pip(*words: str) -> None:
    command = [str(PYTHON), "-m", "pip", "--disable-pip-version-check", *words[:1], "-q", *words[1:]]
    done = subprocess.run(command, stdin=subprocess.DEVNULL, check=False)
    if done.returncode:
        sys.exit(f"pip {' '.join(words)} failed; its reason stands above.")


def _works() -> bool:
    """Is there an environment that runs, on a Python that is new enough? A moved checkout or a removed Python breaks it."""
    if not PYTHON.exists():
        return False
    probe = "import sys, pip; sys.exit(sys.version_info < (3, 11))"
    works = subprocess.run([str(PYTHON), "-c", probe], capture_output=True, check=False).returncode == 0
    scripts = VENV / "bin" / "pip"
    return works and (not scripts.exists() or str(VENV) in scripts.read_text(errors="replace").partition("\n")[0])


def _create() -> None:
    if importlib.util.find_spec("ensurepip") is None:
        _install_venv_package()
    print(f"Making .venv with Python {sys.version.split()[0]} …", flush=True)
    # In a fresh process: this one may have started before ensurepip was there.
    if subprocess.run([sys.executable, "-m", "venv", "--clear", str(VENV)], check=False).returncode:
        sys.exit("Python could not make a virtual environment; its reason stands above.")


def _install_venv_package() -> None:
    version = f"{sys.version_info.major}.{sys.version_info.minor}"
    package = f"python{version}-venv"
    advice = f"This Python has no ensurepip, which virtual environments need. On Debian: apt-get install {package}"
    if not debian.can_install():
        sys.exit(advice)
    failure = debian.install([package])
    if failure:
        sys.exit(f"{failure}\n{advice}")


if __name__ == "__main__":
    make(sys.argv[1:])

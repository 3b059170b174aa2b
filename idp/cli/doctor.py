"""`idp doctor`: is this installation in order? Leaves what is looked at to idp.cli.checks, checks_companion,
checks_upstreams and checks_saml.
"""

from dataclasses import asdict
from typing import TYPE_CHECKING, Any

import click

from idp.cli.common import Command, shared, show

if TYPE_CHECKING:
    from idp.base.config import Settings
    from idp.cli.checks import Finding

LIBRARIES = (
    "Flask",
    "Werkzeug",
    "granian",
    "Authlib",
    "joserfc",
    "cryptography",
    "pysaml2",
    "lxml",
    "pyotp",
    "libpass",
    "pymongo",
    "pika",
    "uvicorn",
    "websockets",
)
_MARKS = {"ok": "ok   ", "hint": "hint ", "wrong": "WRONG"}


@click.command("doctor", cls=Command)
def doctor() -> int:
    """Check this installation and show the settings in force. Exit code 1 when something is wrong."""
    settings = shared().settings()
    findings = _findings(settings)
    healthy = all(finding.state != "wrong" for finding in findings)
    report = {
        "ok": healthy,
        "checks": [asdict(finding) for finding in findings],
        "settings": settings_in_force(settings),
        "versions": versions(),
    }
    show(report, _text(report))
    return 0 if healthy else 1


def _findings(settings: "Settings") -> list["Finding"]:
    from idp.assemble import build_parts
    from idp.base import log
    from idp.base.errors import Misconfigured
    from idp.cli import checks, checks_companion, checks_saml, checks_upstreams
    from idp.ports import StoreUnavailable

    log.set_up("ERROR")
    found = [finding for check in checks.BEFORE for finding in check(settings)]
    if (
        any(finding.state == "wrong" for finding in found if finding.check in ("mode", "data folder"))
        and not settings.data_dir.is_dir()
    ):
        return found  # looking further would make what is missing
    try:
        parts = build_parts(settings)
        try:
            every = (*checks.WITH_STORE, *checks_companion.CHECKS, *checks_upstreams.CHECKS, *checks_saml.CHECKS)
            return [*found, *(finding for check in every for finding in check(parts))]
        finally:
            parts.repo.close()
    except Misconfigured as problem:
        return [*found, checks.Finding(problem.setting, "wrong", problem.problem, problem.cure)]
    except StoreUnavailable as problem:
        return [
            *found,
            checks.Finding(
                "store", "wrong", f"does not answer ({problem})", "Check store.url and the server behind it."
            ),
        ]


def settings_in_force(settings: "Settings") -> dict[str, Any]:
    """Every setting by its dotted name; secrets only as set or not set."""
    return _flat("", settings.model_dump(mode="python"))


def _flat(prefix: str, tree: dict[str, Any]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for name, value in tree.items():
        dotted = f"{prefix}{name}"
        if isinstance(value, dict) and dotted != "second_factor":
            found |= _flat(f"{dotted}.", value)
        elif hasattr(value, "get_secret_value"):
            found[dotted] = "(set)" if value.get_secret_value() else "(not set)"
        elif dotted in ("store.url", "api.store", "api.broker") and "@" in str(value):
            # user and password of a database URL
            scheme, _, rest = str(value).partition("://")
            found[dotted] = f"{scheme}://(secret)@{rest.rpartition('@')[2]}"
        else:
            found[dotted] = value
    return found


def versions() -> dict[str, str]:
    import platform  # here, as these take longer to load than all other commands together
    from importlib.metadata import PackageNotFoundError, version

    from idp import __version__

    found = {"Sheaf": __version__, "Python": platform.python_version(), "System": platform.platform()}
    for library in LIBRARIES:
        try:
            found[library] = version(library)
        except PackageNotFoundError:
            found[library] = "missing"
    return found


def _text(report: dict[str, Any]) -> str:
    lines = []
    for one in report["checks"]:
        lines.append(f"{_MARKS[one['state']]}  {one['check']}: {one['detail']}")
        if one["cure"]:
            lines.append(f"       -> {one['cure']}")
    lines += ["", "Settings in force:", *(f"  {name} = {value}" for name, value in report["settings"].items())]
    lines += ["", "Versions: " + ", ".join(f"{name} {number}" for name, number in report["versions"].items())]
    wrong, hints = (sum(1 for one in report["checks"] if one["state"] == state) for state in ("wrong", "hint"))
    if wrong:
        lines += ["", f"{wrong} thing{'s are' if wrong > 1 else ' is'} wrong; see above."]
    else:
        lines += [
            "",
            f"Nothing is wrong; {hints} hint{'s' if hints > 1 else ''} above." if hints else "Everything is in order.",
        ]
    return "\n".join(lines)

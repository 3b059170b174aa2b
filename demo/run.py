"""`make demo`: starts everything, sets it up through the command line, serves the apps and the landing page, stops it all.

Leaves Sheaf itself to installation, and what is on the pages to landing, oidc_app and saml_app.
"""

import argparse
import logging
import secrets
import shutil
import signal
import socket
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import astuple, dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from demo.installation import DemoBroken, Installation  # noqa: E402
from demo.landing import Links, People  # noqa: E402

MARK = ".sheaf-demo"  # a folder without it is never cleared
WORDS = ["amber", "birch", "cedar", "delta", "ember", "fjord", "grove", "heron", "ivory", "jade", "karst", "larch", "maple",
         "north", "opal", "pearl", "quartz", "reed", "slate", "tulip"]  # fmt: skip
DOMAIN = "corporate.example"  # the upstreams may vouch for its addresses, and for no others
LIN = f"lin@{DOMAIN}"
DISCOVERY = "/.well-known/openid-configuration"


@dataclass(frozen=True)
class Ports:
    sheaf: int
    api: int
    corporate: int
    oidc_app: int
    saml_app: int
    landing: int

    def links(self) -> Links:
        here = "http://127.0.0.1"
        return Links(
            landing=f"{here}:{self.landing}",
            sheaf=f"{here}:{self.sheaf}",
            api=f"{here}:{self.api}",
            # Another host name: browsers keep the cookies of one host for all its ports.
            corporate=f"http://localhost:{self.corporate}",
            oidc_app=f"{here}:{self.oidc_app}",
            saml_app=f"{here}:{self.saml_app}",
        )


def main() -> int:
    arguments = _arguments()
    ports = Ports(
        sheaf=arguments.port,
        api=arguments.api_port,
        corporate=arguments.corporate_port,
        oidc_app=arguments.oidc_app_port,
        saml_app=arguments.saml_app_port,
        landing=arguments.landing_port,
    )
    for number in (signal.SIGTERM, signal.SIGINT):  # SIGINT too: a shell's background job starts with it ignored
        signal.signal(number, _interrupted)
    started: list[Installation] = []
    try:
        folder = fresh_folder(Path(arguments.data))
        run(folder, ports, started)
    except KeyboardInterrupt:
        print("\nStopping …", flush=True)
        return 0
    except DemoBroken as broken:
        print(f"error: {broken}", file=sys.stderr)
        return 1
    finally:
        for one in started:
            if one.process and one.alive:
                one.process.terminate()
        for one in started:
            one.stop()
    return 0


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="make demo", description="Sheaf with an upstream and two apps, to click through."
    )
    for name, port in (
        ("", 8000),
        ("api-", 8001),
        ("corporate-", 8010),
        ("oidc-app-", 8020),
        ("saml-app-", 8030),
        ("landing-", 8040),
    ):
        parser.add_argument(f"--{name}port", type=int, default=port)
    parser.add_argument("--data", default=str(ROOT / "demo-data"), help="folder of the demo; cleared at each start")
    return parser.parse_args()


def _interrupted(*_: object) -> None:
    raise KeyboardInterrupt


def fresh_folder(folder: Path) -> Path:
    """An empty folder for this run. Raises DemoBroken rather than clear one that is not ours."""
    if folder.exists() and any(folder.iterdir()):
        if not (folder / MARK).exists():
            raise DemoBroken(f"{folder} is not a folder of the demo. Choose another one with --data.")
        shutil.rmtree(folder)
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    (folder / MARK).write_text("Cleared at each start of the demo.\n")
    return folder


def check_free(port: int) -> None:
    """Raises DemoBroken."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
            probe.listen(1)
        except OSError:
            raise _taken(port) from None


def _taken(port: int) -> DemoBroken:
    return DemoBroken(f"Port {port} is taken. Stop what listens there, or choose others: make demo ARGS=--help")


def run(folder: Path, ports: Ports, started: list[Installation]) -> None:
    """Returns never; ends by KeyboardInterrupt or DemoBroken."""
    from demo import saml_app

    for port in astuple(ports):
        check_free(port)  # else an installation that runs there already would be taken for ours
    links = ports.links()
    print("Setting up the demo …", flush=True)
    sheaf = Installation(
        "Sheaf",
        folder / "sheaf",
        ("run",),
        links.sheaf,
        {
            "IDP_SERVER__PORT": str(ports.sheaf),
            "IDP_API__PORT": str(ports.api),
            "IDP_API__STREAMS_PORT": "0",
            "IDP_ORGANISATION": "Sheaf demo",
        },
    )
    corporate = Installation(
        "Corporate login",
        folder / "corporate",
        ("serve", "idp"),
        links.corporate,
        {
            "IDP_SERVER__PORT": str(ports.corporate),
            "IDP_ORGANISATION": "Corporate login",
            "IDP_SECOND_FACTOR": "administrators",
        },
    )
    started += [sheaf, corporate]
    for one in started:
        one.start()
    metadata = saml_app.write_metadata(saml_app.Sp(links.saml_app), folder / "saml-app.xml")
    with ThreadPoolExecutor(2) as workers:
        upstream = workers.submit(_set_up_corporate, corporate, links)
        client = workers.submit(_add_apps, sheaf, links, metadata)
        people, client_of_sheaf = upstream.result()
        secret_file = folder / "corporate-client.secret"
        secret_file.touch(mode=0o600)
        secret_file.write_text(client_of_sheaf["client_secret"])
        everybody = _set_up_people(sheaf, links, people, client_of_sheaf["client_id"], secret_file)
        app = client.result()
    sheaf.wait(f"{links.sheaf}{DISCOVERY}", f"{links.api}/healthz")
    corporate.wait(f"{links.corporate}{DISCOVERY}")
    _add_campus(sheaf, corporate, links)
    _serve_apps(ports, links, everybody, app)
    print(
        f"\nThe demo is ready. Open this page; it says what to click:\n\n  {links.landing}/\n\nStop with Ctrl-C.",
        flush=True,
    )
    while all(one.alive for one in started):
        time.sleep(0.5)
    raise DemoBroken(f"A part of the demo has ended; see the logs in {folder}")


def _set_up_corporate(corporate: Installation, links: Links) -> tuple[dict[str, object], dict[str, str]]:
    grace = corporate.add_person("grace", "Grace Hopper", f"grace@{DOMAIN}", password())
    twin = corporate.add_person("ada.lovelace", "Ada Lovelace", "ada@sheaf.example", password())
    callback, signed_out = (f"{links.sheaf}/upstream/corporate/{end}" for end in ("callback", "signed-out"))
    client = corporate.cli(
        *("client", "add", "--name", "Sheaf", "--redirect-uri", callback, "--consent", "skip"),
        *("--post-logout-redirect-uri", signed_out),
        *("--scope", "openid profile email groups roles"),
    )
    lin = corporate.add_person("lin", "Lin Clark", LIN, password())
    return {"grace": grace, "twin": twin, "lin": lin}, client


def _add_apps(sheaf: Installation, links: Links, metadata: Path) -> dict[str, str]:
    from demo.oidc_app import SCOPES

    client: dict[str, str] = sheaf.cli(
        *("client", "add", "--name", "OIDC app", "--redirect-uri", f"{links.oidc_app}/callback"),
        *("--post-logout-redirect-uri", f"{links.oidc_app}/", "--scope", SCOPES, "--audience", "urn:sheaf:api"),
    )
    sheaf.cli("sp", "add", str(metadata), "--set", "name=SAML app", "--set", "name_id_format=email")
    return client


def _set_up_people(sheaf: Installation, links: Links, at_corporate: dict, client_id: str, secret_file: Path) -> People:
    ada = sheaf.add_person("ada", "Ada Lovelace", "ada@sheaf.example", password(), totp=True, admin=True)
    grace = sheaf.add_person("grace", "Grace Hopper", "grace@sheaf.example", password(), totp=True)
    sheaf.cli(
        *("upstream", "add", "sheaf", "--id", "corporate", "--set", "label=Corporate login"),
        *("--set", f"trusted_domains={DOMAIN}"),
        *(
            "--set",
            f"issuer={links.corporate}",
            "--set",
            f"client_id={client_id}",
            "--set",
            f"client_secret=file:{secret_file}",
        ),
    )
    sheaf.cli("user", "link", "grace", "corporate", at_corporate["grace"].id)
    lin = sheaf.add_person("lin", "Lin Clark", LIN, password(), totp=True)
    return People(ada, grace, at_corporate["grace"], at_corporate["twin"], lin, at_corporate["lin"])


def _add_campus(sheaf: Installation, corporate: Installation, links: Links) -> None:
    """The other installation once more, by SAML: each takes the metadata of the other, from where they run."""
    sheaf.cli(
        *("upstream", "add", "saml", "--id", "campus", "--set", "label=Campus"),
        *("--set", f"metadata_url={links.corporate}/saml/metadata"),
        *("--set", "email_trusted=true", "--set", f"trusted_domains={DOMAIN}"),
    )
    corporate.cli("sp", "add", f"{links.sheaf}/upstream/campus/metadata", "--set", "name=Sheaf")


def password() -> str:
    """Four words and a number, 30 bits: typed once, good for one run on this machine only."""
    return "-".join([*(secrets.choice(WORDS) for _ in range(4)), str(secrets.randbelow(9000) + 1000)])


def _serve_apps(ports: Ports, links: Links, people: People, client: dict[str, str]) -> None:
    from werkzeug.serving import make_server

    from demo import landing, oidc_app, saml_app

    logging.getLogger("werkzeug").setLevel(logging.ERROR)
    apps = {
        ports.oidc_app: oidc_app.make_app(
            links.oidc_app, links.sheaf, links.api, client["client_id"], client["client_secret"], f"{links.landing}/"
        ),
        ports.saml_app: saml_app.make_app(links.saml_app, f"{links.sheaf}/saml/metadata", f"{links.landing}/"),
        ports.landing: landing.make_app(links, people),
    }
    for port, app in apps.items():
        try:
            server = make_server("127.0.0.1", port, app, threaded=True)
        except (OSError, SystemExit):
            raise _taken(port) from None
        threading.Thread(target=server.serve_forever, name=f"port {port}", daemon=True).start()


if __name__ == "__main__":
    sys.exit(main())

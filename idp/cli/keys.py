"""`idp keys …`: the keys that sign. Leaves their life to idp.services.rotate_keys."""

from typing import TYPE_CHECKING, Any

import click

from idp.cli.common import ACTOR, Group, installation, note, show, when

if TYPE_CHECKING:
    from idp.services.rotate_keys import KeyAge

USES = ("id_token", "access_token", "saml", "saml_encryption")
SAML_ALGS = {"saml": ("RS256", "ES256", "ES384"), "saml_encryption": ("RS256",)}
ALGS = (
    "RS256",
    "PS256",
    "ES256",
    "ES384",
    "Ed25519",
)  # those of idp.crypto.algs: importing it would make every --help slow
DAY = 86_400.0


@click.group("keys", cls=Group, invoke_without_command=True)
@click.pass_context
def keys(context: click.Context) -> None:
    """Signing keys. Without a command: list them."""
    if context.invoked_subcommand is None:
        context.invoke(list_keys)


@keys.command("list")
def list_keys() -> None:
    """List all signing keys with their ages, those in use first."""
    with installation() as parts:
        parts.keys.ensure()
        show([_facts(one) for one in parts.rotation.listing()])


@keys.command("rotate")
@click.option(
    "--use",
    "uses",
    multiple=True,
    type=click.Choice(USES),
    help="Which keys; repeat for more. Default: all keys of tokens. SAML apps must read our new metadata first.",
)
@click.option(
    "--alg",
    "algs",
    multiple=True,
    type=click.Choice(ALGS),
    help="Only the keys of this algorithm; repeat for more.",
)
def rotate(uses: tuple[Any, ...], algs: tuple[str, ...]) -> None:
    """Let the next keys sign. The old ones stay published until everything they signed has expired."""
    saml = _saml_keys(uses, algs)
    with installation() as parts:
        tokens = [use for use in uses if use not in SAML_ALGS]
        rotated = []
        if tokens or not uses:
            rotated += parts.rotation.rotate_tokens(actor=ACTOR, algs=algs, **({"uses": tokens} if tokens else {}))
        rotated += [parts.rotation.rotate(use, alg, actor=ACTOR) for use, alg in saml]
        show([_facts(one) for one in rotated])
    for one in rotated:
        if one.hasty:
            note(
                f"warning: The {one.alg} key that signs SAML messages now was in our metadata for {_days(one.stood)} only. Apps and "
                "upstreams that have not read them since refuse what it signs: have them read our metadata now."
            )


def _saml_keys(uses: tuple[Any, ...], algs: tuple[str, ...]) -> list[tuple[Any, str]]:
    """RS256 unless others are named. Raises UsageError."""
    found = []
    for use in SAML_ALGS.keys() & set(uses):
        chosen = [alg for alg in algs or ("RS256",) if alg in SAML_ALGS[use]]
        if not chosen:
            raise click.UsageError(f"Keys for {use} are {', '.join(SAML_ALGS[use])}.")
        found += [(use, alg) for alg in chosen]
    return sorted(found)


@keys.command("revoke")
@click.argument("kid")
def revoke(kid: str) -> None:
    """End a key that has leaked: nothing that it signed is good any more. One that signs is replaced first."""
    with installation() as parts:
        show(_facts(parts.rotation.revoke(kid, actor=ACTOR)))


def _facts(one: "KeyAge") -> dict[str, Any]:
    return {
        "use": one.use,
        "alg": one.alg,
        "state": one.state,
        "age": _days(one.age),
        "rotation_due": when(one.rotation_due),
        "published_until": when(one.published_until),
        "created_at": when(one.created_at),
        "activated_at": when(one.activated_at),
        "retired_at": when(one.retired_at),
        "external": one.external,
        "kid": one.kid,
    }


def _days(seconds: float) -> str:
    days, rest = divmod(max(0.0, seconds), DAY)
    return f"{days:.0f} d" if days else f"{rest // 3600:.0f} h" if rest >= 3600 else f"{rest // 60:.0f} min"

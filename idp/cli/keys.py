"""`idp keys …`: the keys that sign. Leaves their life to idp.services.rotate_keys."""

from typing import TYPE_CHECKING, Any

import click

from idp.cli.common import ACTOR, group, installation, show, when

if TYPE_CHECKING:
    from idp.http.parts import Parts
    from idp.services.rotate_keys import KeyAge, RotateKeys


@group("keys")
def keys() -> None:
    """Signing keys."""


@keys.command("list")
def list_keys() -> None:
    """List all signing keys, those in use first."""
    with installation() as parts:
        parts.keys.ensure()
        show([_facts(one) for one in _service(parts).listing()])


@keys.command("rotate")
@click.option(
    "--use",
    "uses",
    multiple=True,
    type=click.Choice(["id_token", "access_token", "saml"]),
    help="Which key; repeat for more. Default: both keys of tokens. SAML apps must read our new metadata first.",
)
def rotate(uses: tuple[Any, ...]) -> None:
    """Let the next keys sign. The old ones stay published until everything they signed has expired."""
    with installation() as parts:
        service = _service(parts)
        rotated = [service.rotate(use, actor=ACTOR) for use in uses] if uses else service.rotate_tokens(actor=ACTOR)
        show([_facts(one) for one in rotated])


def _service(parts: "Parts") -> "RotateKeys":
    from idp.services.rotate_keys import RotateKeys

    return RotateKeys(parts.repo, parts.keys, parts.clock, parts.audit)


def _facts(one: "KeyAge") -> dict[str, Any]:
    return {
        "kid": one.kid,
        "use": one.use,
        "alg": one.alg,
        "state": one.state,
        "created_at": when(one.created_at),
        "activated_at": when(one.activated_at),
        "retired_at": when(one.retired_at),
    }

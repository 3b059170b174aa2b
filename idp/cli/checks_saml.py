"""What `idp doctor` looks at in SAML: metadata and certificates that end soon, metadata that could not be fetched, copies that
wait. Says nothing where there is no SAML, and loads no XML library then. Leaves how soon is soon to idp.services.metadata.ends.
"""

from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING

from idp.base.errors import Refused
from idp.cli.checks import Finding, State
from idp.cli.common import printable, when
from idp.services.metadata.ends import DAY, FEDERATION_DAYS, Ending, endings, endings_of_app

if TYPE_CHECKING:
    from idp.domain.relying import ServiceProvider
    from idp.http.parts import Parts

MOST = 1000  # peers that are looked at one by one


def service_providers(parts: "Parts") -> Iterator[Finding]:
    """One line for each that needs somebody."""
    known = [one for one in parts.apps.service_providers() if one.enabled]
    for sp in known[:MOST]:
        name = f"SAML app {printable(sp.name)}"
        try:
            found = parts.providers.get(sp.id)
        except Refused as refused:
            yield Finding(name, "wrong", refused.message, f"Bring good metadata: {_bring(parts, sp)}")
            continue
        if found is None:
            yield Finding(name, "hint", "its federation does not know it (any more)", "See: idp federation list")
            continue
        cure = f"Ask its administrator for new metadata: {_bring(parts, sp)}"
        yield from _told(name, endings_of_app(sp, found[1], parts.clock()), cure)
        if sp.encrypt == "always" and found[1].encrypt_to is None:
            yield Finding(
                name, "wrong", "must be encrypted for, and has no certificate for that", "idp sp set … encrypt="
            )
    if known:
        yield Finding("SAML apps", "ok", f"{len(known)} registered")


def _bring(parts: "Parts", sp: "ServiceProvider") -> str:
    """The command that takes new metadata over, wherever they come from."""
    if sp.source_id:
        return f"idp federation refresh {sp.source_id}"
    if parts.metadata_watch.of(f"sp:{sp.id}") is not None:
        return f"idp sp refresh {printable(sp.id)}"
    return f"idp sp add FILE ({printable(sp.id)})"


def watched(parts: "Parts") -> Iterator[Finding]:
    for one in parts.metadata_watch.all():
        name = f"metadata of {printable(one.id)}"
        words = "idp upstream" if one.id.startswith("upstream:") else "idp sp"
        peer = one.id.partition(":")[2]
        if one.problem:
            since = f"; {one.failures} times in a row" if one.failures > 1 else ""
            yield Finding(name, "hint", f"{printable(one.problem)}{since}", f"Try again: {words} refresh {peer}")
        if one.pending is not None:
            yield Finding(
                name, "hint", f"a changed copy waits since {when(one.pending_at)}", f"Look at it: {words} diff {peer}"
            )


def federations(parts: "Parts") -> Iterator[Finding]:
    for one in parts.federations.all():
        if not one.enabled:
            continue
        name = f"federation {one.id}"
        if one.problem:
            yield Finding(name, "hint", printable(one.problem), f"Try again: idp federation refresh {one.id}")
        elif one.kind == "aggregate":
            yield Finding(name, "ok", f"{one.entities} service providers, loaded {when(one.loaded_at) or 'never'}")
        if one.valid_until is not None:
            cure = f"idp federation refresh {one.id}"
            if one.valid_until - parts.clock() < FEDERATION_DAYS * DAY:
                yield from _ending(parts, name, [("metadata", one.valid_until)], cure)


def upstreams(parts: "Parts") -> Iterator[Finding]:
    for provider in parts.upstreams.all():
        if not provider.enabled or provider.kind not in ("saml", "adfs"):
            continue
        from idp.upstream.saml_metadata import certificates_of

        name = f"upstream {provider.id}"
        cure = f"Get its new metadata: idp upstream refresh {provider.id}"
        yield from _ending(parts, name, certificates_of(provider), cure)


def own_certificates(parts: "Parts") -> Iterator[Finding]:
    """Those that apps and upstreams have of us."""
    for key in parts.keys.all():
        if key.use not in ("saml", "saml_encryption") or key.state != "current" or not key.certificate:
            continue
        from idp.saml.algorithms import bare
        from idp.saml.changes import not_after

        what = "our SAML signing certificate" if key.use == "saml" else "our SAML encryption certificate"
        cure = f"idp keys rotate --use {key.use} --alg {key.alg}"
        yield from _ending(parts, f"{what} ({key.alg})", [("certificate", not_after(bare(key.certificate)))], cure)


def _ending(parts: "Parts", name: str, ends: Iterable[tuple[str, float]], cure: str) -> Iterator[Finding]:
    return _told(name, endings(ends, parts.clock()), cure)


def _told(name: str, found: Iterable[Ending], cure: str) -> Iterator[Finding]:
    """Before the end a hint, louder when it is near; afterwards something is wrong for metadata only."""
    for one in found:
        if one.urgency == "over":
            state: State = "wrong" if one.grave else "hint"
            yield Finding(name, state, f"its {one.what} ended {when(one.at)}", cure)
        else:
            urgent = {"last": "now: ", "sooner": "soon: "}.get(one.urgency, "")
            yield Finding(name, "hint", f"{urgent}its {one.what} ends {when(one.at)}, in {one.days:.0f} days", cure)


CHECKS = (service_providers, watched, federations, upstreams, own_certificates)

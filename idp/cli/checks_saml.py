"""What `idp doctor` looks at in SAML: metadata and certificates that end soon, metadata that could not be fetched, copies that
wait. Says nothing where there is no SAML, and loads no XML library then.
"""

from collections.abc import Iterator
from typing import TYPE_CHECKING

from idp.base.errors import Refused
from idp.cli.checks import Finding, State
from idp.cli.common import printable, when

if TYPE_CHECKING:
    from idp.http.parts import Parts

DAY = 86_400.0
SOON, SOONER, LAST = 60, 30, 7  # days before the end
MOST = 1000  # peers that are looked at one by one


def service_providers(parts: "Parts") -> Iterator[Finding]:
    """One line for each that needs somebody."""
    known = [one for one in parts.apps.service_providers() if one.enabled]
    for sp in known[:MOST]:
        name = f"SAML app {printable(sp.name)}"
        try:
            found = parts.providers.get(sp.id)
        except Refused as refused:
            yield Finding(name, "wrong", refused.message, f"Bring good metadata: idp sp add FILE ({sp.id})")
            continue
        if found is None:
            yield Finding(name, "hint", "its federation does not know it (any more)", "See: idp federation list")
            continue
        from idp.saml.changes import ends_of

        yield from _ending(parts, name, ends_of(found[1]), "Ask its administrator for new metadata: idp sp add FILE")
        if sp.encrypt == "always" and found[1].encrypt_to is None:
            yield Finding(
                name, "wrong", "must be encrypted for, and has no certificate for that", "idp sp set … encrypt="
            )
    if known:
        yield Finding("SAML apps", "ok", f"{len(known)} registered")


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
            # A federation renews the end every few days: near it, fetching has failed for long.
            if one.valid_until - parts.clock() < 2 * DAY:
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


def _ending(parts: "Parts", name: str, ends: list[tuple[str, float]], cure: str) -> Iterator[Finding]:
    """60 days before the end a hint, louder at 30 and 7; afterwards something is wrong for metadata only: nobody looks at the
    dates of a certificate that stands in metadata, but some software does."""
    for what, end in ends:
        left = (end - parts.clock()) / DAY
        if left > SOON:
            continue
        if left <= 0:
            state: State = "wrong" if what == "metadata" else "hint"
            yield Finding(name, state, f"its {what} ended {when(end)}", cure)
        else:
            urgent = "now: " if left <= LAST else "soon: " if left <= SOONER else ""
            yield Finding(name, "hint", f"{urgent}its {what} ends {when(end)}, in {left:.0f} days", cure)


CHECKS = (service_providers, watched, federations, upstreams, own_certificates)

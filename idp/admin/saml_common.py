"""What the pages about service providers share: finding one, badges, how its metadata gets here.

Leaves who may come here to idp.http.own_pages.
"""

from dataclasses import dataclass, field
from typing import Literal

from werkzeug.datastructures import FileStorage, MultiDict

from idp.admin.common import Badge
from idp.admin.names import client_id_of
from idp.admin.sp_changes import MAX_METADATA, known_sp
from idp.base.errors import Refused
from idp.domain.relying import ServiceProvider
from idp.domain.saml import MetadataWatch
from idp.http.parts import parts
from idp.http.render import text
from idp.http.security import form_field
from idp.services.app_list import SpLine
from idp.services.metadata.peers import split_pem

LIST_PATH = "/admin/saml"
BAD_SOURCE = (
    *("no_source", "two_sources", "metadata_too_large", "other_entity"),
    *("metadata_unreachable", "metadata_missing", "metadata_url", "metadata_watch", "metadata_unusable"),
)


@dataclass(frozen=True, slots=True)
class Given:
    """Where metadata are to come from: an address, or the bytes themselves. certificates: PEM, of those who may sign them."""

    url: str = ""
    metadata: bytes = field(default=b"", repr=False)
    adopt: Literal["ask", "auto"] = "ask"
    certificates: tuple[str, ...] = ()


def given_source(form: MultiDict[str, str], files: MultiDict[str, FileStorage]) -> Given:
    """Exactly one of address, text and file. Raises Refused(no_source | two_sources | field_too_long)."""
    url = form_field("url", required=False, limit=2000, form=form).strip()
    typed = form_field("metadata", required=False, limit=MAX_METADATA, form=form).strip()
    sent = files.get("file")
    uploaded = sent.read(MAX_METADATA + 1) if sent is not None else b""
    if sum(map(bool, (url, typed, uploaded))) > 1:
        raise Refused("two_sources", "Give the address, the file or the text of the metadata, only one of them.")
    if not (url or typed or uploaded):
        raise Refused("no_source", "Give the address, the file or the text of the metadata.")
    adopt: Literal["ask", "auto"] = "auto" if form_field("adopt", required=False, limit=10, form=form) else "ask"
    pem = form_field("certificates", required=False, limit=100_000, form=form)
    return Given(
        url, uploaded or typed.encode(errors="replace"), adopt, split_pem(pem) or ((pem,) if pem.strip() else ())
    )


def find_sp(name: str) -> ServiceProvider:
    """The service provider of an address, one of a federation as well. Raises Refused(no_such_app)."""
    sp = known_sp(parts(), client_id_of(name))
    if sp is None:
        raise Refused("no_such_app", "There is no such app.", status=404)
    return sp


def watch_of(entity_id: str) -> MetadataWatch | None:
    return parts().repo.get(MetadataWatch, f"sp:{entity_id}")


def sp_badges(sp: ServiceProvider | SpLine) -> list[Badge]:
    watch = watch_of(sp.id)
    found = [] if sp.enabled else [Badge(text("admin_saml.badge_off"), "warn")]
    found += [Badge(text("admin_saml.badge_pending"), "warn")] if watch is not None and watch.pending else []
    found += [Badge(text("admin_saml.badge_problem"), "warn")] if watch is not None and watch.problem else []
    found += [Badge(text("admin_saml.badge_federation"))] if sp.source_id else []
    return found

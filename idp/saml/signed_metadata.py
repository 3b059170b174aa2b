"""Metadata that one of the given keys must have signed (SAML Metadata 3): gives the very bytes that the signature is over.

For documents of one peer, which fit into memory; aggregates are for `aggregate`. Leaves what they say to the readers.
"""

from collections.abc import Sequence

from idp.saml import xml
from idp.saml.algorithms import BadSignature, PublicKey, public_key
from idp.saml.metadata_document import Problem, entities_of
from idp.saml.signatures import signature_of, verify_element


def pinned(certificates: Sequence[str]) -> tuple[PublicKey, ...]:
    """The keys of PEM certificates. Whoever pins a certificate means its key: its dates say nothing. Raises BadSignature."""
    return tuple(public_key(one) for one in certificates)


def verified(text: bytes, certificates: Sequence[str], entity_id: str = "") -> bytes:
    """What was signed: the document, or in an unsigned document of many the one entity that is meant. To be read from
    nothing else. Raises Problem."""
    try:
        root = xml.bounded(text, xml.MAX_METADATA_BYTES)
        if signature_of(root) is not None:
            return verify_element(root, pinned(certificates))
        for entity in entities_of(root):
            if entity is not root and entity_id and entity.get("entityID") == entity_id:
                return verify_element(entity, pinned(certificates))
        raise Problem("it is not signed, and a certificate is set that must have signed it")
    except xml.BadXml as error:
        raise Problem(str(error)) from None
    except BadSignature as error:
        raise Problem(f"its signature is not good: {error}") from None

"""Which certificate an app shows when it authenticates with tls_client_auth (RFC 8705 2.1.2): exactly one name.

Leaves whether certificates can arrive at all to check_client, and comparing them to the door.
"""

import ipaddress
import re

from idp.base.mtls import parse_name
from idp.domain.metadata import TLS_SUBJECTS, bad
from idp.domain.relying import Client

_DNS = re.compile(
    r"(?:[A-Za-z0-9_](?:[A-Za-z0-9_-]{0,61}[A-Za-z0-9_])?\.)*[A-Za-z0-9](?:[A-Za-z0-9-]{0,61}[A-Za-z0-9])?\Z"
)
MAX_NAME = 500


def check_tls_subject(client: Client) -> None:
    given = [name for name in TLS_SUBJECTS if getattr(client, name) is not None]
    if client.auth_method == "tls_client_auth" and len(given) != 1:
        raise bad(
            given[1] if given else TLS_SUBJECTS[0], f"tls_client_auth needs exactly one of {', '.join(TLS_SUBJECTS)}"
        )
    if client.auth_method != "tls_client_auth" and given:
        raise bad(given[0], "it belongs to auth_method tls_client_auth")
    for name in given:
        value = getattr(client, name)
        if not 0 < len(value) <= MAX_NAME or not value.isprintable() or not _is_one(name, value):
            raise bad(name, "this is not such a name")


def _is_one(field: str, value: str) -> bool:
    kind = field.rpartition("_")[2]
    try:
        if kind == "dn":
            return bool(parse_name(value))  # the same reading as when it is compared
        if kind == "ip":
            return bool(ipaddress.ip_address(value))
    except ValueError:
        return False
    if kind == "dns":
        return len(value) <= 253 and _DNS.match(value) is not None
    if kind == "email":
        return 0 < value.find("@") < len(value) - 1 and " " not in value
    return re.match(r"[A-Za-z][A-Za-z0-9+.-]*:[!-~]+\Z", value) is not None

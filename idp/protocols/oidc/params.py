"""Parameters of a request, parsed once and strictly: UTF-8, no repeated names, empty means absent (RFC 6749 3.1, 3.2).

Leaves what they mean to checks, grants and the endpoints.
"""

from collections.abc import Iterable
from urllib.parse import unquote

from flask import request

from idp.base.errors import Refused
from idp.http.machine import Asked

MAX_PARAMETERS = 100
MAX_VALUE = 16_384
MAY_REPEAT = frozenset({"resource", "audience"})  # RFC 8707 2, RFC 8693 2.1
_FORM = "application/x-www-form-urlencoded"


class Params(dict[str, str]):
    """One value each; `every` gives those of a name that may repeat. `repeated` names the others that were sent twice.
    Nobody changes it."""

    __slots__ = ("_every", "repeated")

    def __init__(self, pairs: Iterable[tuple[str, str]]) -> None:
        super().__init__()
        every: dict[str, list[str]] = {}
        repeated = []
        for name, value in pairs:
            if name in MAY_REPEAT:
                every.setdefault(name, []).append(value)
            elif name in self:
                repeated.append(name)
            self.setdefault(name, value)
        self._every = every
        self.repeated = tuple(repeated)

    def __repr__(self) -> str:
        return f"Params({len(self)})"  # there are secrets among them

    def every(self, name: str) -> tuple[str, ...]:
        return tuple(dict.fromkeys(self._every.get(name, ())))

    def words(self, name: str) -> tuple[str, ...]:
        """A blank-separated list without repetitions. One blank too many, as apps that join lists send it, is no word."""
        return tuple(dict.fromkeys(filter(None, self.get(name, "").split(" "))))

    def required(self, name: str) -> str:
        """Raises Refused(invalid_request)."""
        value = self.get(name)
        if value is None:
            raise Refused("invalid_request", f"The parameter {name} is missing.")
        return value


def form(asked: Asked) -> Params:
    """The body of a POST to a machine endpoint. Raises Refused(invalid_request)."""
    if asked.query:
        # Secrets in an address end up in logs and in the browser's history (RFC 6749 2.3.1, 3.2).
        raise Refused("invalid_request", "Send the parameters in the body of the request, none in its address.")
    params = _body(asked.headers.get("content-type", ""), asked.body)
    if params.repeated:
        raise repeated(params)
    return params


def query(asked: Asked) -> Params:
    """The parameters in the address. Raises Refused(invalid_request)."""
    params = parse(asked.query)
    if params.repeated:
        raise repeated(params)
    return params


def query_params() -> Params:
    """Of a page: repeated names are judged by the checks."""
    return parse(request.query_string)


def body_params() -> Params:
    """Of a page: repeated names are judged by the checks."""
    return _body(request.headers.get("Content-Type", ""), request.get_data(cache=False))


def repeated(params: Params) -> Refused:
    return Refused(
        "invalid_request", "A parameter was sent more than once.", reason=f"repeated: {params.repeated!r:.200}"
    )


def _body(content_type: str, body: bytes) -> Params:
    kind = _media_type(content_type)
    if kind != _FORM and (body or kind):
        raise Refused("invalid_request", f"Send the parameters as {_FORM}.", reason=f"Content-Type {kind[:100]!r}")
    return parse(body)


def _media_type(content_type: str) -> str:
    return content_type.partition(";")[0].strip().lower()


def parse(raw: bytes) -> Params:
    """Raises Refused(invalid_request)."""
    if not raw:
        return Params(())
    try:
        text = raw.decode("ascii")
        if text.count("&") >= MAX_PARAMETERS:
            raise ValueError
        pairs = [(_plain(name), _plain(value)) for name, _, value in map(_halves, text.split("&")) if value]
    except ValueError:
        raise Refused(
            "invalid_request", "The parameters cannot be read.", reason="not URL-encoded UTF-8, or too many parameters"
        ) from None
    for name, value in pairs:
        if len(value) > MAX_VALUE or len(name) > 200 or "\x00" in value:
            raise Refused("invalid_request", "A parameter is too long or holds a character that is not allowed.")
    return Params(pairs)


def _halves(pair: str) -> tuple[str, str, str]:
    return pair.partition("=")


def _plain(encoded: str) -> str:
    """The URL standard 5.1, strict: bytes that are not UTF-8 are refused."""
    if "+" in encoded:
        encoded = encoded.replace("+", " ")
    return unquote(encoded, errors="strict") if "%" in encoded else encoded

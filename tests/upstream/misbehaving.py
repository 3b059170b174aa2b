"""Owns the ways in which the doubles of upstreams misbehave, by protocol: the same trouble means different things to each.

What a double says when it behaves is in openid_double, vendor_doubles, oauth2_double and saml_double.
"""

from collections.abc import Callable, Mapping
from typing import Any

from joserfc.jwk import Key

from tests.saml.peer import pair
from tests.upstream.openid_double import MISSING, OpenIdDouble, Published, Trouble, key

STALL = Trouble(wait=30)
DRIP = Trouble(drip=True)
HUGE = Trouble(size=50_000_000)
CUT_OFF = Trouble(cut=True)
INSIDE = Trouble(status=302, location="http://169.254.169.254/latest/meta-data/")
GONE = Trouble(status=503)
GARBAGE = Trouble(body=b"\xff\xfe{" * 1000)

Misbehaviour = Callable[[Any], object]
MINUTES = 600


def endpoints(trouble: Trouble, *names: str) -> Misbehaviour:
    """The same trouble at endpoints, named as the double names them."""

    def begin(double: Any) -> None:
        double.trouble.update({_path(double, name): trouble for name in names})

    return begin


def _path(double: Any, name: str) -> str:
    paths: Mapping[str, str] = getattr(double, "paths", {"token": getattr(double, "token_path", "/token")})
    return paths.get(name, f"/{name}")


def _same_id_other_key(double: OpenIdDouble) -> Published:
    """A key that nobody published, under the id of one that is."""
    stranger: Key = key("stranger")
    return Published(double.signer.kid, stranger)


# What an OpenID Provider may say that must be refused as an answer.
OPENID_LIES: dict[str, Misbehaviour] = {
    "for another client": lambda op: op.lies.update(aud="another-client"),
    "for several, none of them us": lambda op: op.lies.update(aud=["another-client", "a-third"], azp="another-client"),
    "over for an hour": lambda op: op.lies.update(iat=_at(op, -4000), exp=_at(op, -3600)),
    "by a clock that is ten minutes behind": lambda op: op.lies.update(
        iat=_at(op, -MINUTES), exp=_at(op, 300 - MINUTES)
    ),
    "by a clock that is ten minutes ahead": lambda op: op.lies.update(iat=_at(op, MINUTES), exp=_at(op, 300 + MINUTES)),
    "without an end": lambda op: op.lies.update(exp=MISSING),
    "without a nonce": lambda op: op.lies.update(nonce=MISSING),
    "with the nonce of another departure": lambda op: op.lies.update(nonce=getattr(op, "earlier_nonce", "n" * 43)),
    "alg none": lambda op: setattr(op, "make_token", op.unsigned),
    "HS256 with the public key": lambda op: setattr(op, "make_token", op.signed_with_the_public_key_as_secret),
    "by another key under the published id": lambda op: setattr(op, "signer", _same_id_other_key(op)),
    "with a token of another sign-in": lambda op: setattr(op, "make_token", lambda _: op.earlier_token),
}
OAUTH2_LIES: dict[str, Misbehaviour] = {
    "without a token": lambda op: op.token_answer.update(access_token=MISSING),
    "with a token of another type": lambda op: op.token_answer.update(token_type="mac"),
    "about nobody": lambda op: op.userinfo.update(sub=MISSING, id=MISSING),
    "about somebody whose name is a list": lambda op: op.userinfo.update(sub=["1"], id=["1"]),
}
SAML_LIES: dict[str, Misbehaviour] = {
    "for another audience": lambda idp: idp.lies.update(audience="https://another.example/sp"),
    "over for an hour": lambda idp: idp.lies.update(not_on_or_after=-3600.0, confirmed_until=-3600.0),
    "by a clock that is ten minutes behind": lambda idp: setattr(idp, "clock", _shifted(idp.clock, -MINUTES)),
    "by a clock that is ten minutes ahead": lambda idp: setattr(idp, "clock", _shifted(idp.clock, MINUTES)),
    "without a NameID": lambda idp: idp.lies.update(name_id=None, attributes={}),
    "not signed": lambda idp: idp.lies.update(sign=()),
    "by a key that is not in its metadata": lambda idp: idp.lies.update(key=pair(which=9)),
    "with the answer to another request": lambda idp: idp.lies.update(in_response_to="_other"),
}
# What may happen on the way to its servers; each ends within the time-out.
TROUBLES = {
    "stalls": STALL,
    "drips": DRIP,
    "sends 50 MB": HUGE,
    "leads inside": INSIDE,
    "is cut off": CUT_OFF,
    "is out of service": GONE,
    "sends garbage": GARBAGE,
}
OPENID_TROUBLE: dict[str, Misbehaviour] = {
    f"{where} {what}": endpoints(trouble, where)
    for where in ("discovery", "token", "jwks")
    for what, trouble in TROUBLES.items()
}
OAUTH2_TROUBLE: dict[str, Misbehaviour] = {
    name: act for name, act in OPENID_TROUBLE.items() if name.startswith("token")
}
SAML_TROUBLE: dict[str, Misbehaviour] = {
    name.replace("discovery", "metadata"): endpoints(TROUBLES[name.removeprefix("discovery ")], "metadata")
    for name in OPENID_TROUBLE
    if name.startswith("discovery")
}
OPENID, OAUTH2, SAML = ("oidc", "google", "azure_ad", "adfs_oidc", "sheaf"), ("oauth2", "github"), ("saml", "adfs")
LIES = (
    {kind: OPENID_LIES for kind in OPENID} | {kind: OAUTH2_LIES for kind in OAUTH2} | {kind: SAML_LIES for kind in SAML}
)
# Those that share their code with one that has it all show with two that it is so.
FEW = ("token stalls", "discovery sends 50 MB", "metadata stalls")
TROUBLE = {
    "oidc": OPENID_TROUBLE,
    "oauth2": OAUTH2_TROUBLE,
    "saml": SAML_TROUBLE,
    **{kind: {name: OPENID_TROUBLE[name] for name in OPENID_TROUBLE if name in FEW} for kind in OPENID[1:]},
    **{kind: {name: OAUTH2_TROUBLE[name] for name in OAUTH2_TROUBLE if name in FEW} for kind in OAUTH2[1:]},
    **{kind: {name: SAML_TROUBLE[name] for name in SAML_TROUBLE if name in FEW} for kind in SAML[1:]},
}
# A new key heals by itself, whatever it is called.
ROTATIONS: dict[str, Misbehaviour] = {
    "under a new id": lambda op: op.rotate("second", "second"),
    "under the same id": lambda op: op.rotate("first", "second"),
    "without any id": lambda op: op.rotate(None, "second"),
}


def _at(double: Any, offset: float) -> int:
    return int(double.clock() + offset)


def _shifted(clock: Callable[[], float], by: float) -> Callable[[], float]:
    return lambda: clock() + by


def behave(double: Any, *, clock: Callable[[], float]) -> None:
    """Again as it should."""
    double.lies = {}
    double.trouble.clear()
    double.clock = clock
    for name in ("userinfo", "token_answer"):
        if isinstance(getattr(double, name, None), dict):
            getattr(double, name).clear()
    if isinstance(double, OpenIdDouble):
        double.make_token = None
        double.signer = double.keys[0]

"""The options of `idp client add` and `idp client set`, and the fields of Client that they mean.

Leaves the commands to idp.cli.apps, and which values are accepted to idp.services.check_client.
"""

import sys
from dataclasses import fields as dataclass_fields
from pathlib import Path
from typing import Any

import click

from idp.cli.common import options
from idp.domain.metadata import AUTH_METHODS, DEVICE, EXCHANGE, JWT_BEARER, SECRET_FIELDS

MAX_KEYS_FILE = 65_536
FIXED = ("id", "created_at", *SECRET_FIELDS, "version")
_GRANTS = {"device_code": DEVICE, "token_exchange": EXCHANGE, "jwt_bearer": JWT_BEARER}
_LISTS = ("redirect_uris", "post_logout_redirect_uris", "grant_types", "scopes", "audiences")
# Options whose value is the value of the field.
_PLAIN = (
    *("auth_method", "profile", "consent", "access_token_format", "id_token_signed_response_alg", "jwks_uri"),
    *("sector_identifier_uri", "backchannel_logout_uri", "frontchannel_logout_uri"),
)
_FLAGS = {
    "native": ("application_type", "native"),
    "pairwise": ("subject_type", "pairwise"),
    "require_par": ("require_pushed_authorization_requests", True),
    "dpop": ("dpop_bound_access_tokens", True),
}


def _many(name: str, field: str, metavar: str, help: str) -> Any:
    return click.option(name, field, multiple=True, metavar=metavar, help=help)


def _choice(name: str, field: str, values: list[str], help: str) -> Any:
    return click.option(name, field, type=click.Choice(values), help=help)


metadata_options = options(
    _many("--redirect-uri", "redirect_uris", "URI", "Where codes may be sent."),
    _many("--post-logout-redirect-uri", "post_logout_redirect_uris", "URI", "Where sign-out ends."),
    _many(
        "--grant",
        "grant_types",
        "GRANT",
        f"authorization_code, refresh_token, client_credentials, {', '.join(_GRANTS)}.",
    ),
    _choice("--auth-method", "auth_method", list(AUTH_METHODS), "How the client authenticates at /token."),
    _many("--scope", "scopes", "SCOPE", "Scope that it may ask for."),
    _many("--audience", "audiences", "AUDIENCE", "API that its tokens are for."),
    _choice(
        "--profile", "profile", ["fapi2", "oauth21", "legacy", "none"], "Rules that it must keep; see docs/oidc.md."
    ),
    _choice("--pkce", "pkce", ["required", "optional"], "Is PKCE needed? Default: required."),
    click.option("--public", is_flag=True, help="A client without a secret: in a browser, on a phone or a desktop."),
    click.option("--native", is_flag=True, help="It runs on a device of its user (RFC 8252)."),
    _choice("--consent", "consent", ["ask", "skip"], "Ask the user for consent? Default: ask."),
    click.option("--jwks", metavar="FILE", help="Its public keys (JWK set); - for standard input."),
    click.option("--jwks-uri", metavar="URI", help="Where its public keys are."),
    click.option("--pairwise", is_flag=True, help="It gets subjects that no other app gets."),
    click.option("--sector-identifier-uri", metavar="URI", help="Lists the addresses that share pairwise subjects."),
    _choice("--token-format", "access_token_format", ["jwt", "opaque"], "Form of its access tokens. Default: jwt."),
    click.option(
        "--id-token-alg",
        "id_token_signed_response_alg",
        metavar="ALG",
        help="RS256 (default), PS256, ES256, ES384 or Ed25519.",
    ),
    click.option("--dpop", is_flag=True, help="Its tokens are bound to a key of its own (RFC 9449)."),
    click.option("--require-par", is_flag=True, help="It must push its authorization requests (RFC 9126)."),
    click.option("--backchannel-logout-uri", metavar="URI", help="Told by us when a session ends."),
    click.option("--frontchannel-logout-uri", metavar="URI", help="Opened in the browser when a session ends."),
    click.option("--set", "more", multiple=True, metavar="KEY=VALUE", help="Any other field; see: idp client show."),
)


def chosen(flags: dict[str, Any]) -> dict[str, Any]:
    """Fields of Client that the options name, and only those. Raises UsageError."""
    from idp.cli.fields import pairs, values
    from idp.domain.relying import Client

    names = [one.name for one in dataclass_fields(Client) if one.name not in FIXED]
    found = values(Client, pairs(flags["more"]), names)
    for name in _LISTS:
        if flags[name]:
            # Scopes and the like come as one text with blanks or as several options.
            words = [word for text in flags[name] for word in text.split()]
            found[name] = tuple(dict.fromkeys(_GRANTS.get(word, word) for word in words))
    found |= {name: flags[name] for name in _PLAIN if flags[name] is not None}
    found |= {field: value for flag, (field, value) in _FLAGS.items() if flags[flag]}
    if flags["public"]:
        if flags["auth_method"] not in (None, "none"):
            raise click.UsageError(f"--public and --auth-method {flags['auth_method']} contradict each other")
        found["auth_method"] = "none"
    return found | _keys(flags) | _rules(flags)


def _rules(flags: dict[str, Any]) -> dict[str, Any]:
    """PKCE and profile go together: whoever leaves PKCE out says `legacy`, and everybody sees it."""
    found: dict[str, Any] = {}
    if flags["profile"] is not None:
        found["profile"] = "" if flags["profile"] == "none" else flags["profile"]
    if flags["pkce"] == "required":
        found["pkce_required"] = True
    elif flags["pkce"] == "optional":
        found |= {"pkce_required": False, "profile": found.get("profile", "legacy")}
    elif flags["profile"] is not None:
        found["pkce_required"] = flags["profile"] != "legacy"
    return found


def _keys(flags: dict[str, Any]) -> dict[str, Any]:
    """The one way to give keys takes the place of the other."""
    if flags["jwks"] and flags["jwks_uri"]:
        raise click.UsageError("--jwks and --jwks-uri contradict each other")
    if flags["jwks_uri"]:
        return {"jwks": None}
    if not flags["jwks"]:
        return {}
    if flags["jwks"] == "-":
        text = sys.stdin.read(MAX_KEYS_FILE + 1)
    else:
        with Path(flags["jwks"]).open(errors="replace") as file:
            text = file.read(MAX_KEYS_FILE + 1)
    return {"jwks": text, "jwks_uri": None}


def with_defaults(given: dict[str, Any]) -> dict[str, Any]:
    """Of a new app. Raises UsageError when it is for nothing."""
    if not any(given.get(name) for name in ("redirect_uris", "grant_types", "audiences")):
        raise click.UsageError(
            "Say what it is for: --redirect-uri for an app with people, --grant client_credentials for a machine"
        )
    from idp.services.draft_app import completed

    return completed(given)

"""The authorization code flow as an OAuth 2.0 client: URL, answer of the browser, token request (RFC 6749 4.1, 7636, 9207).

The only importer of Authlib. Leaves what the tokens are good for, and the person, to the kinds.
"""

import hmac
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Annotated, Any
from urllib.parse import parse_qsl, quote_plus, urlencode

from pydantic import AfterValidator, BeforeValidator

from idp.base.net import Answer
from idp.upstream.exchange import Exchange, json_object
from idp.upstream.refusals import answer_invalid, denied, misconfigured, said, unreachable

if TYPE_CHECKING:
    from authlib.oauth2.client import OAuth2Client

MAX_CODE = 8192
_FLOW = ("response_type", "response_mode", "client_id", "redirect_uri", "scope", "state", "nonce", "max_age")
_CARRIERS = ("code_challenge", "code_challenge_method", "request", "request_uri")
_SAID_NO = ("access_denied", "login_required", "interaction_required", "consent_required", "account_selection_required")
_IS_DOWN = ("server_error", "temporarily_unavailable")
_BAD_CODE = ("invalid_grant", "bad_verification_code")  # the second one is GitHub's


def _query(value: object) -> object:
    """`hd=example.org&prompt=select_account` -> a mapping."""
    return dict(parse_qsl(value, keep_blank_values=True)) if isinstance(value, str) else value


def _not_ours(value: dict[str, str]) -> dict[str, str]:
    taken = sorted({*_FLOW, *_CARRIERS}.intersection(value))
    if taken:
        raise ValueError(f"These parameters are ours alone: {', '.join(taken)}")
    return value


AuthorizeParams = Annotated[dict[str, str], BeforeValidator(_query), AfterValidator(_not_ours)]


@dataclass(frozen=True, slots=True)
class Registration:
    """What the upstream knows us by. auth_method: client_secret_basic, client_secret_post or none. pkce: S256."""

    client_id: str
    client_secret: str = field(repr=False)
    auth_method: str
    scopes: tuple[str, ...]
    pkce: bool = True


class CodeClient:
    def __init__(self, exchange: Exchange, ours: Registration, callback_url: str) -> None:
        self._exchange = exchange
        self._ours = ours
        self._callback_url = callback_url

    def authorization_url(
        self, endpoint: str, remembered: Mapping[str, str], params: Mapping[str, str], further: Mapping[str, str]
    ) -> str:
        """remembered: `state` and `verifier`. further: what the configuration adds; `params` win."""
        url: str
        url, _ = self._client().create_authorization_url(
            endpoint, remembered["state"], remembered.get("verifier"), **params
        )
        added = {key: value for key, value in further.items() if key not in params}
        return f"{url}&{urlencode(added)}" if added else url

    def redeem(self, endpoint: str, code: str, remembered: Mapping[str, str]) -> Mapping[str, Any]:
        """The token answer. An error is one whatever the status: GitHub's come with 200.

        Raises Refused(upstream_denied | upstream_unreachable | upstream_misconfigured | upstream_answer_invalid)."""
        from authlib.oauth2.base import OAuth2Error

        proof = {"code_verifier": remembered["verifier"]} if self._ours.pkce else {}
        try:
            token: Mapping[str, Any] = self._client().fetch_token(
                endpoint, grant_type="authorization_code", code=code, **proof
            )
        except OAuth2Error as error:
            reason = f"token endpoint: {said(error.error, 60)}: {said(error.description or '')}"
            if error.error == "unverified_user_email":  # GitHub's: the person has to act, over there
                raise denied(reason) from None
            raise (answer_invalid(reason) if error.error in _BAD_CODE else misconfigured(reason)) from None
        except (ValueError, TypeError) as error:
            raise answer_invalid(f"the token answer cannot be read ({type(error).__name__})") from None
        return token

    def _client(self) -> "OAuth2Client":
        from authlib.oauth2.client import OAuth2Client

        client = OAuth2Client(
            _Session(self._exchange),
            client_id=self._ours.client_id,
            client_secret=self._ours.client_secret or None,
            token_endpoint_auth_method=self._ours.auth_method,
            scope=" ".join(self._ours.scopes) or None,
            redirect_uri=self._callback_url,
            code_challenge_method="S256" if self._ours.pkce else None,
        )
        client.register_client_auth_method(("client_secret_basic", _basic))
        return client


def check_state(params: Mapping[str, str], remembered: Mapping[str, str]) -> None:
    if not hmac.compare_digest(params.get("state", "").encode(), remembered["state"].encode()):
        raise answer_invalid("the state is not the one that we sent")


def code_of(params: Mapping[str, str], issuer: str, *, iss_promised: bool) -> str:
    """RFC 9207: the answer names its issuer, so that no other upstream's answer is taken for this one's. Then errors."""
    stated = params.get("iss")
    if stated is None and iss_promised:
        raise answer_invalid("the answer has no iss, although the upstream promises one (RFC 9207)")
    if stated is not None and stated != issuer:
        raise answer_invalid(f"the answer comes from {said(stated)!r}, expected {issuer!r} (RFC 9207)")
    error = params.get("error")
    if error is not None:
        reason = f"the upstream answered {said(error, 60)}: {said(params.get('error_description', ''))}"
        if error in _SAID_NO:
            raise denied(reason)
        raise unreachable(reason) if error in _IS_DOWN else misconfigured(reason)
    code = params.get("code", "")
    if not code.isascii() or not code.isprintable() or not 0 < len(code) <= MAX_CODE:
        raise answer_invalid("the answer has no usable code")
    return code


def bearer(token: Mapping[str, Any]) -> dict[str, str]:
    """The header that shows its access token (RFC 6750 2.1). Raises Refused(upstream_answer_invalid)."""
    access_token = token.get("access_token")
    if not isinstance(access_token, str) or not access_token:
        raise answer_invalid("the token answer has no access_token")
    if not access_token.isascii() or not access_token.isprintable() or " " in access_token:
        raise answer_invalid("the access token is not plain text")
    return {"Authorization": f"Bearer {access_token}"}


def _basic(client: Any, _method: str, uri: str, headers: dict[str, str], body: str) -> tuple[str, dict[str, str], str]:
    """RFC 6749 2.3.1: both parts form-encoded first. Authlib's own leaves that out and breaks on `:`, `%` and non-Latin-1."""
    import base64

    pair = f"{quote_plus(client.client_id)}:{quote_plus(client.client_secret)}"
    return uri, {**headers, "Authorization": f"Basic {base64.b64encode(pair.encode()).decode()}"}, body


class _Session:
    """What Authlib's client needs of a requests.Session, over our own outbound HTTP."""

    def __init__(self, exchange: Exchange) -> None:
        self._exchange = exchange

    def post(self, url: str, *, data: Mapping[str, str], headers: Mapping[str, str], auth: Any) -> "_Response":
        # A copy: Authlib hands out its module-wide default headers, and an Authorization written there would travel to
        # every other upstream.
        url, sent, body = auth.prepare("POST", url, dict(headers), urlencode(data))
        return _Response(self._exchange.send("POST", url, headers=sent, body=body.encode()))


class _Response:
    def __init__(self, answer: Answer) -> None:
        self.status_code = answer.status
        self._body = answer.body

    def json(self) -> dict[str, Any]:
        """The object; with another status than 200 only an error is one, not a token."""
        found = json_object(self._body, f"the token endpoint (status {self.status_code})")
        if self.status_code != 200 and "error" not in found:
            raise answer_invalid(f"the token endpoint answered {self.status_code}")
        return found

"""One configured SAML identity provider: our requests to it, and its answers (SAML Profiles 4.1).

Leaves metadata to saml_metadata, the answer to idp.saml.response, who the person is to saml_person, and forms and cookies to
the pages. lxml is loaded by the first answer, not before.
"""

import base64
import binascii
import hmac
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from idp.base import ids
from idp.base.errors import Refused
from idp.domain.checks import Checks
from idp.domain.upstream import UpstreamIdentity, UpstreamProvider
from idp.ports import Departure, Tools
from idp.saml import formats, names
from idp.upstream import saml_person
from idp.upstream.refusals import answer_invalid, denied, misconfigured, said
from idp.upstream.saml_metadata import IdpMetadata
from idp.upstream.saml_settings import SamlSettings

if TYPE_CHECKING:
    from idp.saml.algorithms import Algorithm
    from idp.saml.authn_request import Request, SigningKey
    from idp.saml.response import Expected, Login
    from idp.saml.views import Endpoint, IdpView

MAX_HINT = 320
MAX_ANSWER_CHARS = 400_000  # base64 of what idp.saml.response reads
# The request itself was not to its liking: somebody must change a setting. Whatever else it says is a no.
_OUR_FAULT = (
    names.INVALID_NAME_ID_POLICY,
    names.REQUEST_UNSUPPORTED,
    names.UNSUPPORTED_BINDING,
    f"{names.STATUS}VersionMismatch",
)


class SamlKind:
    """What kinds that speak SAML are made of. arrives_by_post: answers come to /upstream/<id>/acs."""

    label = "SAML"
    arrives_by_post = True

    def __init__(self, settings: SamlSettings, tools: Tools) -> None:
        self.settings = settings
        self._tools = tools
        self._metadata = IdpMetadata(settings, tools)

    # ---------------------------------------------------------------- who we are, and who it is

    def view(self) -> "IdpView":
        """What its metadata says now. Raises Refused(upstream_unreachable | upstream_misconfigured)."""
        return self._metadata.view().value

    def entity_id(self, provider: UpstreamProvider) -> str:
        """Ours, as its service provider: the address of our metadata."""
        return f"{self._tools.issuer}/upstream/{provider.id}/metadata"

    def acs_url(self, provider: UpstreamProvider) -> str:
        return f"{self._tools.issuer}/upstream/{provider.id}/acs"

    def signing(self) -> "SigningKey":
        """The key for our messages to it."""
        from idp.saml.algorithms import algorithm_named
        from idp.saml.authn_request import SigningKey

        name = self.settings.signature_algorithm
        _, private, certificate = self._tools.saml_keys.saml_current(formats.SIGNING_KEY[name])
        return SigningKey(private, certificate, algorithm_named(name))

    def policy_algorithms(self) -> "tuple[Algorithm, ...]":
        """With which its messages may be signed."""
        from idp.saml.algorithms import algorithm_named

        return tuple(algorithm_named(name) for name in self.settings.accepted_algorithms)

    def our_keys(self) -> list[Any]:
        """RSA keys with which what is encrypted for us opens."""
        return [private for private, _ in self._tools.saml_keys.saml_decrypting()]

    def metadata(self, provider: UpstreamProvider) -> bytes:
        """Ours, for the upstream's administrator."""
        from idp.saml.authn_request import OurSp, metadata

        keys = self._tools.saml_keys
        chosen = names.SHORT_FORMATS.get(self.settings.name_id_format)
        if self.settings.signature_algorithm.startswith("ecdsa"):
            self.signing()  # it makes the key, which must stand in the metadata before it signs
        return metadata(
            OurSp(
                entity_id=self.entity_id(provider),
                acs_url=self.acs_url(provider),
                logout_url=f"{self._tools.issuer}/upstream/{provider.id}/slo" if self.settings.logout else None,
                signing=keys.saml_published(),
                encryption=[certificate for _, certificate in keys.saml_decrypting()[:1]],
                name_id_formats=[chosen] if chosen else [],
                requests_signed=self.settings.sign_requests == "always",
                want_assertions_signed=self.settings.signed in ("assertion", "both"),
                cbc=self.settings.cbc,
                display_name=self._tools.organisation,
            )
        )

    def notes(self) -> list[str]:
        """What an administrator should know at once, in sentences. Raises Refused when the metadata cannot be had."""
        view, found = self.view(), []
        wanted = names.SHORT_FORMATS.get(self.settings.name_id_format, "")
        offered = {wanted} if wanted else set(view.name_id_formats)
        if offered == {names.TRANSIENT} and not self.settings.subject_attribute:
            found.append(
                "It offers transient names only, another one at each sign-in, which nobody can be known by: "
                "set subject_attribute (uid, pairwise-id …), or let it send persistent ones."
            )
        if wanted and view.name_id_formats and wanted not in view.name_id_formats:
            found.append(f"Its metadata does not list the NameID format {self.settings.name_id_format}.")
        if view.wants_signed_requests and self.settings.sign_requests == "never":
            found.append("Its metadata asks for signed requests, and sign_requests is never.")
        return found

    # ---------------------------------------------------------------- departure

    def depart(
        self,
        provider: UpstreamProvider,
        callback_url: str,
        *,
        force: bool,
        login_hint: str | None,
        max_age: float | None = None,
    ) -> Departure:
        """Raises Refused(upstream_unreachable | upstream_misconfigured)."""
        force = force or max_age is not None
        from idp.saml import bindings
        from idp.saml.authn_request import write

        view = self.view()
        endpoint = self._endpoint(view)
        request = self._request(provider, view, endpoint.url, force=force, hint=login_hint)
        remembered = {"state": ids.secret(), "request_id": request.id, "issuer": view.entity_id}
        if request.force:
            remembered["forced_at"] = repr(request.at)
        wanted = self.settings.sign_requests
        key = self.signing() if wanted == "always" or (wanted == "auto" and view.wants_signed_requests) else None
        if endpoint.binding == "post":
            document = write(request, key)
            return Departure(endpoint.url, remembered, bindings.to_form(document, remembered["state"]), document)
        document = write(request)
        signer = (key.private, key.algorithm) if key is not None else (None, None)
        query = bindings.to_query(document, remembered["state"], *signer)
        return Departure(f"{endpoint.url}{'&' if '?' in endpoint.url else '?'}{query}", remembered, None, document)

    def _request(
        self, provider: UpstreamProvider, view: "IdpView", destination: str, *, force: bool, hint: str | None
    ) -> "Request":
        from idp.saml.authn_request import Request, new_id

        return Request(
            id=new_id(),
            issuer=self.entity_id(provider),
            destination=destination,
            acs_url=self.acs_url(provider),
            at=self._tools.clock(),
            force=force or self.settings.force,
            name_id_format=self._name_id_format(view),
            contexts=self.settings.contexts,
            comparison=self.settings.context_comparison,
            login_hint=hint[:MAX_HINT] if hint and self.settings.send_login_hint else None,
        )

    def _endpoint(self, view: "IdpView") -> "Endpoint":
        asked = self.settings.request_binding
        for binding in ("redirect", "post") if asked == "auto" else (asked,):
            for endpoint in view.sign_on:
                if endpoint.binding == binding:
                    return endpoint
        raise misconfigured(f"the upstream's metadata has no SingleSignOnService for request_binding={asked}")

    def _name_id_format(self, view: "IdpView") -> str | None:
        asked = self.settings.name_id_format
        if asked == "none":
            return None
        if asked == "auto":
            return names.PERSISTENT if names.PERSISTENT in view.name_id_formats else ""
        return names.SHORT_FORMATS[asked]

    # ---------------------------------------------------------------- arrival

    def arrive(
        self,
        provider: UpstreamProvider,
        callback_url: str,
        params: Mapping[str, str],
        remembered: Mapping[str, str],
        checks: Checks | None = None,
    ) -> UpstreamIdentity:
        """remembered: empty for an answer that nobody asked for, where the settings allow that. checks: for the inspector.

        Raises Refused(upstream_denied | upstream_unreachable | upstream_misconfigured | upstream_answer_invalid)."""
        from idp.saml.response import BadResponse, StatusNotSuccess

        checks = checks or Checks()
        self._check_asked_for(params, remembered, checks)
        try:
            view, login = self._login(provider, document(params), remembered, checks)
        except BadResponse as bad:
            raise answer_invalid(f"{bad.code}: {bad.reason}") from None
        except StatusNotSuccess as no:
            raise _said_no(no.codes, no.message) from None
        try:
            who = saml_person.identity(self.settings, provider, view, login)
        except Refused as refused:
            checks.failed("subject", refused.reason)
            raise
        checks.passed("subject")
        # Last of all: what is refused for another reason may come again.
        if not self._tools.once(
            "saml_assertion", f"{provider.id} {view.entity_id}", login.assertion_id, login.accepted_until
        ):
            raise _failed(checks, "replay", "this assertion was accepted before")
        checks.passed("replay")
        return who

    def _check_asked_for(self, params: Mapping[str, str], remembered: Mapping[str, str], checks: Checks) -> None:
        if not remembered and not self.settings.unsolicited:
            raise _failed(checks, "in_response_to", "nobody asked for this answer, and `unsolicited` is off")
        given, known = params.get("RelayState", ""), remembered.get("state", "")
        if remembered and not (known and hmac.compare_digest(given.encode("utf-8", "replace"), known.encode())):
            raise _failed(checks, "relay_state", "RelayState is not the one that we sent")

    def _login(
        self, provider: UpstreamProvider, answer: bytes, remembered: Mapping[str, str], checks: Checks
    ) -> "tuple[IdpView, Login]":
        """Raises BadResponse, StatusNotSuccess."""
        from idp.saml.response import BadResponse, read

        held = self._metadata.view()
        try:
            return held.value, read(answer, self._expected(provider, held.value, remembered), self.our_keys, checks)
        except BadResponse as bad:
            # The upstream may have a new key since we last looked. Also when nothing could be decrypted: who changes a cipher
            # text must not learn by our fetching whether what came out was an assertion.
            newer = self._metadata.newer(held).value if bad.code in ("signature", "decryption") else held.value
            if newer.certificates == held.value.certificates:
                raise
        checks.made.clear()
        return newer, read(answer, self._expected(provider, newer, remembered), self.our_keys, checks)

    def _expected(self, provider: UpstreamProvider, view: "IdpView", remembered: Mapping[str, str]) -> "Expected":
        from idp.saml.response import Expected

        settings, now = self.settings, self._tools.clock()
        # Fresh is what was proved after the browser left, and never what is older than the setting allows.
        starts = [float(remembered["forced_at"])] if remembered.get("forced_at") else []
        if settings.max_auth_age_seconds:
            starts.append(now - settings.max_auth_age_seconds)
        return Expected(
            # Whom we asked, not whom we would ask by now.
            issuer=remembered.get("issuer", "") if remembered else view.entity_id,
            keys=view.signing_keys,
            audience=self.entity_id(provider),
            acs_url=self.acs_url(provider),
            request_id=remembered.get("request_id", "") if remembered else None,
            now=now,
            signed=settings.signed,
            algorithms=self.policy_algorithms(),
            encrypted=settings.encrypted,
            cbc=settings.cbc,
            skew=float(settings.clock_skew_seconds),
            not_before=max(starts, default=None),
            contexts=settings.contexts if settings.context_comparison == "exact" else (),
            name_id_format=names.SHORT_FORMATS.get(settings.name_id_format, ""),
        )


def document(params: Mapping[str, str]) -> bytes:
    """The XML of an answer as it was posted. Raises Refused(upstream_answer_invalid)."""
    text = params.get("SAMLResponse", "")
    if not 0 < len(text) <= MAX_ANSWER_CHARS:
        raise answer_invalid("there is no SAMLResponse, or it is too large")
    try:
        return base64.b64decode("".join(text.split()), validate=True)
    except (binascii.Error, ValueError):
        raise answer_invalid("the SAMLResponse is not base64") from None


def _failed(checks: Checks, code: str, reason: str) -> Refused:
    checks.failed(code, reason)
    return answer_invalid(f"{code}: {reason}")


def _said_no(codes: tuple[str, ...], message: str) -> Refused:
    reason = f"the upstream answered {said(' '.join(codes), 300)}: {said(message)}"
    return misconfigured(reason) if set(codes).intersection(_OUR_FAULT) else denied(reason)

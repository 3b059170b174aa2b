"""Owns a service provider on pysaml2 with its own cryptography (the xmlsec1 program), driven by commands (see saml_library.py).

Its defaults stay, but for what its documentation tells to set: it would sign with SHA-1, and not sign logout requests.
"""

import re
import warnings
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, urlsplit

warnings.simplefilter("ignore")

from saml2 import BINDING_HTTP_POST, BINDING_HTTP_REDIRECT  # noqa: E402
from saml2.client import Saml2Client  # noqa: E402
from saml2.config import SPConfig  # noqa: E402
from saml2.metadata import entity_descriptor  # noqa: E402
from saml2.xmldsig import DIGEST_SHA256, SIG_RSA_SHA256  # noqa: E402
from saml_lines import serve  # noqa: E402


class Sp:
    def configure(self, *, folder: str, entity_id: str, acs: str, slo: str, key: str, certificate: str, encrypted: bool,
                  idp_metadata: str, xmlsec: str, **_: object) -> dict[str, str]:  # fmt: skip
        private, public = Path(folder, "pysaml2.key"), Path(folder, "pysaml2.crt")
        private.write_text(key)
        public.write_text(certificate)
        pair = {"key_file": str(private), "cert_file": str(public)}
        said: dict[str, Any] = {
            "entityid": entity_id,
            "xmlsec_binary": xmlsec,
            **pair,
            "metadata": {"local": [idp_metadata]},
            "allow_unknown_attributes": True,
            "service": {
                "sp": {
                    "endpoints": {
                        "assertion_consumer_service": [(acs, BINDING_HTTP_POST)],
                        "single_logout_service": [(slo, BINDING_HTTP_REDIRECT), (slo, BINDING_HTTP_POST)],
                    },
                    "authn_requests_signed": True,
                    "logout_requests_signed": True,
                    "logout_responses_signed": True,
                    "want_response_signed": True,
                    "want_assertions_signed": True,
                    "signing_algorithm": SIG_RSA_SHA256,
                    "digest_algorithm": DIGEST_SHA256,
                }
            },
        }
        if encrypted:
            said["encryption_keypairs"] = [pair]
        config = SPConfig().load(said)
        self.client = Saml2Client(config)
        self.idp = self.client.metadata.identity_providers()[0]
        self.entity_id, self.outstanding = entity_id, {}
        return {"metadata": str(entity_descriptor(config))}

    def login(self, *, relay_state: str, binding: str = "redirect") -> dict[str, Any]:
        how = BINDING_HTTP_POST if binding == "post" else BINDING_HTTP_REDIRECT
        ident, asked = self.client.prepare_for_authenticate(self.idp, relay_state=relay_state, binding=how)
        self.outstanding[ident] = relay_state
        return self._way(asked)

    def consume(self, *, fields: dict[str, str]) -> dict[str, Any]:
        answer = self.client.parse_authn_request_response(
            fields["SAMLResponse"], BINDING_HTTP_POST, self.outstanding, conv_info={"entity_id": self.entity_id}
        )
        self.name_id = answer.name_id
        return {
            "name_id": answer.name_id.text,
            "format": answer.name_id.format,
            "session_index": answer.session_info()["session_index"],
            "attributes": answer.ava,
        }

    def logout(self, *, relay_state: str, binding: str = "redirect") -> dict[str, Any]:
        how = BINDING_HTTP_POST if binding == "post" else BINDING_HTTP_REDIRECT
        asked = self.client.do_logout(self.name_id, [self.idp], "", None, sign=True, expected_binding=how)
        (_, way) = asked[self.idp]
        return self._way(way)

    def logout_request(self, *, url: str = "", fields: dict[str, str] | None = None) -> dict[str, Any]:
        came = fields or dict(parse_qsl(urlsplit(url).query))
        binding = BINDING_HTTP_POST if fields else BINDING_HTTP_REDIRECT
        request = self.client.parse_logout_request(came["SAMLRequest"], binding)
        name, indexes = request.message.name_id.text, [one.text for one in request.message.session_index]
        way = self.client.handle_logout_request(
            came["SAMLRequest"], self.name_id, binding, relay_state=came.get("RelayState", "")
        )
        return {**self._way(way), "name_id": name, "session_index": indexes[0]}

    def logout_response(self, *, url: str = "", fields: dict[str, str] | None = None) -> dict[str, Any]:
        came = fields or dict(parse_qsl(urlsplit(url).query))
        binding = BINDING_HTTP_POST if fields else BINDING_HTTP_REDIRECT
        answer = self.client.parse_logout_request_response(came["SAMLResponse"], binding)
        return {"success": answer.status_ok()}

    @staticmethod
    def _way(asked: dict[str, Any]) -> dict[str, Any]:
        place = dict(asked["headers"]).get("Location")
        if place:
            return {"url": place}
        page = asked["data"] if isinstance(asked["data"], str) else "".join(asked["data"])
        action = re.search(r'action="([^"]+)"', page)
        assert action, page
        return {"action": action[1], "fields": dict(re.findall(r'name="(\w+)"\s+value="([^"]*)"', page))}


if __name__ == "__main__":
    sp = Sp()
    names = ("configure", "login", "consume", "logout", "logout_request", "logout_response")
    serve({name: getattr(sp, name) for name in names})

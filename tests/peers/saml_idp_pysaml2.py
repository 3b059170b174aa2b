"""Owns an identity provider on pysaml2 with its own cryptography (the xmlsec1 program), driven by commands (see saml_issuer.py).

Its defaults stay, but for SHA-256 in place of SHA-1. It cannot encrypt to us: it knows Triple DES only.
"""

import base64
import warnings
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, urlsplit

warnings.simplefilter("ignore")

from saml2 import BINDING_HTTP_POST, BINDING_HTTP_REDIRECT  # noqa: E402
from saml2.authn_context import PASSWORDPROTECTEDTRANSPORT  # noqa: E402
from saml2.config import IdPConfig  # noqa: E402
from saml2.metadata import entity_descriptor  # noqa: E402
from saml2.server import Server  # noqa: E402
from saml2.xmldsig import DIGEST_SHA256, SIG_RSA_SHA256  # noqa: E402
from saml_lines import serve  # noqa: E402
from saml_sp_pysaml2 import Sp  # noqa: E402


class Idp:
    def configure(self, *, folder: str, entity_id: str, key: str, certificate: str, sso: str, slo: str, xmlsec: str,
                  sp: dict[str, str], **_: object) -> dict[str, str]:  # fmt: skip
        private, public, theirs = Path(folder, "idp.key"), Path(folder, "idp.crt"), Path(folder, "sp.xml")
        private.write_text(key)
        public.write_text(certificate)
        theirs.write_text(sp["metadata"])
        both = (BINDING_HTTP_REDIRECT, BINDING_HTTP_POST)
        said: dict[str, Any] = {
            "entityid": entity_id,
            "xmlsec_binary": xmlsec,
            "key_file": str(private),
            "cert_file": str(public),
            "metadata": {"local": [str(theirs)]} if sp["metadata"] else {},
            "service": {
                "idp": {
                    "endpoints": {
                        "single_sign_on_service": [(sso, binding) for binding in both],
                        "single_logout_service": [(slo, binding) for binding in both],
                    },
                    "signing_algorithm": SIG_RSA_SHA256,
                    "digest_algorithm": DIGEST_SHA256,
                    "policy": {"default": {"lifetime": {"minutes": 15}}},
                }
            },
        }
        config = IdPConfig().load(said)
        self.server = Server(config=config)
        self.sp = sp["entity_id"]
        return {"metadata": str(entity_descriptor(config))}

    def respond(self, *, user: dict[str, str], url: str = "", fields: dict[str, str] | None = None, signed: str = "both"
                ) -> dict[str, Any]:  # fmt: skip
        came, binding = _came(url, fields)
        request = self.server.parse_authn_request(came["SAMLRequest"], binding)
        facts = {"uid": [user["id"]], "mail": [user["email"]], "displayName": [user["name"]]}
        args = self.server.response_args(request.message)
        answer = self.server.create_authn_response(
            facts,
            userid=user["id"],
            authn={"class_ref": PASSWORDPROTECTEDTRANSPORT, "authn_auth": self.server.config.entityid},
            sign_response=signed != "assertion",
            sign_assertion=signed != "response",
            **args,
        )
        return {
            "action": args["destination"],
            "fields": {"SAMLResponse": _encoded(str(answer)), "RelayState": came.get("RelayState", "")},
        }

    def logout(self, *, url: str = "", fields: dict[str, str] | None = None) -> dict[str, Any]:
        came, binding = _came(url, fields)
        request = self.server.parse_logout_request(came["SAMLRequest"], binding)
        assert self.server.ident.find_local_id(request.message.name_id), "it names nobody"
        answer = self.server.create_logout_response(request.message, [BINDING_HTTP_REDIRECT], sign=False)
        way = self.server.apply_binding(
            BINDING_HTTP_REDIRECT,
            str(answer),
            answer.destination,
            came.get("RelayState", ""),
            response=True,
            sign=True,
            sigalg=SIG_RSA_SHA256,
        )
        return Sp._way(way)


def _came(url: str, fields: dict[str, str] | None) -> tuple[dict[str, str], str]:
    if fields:
        return fields, BINDING_HTTP_POST
    return dict(parse_qsl(urlsplit(url).query)), BINDING_HTTP_REDIRECT


def _encoded(text: str) -> str:
    return base64.b64encode(text.encode()).decode()


if __name__ == "__main__":
    idp = Idp()
    serve({name: getattr(idp, name) for name in ("configure", "respond", "logout")})

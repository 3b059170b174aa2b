"""Owns a service provider on python3-saml (OneLogin's toolkit), driven by commands (see saml_library.py).

Runs in an environment of its own, with the libxmlsec1 that its wheel brings. Everything that comes is checked by the library in
strict mode.
"""

from typing import Any
from urllib.parse import parse_qsl, urlsplit

from onelogin.saml2.auth import OneLogin_Saml2_Auth as Auth
from onelogin.saml2.idp_metadata_parser import OneLogin_Saml2_IdPMetadataParser as Parser
from onelogin.saml2.logout_request import OneLogin_Saml2_Logout_Request as Request
from onelogin.saml2.settings import OneLogin_Saml2_Settings as Settings
from saml_lines import serve

POST = "urn:oasis:names:tc:SAML:2.0:bindings:HTTP-POST"
REDIRECT = "urn:oasis:names:tc:SAML:2.0:bindings:HTTP-Redirect"
PERSISTENT = "urn:oasis:names:tc:SAML:2.0:nameid-format:persistent"


class Sp:
    def configure(self, *, entity_id: str, acs: str, slo: str, key: str, certificate: str, encrypted: bool,
                  idp_metadata: str, **_: object) -> dict[str, str]:  # fmt: skip
        with open(idp_metadata) as file:
            theirs = Parser.parse(file.read())
        ours = {
            "strict": True,
            "sp": {
                "entityId": entity_id,
                "assertionConsumerService": {"url": acs, "binding": POST},
                "singleLogoutService": {"url": slo, "binding": REDIRECT},
                "NameIDFormat": PERSISTENT,
                "x509cert": certificate,
                "privateKey": key,
            },
            "security": {
                "authnRequestsSigned": True,
                "logoutRequestSigned": True,
                "logoutResponseSigned": True,
                "wantMessagesSigned": True,
                "wantAssertionsSigned": True,
                "wantAssertionsEncrypted": encrypted,
                "wantAttributeStatement": True,
                "rejectDeprecatedAlgorithm": True,
            },
        }
        self.settings = Parser.merge_settings(ours, theirs)
        self.acs, self.slo = acs, slo
        self.asked, self.who = "", {}
        metadata = Settings(self.settings, sp_validation_only=True).get_sp_metadata()
        return {"metadata": metadata.decode() if isinstance(metadata, bytes) else metadata}

    def auth(self, at: str, fields: dict[str, str] | None = None) -> Auth:
        parts = urlsplit(at)
        request = {
            "https": "on",
            "http_host": parts.netloc,
            "script_name": parts.path,
            "get_data": dict(parse_qsl(parts.query, keep_blank_values=True)),
            "query_string": parts.query,
            "post_data": fields or {},
        }
        return Auth(request, self.settings)

    def login(self, *, relay_state: str, binding: str = "redirect") -> dict[str, str]:
        auth = self.auth(self.acs)
        url = auth.login(return_to=relay_state)
        self.asked = auth.get_last_request_id()
        return {"url": url}

    def consume(self, *, fields: dict[str, str], unsolicited: bool = False) -> dict[str, Any]:
        auth = self.auth(self.acs, fields)
        auth.process_response(request_id=None if unsolicited else self.asked)
        self.judge(auth)
        self.who = {
            "name_id": auth.get_nameid(),
            "session_index": auth.get_session_index(),
            "name_id_format": auth.get_nameid_format(),
            "nq": auth.get_nameid_nq(),
            "spnq": auth.get_nameid_spnq(),
        }
        return {
            "name_id": auth.get_nameid(),
            "format": auth.get_nameid_format(),
            "session_index": auth.get_session_index(),
            "attributes": auth.get_attributes(),
        }

    def logout(self, *, relay_state: str, binding: str = "redirect") -> dict[str, str]:
        auth = self.auth(self.slo)
        url = auth.logout(return_to=relay_state, **self.who)
        self.asked = auth.get_last_request_id()
        return {"url": url}

    def logout_request(self, *, url: str) -> dict[str, Any]:
        auth = self.auth(url)
        answer = auth.process_slo()
        self.judge(auth)
        request = auth.get_last_request_xml()
        indexes = Request.get_session_indexes(request)
        return {"url": answer, "name_id": Request.get_nameid(request), "session_index": (indexes or [None])[0]}

    def logout_response(self, *, url: str) -> dict[str, bool]:
        auth = self.auth(url)
        auth.process_slo(request_id=self.asked)
        self.judge(auth)
        return {"success": True}

    @staticmethod
    def judge(auth: Auth) -> None:
        if auth.get_errors():
            raise RuntimeError(f"{auth.get_errors()} {auth.get_last_error_reason()}")


if __name__ == "__main__":
    sp = Sp()
    names = ("configure", "login", "consume", "logout", "logout_request", "logout_response")
    serve({name: getattr(sp, name) for name in names})

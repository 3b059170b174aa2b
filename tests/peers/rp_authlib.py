"""Owns a relying party for tests on Authlib's Flask client, run as a process: `python -m tests.peers.rp_authlib`.

It answers at the same addresses as js/rp.mjs (openid-client); relying_parties.py drives both.
"""

import os
from typing import Any

from authlib.integrations.base_client import OAuthError
from authlib.integrations.flask_client import OAuth
from flask import Flask, jsonify, request
from flask.typing import ResponseReturnValue
from werkzeug.serving import make_server

PORT = int(os.environ.get("PORT", "0"))
HERE = f"http://127.0.0.1:{PORT}"


def create_app() -> Flask:
    app = Flask(__name__)
    app.secret_key = os.urandom(32)
    # Cookies do not tell ports apart, so the name must not be the one of anybody else on this host.
    app.config["SESSION_COOKIE_NAME"] = "rp_authlib"
    secret = os.environ.get("CLIENT_SECRET")
    client: Any = OAuth(app).register(
        "sheaf",
        server_metadata_url=f"{os.environ['ISSUER']}/.well-known/openid-configuration",
        client_id=os.environ["CLIENT_ID"],
        client_secret=secret,
        client_kwargs={
            "scope": os.environ.get("SCOPE", "openid profile email"),
            "code_challenge_method": "S256",
            "token_endpoint_auth_method": os.environ.get("AUTH_METHOD", "client_secret_basic" if secret else "none"),
            "default_timeout": 10,
        },
    )
    app_here = App(client)
    for path in ("login", "callback", "refresh", "userinfo", "introspect", "revoke", "logout", "bye", "ready"):
        app.add_url_rule(f"/{path}", view_func=getattr(app_here, path), endpoint=path)
    app.add_url_rule("/client-credentials", view_func=app_here.client_credentials)
    app.register_error_handler(OAuthError, refused)
    return app


class App:
    """The addresses; `last` holds the tokens of the last sign-in."""

    def __init__(self, client: Any) -> None:
        self.client = client
        self.last: dict[str, Any] = {}

    def login(self) -> ResponseReturnValue:
        answer: ResponseReturnValue = self.client.authorize_redirect(f"{HERE}/callback", **request.args.to_dict())
        return answer

    def callback(self) -> ResponseReturnValue:
        self.last = dict(self.client.authorize_access_token())
        claims = self.last.pop("userinfo")
        return jsonify(tokens=self.last, claims=claims, userinfo=self.client.userinfo(token=self.last))

    def refresh(self) -> ResponseReturnValue:
        renewed = self._token_request(grant_type="refresh_token", refresh_token=self.last["refresh_token"])
        self.last = {**self.last, **renewed}
        return jsonify(tokens=renewed, claims=None)

    def userinfo(self) -> ResponseReturnValue:
        return jsonify(userinfo=self.client.userinfo(token=self.last))

    def introspect(self) -> ResponseReturnValue:
        with self._session() as session:
            answer = session.introspect_token(self._endpoint("introspection"), token=self.last["access_token"])
        return jsonify(introspection=answer.json())

    def revoke(self) -> ResponseReturnValue:
        token = self.last.get("refresh_token") or self.last["access_token"]
        with self._session() as session:
            session.revoke_token(self._endpoint("revocation"), token=token).raise_for_status()
        return jsonify(revoked=True)

    def client_credentials(self) -> ResponseReturnValue:
        return jsonify(tokens=self._token_request(grant_type="client_credentials", **request.args.to_dict()))

    def logout(self) -> ResponseReturnValue:
        answer: ResponseReturnValue = self.client.logout_redirect(
            post_logout_redirect_uri=f"{HERE}/bye", id_token_hint=self.last["id_token"], state="bye"
        )
        return answer

    def bye(self) -> ResponseReturnValue:
        return jsonify(bye=request.args.to_dict())

    def ready(self) -> ResponseReturnValue:
        return jsonify(issuer=self.client.load_server_metadata()["issuer"])

    def _endpoint(self, name: str) -> str:
        return str(self.client.load_server_metadata()[f"{name}_endpoint"])

    def _session(self) -> Any:
        """Authlib's requests session for this client, for what its Flask client does not wrap."""
        return self.client.client_cls(self.client.client_id, self.client.client_secret, **self.client.client_kwargs)

    def _token_request(self, **fields: str) -> dict[str, Any]:
        with self._session() as session:
            session.scope = fields.pop("scope", None)  # it would send the scope of sign-ins along
            return dict(session.fetch_token(self._endpoint("token"), **fields))


def refused(error: OAuthError) -> ResponseReturnValue:
    return jsonify(error=error.error, message=error.description), 400


if __name__ == "__main__":
    make_server("127.0.0.1", PORT, create_app(), threaded=True).serve_forever()

"""Owns a browser at the real application, in this process, for the tests of the upstream pages."""

import re
from urllib.parse import urlsplit

from tests.upstream.openid_double import MISSING

PASSWORD = "correct horse battery staple"
BASE = "http://127.0.0.1:8000"


class Browser:
    """One browser at the application. Gives responses as they are; forms are filled with the CSRF token of a page."""

    def __init__(self, app):
        self.client = app.test_client()

    def get(self, path):
        return self.client.get(path, base_url=BASE)

    def post(self, path, on, **fields):
        """Send a form that stands on the page `on`."""
        token = re.search(r'name="csrf" value="([0-9a-f]+)"', self.get(on).text)
        return self.client.post(
            path, data={"csrf": token[1] if token else "", **fields}, base_url=BASE, headers={"Origin": BASE}
        )

    def begin(self):
        """Path of a fresh sign-in."""
        return urlsplit(self.get("/sign-in").location).path

    def leave(self, flow, provider="corp"):
        """The upstream's URL that the browser is sent to."""
        return away(self.post(f"{flow}/upstream/{provider}", on=flow))

    def come_back(self, params, provider="corp"):
        given = {name: value for name, value in params.items() if value is not MISSING}
        return self.client.get(f"/upstream/{provider}/callback", query_string=given, base_url=BASE)

    def sign_in(self, username="ada"):
        flow = self.begin()
        return self.follow(self.post(f"{flow}/password", on=flow, username=username, password=PASSWORD))

    def follow(self, response):
        while response.status_code == 303:
            response = self.get(response.location)
        return response

    @property
    def is_signed_in(self):
        return self.get("/account").status_code == 200


def away(response):
    assert response.status_code == 200, response.text
    return response.headers["Refresh"].removeprefix("0;url=")


def code(response):
    """The stored reason is for `idp explain`; the test wants the name of the refusal."""
    return re.search(r'id="trace" data-text="([0-9A-Z]+)"', response.text)[1]

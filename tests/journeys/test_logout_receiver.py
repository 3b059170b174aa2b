"""Back-channel logout as an app on Node takes it: npm openid-client signs in and out, npm jose checks the logout tokens.

When and how often apps are told is left to tests/oidc.
"""

from collections.abc import Iterator
from typing import Any

import pytest

from tests.peers.features import Library, add_app
from tests.support.sheaf import Sheaf
from tests.support.visitor import Visitor

CALLBACK = "https://app.example.org/callback"
BYE = "https://app.example.org/bye"
pytestmark = [pytest.mark.slow, pytest.mark.peer]


@pytest.fixture(scope="module")
def grace(sheaf: Sheaf) -> Iterator[Visitor]:
    """Somebody of our own, whose session may end."""
    visitor = Visitor(sheaf.browser(CALLBACK, BYE), sheaf.add_user(full_name="Grace Hopper", totp=True))
    yield visitor
    visitor.close()


def signed_in(library: Library, sheaf: Sheaf, made: dict[str, Any], person: Visitor, **more: Any) -> Any:
    auth = {"method": "client_secret_basic", "secret": made["client_secret"]}
    library.do("configure", issuer=sheaf.issuer, client_id=made["client_id"], auth=auth, **more)
    url = library.do("authorize", params={"redirect_uri": CALLBACK, "scope": "openid profile"})["url"]
    return library.do("callback", **person.visit(url))["claims"]


def test_every_app_of_a_session_gets_a_logout_token_that_a_library_of_others_accepts(
    sheaf: Sheaf, grace: Visitor
) -> None:
    """Signed as ID tokens are; and for an app with encrypted ID tokens and a subject of its own, encrypted, with that."""
    with Library() as plain, Library() as secretive, Library("logout.mjs") as one, Library("logout.mjs") as two:
        key = secretive.do("make_key", alg="ECDH-ES")
        algs = {"id_token_encrypted_response_alg": "ECDH-ES", "id_token_encrypted_response_enc": "A256GCM"}
        uri = [receiver.do("listen")["url"] for receiver in (one, two)]
        first = add_app(sheaf, CALLBACK, backchannel_logout_uri=uri[0], post_logout_redirect_uris=BYE)
        keys = [key["public"] | {"use": "enc"}]
        second = add_app(
            sheaf, CALLBACK, backchannel_logout_uri=uri[1], subject_type="pairwise", public_keys=keys, **algs
        )
        two.do("decrypt_with", jwk=key["key"]["jwk"])
        decrypt = {"key": key["key"], "encs": ["A256GCM"]}
        here = signed_in(plain, sheaf, first, grace)
        there = signed_in(secretive, sheaf, second, grace, metadata=algs, decrypt=decrypt)
        for receiver, made in ((one, first), (two, second)):
            receiver.do("expect", issuer=sheaf.issuer, client_id=made["client_id"], algorithms=["RS256"])

        came = grace.visit(plain.do("end_session", params={"post_logout_redirect_uri": BYE, "state": "bye"})["url"])
        told = [receiver.do("received") for receiver in (one, two)]

    assert came["url"] == f"{BYE}?state=bye"
    for answer, claims in zip(told, (here, there), strict=True):
        assert "refused" not in answer, answer
        assert (answer["claims"]["sub"], answer["claims"]["sid"]) == (claims["sub"], claims["sid"])
        assert answer["claims"]["exp"] - answer["claims"]["iat"] <= 120
    assert here["sub"] == grace.id != there["sub"]

"""Owns the claims about client certificates behind a real proxy: Apache, configured as the documentation says; with requests
of our own, npm openid-client and Authlib's client."""

import base64
import hashlib
import json
from collections.abc import Callable, Iterator
from pathlib import Path
from urllib.parse import quote

import pytest
from authlib.integrations.requests_client import OAuth2Session
from cryptography import x509
from cryptography.x509.oid import NameOID
from urllib3.exceptions import HTTPError

from idp.base.clock import system_clock
from tests.peers.apache_tls import ApacheTls, key_pem, write
from tests.peers.features import Library, RefusalError, add_app
from tests.support.proofs import Certificate, certificate, readable
from tests.support.sheaf import Sheaf
from tests.support.visitor import Visitor

pytestmark = [pytest.mark.slow, pytest.mark.peer]

SHOP = x509.Name(
    [x509.NameAttribute(NameOID.ORGANIZATION_NAME, "Shop, Inc."), x509.NameAttribute(NameOID.COMMON_NAME, "shop")]
)


@pytest.fixture(scope="module")
def proxy() -> Iterator[ApacheTls]:
    made = ApacheTls()
    yield made
    made.stop()


@pytest.fixture(scope="module")
def sheaf(proxy: ApacheTls, start_sheaf: Callable[..., Sheaf]) -> Sheaf:
    env = {
        "IDP_SERVER__PROXY_ADDRESSES": "127.0.0.1",
        "IDP_SERVER__CLIENT_CERTIFICATE_HEADER": "X-Client-Cert",
        "IDP_SERVER__MTLS_URL": proxy.url,
    }
    started = start_sheaf(env=env)
    proxy.start(started.issuer)
    return started


def token(proxy: ApacheTls, client_id: str, shown: Certificate | None, **headers: str) -> tuple[int, dict[str, object]]:
    form = {"grant_type": "client_credentials", "client_id": client_id}
    return proxy.request("POST", "/token", shown, form, **headers)


def signed_by(authority: Certificate, subject: x509.Name = SHOP) -> Certificate:
    return certificate(system_clock, subject, by=authority)


@pytest.fixture(scope="module")
def shop(sheaf: Sheaf) -> str:
    settings = {
        "tls_client_auth_subject_dn": r"CN=shop,O=Shop\, Inc.",
        "tls_client_certificate_bound_access_tokens": "true",
    }
    return sheaf.add_client(
        auth_method="tls_client_auth", grants=["client_credentials"], scopes=["documents.read"], settings=settings
    ).client_id


def test_a_certificate_that_apache_has_verified_authenticates_and_binds_the_token(proxy: ApacheTls, shop: str) -> None:
    held = signed_by(proxy.authority)
    status, answer = token(proxy, shop, held)
    assert status == 200, answer
    bound = base64.urlsafe_b64encode(hashlib.sha256(held.der).digest()).rstrip(b"=").decode()
    assert readable(str(answer["access_token"]))[1]["cnf"] == {"x5t#S256": bound}


def test_apache_does_not_get_a_certificate_past_us_that_it_could_not_verify(proxy: ApacheTls, shop: str) -> None:
    stranger = certificate(system_clock, x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "Strange CA")]))
    for forged in (certificate(system_clock, SHOP), signed_by(stranger)):
        assert token(proxy, shop, forged)[1]["error"] == "invalid_client"
    namesake = certificate(system_clock, proxy.authority.made.subject)
    with pytest.raises(HTTPError):  # Apache ends the handshake itself
        token(proxy, shop, signed_by(namesake))


def test_the_right_authority_and_another_name_is_refused(proxy: ApacheTls, shop: str) -> None:
    other = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "shop")])
    assert token(proxy, shop, signed_by(proxy.authority, other))[1]["error"] == "invalid_client"


def test_apache_removes_what_a_client_says_about_itself(proxy: ApacheTls, shop: str) -> None:
    pem = quote(signed_by(proxy.authority).pem)
    said = {"X-Client-Cert": pem, "X-Client-Cert-Verify": "SUCCESS"}
    underscored = {"X_Client_Cert": pem, "X_Client_Cert_Verify": "SUCCESS"}
    mine = certificate(system_clock, SHOP)
    for headers in (said, underscored):
        assert token(proxy, shop, None, **headers)[1]["error"] == "invalid_client"
        assert token(proxy, shop, mine, **headers)[1]["error"] == "invalid_client"


def test_a_self_signed_certificate_of_a_registered_key_authenticates(
    proxy: ApacheTls, sheaf: Sheaf, tmp_path: Path
) -> None:
    held = certificate(system_clock)
    file = tmp_path / "jwks.json"
    file.write_text(json.dumps({"keys": [held.jwk(x5c=held.x5c)]}))
    words = ["client", "add", "--name", "Own", "--auth-method", "self_signed_tls_client_auth", "--jwks", str(file)]
    made = sheaf.cli(*words, "--grant", "client_credentials", "--scope", "documents.read")
    assert token(proxy, made["client_id"], held)[0] == 200
    assert token(proxy, made["client_id"], certificate(system_clock))[1]["error"] == "invalid_client"
    assert token(proxy, made["client_id"], None)[1]["error"] == "invalid_client"


def test_discovery_names_the_address_of_the_proxy(proxy: ApacheTls, sheaf: Sheaf) -> None:
    told = proxy.request("GET", "/.well-known/openid-configuration", None)[1]
    aliases = told["mtls_endpoint_aliases"]
    assert isinstance(aliases, dict)
    assert aliases["token_endpoint"] == f"{proxy.url}/token"


# ------------------------------------------------------------------ libraries of others

CALLBACK = "https://app.example.org/callback"
BY_NAME, BY_KEY = "tls_client_auth", "self_signed_tls_client_auth"


@pytest.fixture(scope="module")
def ada(sheaf: Sheaf) -> Iterator[Visitor]:
    visitor = Visitor(sheaf.browser(CALLBACK), sheaf.add_user(full_name="Ada Lovelace", totp=True))
    yield visitor
    visitor.close()


def registered(proxy: ApacheTls, sheaf: Sheaf, method: str, **settings: str) -> tuple[str, Certificate]:
    """An app whose tokens are bound to its certificate, and that certificate."""
    held = signed_by(proxy.authority) if method == BY_NAME else certificate(system_clock)
    name = {"tls_client_auth_subject_dn": r"CN=shop,O=Shop\, Inc."} if method == BY_NAME else {}
    keys = [held.jwk(x5c=held.x5c)] if method == BY_KEY else None
    bound = {"tls_client_certificate_bound_access_tokens": "true"}
    return add_app(sheaf, public_keys=keys, auth_method=method, **bound, **name, **settings)["client_id"], held


@pytest.mark.parametrize(("method", "profile"), [(BY_NAME, "fapi2"), (BY_KEY, "")])
def test_openid_client_finds_the_aliases_and_its_tokens_need_its_certificate(
    proxy: ApacheTls, sheaf: Sheaf, ada: Visitor, method: str, profile: str
) -> None:
    fields = {"grant_types": "authorization_code refresh_token", "id_token_signed_response_alg": "ES256"}
    client_id, held = registered(proxy, sheaf, method, profile=profile, redirect_uris=CALLBACK, **fields)
    shows = {"ca": proxy.own.pem, "cert": held.pem, "key": key_pem(held)}
    other = certificate(system_clock)

    with Library() as library:
        metadata = {"use_mtls_endpoint_aliases": True, "id_token_signed_response_alg": "ES256"}
        app = {"client_id": client_id, "metadata": metadata, "auth": {"method": method}, "tls": shows}
        library.do("configure", issuer=sheaf.issuer, par=bool(profile), **app)
        params = {"redirect_uri": CALLBACK, "scope": "openid profile email"}
        came = ada.visit(library.do("authorize", params=params)["url"])
        assert library.do("callback", **came)["claims"]["sub"] == ada.id
        assert library.do("refresh")["tokens"]["access_token"]
        told = library.do("introspect")["introspection"]
        assert (told["sub"], told["cnf"]) == (ada.id, {"x5t#S256": held.thumbprint})
        assert library.do("userinfo", subject=ada.id)["userinfo"]["email"] == ada.person.email

        for wrong in ({}, {"cert": other.pem, "key": key_pem(other)}):
            library.do("present", tls={"ca": proxy.own.pem, **wrong})
            for name, error in (("userinfo", "invalid_token"), ("refresh", "invalid_client")):
                with pytest.raises(RefusalError) as refusal:
                    library.do(name)
                assert refusal.value.error == error
        library.do("present", tls=shows)
        assert library.do("userinfo", subject=ada.id)["userinfo"]["sub"] == ada.id


@pytest.mark.parametrize("method", [BY_NAME, BY_KEY])
def test_authlib_gets_and_introspects_a_token_with_a_certificate(
    proxy: ApacheTls, sheaf: Sheaf, tmp_path: Path, method: str
) -> None:
    grants = {"grant_types": "client_credentials", "scopes": "documents.read"}
    client_id, held = registered(proxy, sheaf, method, **grants)
    write(tmp_path / "app", held)
    (tmp_path / "proxy.pem").write_text(proxy.own.pem)

    with OAuth2Session(client_id, token_endpoint_auth_method="none", default_timeout=20) as session:
        session.trust_env = False
        session.verify = str(tmp_path / "proxy.pem")
        session.cert = (str(tmp_path / "app.pem"), str(tmp_path / "app.key"))
        aliases = session.get(f"{sheaf.issuer}/.well-known/openid-configuration", withhold_token=True).json()
        places = aliases["mtls_endpoint_aliases"]
        token = session.fetch_token(places["token_endpoint"], scope="documents.read")
        told = session.introspect_token(places["introspection_endpoint"], token=token["access_token"]).json()

    assert (told["active"], told["client_id"]) == (True, client_id)
    assert told["cnf"] == {"x5t#S256": held.thumbprint}

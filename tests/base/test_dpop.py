"""DPoP proofs (RFC 9449 4.3): the examples of the RFC, every check on its own, and nonces without a store."""

from typing import Any

import pytest
from joserfc.jwk import ECKey, OctKey

from idp.base.dpop import ALGS, MAX_PROOF, NONCE_SECONDS, Nonces, ath, normal, verify
from idp.base.errors import Refused
from tests.support.clock import FakeClock
from tests.support.proofs import Prover, b64, make_key, part, signed

URL = "https://id.example/token"

# RFC 9449: the key of all its examples, figure 2 (token request), figure 13 (resource request), 6.1 (jkt)
_HEADER = (
    "eyJ0eXAiOiJkcG9wK2p3dCIsImFsZyI6IkVTMjU2IiwiandrIjp7Imt0eSI6IkVDIiwieCI6Imw4dEZyaHgtMzR0VjNoUklDUkRZOXpDa0RscEJoRjQyVVFV"
    "ZldWQVdCRnMiLCJ5IjoiOVZFNGpmX09rX282NHpiVFRsY3VOSmFqSG10NnY5VERWclUwQ2R2R1JEQSIsImNydiI6IlAtMjU2In19"
)
FIGURE_2 = (
    _HEADER
    + ".eyJqdGkiOiItQndDM0VTYzZhY2MybFRjIiwiaHRtIjoiUE9TVCIsImh0dSI6Imh0dHBzOi8vc2VydmVyLmV4YW1wbGUuY29tL3Rva2VuIiwia"
    "WF0IjoxNTYyMjYyNjE2fQ.2-GxA6T8lP4vfrg8v-FdWP0A0zdrj8igiMLvqRMUvwnQg4PtFLbdLXiOSsX0x7NVY-FNyJK70nfbV37xRZT3Lg"
)
FIGURE_13 = (
    _HEADER
    + ".eyJqdGkiOiJlMWozVl9iS2ljOC1MQUVCIiwiaHRtIjoiR0VUIiwiaHR1IjoiaHR0cHM6Ly9yZXNvdXJjZS5leGFtcGxlLm9yZy9wcm90ZWN0Z"
    "WRyZXNvdXJjZSIsImlhdCI6MTU2MjI2MjYxOCwiYXRoIjoiZlVIeU8ycjJaM0RaNTNFc05yV0JiMHhXWG9hTnk1OUlpS0NBcWtzbVFFbyJ9.2oW9RP35yRqzh"
    "rtNP86L-Ey71EOptxRimPPToA1plemAgR6pxHF8y6-yqyVnmcw6Fy1dqd-jfxSYoMxhAJpLjA"
)
RFC_TOKEN = "Kz~8mXK1EalYznwH-LC-1fBAo.4Ljp~zsPE_NeO.gxU"
RFC_JKT = "0ZcOCORZNYy-DWpqq30jZyJGHTN0d2HglBV3uiguA4I"


@pytest.fixture
def prover(clock: FakeClock) -> Prover:
    return Prover(clock)


def refused(proof: str, clock: FakeClock, **more: Any) -> Refused:
    with pytest.raises(Refused) as caught:
        verify(proof, "POST", [URL], clock(), **more)
    assert caught.value.status == 400
    return caught.value


# ---------------------------------------------------------------- the examples of the RFC


def test_rfc_9449_figure_2_the_token_request() -> None:
    proof = verify(FIGURE_2, "POST", ["https://server.example.com/token"], 1562262616)
    assert (proof.jkt, proof.jti, proof.iat, proof.alg) == (RFC_JKT, "-BwC3ESc6acc2lTc", 1562262616, "ES256")


def test_rfc_9449_figure_13_the_resource_request() -> None:
    url = "https://resource.example.org/protectedresource"
    proof = verify(FIGURE_13, "GET", [url], 1562262618, access_token=RFC_TOKEN)
    assert proof.jkt == RFC_JKT
    assert ath(RFC_TOKEN) == "fUHyO2r2Z3DZ53EsNrWBb0xWXoaNy59IiKCAqksmQEo"
    with pytest.raises(Refused, match="ath"):
        verify(FIGURE_13, "GET", [url], 1562262618, access_token=RFC_TOKEN + "x")


# ---------------------------------------------------------------- each check of 4.3


@pytest.mark.parametrize("alg", ALGS)
def test_every_algorithm_that_discovery_names_is_accepted(clock: FakeClock, alg: str) -> None:
    prover = Prover(clock, alg)
    proof = verify(prover.proof("POST", URL), "POST", [URL], clock())
    assert (proof.jkt, proof.alg) == (prover.jkt, alg)


@pytest.mark.parametrize(
    ("changes", "header", "why"),
    [
        ({}, {"typ": "JWT"}, "typ"),
        ({}, {"typ": None}, "typ"),
        ({}, {"typ": "DPOP+JWT"}, "typ"),
        ({}, {"jwk": None}, "jwk"),
        ({}, {"jwk": "text"}, "jwk"),
        ({}, {"jwk": {}}, "key"),
        ({}, {"crit": ["x"], "x": 1}, "critical"),
        ({"jti": None}, {}, "jti"),
        ({"jti": ""}, {}, "jti"),
        ({"jti": 7}, {}, "jti"),
        ({"jti": "x" * 257}, {}, "jti"),
        ({"htm": None}, {}, "htm"),
        ({"htm": "GET"}, {}, "htm"),
        ({"htm": "post"}, {}, "htm"),
        ({"htm": ["POST"]}, {}, "htm"),
        ({"htu": None}, {}, "htu"),
        ({"htu": 7}, {}, "htu"),
        ({"htu": "https://id.example/userinfo"}, {}, "htu"),
        ({"htu": "http://id.example/token"}, {}, "htu"),
        ({"htu": "https://id.example:8443/token"}, {}, "htu"),
        ({"htu": "https://other.example/token"}, {}, "htu"),
        ({"htu": "https://id.example/token/"}, {}, "htu"),
        ({"htu": "https://id.example/TOKEN"}, {}, "htu"),
        ({"htu": "https://x@id.example/token"}, {}, "htu"),
        ({"htu": "//id.example/token"}, {}, "htu"),
        ({"htu": "https://[id.example/token"}, {}, "htu"),
        ({"htu": "https://id.example:port/token"}, {}, "htu"),
        ({"iat": None}, {}, "iat"),
        ({"iat": "1800000000"}, {}, "iat"),
        ({"iat": True}, {}, "iat"),
        ({"iat": 1e400}, {}, "JSON"),
        ({"iat": 1_799_999_939}, {}, "iat"),
        ({"iat": 1_800_000_061}, {}, "iat"),
        ({"iat": 1.8e12}, {}, "iat"),
        ({"nonce": 7}, {}, "nonce"),
        ({"nonce": "x" * 257}, {}, "nonce"),
    ],
)
def test_a_proof_with_one_thing_wrong_is_refused(
    clock: FakeClock, prover: Prover, changes: dict[str, Any], header: dict[str, Any], why: str
) -> None:
    found = refused(prover.proof("POST", URL, header=header, **changes), clock)
    assert found.code == "invalid_dpop_proof"
    assert why in found.reason


@pytest.mark.parametrize("seconds", [-60, 60])
def test_a_clock_may_be_off_by_a_minute(clock: FakeClock, prover: Prover, seconds: int) -> None:
    proof = verify(prover.proof("POST", URL, iat=int(clock()) + seconds), "POST", [URL], clock())
    assert proof.forget_at > proof.iat + 60  # remembered for longer than it is accepted


@pytest.mark.parametrize(
    "htu",
    [
        "HTTPS://ID.Example/token",
        "https://id.example:443/token",
        "https://id.example/token?x=1",
        "https://id.example/token#x",
        "https://id.example/%74oken",
        "https://id.example/a/../token",
        "https://id.example/./token",
    ],
)
def test_addresses_are_compared_as_rfc_3986_says(clock: FakeClock, prover: Prover, htu: str) -> None:
    assert verify(prover.proof("POST", URL, htu=htu), "POST", [URL], clock())


@pytest.mark.parametrize(
    ("url", "same"),
    [
        ("http://a.example:80", "http://a.example/"),
        ("http://a.example:443/", "http://a.example:443/"),
        ("https://[::1]:443/x", "https://[::1]/x"),
        ("https://a.example/%7euser/%2f/%c3%A4", "https://a.example/~user/%2F/%C3%A4"),
        ("https://a.example/a/b/../../../c/..", "https://a.example/"),
        ("https://a.example/a/.", "https://a.example/a/"),
        ("https://a.example//a", "https://a.example//a"),
    ],
)
def test_normal_form_of_addresses(url: str, same: str) -> None:
    assert normal(url) == same


@pytest.mark.parametrize("url", ["", "x", "ftp://a/", "https:///x", "https://u@a/", "https://a:99999/", "https://ä/"])
def test_what_is_no_http_address_has_no_normal_form(url: str) -> None:
    with pytest.raises(ValueError):
        normal(url)


def test_one_of_several_addresses_is_enough(clock: FakeClock, prover: Prover) -> None:
    mtls = "https://mtls.example/token"
    assert verify(prover.proof("POST", mtls), "POST", [URL, mtls], clock())


def test_the_signature_must_be_that_of_the_key_in_the_header(clock: FakeClock, prover: Prover) -> None:
    other = Prover(clock)
    assert "signature" in refused(prover.proof("POST", URL, header={"jwk": other.jwk}), clock).reason
    first, _, third = prover.proof("POST", URL).split(".")
    claims = {"jti": "x", "htm": "POST", "htu": URL, "iat": int(clock())}
    assert "signature" in refused(f"{first}.{part(claims)}.{third}", clock).reason


def test_symmetric_keys_and_no_signature_at_all_are_refused(clock: FakeClock, prover: Prover) -> None:
    claims = {"jti": "x", "htm": "POST", "htu": URL, "iat": int(clock())}
    jwk = OctKey.import_key(b"s" * 32).as_dict()
    hmac = signed({"typ": "dpop+jwt", "alg": "HS256", "jwk": jwk}, claims, b"s" * 32)
    none = part({"typ": "dpop+jwt", "alg": "none", "jwk": prover.jwk}) + "." + part(claims)
    for proof in (hmac, none + ".", none + ".AA"):
        assert refused(proof, clock).code == "invalid_dpop_proof"


def test_a_key_that_does_not_fit_the_algorithm_is_refused(clock: FakeClock) -> None:
    key = make_key("RS256")
    p384 = ECKey.generate_key("P-384")
    for alg, made in (("ES256", key), ("ES256", p384), ("EdDSA", key)):
        claims = {"jti": "x", "htm": "POST", "htu": URL, "iat": int(clock())}
        body = part({"typ": "dpop+jwt", "alg": alg, "jwk": made.as_dict(private=False)}) + "." + part(claims)
        assert refused(f"{body}.{b64(b'x' * 64)}", clock).code == "invalid_dpop_proof"


@pytest.mark.parametrize("member", ["d", "p", "k", "oth"])
def test_a_private_key_in_the_header_is_refused(clock: FakeClock, prover: Prover, member: str) -> None:
    found = refused(prover.proof("POST", URL, header={"jwk": {**prover.jwk, member: "AAAA"}}), clock)
    assert "private" in found.reason


def test_an_algorithm_that_the_profile_does_not_allow_is_refused(clock: FakeClock) -> None:
    prover = Prover(clock, "RS256")
    assert "alg" in refused(prover.proof("POST", URL), clock, algs=("ES256",)).reason


def test_a_proof_for_a_resource_must_name_the_token(clock: FakeClock, prover: Prover) -> None:
    assert verify(prover.proof("POST", URL, "token"), "POST", [URL], clock(), access_token="token")
    for proof in (
        prover.proof("POST", URL),
        prover.proof("POST", URL, "other"),
        prover.proof("POST", URL, ath=7),
        prover.proof("POST", URL, ath="é"),
    ):
        assert "ath" in refused(proof, clock, access_token="token").reason


def test_what_is_too_long_is_not_even_read(clock: FakeClock, prover: Prover) -> None:
    proof = prover.proof("POST", URL, padding="x" * MAX_PROOF)
    assert "longer" in refused(proof, clock).reason


@pytest.mark.parametrize("proof", ["", "x", "a.b.c", "é", "e30.e30.AA", "W10.e30.AA", "a.b.c,d.e.f"])
def test_rubbish_is_refused_and_never_a_fault(clock: FakeClock, proof: str) -> None:
    assert refused(proof, clock).code == "invalid_dpop_proof"


# ---------------------------------------------------------------- nonces (section 8)


def test_a_nonce_is_good_for_its_time_and_the_one_after(clock: FakeClock) -> None:
    nonces = Nonces(b"k" * 32)
    clock.set(NONCE_SECONDS * 1000)
    nonce = nonces.current(clock())
    assert nonces.current(clock() + NONCE_SECONDS - 1) == nonce
    assert nonces.current(clock() + NONCE_SECONDS) != nonce
    assert nonces.good(nonce, clock() + 2 * NONCE_SECONDS - 1)
    assert not nonces.good(nonce, clock() + 2 * NONCE_SECONDS)
    assert not nonces.good(nonce, clock() - 1)
    assert not Nonces(b"o" * 32).good(nonce, clock())
    assert not nonces.good("", clock())


def test_where_nonces_are_demanded_the_refusal_brings_one(clock: FakeClock, prover: Prover) -> None:
    nonces = Nonces(b"k" * 32)
    for proof in (prover.proof("POST", URL), prover.proof("POST", URL, nonce="made-up")):
        found = refused(proof, clock, nonces=nonces)
        assert found.code == "use_dpop_nonce"
        assert found.headers == {"DPoP-Nonce": nonces.current(clock())}
    again = prover.proof("POST", URL, nonce=nonces.current(clock()))
    assert verify(again, "POST", [URL], clock(), nonces=nonces).nonce == nonces.current(clock())


def test_with_a_nonce_a_clock_may_be_off_by_five_minutes(clock: FakeClock, prover: Prover) -> None:
    nonces = Nonces(b"k" * 32)
    nonce = nonces.current(clock())
    good = verify(prover.proof("POST", URL, nonce=nonce, iat=int(clock()) - 300), "POST", [URL], clock(), nonces=nonces)
    assert good.forget_at > good.iat + 300
    late = prover.proof("POST", URL, nonce=nonce, iat=int(clock()) - 301)
    assert "iat" in refused(late, clock, nonces=nonces).reason


def test_a_nonce_that_nobody_demanded_is_no_reason_to_refuse(clock: FakeClock, prover: Prover) -> None:
    assert verify(prover.proof("POST", URL, nonce="any"), "POST", [URL], clock()).nonce == "any"

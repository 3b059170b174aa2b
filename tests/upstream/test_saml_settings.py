"""Owns the settings of a SAML upstream as people type them."""

import pytest

from idp.base.errors import Refused
from idp.upstream.parse import changed_provider, new_provider, parse_settings
from idp.upstream.registry import open_kind
from tests.upstream.conftest import CALLBACK, POLICY, tools_for


@pytest.fixture
def opened(upstreams, clock):
    """An upstream, stored and opened: (provider, kind)."""

    def make(kind="saml", **pairs):
        provider = upstreams.add(new_provider(kind, "corp", pairs, clock()), secrets=(), actor="test")
        return provider, open_kind(provider, upstreams, tools_for(POLICY, clock))

    return make


@pytest.mark.parametrize("mark", ["@", "file:"])
def test_metadata_is_read_from_a_file(tmp_path, idp, mark):
    file = tmp_path / "metadata.xml"
    file.write_bytes(b"\xef\xbb\xbf" + idp.metadata())

    parsed = parse_settings("saml", {"metadata": f"{mark}{file}"})

    assert parsed.settings["metadata"] == idp.metadata().decode()


@pytest.mark.parametrize(
    ("pairs", "said"),
    [
        ({}, "metadata or metadata_url is missing"),
        ({"metadata": "@/nowhere"}, "the file cannot be read"),
        ({"metadata": "<x/>"}, "metadata: it is not SAML metadata"),
        ({"metadata_url": "http://idp.example/metadata"}, "An https:// URL is needed"),
        ({"metadata_url": "https://u:p@idp.example/metadata"}, "not a URL that can be fetched"),
        ({"metadata_url": "https://idp.example/metadata", "metadata_certificates": "x"}, "not certificates"),
        ({"metadata_url": "https://idp.example/metadata", "attributes": "mail"}, "FIELD=ATTRIBUTE"),
        ({"metadata_url": "https://idp.example/metadata", "attributes": "shoe=x"}, "There is no field 'shoe'"),
        ({"metadata_url": "https://idp.example/metadata", "accepted_algorithms": "rsa-sha1"}, "accepted_algorithms"),
        ({"metadata_url": "https://idp.example/metadata", "clock_skew_seconds": "9999"}, "clock_skew_seconds"),
        ({"metadata_url": "https://idp.example/metadata", "signed": "none"}, "signed"),
    ],
)
def test_settings_that_cannot_be_used_are_refused_by_name(pairs, said):
    with pytest.raises(Refused) as caught:
        parse_settings("saml", pairs)

    assert caught.value.code == "invalid_setting"
    assert said in caught.value.message


def test_another_setting_can_be_changed_without_giving_the_metadata_again(opened, idp):
    provider, _ = opened(metadata=idp.metadata().decode())

    _, settings = changed_provider(provider, {"cbc": "true"})

    assert settings == {"cbc": True}


def test_ad_fs_has_defaults_of_its_own(opened, idp):
    provider, kind = opened("adfs", metadata=idp.metadata().decode())

    assert (kind.settings.preset, kind.settings.name_id_format) == ("adfs", "none")
    departure = kind.depart(provider, CALLBACK, force=False, login_hint=None)
    assert idp.asked(departure).root.find("{*}NameIDPolicy") is None

"""`idp upstream …` for the kinds that speak SAML, on a stopped installation."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from idp.saml import names
from tests.cli.conftest import Shell
from tests.support.clock import FakeClock
from tests.upstream.saml_double import SamlDouble


@pytest.fixture
def campus() -> Iterator[SamlDouble]:
    double = SamlDouble(FakeClock())
    yield double
    double.close()


@pytest.fixture
def file(tmp_path: Path, campus: SamlDouble) -> Path:
    path = tmp_path / "metadata.xml"
    path.write_bytes(campus.metadata())
    return path


def test_one_is_added_by_the_address_of_its_metadata(shell: Shell, campus: SamlDouble) -> None:
    added = shell.json("upstream", "add", "saml", "--id", "campus", "--set", f"metadata_url={campus.metadata_url}")

    assert added["notes"] == []
    assert added["entity_id"] == added["sp_metadata"] == "http://127.0.0.1:8000/upstream/campus/metadata"
    assert added["acs"] == "http://127.0.0.1:8000/upstream/campus/acs"


def test_one_is_added_by_a_file_and_shown_without_it(shell: Shell, file: Path) -> None:
    done = shell(
        "upstream", "add", "adfs", "--id", "corp", "--set", f"metadata=@{file}", "--set", "subject_attribute=upn"
    )
    assert "http://127.0.0.1:8000/upstream/corp/metadata" in done.stdout

    shown = shell.json("upstream", "show", "corp")
    assert shown["settings"]["metadata"] == f"({len(file.read_text())} characters)"
    assert "X509Certificate" not in shell("upstream", "show", "corp").stdout


def test_what_would_fail_at_the_first_sign_in_is_said_at_once(shell: Shell, campus: SamlDouble) -> None:
    campus.formats = (names.TRANSIENT,)
    given = ["--set", f"metadata_url={campus.metadata_url}"]
    assert "transient names only" in shell("upstream", "add", "saml", "--id", "one", *given).stdout

    campus.close()
    assert "cannot be used yet" in shell("upstream", "add", "saml", "--id", "two", *given).stdout


def test_what_is_no_metadata_is_refused_in_words(shell: Shell, tmp_path: Path) -> None:
    (tmp_path / "x.xml").write_text("<html/>")

    code, said = shell.refused("upstream", "add", "saml", "--id", "x", "--set", f"metadata=@{tmp_path / 'x.xml'}")

    assert code != 0
    assert "not SAML metadata" in said
    assert shell.json("upstream", "list") == []

"""Owns the way to a SAML upstream on another site and back in a real Chromium, which keeps our cookies from its forms."""

import time
from collections.abc import Callable, Iterator

import pytest

from tests.support.chromium import Windows
from tests.support.sheaf import Sheaf
from tests.upstream.saml_double import SamlDouble


@pytest.fixture(scope="module")
def campus() -> Iterator[SamlDouble]:
    double = SamlDouble(time.time, host="localhost")
    yield double
    double.close()


@pytest.fixture(scope="module")
def home(start_sheaf: Callable[..., Sheaf], campus: SamlDouble) -> Sheaf:
    sheaf = start_sheaf(second_factor="administrators")
    for binding in ("redirect", "post"):
        sheaf.add_upstream(
            "saml",
            binding,
            label=f"Campus by {binding}",
            metadata_url=campus.metadata_url,
            request_binding=binding,
            sign_requests="always",
        )
    return sheaf


@pytest.mark.parametrize("js", [True, False], ids=["js", "nojs"])
@pytest.mark.parametrize("binding", ["redirect", "post"])
def test_a_browser_goes_to_the_upstream_and_back_by_forms(
    home: Sheaf, campus: SamlDouble, windows: Windows, binding: str, js: bool
) -> None:
    page = windows.open(home.url("/sign-in"), js=js)

    page.get_by_role("button", name=f"Campus by {binding}").click()
    if binding == "post" and not js:
        page.get_by_role("button", name="Continue to Campus by post").click()
    page.wait_for_url(f"{campus.base}/**")
    page.get_by_role("button", name="I am user-1").click()
    page.wait_for_url(home.url("/"))

    page.goto(home.url("/account"))
    assert f"Campus by {binding}" in page.inner_text("main")
    assert [said for said in windows.complaints if "Content Security Policy" in said] == []

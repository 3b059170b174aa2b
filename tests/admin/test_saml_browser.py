"""An administrator at work with service providers in a real Chromium: adds one, previews, tests a sign-in, agrees to new metadata.

At two widths, light and dark, with and without JavaScript; photographed, and with JavaScript examined by axe-core.
"""

from dataclasses import replace
from pathlib import Path

import pytest

from tests.admin.service_providers import PEER, wanting
from tests.admin.test_browser import _sign_in
from tests.saml.publishing import Publisher
from tests.support.chromium import Windows
from tests.web.test_browser import Eyes, StartSheaf

EPPN = ("urn:oid:1.3.6.1.4.1.5923.1.1.1.6", "eduPersonPrincipalName", True)
SECTIONS = (
    ("sign-in", "Sign-in and sign-out"),
    ("attributes", "Attributes"),
    ("name-id", "NameID"),
    ("protection", "Signatures and encryption"),
)


@pytest.mark.parametrize("js", [True, False], ids=["js", "nojs"])
def test_an_administrator_adds_changes_and_tries_a_saml_app(
    js: bool, windows: Windows, start_sheaf: StartSheaf, tmp_path: Path
) -> None:
    sheaf = start_sheaf()
    eyes = Eyes(windows, "saml-admin-js" if js else "saml-admin-nojs", axe=js)
    person = sheaf.add_user("grace", full_name="Grace Hopper", admin=True, totp=True)
    file = tmp_path / "metadata.xml"
    file.write_bytes(wanting(PEER, EPPN))
    page = windows.open(sheaf.url("/admin/saml"), js=js)
    _sign_in(page, person)

    eyes.look(page, "1-no-apps", "SAML apps")
    page.get_by_role("link", name="Add a SAML app").click()
    eyes.look(page, "2-new", "Add a SAML app")
    page.get_by_role("button", name="Add app").click()
    page.get_by_role("alert").filter(has_text="Give the address").wait_for()
    page.get_by_label("Name", exact=True).fill("Team wiki")
    eyes.look(page, "3-new-refused", "Add a SAML app")
    page.get_by_label("Or a file").set_input_files(file)
    page.get_by_role("button", name="Add app").click()
    eyes.look(page, "4-added", "Team wiki")

    base = page.url.partition("?")[0]
    for section, heading in SECTIONS:
        page.goto(f"{base}/edit/{section}")
        if page.get_by_text("More", exact=True).count():
            page.get_by_text("More", exact=True).first.click()
        page.get_by_text("As command").first.click()
        eyes.look(page, f"5-edit-{section}", heading)
    page.goto(f"{base}/edit/attributes")
    page.get_by_label("Attributes", exact=True).fill("mail = password")
    page.get_by_role("button", name="Save").click()
    page.get_by_role("alert").filter(has_text="attributes:").wait_for()
    eyes.look(page, "6-edit-refused", "Attributes")
    page.get_by_label("Attributes", exact=True).fill("user = username\nmail = email\nrole = roles\nkind = =guest")
    if not page.get_by_label("Filters").is_visible():
        page.get_by_text("More", exact=True).first.click()
    page.get_by_label("Filters").fill("role = wiki-*")
    page.get_by_role("button", name="Save").click()
    page.get_by_text("Saved.").wait_for()
    eyes.look(page, "7-app", "Team wiki")

    page.get_by_role("link", name="What would this app get?").click()
    page.get_by_label("User name or e-mail").fill("grace")
    page.get_by_role("button", name="Show attributes").click()
    page.get_by_text("guest", exact=True).wait_for()
    eyes.look(page, "8-preview", "What would this app get?")

    page.goto(f"{base}/test")
    eyes.look(page, "9-test", "Test sign-in: Team wiki")
    page.get_by_role("button", name="Start test sign-in").click()
    page.get_by_text("A Response would go to").wait_for()
    eyes.look(page, "10-tested", "Test sign-in: Team wiki")

    with Publisher() as publisher:
        page.goto(f"{base}/metadata")
        eyes.look(page, "11-metadata", "Metadata")
        publisher.put(replace(PEER, acs=("https://sp.example/new-acs",)).metadata())
        page.get_by_text("Replace them, or fetch").click()
        page.get_by_label("Address of its metadata").fill(publisher.url())
        eyes.look(page, "12-metadata-form", "Metadata")
        page.get_by_role("button", name="Replace metadata").click()
        page.get_by_text("Looked just now").wait_for()
        eyes.look(page, "13-pending", "Metadata")
        page.goto(base)
        eyes.look(page, "14-app-pending", "Team wiki")
        page.get_by_role("link", name="See what changes").click()
        page.get_by_role("button", name="Take over new metadata").click()
        page.get_by_text("The new metadata are taken over").wait_for()
        eyes.look(page, "15-adopted", "Metadata")

    page.goto(base)
    page.get_by_role("button", name="Switch Team wiki off").click()
    page.get_by_text("Saved.").wait_for()
    page.goto(sheaf.url("/admin/saml"))
    eyes.look(page, "16-list", "SAML apps")
    page.goto(sheaf.url("/admin/saml/federations"))
    eyes.look(page, "17-federations", "Federations")
    page.goto(f"{base}/remove")
    eyes.look(page, "18-remove", "Remove Team wiki?")
    page.get_by_label("Type its name: Team wiki").fill("Team wiki")
    page.get_by_role("button", name="Remove app").click()
    page.get_by_text("The app is removed.").wait_for()
    assert eyes.found == []
    assert [one for one in windows.complaints if "status of 4" not in one] == []

"""Owns the claims about release: what an app gets for a user, in which place, and what it never gets (OIDC Core 5.4, 5.5)."""

from dataclasses import replace
from typing import Any

import pytest

from idp.domain.grant import Consent
from idp.domain.relying import Client, CustomScope
from idp.services.attempts import consent_id
from idp.services.release import Release

PROFILE = ("openid", "profile")


@pytest.fixture
def release(services) -> Release:
    return services.release


@pytest.fixture
def grace(services):
    user = services.users.add(
        "grace",
        email="grace@example.org",
        name="Grace Hopper",
        email_verified=True,
        roles=("editor", "auditor"),
        groups=("navy", "cobol"),
        claims={
            "given_name": "Grace",
            "picture": "https://example.org/g.png",
            "phone_number": "+1 555 0100",
            "phone_number_verified": False,
            "address": {"locality": "Arlington"},
            "employee_number": "0042",
        },
        actor="test",
    )
    services.scopes.add(CustomScope("employee", "", ("employee_number", "groups", "unheard_of")), actor="test")
    return user


def app(**more: Any) -> Client:
    fields: dict[str, Any] = {
        "scopes": ("openid", "profile", "email", "address", "phone", "roles", "groups", "employee"),
        "consent": "skip",
    }
    return Client(id="shop", name="Shop", created_at=0.0, **{**fields, **more})


def got(release: Release, user, *scopes: str, client: Client | None = None, **asked: Any) -> dict[str, Any]:
    claims = release.to("userinfo", client or app(), user, ("openid", *scopes), asked)
    assert claims.pop("sub") == user.id
    return claims


def test_each_scope_releases_its_claims_and_those_that_are_not_known_are_left_out(release, grace) -> None:
    assert got(release, grace) == {}
    assert got(release, grace, "profile") == {
        "name": "Grace Hopper",
        "preferred_username": "grace",
        "given_name": "Grace",
        "picture": "https://example.org/g.png",
    }
    assert got(release, grace, "email") == {"email": "grace@example.org", "email_verified": True}
    assert got(release, grace, "phone") == {"phone_number": "+1 555 0100", "phone_number_verified": False}
    assert got(release, grace, "address") == {"address": {"locality": "Arlington"}}
    assert got(release, grace, "roles") == {"roles": ["editor", "auditor"]}
    assert got(release, grace, "groups") == {"groups": ["navy", "cobol"]}
    assert got(release, grace, "employee") == {"employee_number": "0042", "groups": ["navy", "cobol"]}
    assert got(release, grace, "offline_access", "documents.read", "never_heard") == {}


def test_a_scope_that_was_removed_releases_nothing_any_more(services, release, grace) -> None:
    services.scopes.remove("employee", actor="test")
    assert got(release, grace, "employee") == {}


def test_the_list_of_a_client_is_all_that_it_gets(release, grace) -> None:
    client = app(claims=("email", "given_name", "phone_number"))
    assert got(release, grace, "profile", "email", "phone", "roles", client=client) == {
        "given_name": "Grace",
        "email": "grace@example.org",
        "email_verified": True,  # never an address without its mark
        "phone_number": "+1 555 0100",
        "phone_number_verified": False,
    }
    assert got(release, grace, "profile", client=app(claims=())) == {}


def test_roles_and_groups_are_those_of_the_client(release, grace) -> None:
    client = app(roles=("editor", "other"), groups=())
    assert got(release, grace, "roles", "groups", client=client) == {"roles": ["editor"], "groups": []}
    api = release.for_apis(client, grace, ("openid", "groups"), ("urn:api",))
    assert api == {"sub": grace.id, "roles": ["editor"]}


def test_an_access_token_tells_roles_and_groups_to_apis_only(release, grace) -> None:
    assert release.for_apis(app(), grace, ("openid", "groups"), ()) == {"sub": grace.id}
    everything = release.for_apis(app(), grace, ("openid", "groups"), ("urn:api",))
    assert everything == {"sub": grace.id, "roles": ["editor", "auditor"], "groups": ["navy", "cobol"]}
    assert "groups" not in release.for_apis(app(), grace, ("openid",), ("urn:api",))


# ------------------------------------------------------------------ asked for by name (OIDC Core 5.5)


def test_a_claim_asked_by_name_is_given_in_the_place_that_was_asked(release, grace) -> None:
    asked = {"userinfo": {"given_name": None}, "id_token": {"picture": {"essential": True}}}
    assert got(release, grace, **asked) == {"given_name": "Grace"}
    token = release.to("id_token", app(), grace, ("openid",), asked)
    assert token == {"sub": grace.id, "picture": "https://example.org/g.png"}


@pytest.mark.parametrize(
    ("wish", "given"),
    [
        ({"value": "Grace"}, True),
        ({"value": "Eve"}, False),
        ({"values": ["Eve", "Grace"]}, True),
        ({"values": ["Eve"]}, False),
        ({"values": []}, True),
        ({"values": "Grace"}, True),
        ({"essential": True}, True),
        ("nonsense", True),
        ([], True),
    ],
)
def test_a_claim_asked_with_values_has_one_of_them_or_is_left_out(release, grace, wish: object, given: bool) -> None:
    assert ("given_name" in got(release, grace, userinfo={"given_name": wish})) is given
    assert "given_name" in got(release, grace, "profile", userinfo={"given_name": wish})


def test_by_name_an_app_gets_only_what_its_scopes_or_its_list_allow(release, grace) -> None:
    asked = {
        "userinfo": {"picture": None, "email": None, "employee_number": None, "iss": None, "sub": None, "nope": None}
    }
    narrow = app(scopes=("openid", "profile"))
    assert got(release, grace, client=narrow, **asked) == {"picture": "https://example.org/g.png"}
    listed = app(scopes=("openid",), claims=("employee_number", "email"))
    assert got(release, grace, client=listed, **asked) == {
        "employee_number": "0042",
        "email": "grace@example.org",
        "email_verified": True,
    }


def test_by_name_nothing_is_given_that_the_person_was_not_asked_about(services, release, grace, clock) -> None:
    asking, asked = app(consent="ask"), {"userinfo": {"email": None, "picture": None}}
    assert got(release, grace, client=asking, **asked) == {}
    consent = Consent(consent_id(grace.id, "shop"), grace.id, "shop", ("openid", "email"), clock())
    services.repo.insert(consent)
    assert got(release, grace, client=asking, **asked) == {"email": "grace@example.org", "email_verified": True}
    services.repo.delete(Consent, consent.id)
    assert got(release, grace, client=asking, **asked) == {}


def test_a_claim_that_no_scope_names_cannot_be_consented_to(services, release, grace) -> None:
    services.scopes.remove("employee", actor="test")
    asked = {"userinfo": {"employee_number": None}}
    listed = app(claims=("employee_number",))
    assert got(release, grace, client=listed, **asked) == {"employee_number": "0042"}
    assert got(release, grace, client=replace(listed, consent="ask"), **asked) == {}
    assert got(release, grace, client=app(), **asked) == {}


def test_the_person_is_asked_about_the_scopes_behind_the_claims(release, grace) -> None:
    asked = {
        "userinfo": {"email": None, "picture": None, "groups": None},
        "id_token": {"email_verified": None, "x": None},
    }
    assert release.to_ask_for(app(), asked, ("openid",)) == ("email", "profile", "groups")
    assert release.to_ask_for(app(), asked, ("openid", "profile", "employee")) == ("email",)
    assert release.to_ask_for(app(scopes=("openid",)), asked, ("openid",)) == ()
    assert release.to_ask_for(app(claims=("picture",)), asked, ("openid",)) == ("profile",)
    assert release.to_ask_for(app(), {}, ("openid",)) == ()


@pytest.mark.parametrize(
    "asked", [{}, {"userinfo": None}, {"userinfo": []}, {"userinfo": "x"}, {"other": {"email": None}}]
)
def test_whatever_was_stored_as_a_wish_is_no_fault(release, grace, asked: dict[str, Any]) -> None:
    assert release.to("userinfo", app(), grace, ("openid",), asked) == {"sub": grace.id}


# ------------------------------------------------------------------ preview


def test_the_preview_shows_each_place_as_it_would_be(release, grace) -> None:
    client = app(
        audiences=("urn:api",), roles=("editor",), subject_type="pairwise", redirect_uris=("https://a.example/",)
    )
    found = release.preview(grace, client, ("openid", "email"))
    assert list(found) == ["id_token", "userinfo", "access_token"]
    subject = found["userinfo"]["sub"]
    assert subject != grace.id
    assert found["userinfo"] == {"sub": subject, "email": "grace@example.org", "email_verified": True}
    assert found["id_token"] == {**found["userinfo"], "aud": "shop"}
    access = found["access_token"]
    assert (access["sub"], access["roles"], access["scope"]) == (subject, ["editor"], "openid email")
    assert access["aud"][0] == "urn:api"


def test_without_openid_there_is_neither_id_token_nor_userinfo(release, grace) -> None:
    found = release.preview(grace, app(), ("profile",))
    assert (found["id_token"], found["userinfo"]) == ({}, {})

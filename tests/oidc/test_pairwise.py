"""Owns the claims about pairwise apps: one name for a person everywhere they look, another one elsewhere (OIDC Core 8)."""

from dataclasses import replace

from tests.oidc.house import API, House, sent_back


def pairwise(house: House, id: str = "shop", **more: object):
    return house.client(id, subject_type="pairwise", **more)


def test_every_place_tells_a_pairwise_app_the_same_name_which_is_not_the_id(house: House) -> None:
    app, person = pairwise(house), house.person()
    answer = house.sign_in(person, app, scope="openid")
    subject = house.read(answer["id_token"], "RS256").claims["sub"]
    assert subject != person.user.id
    assert house.read(answer["access_token"], "ES256").claims["sub"] == subject
    assert house.userinfo(answer["access_token"]).get_json() == {"sub": subject}
    for token in (answer["access_token"], answer["refresh_token"]):
        told = house.introspect(app, token)
        assert told["sub"] == subject
        assert "username" not in told
    again = house.refresh(app, answer["refresh_token"]).get_json()
    assert house.read(again["id_token"], "RS256").claims["sub"] == subject


def test_nothing_that_a_pairwise_app_gets_holds_the_id_of_the_user(house: House) -> None:
    app, person = pairwise(house, access_token_format="opaque", userinfo_signed_response_alg="ES256"), house.person()
    answer = house.sign_in(person, app, scope="openid profile email roles")
    told = [house.read(answer["id_token"], "RS256").claims, house.introspect(app, answer["access_token"])]
    told.append(house.read(house.userinfo(answer["access_token"]).text, "ES256").claims)
    assert all(person.user.id not in str(claims) for claims in told)
    assert told[1]["username"] == "ada"  # the profile scope tells it anyway


def test_an_api_sees_the_name_that_is_in_the_token(house: House) -> None:
    app, api, person = pairwise(house), house.client("api"), house.person()
    answer = house.sign_in(person, app, scope="openid")
    told = house.introspect(api, answer["access_token"])
    assert API in told["aud"]
    assert told["sub"] == house.read(answer["access_token"], "ES256").claims["sub"]
    assert "username" not in told


def test_apps_of_other_sectors_get_other_names(house: House) -> None:
    person = house.person()
    first = house.sign_in(person, pairwise(house), scope="openid")
    sibling = house.sign_in(person, pairwise(house, "sibling"), scope="openid")
    public = house.sign_in(person, house.client("public"), scope="openid")
    other = pairwise(house, "other")
    house.parts.repo.replace_if(replace(other.client, sector_identifier_uri="https://elsewhere.example/sector.json"))
    names = [
        house.read(answer["id_token"], "RS256").claims["sub"]
        for answer in (first, sibling, public, house.sign_in(person, other, scope="openid"))
    ]
    assert names[0] == names[1]
    assert len(set(names)) == 3
    assert names[2] == person.user.id


def test_an_id_token_with_a_pairwise_name_is_a_good_hint_for_its_person_only(house: House) -> None:
    app, ada, eve = pairwise(house), house.person(), house.person("eve")
    hint = house.sign_in(ada, app)["id_token"]
    assert "code" in sent_back(house.authorize(ada.browser, app, prompt="none", id_token_hint=hint))
    refused = sent_back(house.authorize(eve.browser, app, prompt="none", id_token_hint=hint))
    assert refused["error"] == "login_required"


def test_a_pairwise_name_signs_out_its_person_without_a_question(house: House) -> None:
    app, ada = pairwise(house), house.person()
    hint = house.sign_in(ada, app)["id_token"]
    ada.browser.get("/end_session", query_string={"id_token_hint": hint})
    assert house.parts.sessions.of(ada.user.id) == []

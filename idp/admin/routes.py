"""Mounts the pages and the JSON API of administrators. The one list of all of them."""

from flask import Flask

from idp.admin import (
    inspector_pages,
    new_pages,
    pages,
    saml_federation_pages,
    saml_metadata_pages,
    saml_new_pages,
    saml_pages,
    saml_try_pages,
    secret_pages,
    try_pages,
)
from idp.admin.federation_json_api import FederationJsonApi
from idp.admin.inspector_api import InspectorApi
from idp.admin.json_api import JsonApi
from idp.admin.json_resource import Guard
from idp.admin.sp_json_api import SpJsonApi
from idp.http.errors import machine_endpoint, plain_json
from idp.http.machine import Endpoint
from idp.http.parts import Parts


def mount(app: Flask) -> None:
    oidc = (pages, new_pages, secret_pages, try_pages)
    saml = (saml_pages, saml_new_pages, saml_metadata_pages, saml_try_pages, saml_federation_pages, inspector_pages)
    for one in (*oidc, *saml):
        app.register_blueprint(one.bp)
    machine_endpoint("/admin/api", plain_json, app)


def endpoints(parts: Parts, guard: Guard) -> list[Endpoint]:
    apis = (JsonApi(parts), SpJsonApi(parts), FederationJsonApi(parts), InspectorApi(parts))
    return [endpoint for api in apis for endpoint in api.endpoints(guard)]

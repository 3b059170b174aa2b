"""Mounts the pages and the JSON API of administrators. The one list of all of them."""

from flask import Flask

from idp.admin import (
    inspector_pages,
    invitation_pages,
    local_login_pages,
    new_pages,
    pages,
    saml_federation_pages,
    saml_metadata_pages,
    saml_new_pages,
    saml_pages,
    saml_try_pages,
    secret_pages,
    trace_pages,
    try_pages,
    upstream_new_pages,
    upstream_pages,
    upstream_try_pages,
    user_edit_pages,
    user_join_pages,
    user_pages,
)
from idp.admin.attention_api import AttentionApi
from idp.admin.federation_json_api import FederationJsonApi
from idp.admin.inspector_api import InspectorApi
from idp.admin.invitation_json_api import InvitationJsonApi
from idp.admin.json_api import JsonApi
from idp.admin.json_resource import Guard
from idp.admin.local_login_api import LocalLoginApi
from idp.admin.sp_json_api import SpJsonApi
from idp.admin.trace_api import TraceApi
from idp.admin.upstream_json_api import UpstreamJsonApi
from idp.admin.user_json_api import UserJsonApi
from idp.http.errors import machine_endpoint, plain_json
from idp.http.machine import Endpoint
from idp.http.parts import Parts


def mount(app: Flask) -> None:
    oidc = (pages, new_pages, secret_pages, try_pages)
    saml = (saml_pages, saml_new_pages, saml_metadata_pages, saml_try_pages, saml_federation_pages, inspector_pages)
    upstreams = (upstream_new_pages, upstream_pages, upstream_try_pages)
    for one in (*upstreams, local_login_pages, trace_pages, *oidc, *saml):
        app.register_blueprint(one.bp)
    for people in (user_edit_pages, user_pages, user_join_pages, invitation_pages):
        app.register_blueprint(people.bp)
    machine_endpoint("/admin/api", plain_json, app)


def endpoints(parts: Parts, guard: Guard) -> list[Endpoint]:
    apis = (
        JsonApi(parts),
        SpJsonApi(parts),
        FederationJsonApi(parts),
        InspectorApi(parts),
        TraceApi(parts),
        LocalLoginApi(parts),
        UpstreamJsonApi(parts),
        AttentionApi(parts),
        UserJsonApi(parts),
        InvitationJsonApi(parts),
    )
    return [endpoint for api in apis for endpoint in api.endpoints(guard)]

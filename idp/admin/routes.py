"""Mounts the pages and the JSON API of administrators. The one list of all of them."""

from flask import Flask

from idp.admin import new_pages, pages, secret_pages, try_pages
from idp.admin.json_api import Guard, JsonApi
from idp.http.errors import machine_endpoint, plain_json
from idp.http.machine import Endpoint
from idp.http.parts import Parts


def mount(app: Flask) -> None:
    for one in (pages, new_pages, secret_pages, try_pages):
        app.register_blueprint(one.bp)
    machine_endpoint("/admin/api", plain_json, app)


def endpoints(parts: Parts, guard: Guard) -> list[Endpoint]:
    return JsonApi(parts).endpoints(guard)

"""Mounts the pages. The one list of all their blueprints."""

from flask import Flask

from idp.http.machine import Endpoint
from idp.web import (
    account_apps,
    account_factor,
    account_pages,
    app_marks,
    consent_pages,
    factor_pages,
    flow,
    home,
    setup_pages,
    upstream_logout,
    upstream_pages,
    upstream_saml,
)

ENDPOINTS = (Endpoint("/healthz", frozenset({"GET"}), home.alive, short=True),)


def mount(app: Flask) -> None:
    for pages in (
        flow,
        upstream_pages,
        upstream_saml,
        upstream_logout,
        factor_pages,
        consent_pages,
        app_marks,
        setup_pages,
        account_pages,
        account_apps,
        account_factor,
        home,
    ):
        app.register_blueprint(pages.bp)

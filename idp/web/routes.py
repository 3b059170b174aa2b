"""Mounts the pages. The one list of all their blueprints."""

from flask import Flask

from idp.http.machine import Endpoint
from idp.web import (
    account_apps,
    account_factor,
    account_pages,
    app_marks,
    break_glass_pages,
    consent_pages,
    data_pages,
    directory_pages,
    factor_pages,
    flow,
    home,
    home_realm,
    invitation_pages,
    merge_pages,
    setup_pages,
    undo_pages,
    upstream_logout,
    upstream_oidc_logout,
    upstream_pages,
    upstream_saml,
    upstream_trials,
)

ENDPOINTS = (Endpoint("/healthz", frozenset({"GET"}), home.alive, short=True),)


def mount(app: Flask) -> None:
    for pages in (
        flow,
        home_realm,
        data_pages,
        upstream_pages,
        upstream_saml,
        upstream_logout,
        upstream_oidc_logout,
        upstream_trials,
        directory_pages,
        factor_pages,
        consent_pages,
        app_marks,
        setup_pages,
        account_pages,
        account_apps,
        account_factor,
        merge_pages,
        undo_pages,
        invitation_pages,
        break_glass_pages,
        home,
    ):
        app.register_blueprint(pages.bp)

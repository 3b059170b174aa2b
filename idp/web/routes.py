"""Mounts the pages. The one list of all their blueprints."""

from flask import Flask

from idp.web import (
    account_factor,
    account_pages,
    consent_pages,
    factor_pages,
    flow,
    home,
    setup_pages,
    upstream_pages,
)


def mount(app: Flask) -> None:
    for pages in (
        flow,
        upstream_pages,
        factor_pages,
        consent_pages,
        setup_pages,
        account_pages,
        account_factor,
        home,
    ):
        app.register_blueprint(pages.bp)

"""Fixtures of these tests: the doors of several folders, each in this process and on the same store and clock.

`house` has people at browsers, `oidc_house` apps and tokens, `app` and `browser` upstreams with doubles, `way` a SAML one.
Applications in this process find their signing keys in the store.
"""

from pathlib import Path

import pytest

from tests.admin.conftest import program, programs  # noqa: F401  (fixtures)
from tests.oidc.conftest import house as oidc_house  # noqa: F401
from tests.oidc.conftest import house_with  # noqa: F401
from tests.upstream.conftest import (  # noqa: F401
    add_saml,
    add_upstream,
    app,
    browser,
    idp,
    live_corp,
    make_user,
    name_of,
    openid,
    refused_as,
    refused_for,
    services,
    set_settings,
    set_upstream,
    settings,
    way,
)
from tests.web.conftest import house, relaxed  # noqa: F401


@pytest.fixture
def new_store(store_with_keys: Path) -> Path:
    return store_with_keys

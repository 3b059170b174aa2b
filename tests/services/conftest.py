"""The services of an installation on the embedded store and the test's clock."""

import pytest

from idp.base.config import load


@pytest.fixture
def settings(tmp_path):
    return load(None, {"data": str(tmp_path / "data"), "passwords.time_cost": 1, "passwords.memory_kib": 8192}, env={})


@pytest.fixture
def services(settings, repo, clock):
    from idp.assemble import build_parts

    return build_parts(settings, repo=repo, clock=clock)


@pytest.fixture
def ada(services):
    return services.users.add(
        "ada", email="ada@example.org", name="Ada Lovelace", password="correct horse", email_verified=True, actor="test"
    )


@pytest.fixture
def grace(services):
    """An administrator with a password, as the set-up makes one."""
    return services.users.add(
        "grace",
        email="grace@example.org",
        name="Grace Hopper",
        password="correct horse",
        email_verified=True,
        administrator=True,
        actor="test",
    )

"""Fixtures of the upstream tests: the double of a provider, a configured upstream, and the services around it."""

from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from idp.app import create_app
from idp.base import ids
from idp.base.config import load
from idp.base.errors import Refused
from idp.base.net import NetPolicy
from idp.crypto.seal import Seal
from idp.domain.upstream import UpstreamIdentity, UpstreamProvider
from idp.ports import Tools
from idp.services.manage_upstreams import Upstreams
from idp.services.record_audit import Audit
from idp.upstream.kinds.oidc import Kind, Settings
from idp.upstream.parse import new_provider
from idp.upstream.registry import secret_fields
from tests.support.clock import FakeClock
from tests.support.quick import SEAL_KEY_TEXT, quick
from tests.upstream.browser import PASSWORD, Browser, code
from tests.upstream.openid_double import CLIENT_ID, CLIENT_SECRET, MISSING, OpenIdDouble
from tests.upstream.saml_browser import (  # noqa: F401  (fixtures)
    add_saml,
    idp,
    our_certificate,
    refused_as,
    refused_for,
    set_settings,
    way,
)

BROWSER = ids.digest("this browser")
CALLBACK = "https://sheaf.example/upstream/corp/callback"
CORP = UpstreamProvider("corp", "oidc", "Corporate login", 0.0)
POLICY = NetPolicy(allow_private=True, timeout=2.0, max_bytes=1_048_576)


class NoSamlKeys:
    """For kinds that do not speak SAML."""


def tools_for(policy: NetPolicy, clock: FakeClock, keys: object = None) -> Tools:
    """What a kind may use of us, with a memory of its own for things that are accepted once."""
    seen: set[tuple[str, str, str]] = set()

    def once(kind: str, owner: str, value: str, expires_at: float) -> bool:
        known = (kind, owner, value) in seen
        seen.add((kind, owner, value))
        return not known

    return Tools(policy, clock, "https://sheaf.example", keys or NoSamlKeys(), once)


@pytest.fixture
def new_store(store_with_keys: Path) -> Path:
    return store_with_keys


@pytest.fixture
def openid(clock: FakeClock) -> Iterator[OpenIdDouble]:
    double = OpenIdDouble(clock)
    yield double
    double.close()
    assert double.faults == []


@pytest.fixture
def upstreams(repo, clock) -> Upstreams:
    return Upstreams(repo, clock, Seal(b"k" * 32), Audit(repo, clock))


@pytest.fixture
def refusal() -> Callable[..., Refused]:
    """Call something that must refuse; gives the refusal."""

    def call(function: Callable[..., object], *args: object, **named: object) -> Refused:
        with pytest.raises(Refused) as caught:
            function(*args, **named)
        return caught.value

    return call


@pytest.fixture
def settings(tmp_path):
    quick = {
        "passwords.time_cost": 1,
        "passwords.memory_kib": 8192,
        "net.timeout_seconds": 2,
        "seal_key": SEAL_KEY_TEXT,
    }
    return load(None, {"data": str(tmp_path / "data"), "second_factor": "administrators", **quick}, env={})


@pytest.fixture
def services(settings, repo, clock):
    from idp.assemble import build_parts

    return build_parts(settings, repo=repo, clock=clock)


@pytest.fixture
def make_user(services):
    def make(name: str, *, password: str | None = PASSWORD, **values):
        values = {"email": f"{name}@corp.example", "email_verified": True, **values}
        return services.users.add(name, password=password, actor="test", **values)

    return make


@pytest.fixture
def make_kind(openid, clock):
    def make(policy: NetPolicy = POLICY, **settings) -> Kind:
        given = {"issuer": openid.issuer, "client_id": CLIENT_ID, "client_secret": CLIENT_SECRET, **settings}
        return Kind(Settings(**given), tools_for(policy, clock))

    return make


@pytest.fixture
def kind(make_kind) -> Kind:
    return make_kind()


@pytest.fixture
def arrive(openid, kind):
    """A whole round trip; answer: changes to the parameters that come back."""

    def go(kind=kind, *, force=False, answer=None, sub="user-1", **claims):
        departure = kind.depart(CORP, CALLBACK, force=force, login_hint=None)
        params = {**openid.authorize(departure.url, sub, **claims), **(answer or {})}
        given = {name: value for name, value in params.items() if value is not MISSING}
        return kind.arrive(CORP, CALLBACK, given, departure.remembered)

    return go


@pytest.fixture
def refused(arrive, refusal):
    """The round trip must be refused: (code, reason)."""

    def go(*args, **named):
        found = refusal(arrive, *args, **named)
        return found.code, found.reason

    return go


@pytest.fixture
def add_provider(services, clock):
    def add(id="corp", **values) -> UpstreamProvider:
        provider = UpstreamProvider(id, "oidc", id.title(), clock(), **values)
        return services.upstreams.add(provider, secrets=(), actor="test")

    return add


@pytest.fixture
def corp(add_provider):
    return add_provider("corp")


@pytest.fixture
def links(services):
    return services.links


@pytest.fixture
def begin(services):
    def begin():
        draft = services.sign_in.draft("oidc", "/resume", {}, app_id="app")
        return services.sign_in.load(services.sign_in.save(draft), BROWSER)

    return begin


def says(**values) -> UpstreamIdentity:
    """What an upstream said; by default about Ada, with a verified address."""
    given = {"issuer": "https://corp.example", "subject": "s-1", "email": "ada@corp.example", "email_verified": True}
    return UpstreamIdentity(values.pop("provider_id", "corp"), **{**given, **values})


@pytest.fixture
def app(settings, repo, clock):
    return quick(create_app(settings, repo=repo, clock=clock))


@pytest.fixture
def browser(app):
    return Browser(app)


@pytest.fixture
def name_of(services):
    """The name under which an answer was refused."""

    def name(response):
        assert response.status_code >= 400, response.status_code
        return services.traces.explain(code(response)).code

    return name


@pytest.fixture
def add_upstream(services, openid, clock):
    def add(id="corp", double=openid, **pairs):
        given = {"issuer": double.issuer, "client_id": CLIENT_ID, "client_secret": CLIENT_SECRET, **pairs}
        return services.upstreams.add(
            new_provider("oidc", id, given, clock()), secrets=secret_fields("oidc"), actor="test"
        )

    return add


@pytest.fixture
def live_corp(add_upstream):
    return add_upstream(label="Corporate login")


@pytest.fixture
def set_upstream(services):
    def change(**values):
        provider = services.upstreams.get("corp")
        services.upstreams.change(replace(provider, **values), {}, secrets=(), actor="test")

    return change

"""Owns the claims about the OpenAPI description: valid, whole, and true of what REST does."""

import json
import re

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from idp.api.commands import OPERATIONS, Nothing
from idp.api.transports.openapi import description
from idp.api.transports.routes import ROUTES, STREAMED
from tests.api.conftest import Companion

ABOUT = description("https://login.example", "https://api.example")


def test_every_route_is_described_once_with_its_own_id() -> None:
    described = {(method.upper(), path) for path, methods in ABOUT["paths"].items() for method in methods}
    assert described == {
        (route.method, re.sub(r"<(?:\w+:)?(\w+)>", r"{\1}", route.path)) for route in ROUTES + STREAMED
    }
    ids = [operation["operationId"] for methods in ABOUT["paths"].values() for operation in methods.values()]
    assert len(ids) == len(set(ids))


def test_every_reference_leads_somewhere() -> None:
    for reference in re.findall(r'"\$ref": "#/components/([^"]+)"', json.dumps(ABOUT)):
        kind, _, name = reference.partition("/")
        assert name in ABOUT["components"][kind], reference


def test_every_operation_has_its_scope_and_its_answer() -> None:
    for route in ROUTES:
        path = re.sub(r"<(?:\w+:)?(\w+)>", r"{\1}", route.path)
        said = ABOUT["paths"][path][route.method.lower()]
        operation = OPERATIONS[route.operation]
        assert said["security"] == [{"token": [operation.scope]}]
        content = said["responses"][str(route.status)].get("content", {})
        assert bool(content) is (operation.response is not Nothing)


def test_it_is_served_without_a_token(companion: Companion) -> None:
    answer = companion.call("GET", "/openapi.json", None)
    assert answer.status_code == 200
    assert answer.json["openapi"] == "3.1.0"
    assert answer.json["servers"] == [{"url": "http://127.0.0.1:8001"}]


@pytest.mark.parametrize("route", [r for r in ROUTES if r.has_body], ids=lambda r: r.operation)
def test_a_member_that_is_not_described_is_refused(shared_companion: Companion, route: object) -> None:
    assert hasattr(route, "path")
    path = re.sub(r"<(?:\w+:)?(\w+)>", "a", route.path)
    answer = shared_companion.call(route.method, path, shared_companion.as_admin(), {"no_such_member": 1})
    assert (answer.status_code, answer.json["code"]) == (400, "invalid_request")


values = st.recursive(
    st.none() | st.booleans() | st.integers(-10, 10**20) | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=6), inner, max_size=3),
    max_leaves=6,
)


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_whatever_is_sent_the_answer_is_never_a_fault(companion: Companion, data: st.DataObject) -> None:
    """Requests made from the description, with members of every type in every place."""
    route = data.draw(st.sampled_from(ROUTES))
    said = ABOUT["paths"][re.sub(r"<(?:\w+:)?(\w+)>", r"{\1}", route.path)][route.method.lower()]
    path = re.sub(
        r"<(?:\w+:)?(\w+)>", lambda _: data.draw(st.sampled_from(["a", "notes", "jobs", "..", "%00", "ü"])), route.path
    )
    schema = said.get("requestBody", {}).get("content", {}).get("application/json", {}).get("schema", {})
    body = {name: data.draw(values, label=name) for name in schema.get("properties", {}) if data.draw(st.booleans())}
    answer = companion.call(route.method, path, companion.as_admin(), body if route.has_body else None)
    assert answer.status_code < 500, answer.text

"""The documentation of the companion says what the code does: operations, operators, refusals, limits."""

import re
from pathlib import Path

from idp.api import acl, query, update
from idp.api import commands as c
from idp.api.caller import ALGORITHMS
from idp.api.document_store.contract import PAGE_BYTES
from idp.api.transports.rest import HTTP_CODES, ROUTES
from idp.api.wire import MAX_BODY_BYTES, MAX_BODY_NESTING

ROOT = Path(__file__).parents[2]
TEXT = (ROOT / "docs" / "companion.md").read_text()


def rows(heading: str) -> list[list[str]]:
    """The cells of the tables under a heading, without their head."""
    section = TEXT.split(f"\n## {heading}\n")[1].split("\n## ")[0]
    found = [line.strip("|").split("|") for line in section.splitlines() if line.startswith("|")]
    return [[cell.strip() for cell in row] for row in found if not set("".join(row)) <= set("- ")]


def names(cell: str) -> list[str]:
    return re.findall(r"`([^`]+)`", cell)


def test_the_table_of_operations_is_complete_and_true() -> None:
    documented = {}
    for row in rows("Operations")[1:]:
        method, path = names(row[1])[0].split(" ")
        members = {m.strip("{}? ") for m in names(row[1])[1].split(",")} if len(names(row[1])) > 1 else set()
        documented[names(row[0])[0]] = (method, path, members, names(row[2])[0])
    actual = {}
    for route in ROUTES:
        operation = c.OPERATIONS[route.operation]
        in_path = set(re.findall(r"<(\w+)>", route.path))
        members = set(operation.request.model_fields) - in_path if route.has_body else set()
        path = route.path.replace("<", "{").replace(">", "}")
        actual[operation.name] = (route.method, path, members, operation.scope)
    assert documented == actual


def test_the_tables_of_operators_are_complete() -> None:
    operators = {name for row in rows("Queries")[1:] for name in names(row[0])}
    assert operators == {*query.COMPARISONS, *query.COMBINATIONS}
    assert [name for row in rows("Documents")[1:] for name in names(row[0])] == list(update.OPERATORS)
    assert all(f"`{name}`" in TEXT for name in (*query.SYSTEM_FIELDS, *acl.DOCUMENT_RIGHTS, *acl.QUEUE_RIGHTS))
    assert all(name in TEXT for name in ALGORITHMS)


def test_every_refusal_is_listed_and_every_listed_one_exists() -> None:
    documented = {name for row in rows("Refusals")[1:] for name in names(row[0])}
    actual = set(HTTP_CODES.values())
    for file in (ROOT / "idp" / "api").rglob("*.py"):
        source = file.read_text()
        actual |= set(re.findall(r'(?:Refused|bad_request|bad_token)\(\s*"(\w+)"', source))
        actual |= {part + "_unavailable" for part in re.findall(r'unavailable\(\s*"(\w+)"', source)}
    assert documented == actual


def test_the_limits_are_those_of_the_code() -> None:
    limits = "\n".join(" ".join(row) for row in rows("Limits"))
    for value in (MAX_BODY_BYTES, update.MAX_DOCUMENT_BYTES, PAGE_BYTES):
        assert f"{value:,} bytes" in limits
    assert f"{update.MAX_NESTING} levels" in limits
    assert f"JSON of {MAX_BODY_NESTING} levels" in limits
    assert f"{query.MAX_TERMS} conditions, {query.MAX_DEPTH} levels, {query.MAX_IN} values" in limits
    assert c.COLLECTION in limits
    assert f"{c.MAX_QUEUE_NAME} characters" in limits

"""The documentation of the companion says what the code does: operations, operators, refusals, limits."""

import re
from pathlib import Path

from idp.api import acl, node
from idp.api.caller import ALGORITHMS
from idp.api.commands import OPERATIONS, common
from idp.api.commands.streams import STREAMS
from idp.api.document_store.contract import PAGE_BYTES
from idp.api.language import aggregate, data, regex, running, steps, update
from idp.api.language import filter as query
from idp.api.language.paths import SYSTEM_FIELDS
from idp.api.transports import framed
from idp.api.transports.rest import HTTP_CODES
from idp.api.transports.routes import ROUTES, STREAMED
from idp.api.watch import watching
from idp.api.wire import MAX_BODY_BYTES, MAX_BODY_NESTING

ROOT = Path(__file__).parents[2]
TEXT = (ROOT / "docs" / "companion.md").read_text()
DOCUMENTS = (ROOT / "docs" / "documents.md").read_text()
EVERYWHERE = {"idempotency_key"}  # said once for all operations


def rows(heading: str, text: str = TEXT) -> list[list[str]]:
    """The cells of the tables under a heading, without their head."""
    section = text.split(f"\n## {heading}\n")[1].split("\n## ")[0]
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
    for route in ROUTES + STREAMED:
        operation = OPERATIONS[route.operation]
        in_path = set(re.findall(r"<(\w+)>", route.path))
        described = route.has_body and route in ROUTES
        members = set(operation.request.model_fields) - in_path - EVERYWHERE if described else set()
        path = route.path.replace("<", "{").replace(">", "}")
        actual[operation.name] = (route.method, path, members, operation.scope)
    assert documented == actual


def test_the_tables_of_operators_are_complete() -> None:
    operators = {name for row in rows("Filters", DOCUMENTS)[1:] for name in names(row[0])}
    assert operators == {*query.COMPARISONS, *query.COMBINATIONS}
    assert [name for row in rows("Updates", DOCUMENTS)[1:] for name in names(row[0])] == list(update.OPERATORS)
    stages = {name for row in rows("Aggregation", DOCUMENTS)[1:] for name in names(row[0])}
    assert stages == set(aggregate.STAGES)
    text = TEXT + DOCUMENTS + (ROOT / "docs" / "queues.md").read_text()
    known = (*aggregate.ACCUMULATORS, *query.TYPES, *SYSTEM_FIELDS, *acl.DOCUMENT_RIGHTS, *acl.QUEUE_RIGHTS)
    assert not [name for name in known if f"`{name}`" not in text]
    assert all(name in TEXT for name in ALGORITHMS)


def test_streams_and_their_limits_are_those_of_the_code() -> None:
    text = (ROOT / "docs" / "streams.md").read_text()
    documented = {}
    for row in rows("Streams", text)[1:]:
        members = {m.strip("{}? ") for m in names(row[1])[0].split(",")}
        documented[names(row[0])[0]] = (members, names(row[2])[0])
    assert documented == {o.name: (set(o.request.model_fields), o.scope) for o in STREAMS.values()}
    assert {names(row[0])[0] for row in rows("Frames", text)[1:]} == set(framed._OWN)
    limits = {row[0]: row[1] for row in rows("Limits", text)}
    expected = {
        "frame": f"{framed.MAX_FRAME_BYTES:,} bytes",
        "requests of one connection at once": f"{framed.AT_ONCE};",
        "streams of one connection": f"{framed.MAX_STREAMS}",
        "connections of one process": f"{node.MAX_CONNECTIONS}",
        "without a good token": f"{node.UNKNOWN_SECONDS:g} seconds",
        "without a frame and without a stream": f"{node.QUIET_SECONDS:g} seconds",
        "a client that takes nothing": f"{framed.SEND_SECONDS:g} seconds",
    }
    assert {what: limits[what].startswith(said) for what, said in expected.items()} == dict.fromkeys(expected, True)
    assert f"every {watching.ALIVE_SECONDS:g} seconds" in text


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
    for value in (MAX_BODY_BYTES, data.MAX_DOCUMENT_BYTES, PAGE_BYTES, running.MAX_RESULT_BYTES, steps.MAX_HELD_BYTES):
        assert f"{value:,} bytes" in limits
    assert f"{data.MAX_NESTING} levels" in limits
    assert f"JSON of {MAX_BODY_NESTING} levels" in limits
    assert f"{query.MAX_TERMS} conditions, {query.MAX_DEPTH} levels, {query.MAX_IN} values" in limits
    assert (
        f"{aggregate.MAX_STAGES} stages, {aggregate.MAX_FIELDS} fields a stage, {aggregate.MAX_FACETS} facets" in limits
    )
    assert f"{aggregate.MAX_FACET_ROWS} rows" in limits
    assert f"{regex.MAX_PATTERN} characters, {regex.MAX_SIZE} with repetitions" in limits
    assert f"{regex.MAX_WAYS} ways" in limits
    assert common.COLLECTION in limits
    assert f"{common.MAX_QUEUE_NAME} characters" in limits

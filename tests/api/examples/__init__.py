"""Owns one good and several bad requests for every operation, a file for each area: what tests of all endpoints send."""

from tests.api.examples import audit, collections, documents, exchanges, files, keys, queues, roles, work_items
from tests.api.examples.example import Example

_AREAS = (audit, documents, collections, roles, queues, exchanges, work_items, files, keys)
EXAMPLES: dict[str, Example] = {name: example for area in _AREAS for name, example in area.EXAMPLES.items()}
# Requests with which the caller's own things are made before, by area: method, path, body.
SETUPS = {area.__name__.rpartition(".")[2]: area.SETUP for area in _AREAS}

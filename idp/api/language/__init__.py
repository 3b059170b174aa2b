"""The language of documents: filters, sorts, updates, aggregations. One definition, two compilers: Python and MongoDB.

Client JSON is never passed on: it is parsed into nodes, and only nodes are compiled.
"""

from idp.api.language.aggregate import leading, parse_pipeline
from idp.api.language.data import MAX_INTEGER, check_data, project
from idp.api.language.filter import COMBINATIONS, COMPARISONS, Combine, Compare, Node, parse_filter
from idp.api.language.matching import Tick, to_predicate
from idp.api.language.mongo import pipeline_to_mongo, to_mongo
from idp.api.language.order import Sort, distinct_values, inverted, key_of, parse_sort, place, rows_at
from idp.api.language.paths import MISSING, SYSTEM_FIELDS, Path, elements, mongo_path, overlap, parse_path
from idp.api.language.running import check_rows, run_pipeline
from idp.api.language.stages import Pipeline
from idp.api.language.touching import touched
from idp.api.language.update import apply, parse_update

__all__ = [
    "COMBINATIONS",
    "COMPARISONS",
    "MAX_INTEGER",
    "MISSING",
    "SYSTEM_FIELDS",
    "Combine",
    "Compare",
    "Node",
    "Path",
    "Pipeline",
    "Sort",
    "Tick",
    "apply",
    "check_data",
    "check_rows",
    "distinct_values",
    "elements",
    "inverted",
    "key_of",
    "leading",
    "mongo_path",
    "overlap",
    "parse_filter",
    "parse_path",
    "parse_pipeline",
    "parse_sort",
    "parse_update",
    "pipeline_to_mongo",
    "place",
    "project",
    "rows_at",
    "run_pipeline",
    "to_mongo",
    "to_predicate",
    "touched",
]
